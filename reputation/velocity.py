"""Velocity: who called how often in the last hour, per number and per block of 1000 numbers.

A counter in memory, bounded in every direction; the daemon rebuilds it from the journal at start. No clock
inside: the instants are arguments.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict

from reputation.numbers import block_of

WINDOW_SECONDS = 3600.0
KEPT_CALLS = 64
# Eight new callers a second for an hour, at some 250 bytes each and as much for their blocks (docs/performance.md).
MAX_NUMBERS = 30_000


class Velocity:
    """Recent calls of at most `max_numbers` numbers and as many blocks; the longest silent is forgotten first."""

    def __init__(self, max_numbers: int = MAX_NUMBERS) -> None:
        self._by_number = _Recent(max_numbers)
        self._by_block = _Recent(max_numbers)

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, number: str, at: float) -> None:
        """Counts one call."""
        self._by_number.add(number, at)
        self._by_block.add(block_of(number) or number, at)

    def calls(self, number: str, now: float) -> tuple[float, ...]:
        """When the number called in the hour until `now`, in time order, the latest 64 at most."""
        return self._by_number.calls(number, now)

    def block_calls(self, number: str, now: float) -> tuple[float, ...]:
        """The same for the block of 1000 numbers that the number lies in; a service number is a block of its own."""
        return self._by_block.calls(block_of(number) or number, now)

    def forget(self, number: str) -> None:
        """Forgets a number (its owner asked for it). The block's count names nobody and stays."""
        self._by_number.forget(number)


class _Recent:
    """Keys in the order of their last call, the times of each in time order. Tuples, because most numbers call once and
    a deque takes 600 bytes.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._times: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def add(self, key: str, at: float) -> None:
        times = self._times.pop(key, ())
        in_order = not times or times[-1] <= at
        times = (*times[1 - KEPT_CALLS :], at) if in_order else tuple(sorted((*times, at)))[-KEPT_CALLS:]
        self._times[key] = times
        if len(self._times) > self._max_keys:
            self._times.popitem(last=False)

    def calls(self, key: str, now: float) -> tuple[float, ...]:
        times = self._times.get(key)
        return times[bisect_left(times, now - WINDOW_SECONDS) : bisect_right(times, now)] if times else ()

    def forget(self, key: str) -> None:
        self._times.pop(key, None)
