"""What is to be reported, and that it was. Nobody changes anything by it: no row of the audit comes of it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from callsieve.integration_settings import PhoneBlockReporting
from callsieve.settings import Loaded
from callsieve.wiring import known_own_numbers
from reputation.appeals import Appeal, AppealState
from reputation.facts import Facts, FactsQuery
from reputation.model import AuthClass, Mark, Tie, Verdict
from reputation.numbers import stored_number
from reputation.site_names import site_of
from reputation.store import reports
from reputation.store.appeals import appeals_of
from reputation.store.evidence_rows import marks_of, rows_of
from reputation.store.facts import facts_of
from reputation.store.identities import epoch_of
from reputation.store.standing import numbers_to_review

# PhoneBlock's words for kinds of calls (its API, read on 2026-11-27), by the category that our people wrote.
RATING_BY_CATEGORY = {
    **dict.fromkeys(("scam", "fraud", "phishing", "identity theft"), "G_FRAUD"),
    **dict.fromkeys(("telemarketing", "sales", "advertising", "marketing", "debt collection"), "E_ADVERTISING"),
    **dict.fromkeys(("gambling", "lottery", "prize"), "F_GAMBLE"),
    **dict.fromkeys(("survey", "poll"), "D_POLL"),
    **dict.fromkeys(("one-ring", "one ring", "ping", "wangiri"), "C_PING"),
}
UNSPECIFIED = "B_MISSED"  # "negatively rated without determining the call type"
SPEAK_FOR = frozenset({Tie.ALLOW, Tie.EXPECTED, Tie.CONTACT, Tie.TALKED, Tie.NOT_SPAM})
# Whoever forged a number would have its owner reported. Without signatures nobody can know: those count.
REPORTED_CLASSES = frozenset({AuthClass.AUTHENTICATED, AuthClass.UNKNOWN})


class ReportStep(StrEnum):
    """What is to be done about a number."""

    REPORT = "report"
    WITHDRAW = "withdraw"
    FORGET = "forget"  # its marks are past their time, or erased: nobody takes back what was right then


@dataclass(frozen=True, slots=True)
class NumberCase:
    """All that the rule asks about a number. `marks`: all that people said of it; `counting`: those that count, without
    those that were found wrong or are of an owner before; `waits`: a burst of them waits for a review.
    """

    marks: Sequence[Mark]
    counting: Sequence[Mark]
    facts: Facts
    appeals: Sequence[Appeal]
    waits: bool
    reported: reports.Report | None


@dataclass(frozen=True, slots=True)
class DueReport:
    """A step that is to be taken. `rating` is empty where nothing is reported."""

    number: str
    step: ReportStep
    rating: str = ""


def due_of(number: str, case: NumberCase, since: float, now: float, delay_seconds: float) -> DueReport | None:
    """What is to be done now; None: nothing. `since`: marks of before are not reported."""
    reported = case.reported
    if reported and not case.marks:
        return DueReport(number, ReportStep.FORGET)
    spam = [mark for mark in case.counting if mark.verdict is Verdict.SPAM and mark.auth_class in REPORTED_CLASSES]
    if not spam or speaks_for_it(case):
        return DueReport(number, ReportStep.WITHDRAW) if reported and not reported.refused else None
    old_enough = [mark for mark in spam if mark.at >= since and mark.at <= now - delay_seconds]
    if not old_enough or case.waits or (reported and reported.refused):
        return None
    rating = rating_of(old_enough)
    return None if reported and reported.rating == rating else DueReport(number, ReportStep.REPORT, rating)


def speaks_for_it(case: NumberCase) -> bool:
    """Whether somebody or something here speaks for the number: then others are told nothing against it."""
    facts = case.facts
    return (
        facts.own_number
        or facts.allow is not None
        or facts.identity is not None
        or any(tie.tie in SPEAK_FOR for tie in facts.ties)
        or any(mark.verdict is Verdict.OK for mark in case.counting)
        or any(appeal.state in (AppealState.OPEN, AppealState.IN_FORCE) for appeal in case.appeals)
    )


def rating_of(marks: Sequence[Mark]) -> str:
    """PhoneBlock's word for what most people wrote; of equals the one that was written last."""
    words = [RATING_BY_CATEGORY[mark.category] for mark in _latest_first(marks) if mark.category in RATING_BY_CATEGORY]
    return Counter(words).most_common(1)[0][0] if words else UNSPECIFIED


def _latest_first(marks: Sequence[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: mark.at, reverse=True)


PHONEBLOCK = "phoneblock"


def reporting_to(loaded: Loaded) -> PhoneBlockReporting:
    """The settings of it."""
    return loaded.settings.reporting.phoneblock


def begin(db: sqlite3.Connection, loaded: Loaded, now: float) -> bool:
    """Notes since when marks may be reported, which is when somebody looked first. False: it is off, and over."""
    if reporting_to(loaded).enabled:
        reports.begin_reporting(db, PHONEBLOCK, now)
        return True
    reports.end_reporting(db, PHONEBLOCK)
    return False


def due_reports(db: sqlite3.Connection, loaded: Loaded, now: float) -> list[DueReport]:
    """All that is to be done now."""
    state = reports.service_state(db, PHONEBLOCK)
    if state is None or not reporting_to(loaded).enabled:
        return []
    ours, delay = known_own_numbers(db, loaded), 60.0 * reporting_to(loaded).delay_minutes
    numbers = reports.numbers_in_question(db, PHONEBLOCK, state.since)
    found = (due_of(one, _case(db, one, ours, now), state.since, now, delay) for one in numbers)
    return [due for due in found if due is not None]


def note_done(db: sqlite3.Connection, due: DueReport, now: float, *, refused: bool = False) -> None:
    """They have it now, or have refused it."""
    if due.step is ReportStep.REPORT:
        reports.set_report(db, PHONEBLOCK, reports.Report(due.number, due.rating, now, refused))
    else:
        reports.forget_report(db, PHONEBLOCK, due.number)


def reported(db: sqlite3.Connection) -> list[reports.Report]:
    """What they have of us."""
    return reports.reports_to(db, PHONEBLOCK)


def _case(db: sqlite3.Connection, number: str, ours: frozenset[str], now: float) -> NumberCase:
    epoch = epoch_of(db, number)
    mine = [mark for mark in rows_of(db, number).marks if not site_of(mark.reporter)]  # other sites report their own
    counting = [mark for mark in mine if epoch is None or mark.at >= epoch.at]
    facts = facts_of(db, FactsQuery(stored_number(number), AuthClass.UNKNOWN, None, now))
    return NumberCase(
        marks=[mark for mark in marks_of(db, number) if not site_of(mark.reporter)],
        counting=counting,
        facts=facts._replace(own_number=facts.own_number or number in ours),
        appeals=appeals_of(db, number),
        waits=bool(numbers_to_review(db, number)),
        reported=reports.report_of(db, PHONEBLOCK, number),
    )
