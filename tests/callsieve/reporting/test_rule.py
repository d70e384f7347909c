"""Which marks are reported, when, as what, and when that is taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callsieve.reporting.operations import DueReport, NumberCase, ReportStep, due_of, rating_of
from reputation.appeals import AppealState
from reputation.facts import Facts
from reputation.model import AuthClass, ListName, Mark, MarkChannel, PersonalTie, Tie, Verdict
from reputation.store.reports import Report
from tests.builders import make_entry, make_identity
from tests.reputation.store_builders import make_appeal

NUMBER = "+12017421834"
NOW = 1_800_000_000.0
HOUR = 3600.0
SINCE = NOW - 30 * 86_400.0


def make_mark(reporter: str = "201", verdict: Verdict = Verdict.SPAM, hours_ago: float = 2.0, **about: Any) -> Mark:
    auth_class = about.pop("auth_class", AuthClass.UNKNOWN)
    return Mark(NUMBER, auth_class, reporter, verdict, NOW - hours_ago * HOUR, MarkChannel.EXTENSION, **about)


def make_case(*marks: Mark, **about: Any) -> NumberCase:
    said = list(marks)
    known = {"facts": Facts(), "appeals": (), "waits": False, "reported": None}
    return NumberCase(**{"marks": said, "counting": said, **known, **about})


def due(case: NumberCase) -> DueReport | None:
    return due_of(NUMBER, case, SINCE, NOW, HOUR)


REPORTED = Report(NUMBER, "B_MISSED", NOW - 86_400.0)


@pytest.mark.parametrize(
    ("category", "rating"),
    [
        ("scam", "G_FRAUD"),
        ("telemarketing", "E_ADVERTISING"),
        ("lottery", "F_GAMBLE"),
        ("survey", "D_POLL"),
        ("one-ring", "C_PING"),
        ("robocall", "B_MISSED"),
        (None, "B_MISSED"),
        ("of our own", "B_MISSED"),
    ],
)
def test_category_of_a_mark_becomes_the_rating(category: str | None, rating: str) -> None:
    assert due(make_case(make_mark(category=category))) == DueReport(NUMBER, ReportStep.REPORT, rating)


def test_most_frequent_category_counts_then_the_latest() -> None:
    scam, sale = make_mark("201", category="scam"), make_mark("202", category="sales", hours_ago=3)
    assert rating_of([sale, scam]) == "G_FRAUD"
    assert rating_of([sale, scam, make_mark("203", category="sales", hours_ago=9)]) == "E_ADVERTISING"
    assert rating_of([make_mark("204"), sale]) == "E_ADVERTISING"


def test_mark_is_reported_once_after_a_delay() -> None:
    assert due(make_case(make_mark(hours_ago=0.9))) is None
    assert due(make_case(make_mark(), reported=REPORTED)) is None


def test_changed_category_is_reported_again() -> None:
    case = make_case(make_mark(category="scam"), reported=REPORTED)
    assert due(case) == DueReport(NUMBER, ReportStep.REPORT, "G_FRAUD")


def test_marks_from_before_the_consent_are_not_reported() -> None:
    assert due(make_case(make_mark(hours_ago=31 * 24))) is None


def test_retracted_mark_is_not_reported() -> None:
    assert due(make_case(make_mark(verdict=Verdict.RETRACTED))) is None


FOR_IT = {
    "taken-back": make_case(make_mark(verdict=Verdict.RETRACTED)),
    "found-wrong": replace(make_case(make_mark()), counting=[]),
    "not-spam": make_case(make_mark(), make_mark("202", Verdict.OK)),
    "forged": make_case(make_mark(auth_class=AuthClass.UNAUTHENTICATED)),
    "own": make_case(make_mark(), facts=Facts(own_number=True)),
    "allowed": make_case(make_mark(), facts=Facts(allow=make_entry(ListName.ALLOW))),
    "known": make_case(make_mark(), facts=Facts(identity=make_identity())),
    "contact": make_case(make_mark(), facts=Facts(ties=(PersonalTie(Tie.CONTACT, None),))),
    "called": make_case(make_mark(), facts=Facts(ties=(PersonalTie(Tie.TALKED, "202"),))),
    "appeal": make_case(make_mark(), appeals=[make_appeal(number=NUMBER, opened_at=NOW, state=AppealState.OPEN)]),
}


@pytest.mark.parametrize("case", FOR_IT.values(), ids=FOR_IT.keys())
def test_number_with_favourable_evidence_is_not_reported(case: NumberCase) -> None:
    assert due(case) is None
    assert due(replace(case, reported=REPORTED)) == DueReport(NUMBER, ReportStep.WITHDRAW)
    assert due(replace(case, reported=REPORTED._replace(refused=True))) is None


def test_burst_delays_reports_and_keeps_earlier_ones() -> None:
    assert due(make_case(make_mark(category="scam"), waits=True)) is None
    assert due(make_case(make_mark(category="scam"), waits=True, reported=REPORTED)) is None


def test_refused_report_is_not_sent_again() -> None:
    assert due(make_case(make_mark(category="scam"), reported=REPORTED._replace(refused=True))) is None


def test_expired_report_is_forgotten_not_withdrawn() -> None:
    assert due(make_case(reported=REPORTED)) == DueReport(NUMBER, ReportStep.FORGET)
