"""Which of our marks others are told of, and when. Pure.

A mark is a person's word about a caller; told to others it may cost the number's owner his calls. So it is told late,
once, only while nothing speaks for the number, and taken back as soon as we no longer stand by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reputation.appeals import Appeal, AppealState
from reputation.facts import Facts
from reputation.model import AuthClass, Mark, Tie, Verdict
from reputation.store.reports import Report

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
    reported: Report | None


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
