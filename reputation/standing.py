"""The fold: from the evidence rows of one number and class to a few sums that decay, read in O(1) at any later time.

    standing_of(rows, auth_class, weights, ...) -> Standing        exact, whatever the order of the rows
    decayed(standing.marks, standing.at, now, half-life)           what a decision does

Rows are distinct by witness already (reputation/store, reputation/ledger): the latest mark of a reporter, the latest
signal of a callee and category, the latest answer of a callee, in each epoch. Over epochs the latest counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import fsum, inf
from typing import NamedTuple, Protocol, TypeVar

from reputation.decay import decayed
from reputation.model import Answered, AuthClass, Mark, Signal, SignalCategory, Verdict
from reputation.signals import counts_for, kind_of
from reputation.weights import DAY_SECONDS, MarkWeights, Weights


class Rows(NamedTuple):
    """All evidence rows of one number, of every class and epoch."""

    marks: Sequence[Mark] = ()
    signals: Sequence[Signal] = ()
    answered: Sequence[Answered] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the rows of a number add up to in one class, exact at `at`, the time of the latest.

    `marks` is M, the sum of the reporters' weights; `answers` D, the people who answered; both decay with the half-life
    of marks. `behaviour` is the sum of the signals' weights and decays with its own. `reporters` and `groups` count who
    is behind the live spam marks, `answered` who answered and `silent` who of them did not mark, `signals` the callees
    behind each category. `burst_at`: when the latest burst of marks ended, None: there was none.
    """

    at: float
    marks: float = 0.0
    answers: float = 0.0
    behaviour: float = 0.0
    reporters: int = 0
    groups: int = 0
    answered: int = 0
    silent: int = 0
    signals: tuple[tuple[SignalCategory, int], ...] = ()
    burst_at: float | None = None


class _Dated(Protocol):
    @property
    def at(self) -> float: ...

    @property
    def epoch(self) -> int: ...

    @property
    def auth_class(self) -> AuthClass: ...


D = TypeVar("D", bound=_Dated)


def standing_of(
    rows: Rows,
    auth_class: AuthClass,
    weights: Weights,
    *,
    epoch_at: float | None = None,
    trust: Callable[[str], float] = lambda _reporter: 1.0,
) -> Standing | None:
    """The standing in a class, None where no row counts. `epoch_at`: since when the number has its present owner;
    `trust`: that in a reporter.
    """
    said = _latest([m for m in rows.marks if m.auth_class is auth_class], lambda m: m.reporter)
    live = [mark for mark in said if mark.verdict is Verdict.SPAM]
    reporters = {mark.reporter for mark in live}
    shown = _latest(
        [s for s in rows.signals if s.auth_class is auth_class or counts_for(s, auth_class)],  # most are of one class
        lambda s: (s.callee, kind_of(s.category)),
    )
    by_category = weights.behaviour.by_category
    counted = [s for s in shown if by_category[s.category] <= 0 or s.callee not in reporters]  # one witness, one family
    answered = _latest([a for a in rows.answered if a.auth_class is auth_class], lambda a: a.callee)
    if not (live or counted or answered):
        return None
    at = max([*[m.at for m in live], *[s.at for s in counted], *[a.at for a in answered]])

    def total(dated: list[tuple[float, float]], half_life_days: float) -> float:
        if not dated:
            return 0.0
        half_life = half_life_days * DAY_SECONDS
        if epoch_at is not None:
            dated = [(value if when >= epoch_at else value * weights.before_epoch, when) for value, when in dated]
        return fsum([value * 2.0 ** ((when - at) / half_life) for value, when in dated])  # as `decayed`: none is later

    marks = weights.marks
    return Standing(
        at=at,
        marks=total([(trust(m.reporter) * marks.of_channel(m.channel), m.at) for m in live], marks.half_life_days),
        answers=total([(1.0, a.at) for a in answered], marks.half_life_days),
        behaviour=total([(by_category[s.category], s.at) for s in counted], weights.behaviour.half_life_days),
        reporters=len(live),
        groups=len({mark.group for mark in live if mark.group}),
        answered=len(answered),
        silent=sum(one.callee not in reporters for one in answered),
        signals=tuple(sorted(Counter([s.category for s in counted]).items())) if counted else (),
        burst_at=_burst(live, marks),
    )


# Nearer to zero than this a sum is folded again: its sign, which a burst alarm looks at, must be exact.
NEAR_ZERO = 1e-6


def with_witness(total: Standing, before: Standing | None, after: Standing | None, weights: Weights) -> Standing | None:
    """The standing once what one witness says has changed, in O(1); None where it must be folded from the rows.

    A standing is a sum over witnesses, so it moves by what `standing_of` makes of that witness's rows alone. Who marks
    moves more than sums (groups, bursts), and if the latest row goes there is another latest: both are rare.
    """
    gone_at = -inf if before is None else before.at
    come_at = -inf if after is None else after.at
    if (before and before.reporters) or (after and after.reporters) or come_at < gone_at == total.at:
        return None
    at = max(total.at, come_at)
    signals = _moved(dict(total.signals), before, after)
    behaviour = _sum("behaviour", (total, before, after), at, weights.behaviour.half_life_days) if signals else 0.0
    if signals and abs(behaviour) < NEAR_ZERO:
        return None
    return Standing(
        at=at,
        marks=decayed(total.marks, total.at, at, weights.marks.half_life_days * DAY_SECONDS),
        answers=_sum("answers", (total, before, after), at, weights.marks.half_life_days),
        behaviour=behaviour,
        reporters=total.reporters,
        groups=total.groups,
        answered=total.answered + _count("answered", before, after),
        silent=total.silent + _count("silent", before, after),
        signals=tuple(sorted(signals.items())),
        burst_at=total.burst_at,
    )


def _sum(
    name: str, parts: tuple[Standing, Standing | None, Standing | None], at: float, half_life_days: float
) -> float:
    """The total less what the witness had said and with what it says, all as of `at`."""
    half_life = half_life_days * DAY_SECONDS
    total, before, after = (
        0.0 if part is None else decayed(getattr(part, name), part.at, at, half_life) for part in parts
    )
    return total - before + after


def _count(name: str, before: Standing | None, after: Standing | None) -> int:
    return (0 if after is None else getattr(after, name)) - (0 if before is None else getattr(before, name))


def _moved(
    counts: dict[SignalCategory, int], before: Standing | None, after: Standing | None
) -> dict[SignalCategory, int]:
    """The callees behind each category."""
    for part, sign in ((before, -1), (after, 1)):
        for category, count in () if part is None else part.signals:
            counts[category] = counts.get(category, 0) + sign * count
    return {category: count for category, count in counts.items() if count}


def _latest(rows: list[D], key: Callable[[D], Hashable]) -> list[D]:
    """Of each witness the latest word; one of two epochs or classes speaks once. Of one they are distinct already."""
    if len(rows) <= 1 or len({(row.epoch, row.auth_class) for row in rows}) == 1:
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
