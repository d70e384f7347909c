"""From the counts of each seed to shares with their 95 % intervals: a bootstrap over seeds, itself seeded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import fmean
from typing import NamedTuple

from benchmarks.accuracy.closed_loop import Tally, What
from benchmarks.accuracy.reading import Cell, Counts
from reputation.model import Level

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A share of calls in percent: the mean over seeds, and where 95 % of the resampled means lie."""

    mean: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """`53.0 (51.9-54.1)`; plain 0 where it never happened."""
        if self.high == 0:
            return "0"
        return f"{shown(self.mean)} ({shown(self.low)}-{shown(self.high)})"


def estimate(shares: Sequence[float]) -> Estimate:
    """Of one share a seed."""
    chance = Random(len(shares))
    means = sorted(fmean(chance.choices(shares, k=len(shares))) for _ in range(RESAMPLES))
    tail = RESAMPLES // 40
    return Estimate(100 * fmean(shares), 100 * means[tail], 100 * means[-1 - tail])


def shares(seeds: Iterable[Counts], cells: Sequence[Cell], level: Level) -> list[float]:
    """For each seed the share of calls of at least this level; of several cells their mean, each counting the same."""
    return [fmean(_share(counts.get(cell, []), level) for cell in cells) for counts in seeds]


def of(seeds: Sequence[Counts], level: Level, *cells: Cell) -> Estimate:
    """The estimate for some cells."""
    return estimate(shares(seeds, cells, level))


def share_of(seeds: Iterable[Mapping[Cell, Tally]], whats: Sequence[What], *cells: Cell) -> Estimate:
    """Of the closed loop: the share of calls, of all cells together, that somebody else's word could decide."""
    found = []
    for tallies in seeds:
        total = sum((tallies.get(cell, Tally()) for cell in cells), Tally())
        calls = total[What.CALLS] - total[What.OWN_BLOCK]
        found.append(sum(total[what] for what in whats) / calls if calls else 0.0)
    return estimate(found)


def share_of_numbers(seeds: Iterable[Mapping[Cell, Tally]], what: What, *cells: Cell) -> Estimate:
    """The share of numbers to which that ever happened."""
    totals = [sum((tallies.get(cell, Tally()) for cell in cells), Tally()) for tallies in seeds]
    return estimate([total[what] / total[What.NUMBERS] if total[What.NUMBERS] else 0.0 for total in totals])


def shown(percent: float) -> str:
    """To a tenth, and small ones to a hundredth."""
    return f"{percent:.1f}" if percent >= 1 else f"{percent:.2f}"


def _share(row: Sequence[int], level: Level) -> float:
    return sum(row[level:]) / sum(row) if sum(row) else 0.0
