"""The measured values that a benchmark returns, each with its reference and its limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit of a measured value: a maximum or a minimum.

    With the unit `x` it limits the ratio to the reference value.
    """

    limit: float
    unit: str
    at_least: bool = False

    @property
    def text(self) -> str:
        return f"{'>=' if self.at_least else '<='} {shown(self.limit, self.unit)}"

    def verdict(self, value: float) -> str:
        """Return `met`, or a text that says by how much the value missed the limit."""
        excess = self.limit - value if self.at_least else value - self.limit
        if excess <= 0:
            return "met"
        share = f" ({excess / self.limit:.0%})" if self.limit else ""
        return f"missed by {shown(excess, self.unit)}{share}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table: what was measured, with a sample in `unit` for each round.

    `reference`: samples of what the value is compared with, from the same rounds. `against`: its name. `note`: the
    conditions of the measurement.
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
        """Median of the rounds' ratios to the reference; None without a reference. So a slow server matters little."""
        if not self.reference:
            return None
        return median(ours / theirs for ours, theirs in zip(self.samples, self.reference, strict=True))

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return self.budget.verdict(self.value if self.budget.unit != "x" else self.ratio or math.inf)


def shown(value: float, unit: str) -> str:
    """Format a value with three digits and its unit."""
    digits = 0 if abs(value) >= 100 or not value else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f} {unit}"


def alternate(rounds: int, *measures: Callable[[int], float]) -> list[list[float]]:
    """Run the measures in turns, in reverse order every second round, so that a slow computer slows all measures.

    A measure takes the index of the round and returns a sample. Return the samples of each measure.
    """
    samples: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = range(len(measures)) if number % 2 == 0 else reversed(range(len(measures)))
        for which in order:
            samples[which].append(measures[which](number))
    return samples
