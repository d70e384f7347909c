"""Distributions that `random` does not have in this form. All draws come from a seeded `Random`."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random
from typing import NamedTuple


class LogNormal(NamedTuple):
    """A log-normal distribution, by its median and the sigma of its logarithm."""

    median: float
    sigma: float

    def draw(self, chance: Random) -> float:
        """Draw one value."""
        return chance.lognormvariate(log(self.median), self.sigma)


def arrivals(chance: Random, rate: float, first: float, last: float) -> Iterator[float]:
    """Yield the times of a Poisson process from `first` to `last`, on average `rate` of them in each unit of time."""
    at = first + chance.expovariate(rate)
    while at < last:
        yield at
        at += chance.expovariate(rate)
