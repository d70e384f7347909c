"""Probability distributions that the module `random` lacks. All draws come from a seeded `Random`."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random
from typing import NamedTuple


class LogNormal(NamedTuple):
    """A log-normal distribution, given by its median and the sigma of the logarithm."""

    median: float
    sigma: float

    def draw(self, chance: Random) -> float:
        return chance.lognormvariate(log(self.median), self.sigma)


def arrivals(chance: Random, rate: float, first: float, last: float) -> Iterator[float]:
    """Yield the times of a Poisson process from `first` to `last`. `rate`: the mean count of events per time unit."""
    at = first + chance.expovariate(rate)
    while at < last:
        yield at
        at += chance.expovariate(rate)
