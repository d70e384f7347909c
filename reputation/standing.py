"""From the evidence rows of one number and class to a few sums that decay, read in O(1) at any later time.

    standing_of_people(rows, auth_class, weights, ...) -> Standing   exact, whatever the order of the rows
    decayed(standing.marks, standing.at, now, half-life)             what a decision does

Rows are distinct by witness already (reputation/store, reputation/memory_store): the latest mark of a reporter, the
latest signal of a callee and category, the latest answer of a callee, in each epoch. Over epochs the latest counts.
They are those of one site here; reputation/fold.py puts several together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from math import fsum, inf
from typing import NamedTuple, Protocol, TypeVar

from reputation.formulas import decayed
from reputation.model import (
    NEVER_CHALLENGED,
    Answered,
    AuthClass,
    Challenged,
    ChallengeHistory,
    ChallengeResult,
    Mark,
    SignalCategory,
    Verdict,
)
from reputation.outcome import Signal
from reputation.signals import ONE_RING, SPAMWARD, counts_for, kind_of
from reputation.weights import DAY_SECONDS, BehaviourWeights, MarkWeights, Weights, WitnessWeights

HOUR_SECONDS = 3600.0
# So many passes are counted: each doubles how many people it takes to end the next one, and soon there are not so many.
MAX_PASSES = 8
PASSES_SECONDS = 90 * DAY_SECONDS


class Rows(NamedTuple):
    """All evidence rows of one number, of every class and epoch."""

    marks: Sequence[Mark] = ()
    signals: Sequence[Signal] = ()
    answered: Sequence[Answered] = ()
    challenges: Sequence[Challenged] = ()


class Standing(NamedTuple):
    """What the rows of a number add up to in one class, exact at `at`, the time of the latest.

    Another site counts as one of our people, who answered where it marks (reputation/fold.py). `marks` is M, the sum of
    the reporters' weights; `answers` D, the people who answered; both decay with the half-life of marks. `behaviour` is
    the sum of the signals' weights and decays with its own, but for that of one-ring calls,
    which is `one_ring` and decays faster. `reporters` and `groups` count who is behind the live spam marks, `answered`
    who answered and `silent` who of them did not mark, `signals` the callees behind each category. `burst_at`: when the
    latest burst of marks ended, None: there was none. `witnessed`: when each of our people last had something against
    the number, the latest first, as many as any office needs. `challenges`: what it did when challenged.
    """

    at: float
    marks: float = 0.0
    answers: float = 0.0
    behaviour: float = 0.0
    one_ring: float = 0.0
    reporters: int = 0
    groups: int = 0
    answered: int = 0
    silent: int = 0
    signals: tuple[tuple[SignalCategory, int], ...] = ()
    burst_at: float | None = None
    witnessed: tuple[float, ...] = ()
    challenges: ChallengeHistory = NEVER_CHALLENGED


class _Dated(Protocol):
    @property
    def at(self) -> float: ...

    @property
    def epoch(self) -> int: ...

    @property
    def auth_class(self) -> AuthClass: ...


D = TypeVar("D", bound=_Dated)


def standing_of_people(
    rows: Rows,
    auth_class: AuthClass,
    weights: Weights,
    *,
    epoch_at: float | None = None,
    trust: Callable[[str], float] = lambda _reporter: 1.0,
) -> Standing | None:
    """What the people of one site add up to in a class, None where no row counts. `epoch_at`: since when the number has
    its present owner; `trust`: that in a reporter.
    """
    # Most numbers have no marks, and what one witness says is a row or two: each part is made where there is something.
    said = _latest([m for m in rows.marks if m.auth_class is auth_class], lambda m: m.reporter) if rows.marks else []
    live = [mark for mark in said if mark.verdict is Verdict.SPAM]
    reporters = {mark.reporter for mark in live} if live else frozenset[str]()
    shown = _latest(
        [s for s in rows.signals if s.auth_class is auth_class or counts_for(s, auth_class)],  # most are of one class
        lambda s: (s.callee, kind_of(s.category)),
    )
    by_category = weights.behaviour.by_category
    answered = _latest([a for a in rows.answered if a.auth_class is auth_class], lambda a: a.callee)
    asked = [c for c in rows.challenges if c.auth_class is auth_class and (epoch_at is None or c.at >= epoch_at)]
    challenges = challenge_history_of(asked, live, answered) if asked else NEVER_CHALLENGED
    if reporters:  # one witness, one family
        shown = [s for s in shown if by_category[s.category] <= 0 or s.callee not in reporters]
    counted = _within_limits(shown, weights.behaviour, challenges.passed_at)
    if not (live or counted or answered or asked):
        return None
    at = max([row.at for group in (live, counted, answered, asked) for row in group])

    def total(dated: list[tuple[float, float]], half_life_days: float) -> float:
        half_life = half_life_days * DAY_SECONDS
        if epoch_at is not None:
            dated = [(value if when >= epoch_at else value * weights.before_epoch, when) for value, when in dated]
        return fsum([value * 2.0 ** ((when - at) / half_life) for value, when in dated])  # as `decayed`: none is later

    marks, behaviour = weights.marks, weights.behaviour
    lasting = [(by_category[s.category], s.at) for s in counted if s.category is not SignalCategory.ONE_RING]
    rang_once = [(by_category[s.category], s.at) for s in counted if s.category is SignalCategory.ONE_RING]
    marked = [(trust(m.reporter) * marks.of_channel(m.channel), m.at) for m in live]
    return Standing(
        at=at,
        marks=total(marked, marks.half_life_days) if marked else 0.0,
        answers=total([(1.0, a.at) for a in answered], marks.half_life_days) if answered else 0.0,
        behaviour=total(lasting, behaviour.half_life_days) if lasting else 0.0,
        one_ring=total(rang_once, behaviour.one_ring_half_life_hours / 24) if rang_once else 0.0,
        reporters=len(live),
        groups=len({mark.group for mark in live if mark.group}) if live else 0,
        answered=len(answered),
        silent=sum([one.callee not in reporters for one in answered]) if reporters else len(answered),
        signals=_counted(counted),
        burst_at=_burst(live, marks) if live else None,
        witnessed=_witnessed(live, counted, epoch_at, weights.witnesses),
        challenges=challenges,
    )


def _counted(signals: list[Signal]) -> tuple[tuple[SignalCategory, int], ...]:
    """How many there are of each category."""
    if len(signals) == 1:
        return ((signals[0].category, 1),)
    return tuple(sorted(Counter([one.category for one in signals]).items())) if signals else ()


def challenge_history_of(
    challenges: Iterable[Challenged], marks: Iterable[Mark], answered: Iterable[Answered]
) -> ChallengeHistory:
    """What a number did when challenged, in one class; marks are the live ones."""
    in_order = sorted(challenges, key=lambda one: (one.at, one.linkedid), reverse=True)
    passed = [one.at for one in in_order if one.result is ChallengeResult.PASSED]
    since = passed[0] if passed else -inf
    failed = [one for one in in_order if one.result in FAILURES and one.at > since]
    abandoned = [one.at for one in in_order if one.result is ChallengeResult.ABANDONED and one.at > since]
    took = {one.callee for one in answered if one.at > since} if passed else set()
    return ChallengeHistory(
        passes=tuple([at for at in passed if at > since - PASSES_SECONDS][:MAX_PASSES]),
        failures=len({(one.did, one.at // DAY_SECONDS) for one in failed}),
        failed_at=failed[0].at if failed else None,
        abandoned_at=abandoned[0] if abandoned else None,
        marked=sum(mark.at > since and mark.reporter in took for mark in marks) if passed else 0,
    )


FAILURES = frozenset({ChallengeResult.SILENT, ChallengeResult.WRONG})


LIMITED = frozenset({SignalCategory.ONE_RING, SignalCategory.UNANSWERED})


def _within_limits(signals: list[Signal], weights: BehaviourWeights, passed_at: float | None) -> list[Signal]:
    """Of what the caller alone can cause, in bursts and with a borrowed number, only so much counts of each hour; and
    nothing of one-ring calls from before a challenge that was passed.
    """
    if not any([signal.category in LIMITED for signal in signals]):
        return signals
    left: Counter[tuple[SignalCategory, float]] = Counter()
    kept = []
    limits = {SignalCategory.ONE_RING: weights.one_ring_an_hour, SignalCategory.UNANSWERED: weights.unanswered_an_hour}
    for signal in sorted(signals, key=lambda one: (one.at, one.callee), reverse=True):
        limit = limits.get(signal.category)
        if limit is not None:
            hour = signal.category, signal.at // HOUR_SECONDS
            left[hour] += 1
            is_cleared = signal.category is SignalCategory.ONE_RING and passed_at is not None and signal.at <= passed_at
            if left[hour] > limit or is_cleared:
                continue
        kept.append(signal)
    return kept


def _witnessed(
    live: list[Mark], counted: list[Signal], epoch_at: float | None, weights: WitnessWeights
) -> tuple[float, ...]:
    """When each witness last had something against the number's present owner."""
    found: dict[str, float] = {}
    said = [(mark.reporter, mark.at) for mark in live]
    seen = [(signal.callee, signal.at) for signal in counted if signal.category in SPAMWARD]
    if not said and not seen:
        return ()
    for who, at in (*said, *seen):
        if (epoch_at is None or at >= epoch_at) and at > found.get(who, -inf):
            found[who] = at
    return tuple(sorted(found.values(), reverse=True)[: max(weights.label_most, weights.challenge_most)])


# Nearer to zero than this a sum is folded again: its sign, which a burst alarm looks at, must be exact.
NEAR_ZERO = 1e-6


class WitnessAccount(NamedTuple):
    """What counts of all that one witness, who has marked nothing, says of a number in one class."""

    signals: tuple[Signal, ...] = ()
    answered: Answered | None = None

    @property
    def at(self) -> float:
        """When the latest of it was said; -inf for nothing."""
        at = -inf if self.answered is None else self.answered.at
        for signal in self.signals:
            at = max(at, signal.at)
        return at

    @property
    def witnessed_at(self) -> float:
        """When the witness last had something against the number; -inf for never."""
        at = -inf
        for signal in self.signals:
            if signal.category in SPAMWARD:
                at = max(at, signal.at)
        return at

    def without(self, other: WitnessAccount) -> list[Signal]:
        """The signals that are not the other's."""
        return [signal for signal in self.signals if signal not in other.signals]


def with_witness(total: Standing, before: WitnessAccount, after: WitnessAccount, weights: Weights) -> Standing | None:
    """The standing once what one witness says has changed, in O(1); None where it must be folded from the rows.

    A standing is a sum over rows, so it moves by those that come and go. Who marks moves more than sums (groups,
    bursts), so marks are none of these rows; and if the latest row goes there is another latest, which is rare.
    """
    come_at = after.at
    if come_at < before.at == total.at:
        return None
    at = max(total.at, come_at)
    mark_seconds = weights.marks.half_life_days * DAY_SECONDS
    behaviour, one_ring, signals = _with_signals(total, before.without(after), after.without(before), at, weights)
    if signals and abs(behaviour + one_ring) < NEAR_ZERO:
        return None
    witnessed = _with_time(total.witnessed, before.witnessed_at, after.witnessed_at, weights.witnesses)
    if witnessed is None:
        return None
    answers, more = decayed(total.answers, total.at, at, mark_seconds), 0
    if before.answered is not after.answered:
        for answered, sign in ((before.answered, -1), (after.answered, 1)):
            if answered is not None:
                answers, more = answers + sign * decayed(1.0, answered.at, at, mark_seconds), more + sign
    return Standing(  # by place: by keyword it takes twice as long
        at,
        decayed(total.marks, total.at, at, mark_seconds) if total.marks else 0.0,
        answers,
        behaviour,
        one_ring,
        total.reporters,
        total.groups,
        total.answered + more,
        total.silent + more,
        signals,
        total.burst_at,
        witnessed,
        total.challenges,
    )


def _with_signals(
    total: Standing, gone: list[Signal], come: list[Signal], at: float, weights: Weights
) -> tuple[float, float, tuple[tuple[SignalCategory, int], ...]]:
    """Both sums of signals as of `at`, and the callees behind each category."""
    by_category = weights.behaviour.by_category
    lasting_seconds = weights.behaviour.half_life_days * DAY_SECONDS
    ring_seconds = weights.behaviour.one_ring_half_life_hours * HOUR_SECONDS
    behaviour = decayed(total.behaviour, total.at, at, lasting_seconds) if total.behaviour else 0.0
    one_ring = decayed(total.one_ring, total.at, at, ring_seconds) if total.one_ring else 0.0
    if not gone and not come:
        return behaviour, one_ring, total.signals
    counts = dict(total.signals)
    for signals, sign in ((gone, -1), (come, 1)):
        for signal in signals:
            category = signal.category
            counts[category] = counts.get(category, 0) + sign
            weight = sign * by_category[category]
            if category is ONE_RING:
                one_ring += decayed(weight, signal.at, at, ring_seconds)
            else:
                behaviour += decayed(weight, signal.at, at, lasting_seconds)
    left = tuple(sorted([count for count in counts.items() if count[1]]))
    return behaviour if left else 0.0, one_ring if counts.get(ONE_RING) else 0.0, left


def _with_time(times: tuple[float, ...], gone: float, come: float, weights: WitnessWeights) -> tuple[float, ...] | None:
    """The times of the witnesses; None where one goes of whom another, not kept, takes the place."""
    if gone == come:
        return times
    most, left = max(weights.label_most, weights.challenge_most), list(times)
    if gone in left:
        if len(left) == most and come <= gone:
            return None
        left.remove(gone)
    if come > -inf:
        left.append(come)
    return tuple(sorted(left, reverse=True)[:most])


def _latest(rows: list[D], key: Callable[[D], Hashable]) -> list[D]:
    """Of each witness the latest word; one of two epochs or classes speaks once. Of one they are distinct already."""
    if len(rows) <= 1 or len({(row.epoch, row.auth_class) for row in rows}) == 1:  # nearly always
        return rows
    found: dict[Hashable, D] = {}
    for row in rows:
        other = found.get(key(row))
        if other is None or row.at > other.at:
            found[key(row)] = row
    return list(found.values())


def _burst(live: list[Mark], weights: MarkWeights) -> float | None:
    """When the latest burst ended: `burst_marks` live marks within `burst_minutes`."""
    if len(live) < weights.burst_marks:
        return None
    times = sorted(mark.at for mark in live)
    ends = zip(times, times[weights.burst_marks - 1 :], strict=False)
    return max((last for first, last in ends if last - first <= 60 * weights.burst_minutes), default=None)
