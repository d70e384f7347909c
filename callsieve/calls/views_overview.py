"""What happens: decisions over time, what was probably wrong, and who calls more than before."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from heapq import merge
from typing import NamedTuple

from callsieve.replay.false_positives import STOPPED, WARNED, FalsePositive, Stops, Talks, call_back_number
from callsieve.replay.summary import known_in_store
from callsieve.web.cache import Cache
from callsieve.web.words import N_
from policies.decision import ACTION_BY_WORD, OWN_RULES
from reputation.control_sample import SampledCalls
from reputation.model import DecisionRecord
from reputation.outcome import OutcomeRecord
from reputation.store.activity import (
    CallerBlock,
    Rising,
    busy_blocks,
    counts_over,
    rising_numbers,
    sampled_calls,
    stopped_but_known,
)
from reputation.store.calls import rules_seen
from reputation.store.evidence_rows import one_ring_before, rows_of
from reputation.store.journal import decisions
from reputation.store.outcomes import outcomes
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

ACTIVITY_SECONDS = 20.0
ACTIONS = tuple(ACTION_BY_WORD)
DRAWN = ("tag", "warn", "challenge", "route", "reject")
MISTAKE_DAYS = 7
MOST_SUSPECTS = 50
MOST_CALLS = 200
LISTED = 8
NO_SAMPLE = SampledCalls(0, 0, 0, 0)


class ActivityCache:
    """The figures of each span: counting them takes a while, and everybody who looks sees the same."""

    def __init__(self) -> None:
        self.kept: Cache[ActivityShown] = Cache(ACTIVITY_SECONDS)


class ActivitySpan(NamedTuple):
    """How far back, and in which steps; seconds."""

    word: str
    label: str
    seconds: float
    step: float


SPANS = {
    span.word: span
    for span in (
        ActivitySpan("day", N_("24 hours"), DAY_SECONDS, 3600.0),
        ActivitySpan("week", N_("7 days"), 7 * DAY_SECONDS, 6 * 3600.0),
        ActivitySpan("month", N_("30 days"), 30 * DAY_SECONDS, DAY_SECONDS),
    )
}


class ActivityStep(NamedTuple):
    """One step of time: how often each action was ordered."""

    at: float
    counts: Counter[str]


@dataclass(frozen=True, slots=True)
class ActivityShown:
    """The figures of a span, found out at `at`. Whatever the span, `mistakes` are those of the last MISTAKE_DAYS, and
    `rising` and `blocks` of the last day. `site`: whose calls are counted, empty for all; those three are of all.
    """

    at: float
    span: ActivitySpan
    steps: tuple[ActivityStep, ...]
    totals: Counter[str]
    sample: SampledCalls
    mistakes: tuple[FalsePositive, ...]
    rising: tuple[Rising, ...]
    blocks: tuple[CallerBlock, ...]
    site: str = ""

    @property
    def sampled(self) -> Wording | None:
        """What the control sample costs; None where it took no call."""
        return self.sample.words(self.totals["warn"]) if self.sample.calls else None

    @property
    def calls(self) -> int:
        """How many were decided about."""
        return self.totals.total()

    @property
    def since(self) -> float:
        """When the span begins."""
        return self.steps[0].at

    @property
    def mistaken_calls(self) -> int:
        """How many calls the mistakes are."""
        return sum(mistake.calls for mistake in self.mistakes)


def activity_shown(db: sqlite3.Connection, span: ActivitySpan, now: float, site: str = "") -> ActivityShown:
    """The figures up to now. Steps begin at whole ones, so that they stay what they are as time goes on."""
    last = now // span.step
    first = last - round(span.seconds / span.step) + 1
    since = first * span.step
    counted: dict[int, Counter[str]] = {}
    for count in counts_over(db, since, now + 60, span.step, site):
        counted.setdefault(count.step, Counter())[count.action] += count.calls
    steps = tuple(ActivityStep(since + n * span.step, counted.get(n, Counter())) for n in range(int(last - first) + 1))
    return ActivityShown(
        at=now,
        span=span,
        steps=steps,
        totals=sum((step.counts for step in steps), Counter()),
        sample=_sample(db, since, now) if not site else NO_SAMPLE,
        mistakes=tuple(probable_mistakes(db, now - MISTAKE_DAYS * DAY_SECONDS)),
        rising=tuple(rising_numbers(db, now - DAY_SECONDS, now + 60, LISTED)),
        blocks=tuple(busy_blocks(db, now - DAY_SECONDS, now + 60, LISTED)),
        site=site,
    )


def _sample(db: sqlite3.Connection, since: float, now: float) -> SampledCalls:
    return sampled_calls(db, since, now + 60, [rule for rule in rules_seen(db) if rule not in OWN_RULES])


def probable_mistakes(db: sqlite3.Connection, since: float) -> list[FalsePositive]:
    """Numbers that were stopped or warned of since then, and somebody of ours wanted to hear from, most calls first."""
    stops, talks = Stops(STOPPED | WARNED), Talks()
    for number in stopped_but_known(db, since, MOST_SUSPECTS):
        decided = reversed(decisions(db, caller=number, since=since, limit=MOST_CALLS))
        ended = reversed(outcomes(db, number=number, since=since, limit=MOST_CALLS))
        both: tuple[Iterable[DecisionRecord | OutcomeRecord], ...] = (decided, ended)
        for one in merge(*both, key=lambda one: one.at):
            _add(one, stops, talks, db)
    return stops.mistakes(talks.of, partial(known_in_store, db), partial(rows_of, db))


def _add(one: DecisionRecord | OutcomeRecord, stops: Stops, talks: Talks, db: sqlite3.Connection) -> None:
    if isinstance(one, DecisionRecord):
        stops.add_call(one.caller, one.at, one.would_be, one.rule, one.did)
        return
    talks.add(one)
    number = call_back_number(one, partial(one_ring_before, db))
    if number is not None:
        stops.call_back(number)
