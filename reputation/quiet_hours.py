"""Quiet hours: when strangers do not ring the phones of those who want that, and when an unknown caller is a little
suspect. Pure. What they do to a call: policies/quiet_hours.py; what they say of a caller: reputation/families/quiet.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import msgspec

from reputation.weights import DEFAULT, QuietWeights, zone_of

QUARTER_SECONDS = 900
WRITTEN = r"^([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-4])\Z"  # as in `22-7`


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Those of everybody, and of people who have others, by extension."""

    usual: QuietWeights = DEFAULT.quiet
    own: Mapping[str, QuietWeights] = field(default_factory=dict)

    @classmethod
    def of(cls, usual: QuietWeights, written: Mapping[str, str]) -> QuietHours:
        """`written`: the hours of single people, by extension, as WRITTEN has them."""
        return cls(usual, {extension: _parse(text, usual) for extension, text in written.items()})

    def is_resting(self, extension: str, now: float) -> bool:
        """Whether it is one of the person's quiet hours."""
        hours = self.own.get(extension, self.usual)
        return is_quiet(hour_at(now, hours), hours)


def is_quiet(hour: int, weights: QuietWeights) -> bool:
    """Whether the hour lies in the quiet ones, which may go over midnight. First and last the same: there are none."""
    first, last = weights.first_hour, weights.last_hour
    return first <= hour < last if first <= last else hour >= first or hour < last


def hour_at(at: float, weights: QuietWeights) -> int:
    """The hour of the callee's day at that instant."""
    return _hour_of_quarter(int(at // QUARTER_SECONDS), weights.time_zone)


@lru_cache(maxsize=1024)
def _hour_of_quarter(quarter: int, time_zone: str) -> int:
    """That of a quarter of an hour since 1970: no zone's offset is finer."""
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone_of(time_zone)).hour


def _parse(text: str, usual: QuietWeights) -> QuietWeights:
    first, last = text.split("-")
    return msgspec.structs.replace(usual, first_hour=int(first), last_hour=int(last) % 24)
