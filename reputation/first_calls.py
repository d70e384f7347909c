"""First calls of unknown numbers: of strangers whose calls have left no evidence yet.

They reveal callers who use each number only once. The calls of the last hour are kept in memory, up to a limit. At its
start, the daemon reads them from the journal.
"""

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, islice

from reputation.model import NOTHING_BEFORE, FirstCall
from reputation.numbers import Number

WINDOW_SECONDS = 3600.0
# A burst: so many first calls, of which the latest few are compared with the next, within ten minutes.
BURST_SECONDS, BURST_CALLS, COMPARED = 600.0, 12, 8
# If strangers lately called so many DIDs, those at most STEP apart count as near, too, because a dialler may skip some.
# Then it takes one more, because strangers also call near DIDs by chance. With few DIDs all would be near.
STEP, MANY_DIDS = 3, 50
# A DID that strangers called more often in half an hour is widely known, and does not count.
KNOWN_SECONDS, WELL_KNOWN = 1800.0, 2
MAX_CALLS = 8192  # more than two strangers a second for an hour
KEPT_OF_BLOCK, KEPT_OF_DID = 16, 8
MAX_IN_A_ROW = COMPARED + 1

_Call = tuple[float, str | None, str, str | None]  # at, the number's key, DID, the number's block


class FirstCalls:
    """The first calls of unknown numbers within the last hour. Above `max_calls`, the oldest calls are dropped."""

    def __init__(self, max_calls: int = MAX_CALLS) -> None:
        self._max_calls = max_calls
        self._calls: deque[_Call] = deque()
        self._by_block: dict[str, tuple[_Call, ...]] = {}
        self._by_place: dict[int, deque[_Call]] = {}  # of DIDs that are numbers

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, number: Number, did: str | None, at: float) -> None:
        """Record the first call of a number. A call whose DID is unknown is ignored."""
        if not did:
            return
        block = number.block
        call = at, number.key, did, block
        self._calls.append(call)
        if block is not None:
            others = self._by_block.get(block)  # nearly always none
            self._by_block[block] = (call,) if others is None else (*others[1 - KEPT_OF_BLOCK :], call)
        place = _place_of(did)
        if place is not None:
            calls = self._by_place.get(place)
            if calls is None:
                calls = self._by_place[place] = deque(maxlen=KEPT_OF_DID)
            calls.append(call)
        while len(self._calls) > self._max_calls or self._calls[0][0] < at - WINDOW_SECONDS:
            self._drop(self._calls.popleft())

    def before(self, number: Number, did: str | None, now: float) -> FirstCall:
        """Return what recent first calls of other numbers have in common with a call from this number to this DID."""
        if not did:
            return NOTHING_BEFORE
        block = number.block
        near = self._by_block.get(block) if block is not None else None
        calls = self._calls
        is_recent = bool(calls) and calls[-1][0] >= now - BURST_SECONDS
        if near is None and not is_recent:
            return NOTHING_BEFORE
        neighbours = 0 if near is None else _neighbours(near, number.key, did, now)
        in_a_row = self._in_a_row(number.key, did, now) if is_recent else 1
        if not neighbours and in_a_row == 1:
            return NOTHING_BEFORE
        is_burst = is_recent and len(calls) >= BURST_CALLS and calls[-BURST_CALLS][0] >= now - BURST_SECONDS
        return FirstCall(neighbours, in_a_row, is_burst)

    def _in_a_row(self, number: str | None, did: str, now: float) -> int:
        """Return how many consecutive DIDs, with `did`, unknown numbers called in 10 min. Popular DIDs do not count."""
        place = _place_of(did)
        # Nearly always no stranger called a DID near this one, or all call the same.
        if place is None or self._by_place.keys().isdisjoint(_around(place)):
            return 1
        places = set()
        for at, who, to, _ in islice(reversed(self._calls), COMPARED):
            other = _place_of(to)
            if other is not None and other != place and who != number and now - BURST_SECONDS <= at <= now:
                places.add(other)
        near = sorted(other for other in places if len(self._lately(other, number, now)) <= WELL_KNOWN)
        in_a_row = _chain(place, near, 1)
        if len(self._by_place) >= MANY_DIDS:
            in_a_row = max(in_a_row, _chain(place, near, STEP) - 1)
        return 1 if in_a_row > 1 and len(self._lately(place, number, now)) >= WELL_KNOWN else in_a_row

    def _lately(self, place: int, number: str | None, now: float) -> list[float]:
        calls = self._by_place.get(place, ())
        return [at for at, who, *_ in calls if who != number and now - KNOWN_SECONDS <= at <= now]

    def _drop(self, call: _Call) -> None:
        _, _, did, block = call
        if block is not None and (near := self._by_block.get(block)) and near[0] == call:
            if len(near) == 1:
                del self._by_block[block]
            else:
                self._by_block[block] = near[1:]
        place = _place_of(did)
        if place is not None and (calls := self._by_place.get(place)) and calls[0] == call:
            calls.popleft()
            if not calls:
                del self._by_place[place]


def _around(place: int) -> Iterable[int]:
    return chain(range(place - STEP, place), range(place + 1, place + STEP + 1))


def _chain(place: int, places: list[int], step: int) -> int:
    reached = 1
    for side in ([other for other in places if other > place], [other for other in reversed(places) if other < place]):
        last = place
        for other in side:
            if abs(other - last) > step:
                break
            last, reached = other, reached + 1
    return reached


def _neighbours(calls: tuple[_Call, ...], number: str | None, did: str, now: float) -> int:
    since = now - WINDOW_SECONDS
    return len({who for at, who, to, _ in calls if who != number and to != did and since <= at <= now})


@lru_cache(maxsize=4096)
def _place_of(did: str) -> int | None:
    digits = did.removeprefix("+")
    return int(digits) if len(digits) < len(did) and digits.isascii() and digits.isdigit() else None
