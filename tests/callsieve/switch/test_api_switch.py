"""Screening off and on, through the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.api.idempotency import HEADER
from reputation.encoding import instant_text
from reputation.users import Role
from tests.callsieve.api.serving import ASTERISK
from tests.callsieve.asking import ENABLED, ApiOffice, RunningApi
from tests.callsieve.browsing import NOW, SETTINGS, changes_of


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    asterisk = tmp_path / "asterisk"
    asterisk.write_text(ASTERISK)
    asterisk.chmod(0o755)
    with ApiOffice(tmp_path, SETTINGS.replace("callsieve-has-no-asterisk-here", str(asterisk)) + ENABLED).api() as one:
        yield one


def off_in_asterisk(api: RunningApi) -> str:
    file = api.office.folder / "asterisk.off"
    return file.read_text().strip() if file.exists() else ""


def test_screening_is_switched_off_for_a_time_and_on_again(api: RunningApi) -> None:
    program = api.program()
    assert program.done("POST", "/screening/off", {"for": "30m"}) == {
        "off": True,
        "until": instant_text(int(NOW) + 1800),
    }
    assert off_in_asterisk(api) == f"Value: {int(NOW) + 1800}"
    assert program.done("POST", "/screening/off", {}) == {"off": True, "until": None}
    assert program.done("POST", "/screening/on") == {"off": False, "until": None}
    assert off_in_asterisk(api) == ""
    assert program.done("POST", "/screening/on") == {"off": False, "until": None}
    assert [what for what, _, _ in changes_of(api.office)] == ["on", "off", "off"]


def test_repeated_request_with_the_same_key_acts_once(api: RunningApi) -> None:
    program = api.program()
    first = program.ask("POST", "/screening/off", {"for": "30m"}, headers={HEADER: "k"})
    api.office.clock.now += 60
    again = program.ask("POST", "/screening/off", {"for": "30m"}, headers={HEADER: "k"})
    assert (again.json, again.headers["idempotency-replayed"]) == (first.json, "true")
    assert len(changes_of(api.office)) == 1
    assert program.refused("POST", "/screening/off", {"for": "1h"}, headers={HEADER: "k"}) == (422, "key-reused")


@pytest.mark.parametrize(
    ("body", "told"),
    [({"for": "soon"}, (422, "bad-body")), ({"for": "0m"}, (422, "bad-duration")), ({"for": 30}, (422, "bad-body"))],
)
def test_bad_duration_is_refused(api: RunningApi, body: object, told: tuple[int, str]) -> None:
    assert api.program().refused("POST", "/screening/off", body) == told
    assert off_in_asterisk(api) == ""


def test_unreachable_asterisk_is_reported(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program()
        assert program.refused("POST", "/screening/off", {}) == (503, "asterisk-not-reached")
        assert program.refused("POST", "/screening/on") == (503, "asterisk-not-reached")
        assert changes_of(api.office) == []


def test_only_administrators_switch_screening(api: RunningApi) -> None:
    assert api.program(Role.OPERATOR).refused("POST", "/screening/off", {}) == (403, "wrong-role")
