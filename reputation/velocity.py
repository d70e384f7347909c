"""Call rates: recent calls per number and per block of 1000 numbers, and the DIDs that were called.

Calls are kept in memory, up to a limit. At its start, the daemon reads them from the journal. No method reads a clock.
"""

from bisect import bisect_left, bisect_right
from itertools import islice
from sys import intern
from typing import Any, Generic, NamedTuple, TypeVar

from reputation.numbers import Number

WINDOW_SECONDS = 3600.0
# Older calls are dropped at the next one. Twice the window, because events may come late.
KEPT_SECONDS = 2 * WINDOW_SECONDS
KEPT_CALLS = 64
# Eight new callers a second for an hour, at some 180 bytes each and as much for their blocks.
MAX_NUMBERS = 30_000

_Call = tuple[float, str]  # at, and the DID; "" where that is not known
_LAST = "\U0010ffff"  # sorts after every DID

T = TypeVar("T", _Call, float)


class Earlier(NamedTuple):
    """The calls in the hour before a call: when the number called, which DIDs it called, and when its block called."""

    calls: tuple[float, ...] = ()
    dids: tuple[str, ...] = ()
    block_calls: tuple[float, ...] = ()


NOTHING_EARLIER = Earlier()


class Velocity:
    """Recent calls by number and by block. Above `max_numbers` of either, those longest without a call are dropped."""

    def __init__(self, max_numbers: int = MAX_NUMBERS) -> None:
        self._by_number = _Recent[_Call](max_numbers)
        self._by_block = _Recent[float](max_numbers)

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, number: Number, at: float, did: str | None = None) -> None:
        """Add a call of the number at the time `at`. `did`: the DID that was called."""
        self._by_number.add(number.key or "", (at, intern(did or "")), (at - KEPT_SECONDS, ""))
        self._by_block.add(number.block or number.key or "", at, at - KEPT_SECONDS)

    def count(self, number: Number, now: float, did: str | None = None) -> Earlier:
        """Add a call of the number at `now`, and return the calls of the hour before it."""
        since, oldest = now - WINDOW_SECONDS, now - KEPT_SECONDS
        key = number.key or ""
        block_calls = self._by_block.count(number.block or key, since, now, now, oldest)
        calls = self._by_number.count(key, (since, ""), (now, _LAST), (now, intern(did or "")), (oldest, ""))
        if not calls:
            return Earlier(block_calls=block_calls) if block_calls else NOTHING_EARLIER
        return Earlier(tuple([at for at, _ in calls]), tuple([did for _, did in calls]), block_calls)

    def calls(self, number: Number, now: float) -> tuple[float, ...]:
        """Return the times of the number's calls in the last hour, in time order, at most the latest 64."""
        return tuple([at for at, _ in self._calls(number, now)])

    def block_calls(self, number: Number, now: float) -> tuple[float, ...]:
        """Return the times of calls of the number's block in the last hour. A service number is a block of its own."""
        return self._by_block.between(number.block or number.key or "", now - WINDOW_SECONDS, now)

    def dids(self, number: Number, now: float) -> tuple[str, ...]:
        """Return the DID of each of the number's calls in the last hour, in time order."""
        return tuple([did for _, did in self._calls(number, now)])

    def forget(self, key: str) -> None:
        """Delete the calls of a number, for an erasure. The calls of its block stay, because they identify nobody."""
        self._by_number.forget(key)

    def _calls(self, number: Number, now: float) -> tuple[_Call, ...]:
        return self._by_number.between(number.key or "", (now - WINDOW_SECONDS, ""), (now, _LAST))


class _Recent(Generic[T]):
    """Keys (numbers or blocks) in the order of their last call, with the calls of each key in time order.

    Calls are in tuples, because most numbers call once and a deque takes 600 bytes. Keys are in a plain dict, which
    takes 50 bytes a key less than an OrderedDict. A dict finds its oldest key slowly, so at the limit one key in
    sixteen is dropped at once.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._calls: dict[str, tuple[T, ...]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def count(self, key: str, first: T, last: T, call: T, oldest: T) -> tuple[T, ...]:
        """Add a call of the key, and return the earlier calls from `first` to `last`. Drop calls before `oldest`."""
        calls = self._calls.get(key)
        earlier = () if calls is None or calls[-1] < first else self.between(key, first, last)
        self.add(key, call, oldest)
        return earlier

    def add(self, key: str, call: T, oldest: T) -> None:
        calls: tuple[Any, ...] = self._calls.pop(key, ())
        if calls and calls[0] < oldest:
            calls = calls[bisect_left(calls, oldest) :]
        in_order = not calls or calls[-1] <= call
        self._calls[key] = (*calls[1 - KEPT_CALLS :], call) if in_order else tuple(sorted((*calls, call)))[-KEPT_CALLS:]
        if len(self._calls) > self._max_keys:
            for silent in tuple(islice(self._calls, 1 + self._max_keys // 16)):
                del self._calls[silent]

    def between(self, key: str, first: T, last: T) -> tuple[T, ...]:
        calls = self._calls.get(key)
        return calls[bisect_left(calls, first) : bisect_right(calls, last)] if calls else ()

    def forget(self, key: str) -> None:
        self._calls.pop(key, None)
