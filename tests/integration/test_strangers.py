"""A policy that challenges every stranger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callsieve.prompts import prompts_of
from lab import Answering, Phone
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from tests.integration.office import decision_on, install_prompts, pressing

POLICY = """\
extends = "cautious"

[[rule]]
name = "stranger"
when = { relationship = false, caller_kind = "number" }
action = "challenge"
reason = "nobody here knows this number"
"""
AGAIN = "+12015550171"
DIGIT, ANOTHER = "7", "1"
PROMPTS = [key for key in prompts_of("en") if key.partition("-")[0] in ("challenge", "caller", "whisper")]


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    settings = SETTINGS.replace('name = "cautious"', 'name = "strangers"')
    with ScreenedPbx(settings=settings, start_daemon=False, digit=int(DIGIT), patient=True) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "strangers.toml").write_text(POLICY)
        office.daemon.start()
        install_prompts(office, dict.fromkeys(PROMPTS, 0.3))
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    """After each test: no channel is left after 5 s, and Asterisk has complained of nothing."""
    complaints = len(pbx.asterisk.warnings())
    yield
    pbx.asterisk.wait_until_idle(5.0)
    assert pbx.asterisk.warnings()[complaints:] == []


@pytest.fixture
def phones(pbx: ScreenedPbx) -> Iterator[tuple[Phone, Phone]]:
    """Both of sales; the second, Bob's, never answers."""
    with Phone(pbx.asterisk, "201") as alice, Phone(pbx.asterisk, "202", Answering.never()) as bob:
        yield alice, bob


def test_who_did_not_pass_is_asked_again_however_soon_he_calls(pbx: ScreenedPbx, phones: tuple[Phone, Phone]) -> None:
    for _ in range(2):
        pressing(pbx, AGAIN, ALICE, ANOTHER, ANOTHER)
    assert [phone.invites() for phone in phones] == [[], []]
    assert decision_on(pbx.daemon.store, AGAIN).action == "challenge"
