"""The distributions that `random` does not have in the form we need. All chance comes from a seeded `Random`."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random
from typing import NamedTuple


class LogNormal(NamedTuple):
    """By its median, in the unit of what it measures, and the sigma of its logarithm."""

    median: float
    sigma: float

    def draw(self, chance: Random) -> float:
        """One value."""
        return chance.lognormvariate(log(self.median), self.sigma)


def arrivals(chance: Random, rate: float, first: float, last: float) -> Iterator[float]:
    """A Poisson process: instants between two, `rate` of them in each unit of time."""
    at = first + chance.expovariate(rate)
    while at < last:
        yield at
        at += chance.expovariate(rate)
