"""First calls of numbers that nobody here knows: what single-use numbers have in common, though each calls once.

    seen = first_calls.before(number, did, now) -> FirstCall     what strangers did shortly before
    first_calls.add(number, did, now)                            it was a stranger, too

A counter in memory, bounded in every direction; the daemon rebuilds it from the journal at start. No clock
inside: the instants are arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, islice

from reputation.model import NOTHING_BEFORE, FirstCall
from reputation.numbers import Number

WINDOW_SECONDS = 3600.0
# A burst: so many first calls, of which the latest few are compared with the next, within ten minutes.
BURST_SECONDS, BURST_CALLS, COMPARED = 600.0, 12, 8
# Where strangers lately called so many DIDs of ours, those at most STEP apart are near, too: a dialler may leave some
# out. Then it takes one more, for strangers call near each other by chance; where we have few DIDs, all are near.
STEP, MANY_DIDS = 3, 50
# Whom strangers called more often in half an hour has a number that is known outside: that says nothing.
KNOWN_SECONDS, WELL_KNOWN = 1800.0, 2
MAX_CALLS = 8192  # more than two strangers a second for an hour
KEPT_OF_BLOCK, KEPT_OF_DID = 16, 8
MAX_IN_A_ROW = COMPARED + 1

_Call = tuple[float, str | None, str, str | None]  # at, the number's key, DID, the number's block


class FirstCalls:
    """First calls of the last hour, at most `max_calls`; the oldest are forgotten first."""

    def __init__(self, max_calls: int = MAX_CALLS) -> None:
        self._max_calls = max_calls
        self._calls: deque[_Call] = deque()
        self._by_block: dict[str, tuple[_Call, ...]] = {}
        self._by_place: dict[int, deque[_Call]] = {}  # of DIDs that are numbers

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, number: Number, did: str | None, at: float) -> None:
        """One first call. One to no DID that is known is left out."""
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
        """What other strangers did in the time before `now`, seen from a call of the number to the DID."""
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
        """How many DIDs near each other were called, this one among them, by the latest strangers within ten minutes,
        in whatever order. Not those that strangers call anyway, as the company's main number.
        """
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
        found = _chain(place, near, 1)
        if len(self._by_place) >= MANY_DIDS:
            found = max(found, _chain(place, near, STEP) - 1)
        return 1 if found > 1 and len(self._lately(place, number, now)) >= WELL_KNOWN else found

    def _lately(self, place: int, number: str | None, now: float) -> list[float]:
        """When other strangers called a DID in the half hour before."""
        calls = self._by_place.get(place, ())
        return [at for at, who, *_ in calls if who != number and now - KNOWN_SECONDS <= at <= now]

    def _drop(self, call: _Call) -> None:
        """Takes the oldest call out of the two look-ups, if it is still there: then it is the first in each."""
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
    """Return the places near this one, without it."""
    return chain(range(place - STEP, place), range(place + 1, place + STEP + 1))


def _chain(place: int, places: list[int], step: int) -> int:
    """How many of the places, in order, lead away from one without a gap of more than a step, and that one."""
    found = 1
    for side in ([one for one in places if one > place], [one for one in reversed(places) if one < place]):
        last = place
        for one in side:
            if abs(one - last) > step:
                break
            last, found = one, found + 1
    return found


def _neighbours(calls: tuple[_Call, ...], number: str | None, did: str, now: float) -> int:
    """How many other numbers called another DID within the hour."""
    since = now - WINDOW_SECONDS
    return len({who for at, who, to, _ in calls if who != number and to != did and since <= at <= now})


@lru_cache(maxsize=4096)
def _place_of(did: str) -> int | None:
    """Where a DID is among all numbers; None for what is no number."""
    digits = did.removeprefix("+")
    return int(digits) if len(digits) < len(did) and digits.isascii() and digits.isdigit() else None
