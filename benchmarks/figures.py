"""What a benchmark returns: figures, each with what it was measured against and what it may cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a figure may be (or the least). `unit` is `x` when it bounds the ratio."""

    limit: float
    unit: str
    at_least: bool = False

    @property
    def text(self) -> str:
        return f"{'>=' if self.at_least else '<='} {shown(self.limit, self.unit)}"

    def verdict(self, value: float) -> str:
        """`met`, or by how much it was missed."""
        excess = self.limit - value if self.at_least else value - self.limit
        if excess <= 0:
            return "met"
        share = f" ({excess / self.limit:.0%})" if self.limit else ""
        return f"missed by {shown(excess, self.unit)}{share}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, in `unit`, once a round.

    `reference` is what `against` gave in the same rounds of the same run. `note` says under which conditions.
    """

    what: str
    samples: Sequence[float]
    unit: str
    reference: Sequence[float] = ()
    against: str = ""
    budget: Budget | None = None
    note: str = ""

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def reference_value(self) -> float:
        return median(self.reference)

    @property
    def ratio(self) -> float | None:
        """The median of each round's own ratio: what slows the machine down slows down both."""
        if not self.reference:
            return None
        return median(ours / theirs for ours, theirs in zip(self.samples, self.reference, strict=True))

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return self.budget.verdict(self.value if self.budget.unit != "x" else self.ratio or math.inf)


def shown(value: float, unit: str) -> str:
    """A value with its unit, to three digits."""
    digits = 0 if abs(value) >= 100 or not value else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f} {unit}"


def alternate(rounds: int, *measures: Callable[[int], float]) -> list[list[float]]:
    """So many rounds of each, every other round backwards: a machine that slows down does so for all of them.

    A measure is given the number of its round, and makes one sample.
    """
    samples: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = range(len(measures)) if number % 2 == 0 else reversed(range(len(measures)))
        for which in order:
            samples[which].append(measures[which](number))
    return samples
