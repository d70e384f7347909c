"""What is known about a number, for its owner: after control of it was proven, and nothing of it before."""

from __future__ import annotations

import pytest

from callsieve.public_page.operations import VIEW_DAYS
from reputation.appeals import AppealStep
from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.appeals import AppealRuling, all_appeals, decide, take_step
from reputation.store.identities import raise_epoch
from reputation.store.marks import add_mark
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.pages import Stranger, text_of

REFERENCE = "7KQ2M4XA"
DAY = 86_400.0
AGAINST = "Evidence against the number"
REPORTERS = ("desk-one", "desk-two")


@pytest.fixture
def path(stranger: Stranger, office: Office) -> str:
    add_calls(office, make_decision(REFERENCE))
    for n, reporter in enumerate(REPORTERS):
        mark = Mark(CALLER, AuthClass.UNKNOWN, reporter, Verdict.SPAM, NOW - (n + 1) * DAY, MarkChannel.EXTENSION)
        office.write(add_mark, mark)
    return stranger.filed(REFERENCE).partition("?")[0]


def step(office: Office, one: AppealStep) -> None:
    (appeal,) = office.read(all_appeals)
    office.write(take_step, appeal.reference, one, NOW)


def rule(office: Office) -> None:
    (appeal,) = office.read(all_appeals)
    office.write(decide, appeal.reference, AppealRuling(False, "Two of us complained."), NOW + 60)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            (AGAINST, "The level would become lower if", "How the evidence fades", "The level would become higher if"),
        ),
        ("zh", ("不利的证据", "以下情况会使级别降低", "何时消退")),
    ],
)
def test_owner_with_proven_control_sees_the_evidence(
    stranger: Stranger, office: Office, path: str, language: str, words: tuple[str, ...]
) -> None:
    step(office, AppealStep.PROVE)
    page = text_of(stranger.get(f"{path}?lang={language}"))
    assert [word for word in words if word not in page] == []
    for secret in (*REPORTERS, CALLER):
        assert secret not in page


@pytest.mark.parametrize("one", [None, AppealStep.ACCEPT, AppealStep.WITHDRAW])
def test_evidence_is_hidden_without_proof_of_control(
    stranger: Stranger, office: Office, path: str, one: AppealStep | None
) -> None:
    if one is not None:
        step(office, one)
    assert AGAINST not in text_of(stranger.get(path))


def test_evidence_stays_visible_for_days_after_the_ruling(stranger: Stranger, office: Office, path: str) -> None:
    step(office, AppealStep.PROVE)
    rule(office)
    office.clock.now = NOW + VIEW_DAYS * DAY
    assert AGAINST in text_of(stranger.get(path))
    office.clock.now += 120
    assert AGAINST not in text_of(stranger.get(path))


def test_former_owner_sees_no_evidence_of_the_next(stranger: Stranger, office: Office, path: str) -> None:
    step(office, AppealStep.PROVE)
    office.write(raise_epoch, CALLER, NOW + 60, "given to somebody else", "otto")
    office.clock.now = NOW + 120
    assert AGAINST not in text_of(stranger.get(path))


def test_withdrawn_appeal_shows_no_evidence(stranger: Stranger, office: Office, path: str) -> None:
    step(office, AppealStep.PROVE)
    step(office, AppealStep.WITHDRAW)
    assert AGAINST not in text_of(stranger.get(path))
