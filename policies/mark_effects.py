"""Computes how many marks change a number's level. Invented numbers go through the same code as real numbers."""

from bisect import bisect_left
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from policies.decision import Action, IncomingCall
from policies.engine import decide
from policies.policy import Policy
from reputation.evidence import Circumstances, Evidence
from reputation.explaining import days_until_lower
from reputation.facts import Facts
from reputation.families.caller import passed_until
from reputation.fold import standing_of
from reputation.model import (
    Answered,
    AuthClass,
    CallerKind,
    Challenged,
    ChallengeResult,
    Identity,
    Imported,
    Level,
    Mark,
    MarkChannel,
    Reputation,
    SignalCategory,
    Verdict,
)
from reputation.numbers import Number
from reputation.outcome import Signal
from reputation.scoring import reputation_of
from reputation.standing import Rows
from reputation.weights import DAY_SECONDS, Weights

NOW = 1_800_000_000.0  # arbitrary: nothing depends on it
NUMBER = "+12015550100"
CLASS = AuthClass.UNKNOWN
MULTIPLES = (1, 2, 3, 5, 10, 20, 50, 100)


class MarkedNumber(NamedTuple):
    """An invented number.

    Attributes:
        marks: How many people marked the number as spam.
        hung_up: How many other people hung up within seconds.
        answered: How many people took calls from the number, including those of `marks` and `hung_up`.
        groups: How many groups the people of `marks` belong to.
        listed: Whether a source lists the number as spam.
        failed: Whether the caller pressed nothing in two challenges.
        passed: Whether the caller passed a challenge.
        at_once: Whether all marks came within minutes.
        appealed: Whether an appeal against the marks is in force.
        verified: Whether the identity of the caller is proven.
    """

    marks: int
    hung_up: int = 0
    answered: int = 0
    groups: int = 2
    listed: bool = False
    failed: bool = False
    passed: bool = False
    at_once: bool = False
    appealed: bool = False
    verified: bool = False


class Effect(NamedTuple):
    """A number's reputation. `lower_in`: days until its level falls, and the new level; None: not within a year."""

    reputation: Reputation
    lower_in: tuple[int, Level] | None

    @property
    def level(self) -> Level:
        """Return the number's level now."""
        return self.reputation.level


class MarkKind(StrEnum):
    """The ways in which people show that they do not want a call."""

    MARKS = "marks"  # they mark it
    HANG_UPS = "hang-ups"  # they hang up within seconds, and mark nothing
    BOTH = "both"  # half of them mark it, half hang up


@lru_cache(maxsize=4096)
def effect_of(case: MarkedNumber, weights: Weights, people: int) -> Effect:
    """Return the number's reputation in an organisation of `people` people."""
    evidence, circumstances = evidence_of(case, weights), Circumstances(auth_class=CLASS, people=people)
    reputation = reputation_of(evidence, circumstances, weights, NOW)
    is_more = reputation.level is not Level.NONE
    return Effect(reputation, days_until_lower(evidence, circumstances, weights, NOW) if is_more else None)


def evidence_of(case: MarkedNumber, weights: Weights) -> Evidence:
    """Return the evidence that the store would hold about the number."""
    apart = 0.0 if case.at_once else 60.0 * weights.counts.burst_minutes + 60.0  # closer marks would count as a burst
    marks, signals = [], []
    for i in range(case.marks):
        group, at = f"group {i % max(case.groups, 1)}", NOW - i * apart
        marks.append(Mark(NUMBER, CLASS, f"marks {i}", Verdict.SPAM, at, MarkChannel.EXTENSION, group=group))
    for i in range(case.hung_up):
        signals.append(Signal(NUMBER, CLASS, f"hangs up {i}", SignalCategory.HUNG_UP_ON, NOW, f"call {i}"))
    who = [mark.reporter for mark in marks] + [signal.callee for signal in signals]
    who += [f"silent {i}" for i in range(case.answered - len(who))]
    answered = [Answered(NUMBER, CLASS, callee, NOW) for callee in who]
    challenges = [
        Challenged(NUMBER, CLASS, "", result, NOW - day * DAY_SECONDS, f"challenge {day}")
        for result, days in ((ChallengeResult.SILENT, (2, 1)), (ChallengeResult.PASSED, (0,)))
        for day in days
        if (case.failed if result is ChallengeResult.SILENT else case.passed)
    ]
    return Evidence(
        standing=standing_of(Rows(marks, signals, answered, challenges), CLASS, weights),
        imported=(Imported("a source", "spam", is_feed=True),) if case.listed else (),
        identity=Identity(NUMBER, "", 2, NOW + 365 * DAY_SECONDS) if case.verified else None,
        appeal="an appeal" if case.appealed else None,
    )


def least_people(kind: MarkKind, answered: int, level: Level, weights: Weights, people: int) -> int | None:
    """Return how many of the `answered` people must act as `kind` says to reach the level; None if all are too few."""

    def level_by(count: int) -> Level:
        marks = {MarkKind.MARKS: count, MarkKind.HANG_UPS: 0, MarkKind.BOTH: count // 2}[kind]
        case = MarkedNumber(marks, count - marks, answered)
        return reputation_of(evidence_of(case, weights), Circumstances(CLASS, people=people), weights, NOW).level

    counts = range(1, answered + 1)  # more people never lower the level
    index = bisect_left(counts, level, key=level_by)
    return counts[index] if index < len(counts) else None


def strongest(case: MarkedNumber, weights: Weights, people: int) -> MarkedNumber:
    """Return the number with marks and hang-ups multiplied by the factor in MULTIPLES that gives the highest level."""
    sized = (
        case._replace(marks=case.marks * n, hung_up=case.hung_up * n, answered=(case.marks + case.hung_up) * n)
        for n in MULTIPLES
        if not case.at_once or n >= weights.counts.burst_marks
    )
    return max(sized, key=lambda size: effect_of(size, weights, people).level)


def action_under(policy: Policy, case: MarkedNumber, weights: Weights, people: int) -> Action:
    """Return the policy's action for a call from the number, if nobody here knows it. Observe mode is ignored."""
    call = IncomingCall("", Number(NUMBER, NUMBER, CallerKind.NUMBER))
    evidence = evidence_of(case, weights)
    facts = Facts(
        identity=evidence.identity,
        passed_until=passed_until(evidence.challenges, weights.caller),
        failures=evidence.challenges.failures + evidence.challenges.abandoned,
        reputation=effect_of(case, weights, people).reputation,
    )
    return decide(call, facts, policy, NOW).would_be
