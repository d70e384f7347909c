"""Estimate the effect of warnings from the control sample, the calls whose warning was left out at random.

Without the sample, every warned call was seen with its warning, so the warning's effect would be unknown. The
difference between warned calls and sampled calls is the effect of the warning. Calls and marks are added in time order.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Final, NamedTuple

from reputation.encoding import HIDDEN, encoded
from reputation.formulas import Interval, difference, wilson
from reputation.model import Disposition, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import is_long_talk, was_hung_up_on

LEAST_CALLS = 20  # in each group: with fewer, the interval is too wide to say anything
Z: Final = 1.959964  # quantile of the normal distribution for 95 %
SHOWN = "warn"
# The shares of all calls of a group that are compared, in words.
SEEN = {
    "answered": "answered",
    "hung-up-on": "callee hung up within 6 s",
    "marked": "marked as spam",
    "talked-long": "talked for over a minute",
}


class SeenShares(NamedTuple):
    """The shares of calls, with and without warning, in which people showed a reaction. `what`: a key of SEEN.

    `difference`: the share with a warning minus the share without.
    """

    what: str
    labelled: Interval
    unlabelled: Interval
    difference: Interval


@dataclass(slots=True)
class CallGroup:
    """The calls with a warning, or the calls without a warning, and how people reacted to these calls."""

    calls: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def share(self, what: str) -> Interval:
        """Return the share of calls with a certain reaction, a key of SEEN."""
        return wilson(self.seen[what], self.calls, Z)


@dataclass(frozen=True, slots=True)
class LabelEffect:
    """Counts of the calls with and without their warning, and of people's reactions to these calls."""

    labelled: Annotated[CallGroup, HIDDEN] = field(default_factory=CallGroup)
    unlabelled: Annotated[CallGroup, HIDDEN] = field(default_factory=CallGroup)
    _group_of: Annotated[dict[str, CallGroup], HIDDEN] = field(default_factory=dict)  # by call, until somebody marks it
    _latest: Annotated[dict[str, str], HIDDEN] = field(default_factory=dict)

    @property
    @encoded
    def enough(self) -> bool:
        """Whether both groups have enough calls for a result."""
        return min(self.labelled.calls, self.unlabelled.calls) >= LEAST_CALLS

    @property
    @encoded
    def least(self) -> int:
        """How many calls each group needs for a result."""
        return LEAST_CALLS

    @property
    @encoded
    def calls(self) -> dict[str, int]:
        """How many calls were shown with their warning (`labelled`) and without (`unlabelled`)."""
        return {"labelled": self.labelled.calls, "unlabelled": self.unlabelled.calls}

    @property
    @encoded
    def seen(self) -> list[SeenShares]:
        """The shares of each reaction in both groups; empty if there are too few calls."""
        shares = ((what, self.labelled.share(what), self.unlabelled.share(what)) for what in SEEN)
        return [SeenShares(*share, difference(*share[1:])) for share in shares] if self.enough else []

    def add_call(self, outcome: OutcomeRecord, *, sampled: bool) -> None:
        """Add the outcome of an incoming call. `sampled`: whether its warning was left out at random."""
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
        """Add a mark to the call that the mark names, or to the number's latest call. Each call counts only once."""
        if mark.verdict is not Verdict.SPAM:
            return
        group = self._group_of.pop(mark.linkedid or self._latest.get(mark.number, ""), None)
        if group is not None:
            group.seen["marked"] += 1
