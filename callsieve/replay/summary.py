"""What happened in a span of days, or in observe mode would have: the journal, how calls ended, and what people said.

summary_of(db, since, until) -> PeriodSummary        one value that the terminal, `--json` and the console show
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from typing import Any

from callsieve.replay.false_positives import (
    WARNED,
    DecidedCall,
    FalsePositive,
    KnownCallers,
    Stops,
    Talks,
    call_back_number,
)
from callsieve.replay.report import Period, counts_of, day_of, mistakes_as_json, periods_of
from policies.decision import FAIL_OPEN_RULE
from policies.reasons import why_of
from reputation.control_sample import SampledCalls
from reputation.model import DecisionRecord, Direction, Mark, Reputation, Verdict
from reputation.outcome import OutcomeRecord
from reputation.store.activity import sampled_calls
from reputation.store.as_of import background_of
from reputation.store.evidence_rows import one_ring_before, rows_of
from reputation.store.journal import first_decisions
from reputation.store.marks import marks_between
from reputation.store.outcomes import LIVE, SETTLE_SECONDS, outcomes_between
from reputation.store.people import is_own_number

STOPPED = frozenset({"challenge", "route", "reject"})
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule, on how many calls of how many numbers it decided, and what it ordered."""

    rule: str
    calls: int
    numbers: int
    actions: dict[str, int]


@dataclass(frozen=True, slots=True)
class CallerCount:
    """A number whose calls were stopped: how many, what was ordered, and its points at the latest call."""

    number: str
    calls: int
    actions: dict[str, int]
    points: int
    last_at: float


@dataclass(frozen=True, slots=True)
class LetThrough:
    """A number that people marked as spam, and how many of its calls nothing was said about."""

    number: str
    calls: int
    reporters: int
    last_at: float


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """All that is shown of the calls from `since` until before `until`. Actions are those without observe mode.

    `observed`: calls that went on though something else was ordered, because the policy only observes. `stopped` and
    `warned`: how many calls, and which of them were probably mistakes. `let_through`: see the class. `fail_open`: how
    often, by reason. `unscreened`: inbound calls that nobody asked about. `sample`: what became of the control sample.
    `median_ms`, `slow_ms`: what a decision took, and what one in a hundred took longer than. `incomplete`: calls that
    were not seen whole.
    """

    since: float
    until: float
    calls: int
    without_number: int
    observed: int
    policies: dict[str, int]
    actions: Counter[str]
    periods: list[Period]
    weekly: bool
    stopped: int
    warned: int
    mistakes: list[FalsePositive]
    warned_mistakes: list[FalsePositive]
    rules: list[RuleCount]
    callers: list[CallerCount]
    let_through: list[LetThrough]
    marks: dict[str, int]
    outcomes: int
    incomplete: int
    unscreened: int
    sample: SampledCalls
    fail_open: dict[str, int]
    median_ms: float
    slow_ms: float


def summary_of(db: sqlite3.Connection, since: float, until: float) -> PeriodSummary:
    """The calls that began from `since` until before `until`, in one pass over the journal and the outcomes."""
    tally = _Tally(until)
    for event in _in_order(first_decisions(db, since, until), outcomes_between(db, since, until)):
        if isinstance(event, DecisionRecord):
            tally.add_decision(event)
        else:
            tally.add_outcome(event, db)
    return tally.summary(db, since, marks_between(db, since, until))


def summary_as_json(summary: PeriodSummary) -> dict[str, Any]:
    """The summary for scripts."""
    told_otherwise = {"mistakes", "warned_mistakes", "weekly"}
    return {name: getattr(summary, name) for name in PeriodSummary.__slots__ if name not in told_otherwise} | {
        "actions": counts_of(summary.actions),
        "sample": summary.sample._asdict(),
        "by": "week" if summary.weekly else "day",
        "periods": [{"first": one.first.isoformat(), **counts_of(one.actions)} for one in summary.periods],
        "probable_mistakes": mistakes_as_json(summary.mistakes),
        "probable_mistakes_warned": mistakes_as_json(summary.warned_mistakes),
    }


def _in_order(
    decided: Iterable[DecisionRecord], ended: Iterable[OutcomeRecord]
) -> Iterator[DecisionRecord | OutcomeRecord]:
    """Both by time. An outcome is dated by its call's first channel, so it comes just before its decision."""
    both: tuple[Iterable[DecisionRecord | OutcomeRecord], ...] = (decided, ended)
    return iter(merge(*both, key=lambda one: one.at))


@dataclass(slots=True)
class _Of:
    """The calls of one number or rule."""

    actions: Counter[str] = field(default_factory=Counter)
    numbers: set[str] = field(default_factory=set)
    log_odds: float = 0.0
    last_at: float = 0.0


@dataclass(slots=True)
class _Tally:
    """Adds up what comes in time order."""

    until: float
    without_number: int = 0
    observed: int = 0
    incomplete: int = 0
    outcomes: int = 0
    policies: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    fail_open: Counter[str] = field(default_factory=Counter)
    days: dict[int, Counter[str]] = field(default_factory=dict)
    rules: dict[str, _Of] = field(default_factory=dict)
    callers: dict[str, _Of] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    should_be_decided: set[str] = field(default_factory=set)
    elapsed_ms: list[float] = field(default_factory=list)
    stops: Stops = field(default_factory=Stops)
    warnings: Stops = field(default_factory=lambda: Stops(WARNED))
    talks: Talks = field(default_factory=Talks)

    def add_decision(self, one: DecisionRecord) -> None:
        """One call."""
        action = one.would_be
        self.without_number += one.caller is None
        self.observed += one.would_be != one.action
        self.policies[one.policy] += 1
        self.actions[action] += 1
        self.days.setdefault(day_of(one.at), Counter())[action] += 1
        self.elapsed_ms.append(one.elapsed_ms)
        self.decided.add(one.linkedid)
        if one.rule == FAIL_OPEN_RULE:
            self.fail_open[str(why_of(one.reason))] += 1
        rule = self.rules.setdefault(one.rule, _Of())
        rule.actions[action] += 1
        call = DecidedCall(one.caller, one.at, action, one.rule, one.did, one.level)
        self.stops.add_call(call)
        self.warnings.add_call(call)
        if one.caller is not None:
            rule.numbers.add(one.caller)
            caller = self.callers.setdefault(one.caller, _Of())
            caller.actions[action] += 1
            caller.log_odds, caller.last_at = one.log_odds, one.at

    def add_outcome(self, one: OutcomeRecord, db: sqlite3.Connection) -> None:
        """How one call ended."""
        self.outcomes += 1
        self.incomplete += not one.complete
        self.talks.add(one)
        number = call_back_number(one, partial(one_ring_before, db))
        if number is not None:
            self.stops.call_back(number)
            self.warnings.call_back(number)
        is_over = one.ended_at < self.until - SETTLE_SECONDS  # else its decision may still be on its way
        if one.direction is Direction.INBOUND and one.source == LIVE and is_over and not one.is_to_nobody:
            self.should_be_decided.add(one.linkedid)

    def summary(self, db: sqlite3.Connection, since: float, marks: Sequence[Mark]) -> PeriodSummary:
        """What it adds up to."""
        periods, weekly = periods_of(self.days)
        known_of = partial(known_in_store, db)
        times = sorted(self.elapsed_ms)
        return PeriodSummary(
            since=since,
            until=self.until,
            calls=self.actions.total(),
            without_number=self.without_number,
            observed=self.observed,
            policies=dict(self.policies.most_common()),
            actions=self.actions,
            periods=periods,
            weekly=weekly,
            stopped=self.stops.calls,
            warned=self.warnings.calls,
            mistakes=self.stops.mistakes(self.talks.of, known_of, partial(rows_of, db)),
            warned_mistakes=self.warnings.mistakes(self.talks.of, known_of),
            rules=self._rules(),
            callers=self._callers(),
            let_through=self._let_through(marks),
            marks=dict(Counter(mark.verdict.value for mark in marks).most_common()),
            outcomes=self.outcomes,
            incomplete=self.incomplete,
            sample=sampled_calls(db, since, self.until),
            unscreened=len(self.should_be_decided - self.decided),
            fail_open=dict(self.fail_open.most_common()),
            median_ms=_quantile(times, 0.5),
            slow_ms=_quantile(times, 0.99),
        )

    def _rules(self) -> list[RuleCount]:
        counts = [
            RuleCount(rule, of.actions.total(), len(of.numbers), dict(of.actions.most_common()))
            for rule, of in self.rules.items()
        ]
        return sorted(counts, key=lambda one: (-one.calls, one.rule))

    def _callers(self) -> list[CallerCount]:
        """Those that were stopped most."""
        counts = [
            CallerCount(number, stopped, dict(of.actions.most_common()), Reputation(of.log_odds).points, of.last_at)
            for number, of in self.callers.items()
            if (stopped := sum(of.actions[action] for action in STOPPED))
        ]
        return sorted(counts, key=lambda one: (-one.calls, one.number))[:MOST_LISTED]

    def _let_through(self, marks: Sequence[Mark]) -> list[LetThrough]:
        """Numbers that people marked as spam in these days, of whose calls some were simply allowed."""
        reporters: dict[str, set[str]] = {}
        for mark in marks:
            if mark.verdict is Verdict.SPAM:
                reporters.setdefault(mark.number, set()).add(mark.reporter)
        found = [
            LetThrough(number, of.actions["allow"], len(who), of.last_at)
            for number, who in reporters.items()
            if (of := self.callers.get(number)) is not None and of.actions["allow"]
        ]
        return sorted(found, key=lambda one: (-one.calls, one.number))[:MOST_LISTED]


def known_in_store(db: sqlite3.Connection, number: str) -> KnownCallers:
    """What speaks for a number at any time."""
    background = background_of(db, number)
    return KnownCallers(bool(background.contacts), background.identity, is_own_number(db, number))


def _quantile(times: Sequence[float], share: float) -> float:
    """The value that this share of the sorted ones does not exceed; 0 of none."""
    return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0
