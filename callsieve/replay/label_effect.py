"""The effect of warnings, estimated from the control sample: calls whose warning was left out by chance.

    effect = LabelEffect()
    effect.add_call(outcome, sampled=True); effect.add_mark(mark)      in time order
    effect.as_json()

A replay only has reactions to warnings that were shown. In the control sample, the difference between calls with and
without their warning is the effect of the warning.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, NamedTuple

from reputation.model import Disposition, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import is_long_talk, was_hung_up_on

LEAST_CALLS = 20  # in each group: with fewer, the interval is too wide to say anything
Z = 1.959964  # quantile of the normal distribution for 95 %
SHOWN = "warn"
# The shares of all calls of a group that are compared, in words.
SEEN = {
    "answered": "answered",
    "hung-up-on": "hung up on within 6 s",
    "marked": "marked as spam",
    "talked-long": "talked for over a minute",
}


class Share(NamedTuple):
    """A share of calls, with its 95 % confidence interval."""

    calls: int
    of: int

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.calls / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval (1927), which is right for small counts and for 0."""
        if not self.of:
            return 0.0, 1.0
        middle = (self.calls + Z * Z / 2) / (self.of + Z * Z)
        width = Z * sqrt(self.value * (1 - self.value) * self.of + Z * Z / 4) / (self.of + Z * Z)
        return max(0.0, middle - width), min(1.0, middle + width)


class ShareDifference(NamedTuple):
    """The difference of two shares, with its 95 % confidence interval."""

    value: float
    low: float
    high: float


def difference(share: Share, other: Share) -> ShareDifference:
    """Return the difference of two shares, with Newcombe's interval (1998, method 10), made of Wilson's."""
    value = share.value - other.value
    (low, high), (other_low, other_high) = share.interval, other.interval
    return ShareDifference(
        value,
        value - sqrt((share.value - low) ** 2 + (other_high - other.value) ** 2),
        value + sqrt((high - share.value) ** 2 + (other.value - other_low) ** 2),
    )


@dataclass(slots=True)
class CallGroup:
    """The calls that had a warning, or those without, and what people did."""

    calls: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def share(self, what: str) -> Share:
        """Return the share of one of SEEN."""
        return Share(self.seen[what], self.calls)


@dataclass(frozen=True, slots=True)
class LabelEffect:
    """Counts both groups."""

    labelled: CallGroup = field(default_factory=CallGroup)
    unlabelled: CallGroup = field(default_factory=CallGroup)
    _group_of: dict[str, CallGroup] = field(default_factory=dict)  # by call, until somebody marks it
    _latest: dict[str, str] = field(default_factory=dict)

    @property
    def is_enough(self) -> bool:
        """Whether both groups are large enough for a result."""
        return min(self.labelled.calls, self.unlabelled.calls) >= LEAST_CALLS

    def add_call(self, outcome: OutcomeRecord, *, sampled: bool) -> None:
        """Add the outcome of an inbound call. `sampled`: its warning was left out by chance."""
        number = outcome.number
        if number is None:
            return
        self._latest.pop(number, None)
        if not sampled and outcome.action != SHOWN:
            return
        group = self.unlabelled if sampled else self.labelled
        self._group_of[outcome.linkedid] = group
        self._latest[number] = outcome.linkedid
        group.calls += 1
        is_answered = outcome.disposition is Disposition.ANSWERED and outcome.answered_by is not None
        shown = (
            ("answered", is_answered),
            ("hung-up-on", was_hung_up_on(outcome)),
            ("talked-long", is_long_talk(outcome)),
        )
        group.seen.update([what for what, holds in shown if holds])

    def add_mark(self, mark: Mark) -> None:
        """Add a mark, for the call that it names or else the number's latest. Each call counts once."""
        if mark.verdict is not Verdict.SPAM:
            return
        group = self._group_of.pop(mark.linkedid or self._latest.get(mark.number, ""), None)
        if group is not None:
            group.seen["marked"] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the result for scripts and pages, without shares if there are too few calls."""
        counts = {"labelled": self.labelled.calls, "unlabelled": self.unlabelled.calls}
        result: dict[str, Any] = {"enough": self.is_enough, "least": LEAST_CALLS, "calls": counts, "seen": []}
        if self.is_enough:
            result["seen"] = [self._compared(what) for what in SEEN]
        return result

    def _compared(self, what: str) -> dict[str, Any]:
        labelled, unlabelled = self.labelled.share(what), self.unlabelled.share(what)
        more = difference(labelled, unlabelled)
        return {
            "what": what,
            "labelled": _as_json(labelled),
            "unlabelled": _as_json(unlabelled),
            "difference": {"share": round(more.value, 4), "low": round(more.low, 4), "high": round(more.high, 4)},
        }


def _as_json(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"calls": share.calls, "share": round(share.value, 4), "low": round(low, 4), "high": round(high, 4)}
