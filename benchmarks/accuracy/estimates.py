"""Shares of calls with 95 % intervals.

The share is computed for each seed of the simulation. The interval comes from resampling the seeds (a bootstrap).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import NamedTuple

from benchmarks.accuracy.closed_loop import Counted, Tally
from benchmarks.accuracy.reading import Cell, Counts
from reputation.model import Level

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A share of calls in percent: the mean over the seeds, and the 95 % interval of the resampled means."""

    mean: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """A text such as `53.0 (51.9-54.1)`, or `0` if no call was counted."""
        if self.high == 0:
            return "0"
        return f"{shown(self.mean)} ({shown(self.low)}-{shown(self.high)})"


def estimate(shares: Sequence[float]) -> Estimate:
    chance = Random(len(shares))
    means = sorted(fmean(chance.choices(shares, k=len(shares))) for _ in range(RESAMPLES))
    tail = RESAMPLES // 40
    return Estimate(100 * fmean(shares), 100 * means[tail], 100 * means[-1 - tail])


def shares(seeds: Iterable[Counts], cells: Sequence[Cell], level: Level) -> list[float]:
    """Return, for each seed, the share of calls for which a method returned at least this level.

    Every cell has the same weight, however many calls it has.
    """
    return [fmean(_share(counts.get(cell, []), level) for cell in cells) for counts in seeds]


def of(seeds: Sequence[Counts], level: Level, *cells: Cell) -> Estimate:
    """Return the estimated share of calls in these cells for which a method returned at least this level."""
    return estimate(shares(seeds, cells, level))


def share_of(seeds: Iterable[Mapping[Cell, Tally]], counted: Sequence[Counted], *cells: Cell) -> Estimate:
    """Return the share of the calls in `cells` that ended in one of the ways in `counted`.

    Calls that the callee's own blocklist stopped are left out.
    """
    values = []
    for tallies in seeds:
        total = sum((tallies.get(cell, Tally()) for cell in cells), Tally())
        calls = total[Counted.CALLS] - total[Counted.OWN_BLOCK]
        values.append(sum(total[what] for what in counted) / calls if calls else 0.0)
    return estimate(values)


def share_of_numbers(seeds: Iterable[Mapping[Cell, Tally]], what: Counted, *cells: Cell) -> Estimate:
    """Return the share of numbers in `cells` to which `what` happened at least once."""
    totals = [sum((tallies.get(cell, Tally()) for cell in cells), Tally()) for tallies in seeds]
    return estimate([total[what] / total[Counted.NUMBERS] if total[Counted.NUMBERS] else 0.0 for total in totals])


def shown(percent: float) -> str:
    """Format a percentage with one decimal place, or two if it is small."""
    return f"{percent:.1f}" if percent >= 1 else f"{percent:.2f}"


def _share(row: Sequence[int], level: Level) -> float:
    return sum(row[level:]) / sum(row) if sum(row) else 0.0
