"""The summary of screening in several days, from the journal, the outcomes and the marks."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from typing import Annotated

from callsieve.replay.false_positives import (
    WARNED,
    DecidedCall,
    FalsePositive,
    KnownCallers,
    ProbableMistakes,
    Stops,
    Talks,
    call_back_number,
)
from callsieve.replay.report import Period, counts_of, day_of, periods_of
from policies.decision import FAIL_OPEN_RULE
from policies.reasons import why_of
from reputation.control_sample import SampledCalls
from reputation.encoding import HIDDEN, Instant, encoded
from reputation.model import DecisionRecord, Direction, Mark, Reputation, Verdict
from reputation.outcome import OutcomeRecord
from reputation.store.activity import sampled_calls
from reputation.store.as_of import background_of
from reputation.store.confirmations import confirmation_of
from reputation.store.evidence_rows import one_ring_before, rows_of
from reputation.store.journal import first_decisions
from reputation.store.marks import marks_between
from reputation.store.outcomes import LIVE, SETTLE_SECONDS, outcomes_between
from reputation.store.people import is_own_number

STOPPED = frozenset({"challenge", "route", "reject"})
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule, and how many calls and numbers it decided about. `actions`: how many of the calls got each action."""

    rule: str
    calls: int
    numbers: int
    actions: dict[str, int]


@dataclass(frozen=True, slots=True)
class CallerCount:
    """A number with stopped calls. `actions`: how many calls got each action. `points`: points at the latest call."""

    number: str
    calls: int
    actions: dict[str, int]
    points: int
    last_at: Instant


@dataclass(frozen=True, slots=True)
class LetThrough:
    """A number that people marked as spam, and how many of its calls were neither tagged nor warned about."""

    number: str
    calls: int
    reporters: int
    last_at: Instant


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """A summary of the calls that began at or after `since` and before `until`.

    Attributes:
        actions: How many calls got each action, or would have got it without observe mode.
        observed: How many calls only observe mode let through.
        mistakes: The numbers that were probably stopped by mistake.
        incomplete: How many calls were only partly tracked, for example because events from Asterisk were missed.
        slow_ms: The time that 1 % of the decisions exceeded.
    """

    since: Instant
    until: Instant
    calls: int
    without_number: int
    observed: int
    policies: dict[str, int]
    actions: Counter[str]
    periods: list[Period]
    weekly: Annotated[bool, HIDDEN]
    stopped: int
    warned: int
    mistakes: Annotated[list[FalsePositive], HIDDEN]
    warned_mistakes: Annotated[list[FalsePositive], HIDDEN]
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

    @property
    @encoded
    def by(self) -> str:
        """The length of a period: `day` or `week`."""
        return "week" if self.weekly else "day"

    @property
    @encoded
    def probable_mistakes(self) -> ProbableMistakes:
        """Calls that were probably stopped by mistake."""
        return ProbableMistakes.of(self.mistakes)

    @property
    @encoded
    def probable_mistakes_warned(self) -> ProbableMistakes:
        """Calls that were probably warned about by mistake."""
        return ProbableMistakes.of(self.warned_mistakes)


def summary_of(db: sqlite3.Connection, since: float, until: float) -> PeriodSummary:
    """Return the summary of the calls that began at or after `since` and before `until`."""
    tally = _Tally(until)
    for event in _in_order(first_decisions(db, since, until), outcomes_between(db, since, until)):
        if isinstance(event, DecisionRecord):
            tally.add_decision(event)
        else:
            tally.add_outcome(event, db)
    return tally.summary(db, since, marks_between(db, since, until))


def _in_order(
    decided: Iterable[DecisionRecord], ended: Iterable[OutcomeRecord]
) -> Iterator[DecisionRecord | OutcomeRecord]:
    """Merge decisions and outcomes by time."""
    # The outcome of a call comes before the decision, because the outcome has the time of the call's first channel.
    both: tuple[Iterable[DecisionRecord | OutcomeRecord], ...] = (decided, ended)
    return iter(merge(*both, key=lambda event: event.at))


@dataclass(slots=True)
class _Calls:
    actions: Counter[str] = field(default_factory=Counter)
    numbers: set[str] = field(default_factory=set)
    log_odds: float = 0.0
    last_at: float = 0.0


@dataclass(slots=True)
class _Tally:
    until: float
    without_number: int = 0
    observed: int = 0
    incomplete: int = 0
    outcomes: int = 0
    policies: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    fail_open: Counter[str] = field(default_factory=Counter)
    days: dict[int, Counter[str]] = field(default_factory=dict)
    rules: dict[str, _Calls] = field(default_factory=dict)
    callers: dict[str, _Calls] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    should_be_decided: set[str] = field(default_factory=set)
    elapsed_ms: list[float] = field(default_factory=list)
    stops: Stops = field(default_factory=Stops)
    warnings: Stops = field(default_factory=lambda: Stops(WARNED))
    talks: Talks = field(default_factory=Talks)

    def add_decision(self, decision: DecisionRecord) -> None:
        action = decision.would_be
        self.without_number += decision.caller is None
        self.observed += decision.would_be != decision.action
        self.policies[decision.policy] += 1
        self.actions[action] += 1
        self.days.setdefault(day_of(decision.at), Counter())[action] += 1
        self.elapsed_ms.append(decision.elapsed_ms)
        self.decided.add(decision.linkedid)
        if decision.rule == FAIL_OPEN_RULE:
            self.fail_open[str(why_of(decision.reason))] += 1
        rule = self.rules.setdefault(decision.rule, _Calls())
        rule.actions[action] += 1
        call = DecidedCall(decision.caller, decision.at, action, decision.rule, decision.did, decision.level)
        self.stops.add_call(call)
        self.warnings.add_call(call)
        if decision.caller is not None:
            rule.numbers.add(decision.caller)
            caller = self.callers.setdefault(decision.caller, _Calls())
            caller.actions[action] += 1
            caller.log_odds, caller.last_at = decision.log_odds, decision.at

    def add_outcome(self, outcome: OutcomeRecord, db: sqlite3.Connection) -> None:
        self.outcomes += 1
        self.incomplete += not outcome.complete
        self.talks.add(outcome)
        number = call_back_number(outcome, partial(one_ring_before, db))
        if number is not None:
            self.stops.call_back(number)
            self.warnings.call_back(number)
        is_over = outcome.ended_at < self.until - SETTLE_SECONDS  # otherwise its decision may not be recorded yet
        if outcome.direction is Direction.INBOUND and outcome.source == LIVE and is_over and not outcome.is_to_nobody:
            self.should_be_decided.add(outcome.linkedid)

    def summary(self, db: sqlite3.Connection, since: float, marks: Sequence[Mark]) -> PeriodSummary:
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
            actions=counts_of(self.actions),
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
            RuleCount(rule, calls.actions.total(), len(calls.numbers), dict(calls.actions.most_common()))
            for rule, calls in self.rules.items()
        ]
        return sorted(counts, key=lambda rule: (-rule.calls, rule.rule))

    def _callers(self) -> list[CallerCount]:
        counts = [
            CallerCount(
                number, stopped, dict(calls.actions.most_common()), Reputation(calls.log_odds).points, calls.last_at
            )
            for number, calls in self.callers.items()
            if (stopped := sum(calls.actions[action] for action in STOPPED))
        ]
        return sorted(counts, key=lambda caller: (-caller.calls, caller.number))[:MOST_LISTED]

    def _let_through(self, marks: Sequence[Mark]) -> list[LetThrough]:
        reporters: dict[str, set[str]] = {}
        for mark in marks:
            if mark.verdict is Verdict.SPAM:
                reporters.setdefault(mark.number, set()).add(mark.reporter)
        numbers = [
            LetThrough(number, calls.actions["allow"], len(who), calls.last_at)
            for number, who in reporters.items()
            if (calls := self.callers.get(number)) is not None and calls.actions["allow"]
        ]
        return sorted(numbers, key=lambda number_row: (-number_row.calls, number_row.number))[:MOST_LISTED]


def known_in_store(db: sqlite3.Connection, number: str) -> KnownCallers:
    """Return the store's facts in favour of a number."""
    background, confirmed = background_of(db, number), confirmation_of(db, number)
    return KnownCallers(
        is_contact=bool(background.contacts),
        identity=background.identity,
        is_own=is_own_number(db, number),
        confirmed_at=None if confirmed is None else confirmed.at,
    )


def _quantile(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0
