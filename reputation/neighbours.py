"""Who of a block of 1000 numbers may be bad, for a replay: the store keeps the same in a column (reputation/store).

    neighbours.move(number)                     its evidence has moved, or there is some for the first time
    neighbours.suspects(block, auth_class)      those that `may_be_bad` holds of, whatever the time is

A number is looked at again only when somebody asks about its block after its evidence has moved: in most blocks nobody
ever does, and in a dense one a call moves one number of a thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from reputation.model import AuthClass
from reputation.numbers import block_of


@dataclass(slots=True)
class _Watched:
    """A block in one class that was asked about. `moved` are still to be looked at."""

    moved: set[str]
    suspects: set[str] = field(default_factory=set)


class Neighbours:
    """The numbers of each block that something is known of."""

    def __init__(self, may_be_bad: Callable[[str, AuthClass], bool]) -> None:
        self._may_be_bad = may_be_bad
        self._numbers: defaultdict[str, set[str]] = defaultdict(set)
        self._watched: defaultdict[str, dict[AuthClass, _Watched]] = defaultdict(dict)

    def move(self, number: str) -> None:
        """Something new is known of the number."""
        block = block_of(number)
        if block is None:
            return
        self._numbers[block].add(number)
        if block in self._watched:
            for watched in self._watched[block].values():
                watched.moved.add(number)

    def count(self, block: str) -> int:
        """Of how many numbers of the block something is known."""
        return len(self._numbers.get(block, ()))

    def suspects(self, block: str, auth_class: AuthClass) -> Collection[str]:
        """The numbers of the block that may be bad now or later, as long as nothing more is learnt of them."""
        watched = self._watched[block].get(auth_class)
        if watched is None:
            watched = self._watched[block][auth_class] = _Watched(set(self._numbers.get(block, ())))
        for number in watched.moved:
            if self._may_be_bad(number, auth_class):
                watched.suspects.add(number)
            else:
                watched.suspects.discard(number)
        watched.moved.clear()
        return watched.suspects
