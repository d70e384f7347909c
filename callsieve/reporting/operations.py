"""Decide which marks to report to PhoneBlock. Reports change nothing in CallSieve, so there are no audit rows."""

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

# PhoneBlock's ratings (its API, read on 2026-11-27) by the category of a mark.
RATING_BY_CATEGORY = {
    **dict.fromkeys(("scam", "fraud", "phishing", "identity theft"), "G_FRAUD"),
    **dict.fromkeys(("telemarketing", "sales", "advertising", "marketing", "debt collection"), "E_ADVERTISING"),
    **dict.fromkeys(("gambling", "lottery", "prize"), "F_GAMBLE"),
    **dict.fromkeys(("survey", "poll"), "D_POLL"),
    **dict.fromkeys(("one-ring", "one ring", "ping", "wangiri"), "C_PING"),
}
UNSPECIFIED = "B_MISSED"  # "negatively rated without determining the call type"
SPEAK_FOR = frozenset({Tie.ALLOW, Tie.EXPECTED, Tie.CONTACT, Tie.TALKED, Tie.NOT_SPAM})
# A call whose signature failed may show a forged number, whose owner must not be reported. Unsigned calls do count.
REPORTED_CLASSES = frozenset({AuthClass.AUTHENTICATED, AuthClass.UNKNOWN})


class ReportStep(StrEnum):
    """A step for a number: report it to PhoneBlock, withdraw its report, or delete only our record of the report."""

    REPORT = "report"
    WITHDRAW = "withdraw"
    FORGET = "forget"  # its marks have expired or were erased: the report was right, so PhoneBlock keeps it


@dataclass(frozen=True, slots=True)
class NumberCase:
    """Everything that decides whether a number is reported. `marks`: all marks made by people of this site.

    `counting`: marks neither corrected nor made before the number got its current owner. `waits`: whether unusually
    many new marks wait for a review.
    """

    marks: Sequence[Mark]
    counting: Sequence[Mark]
    facts: Facts
    appeals: Sequence[Appeal]
    waits: bool
    reported: reports.Report | None


@dataclass(frozen=True, slots=True)
class DueReport:
    """A step that is due for a number. `rating`: the rating to report, in PhoneBlock's words; otherwise empty."""

    number: str
    step: ReportStep
    rating: str = ""


def due_of(number: str, case: NumberCase, since: float, now: float, delay_seconds: float) -> DueReport | None:
    """Return the step due for a number, or None.

    Marks from before `since`, or newer than `delay_seconds`, are not reported.
    """
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
    """Return whether facts here speak in favour of the number, so that it must not be reported."""
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
    """Return PhoneBlock's rating for the most frequent category of the marks; for equal counts, the latest category."""
    words = [RATING_BY_CATEGORY[mark.category] for mark in _latest_first(marks) if mark.category in RATING_BY_CATEGORY]
    return Counter(words).most_common(1)[0][0] if words else UNSPECIFIED


def _latest_first(marks: Sequence[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: mark.at, reverse=True)


PHONEBLOCK = "phoneblock"


def reporting_to(loaded: Loaded) -> PhoneBlockReporting:
    """Return the settings of reports to PhoneBlock."""
    return loaded.settings.reporting.phoneblock


def begin(db: sqlite3.Connection, loaded: Loaded, now: float) -> bool:
    """Return whether reporting is on. Store the time of the first run, because older marks are not reported."""
    if reporting_to(loaded).enabled:
        reports.begin_reporting(db, PHONEBLOCK, now)
        return True
    reports.end_reporting(db, PHONEBLOCK)
    return False


def due_reports(db: sqlite3.Connection, loaded: Loaded, now: float) -> list[DueReport]:
    """Return all steps that are due now."""
    state = reports.service_state(db, PHONEBLOCK)
    if state is None or not reporting_to(loaded).enabled:
        return []
    own_numbers, delay = known_own_numbers(db, loaded), 60.0 * reporting_to(loaded).delay_minutes
    numbers = reports.numbers_in_question(db, PHONEBLOCK, state.since)
    steps = (due_of(number, _case(db, number, own_numbers, now), state.since, now, delay) for number in numbers)
    return [due for due in steps if due is not None]


def note_done(db: sqlite3.Connection, due: DueReport, now: float, *, refused: bool = False) -> None:
    """Record that PhoneBlock accepted a step, or refused it."""
    if due.step is ReportStep.REPORT:
        reports.set_report(db, PHONEBLOCK, reports.Report(due.number, due.rating, now, refused))
    else:
        reports.forget_report(db, PHONEBLOCK, due.number)


def reported(db: sqlite3.Connection) -> list[reports.Report]:
    """Return the recorded reports to PhoneBlock, newest first. They include reports that PhoneBlock refused."""
    return reports.reports_to(db, PHONEBLOCK)


def _case(db: sqlite3.Connection, number: str, own_numbers: frozenset[str], now: float) -> NumberCase:
    epoch = epoch_of(db, number)
    own_marks = [
        mark for mark in rows_of(db, number).marks if not site_of(mark.reporter)
    ]  # other sites report their own
    counting = [mark for mark in own_marks if epoch is None or mark.at >= epoch.at]
    facts = facts_of(db, FactsQuery(stored_number(number), AuthClass.UNKNOWN, None, now))
    return NumberCase(
        marks=[mark for mark in marks_of(db, number) if not site_of(mark.reporter)],
        counting=counting,
        facts=facts._replace(own_number=facts.own_number or number in own_numbers),
        appeals=appeals_of(db, number),
        waits=bool(numbers_to_review(db, number)),
        reported=reports.report_of(db, PHONEBLOCK, number),
    )
