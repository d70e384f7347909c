"""Numbers of a block of 1000 that may be bad, for a replay. The store has a column for the same (reputation/store).

    neighbours.move(number)                     its evidence has changed, or is new
    neighbours.suspects(block, auth_class)      numbers for which `may_be_bad` is true now or later

A number is checked again only if its evidence has changed and its block is queried. Most blocks are never queried, and
in a block with many numbers a call changes only one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from reputation.model import AuthClass
from reputation.numbers import block_of


@dataclass(slots=True)
class _Watched:
    """A block in one class after its first query. The numbers in `moved` must be checked again."""

    moved: set[str]
    suspects: set[str] = field(default_factory=set)


class Neighbours:
    """The known numbers of each block."""

    def __init__(self, may_be_bad: Callable[[str, AuthClass], bool]) -> None:
        self._may_be_bad = may_be_bad
        self._numbers: defaultdict[str, set[str]] = defaultdict(set)
        self._watched: defaultdict[str, dict[AuthClass, _Watched]] = defaultdict(dict)

    def move(self, number: str) -> None:
        """Record that the evidence about the number has changed."""
        block = block_of(number)
        if block is None:
            return
        self._numbers[block].add(number)
        if block in self._watched:
            for watched in self._watched[block].values():
                watched.moved.add(number)

    def count(self, block: str) -> int:
        """Return how many numbers of the block are known."""
        return len(self._numbers.get(block, ()))

    def suspects(self, block: str, auth_class: AuthClass) -> Collection[str]:
        """Return the numbers of the block that may be bad now or later, by their present evidence."""
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
