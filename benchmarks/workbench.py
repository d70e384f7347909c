"""Shared parts of benchmarks: a directory on disk, stores of any size that are built once, and progress messages."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.callers import imported_rows, number_at
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.database import open_store
from reputation.store.imports import import_numbers
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, set_personal_entry
from reputation.store.transaction import transaction

# First index of listed numbers, beyond the numbers of all benchmarks' callers.
_LISTED = 7_000_000_000


@dataclass(frozen=True, slots=True)
class Built:
    """A state directory with a store. `seconds`: how long the import into the store took."""

    state: Path
    seconds: float

    @property
    def store(self) -> Path:
        return self.state / "callsieve.db"


@dataclass(slots=True)
class Workbench:
    """The directory, stores and function for progress messages (`say`) of a benchmark.

    `quick`: take only a minute or two; the results are then good enough for comparisons. `largest`: how many phone
    numbers an additional store has; 0: no additional store.
    """

    directory: Path
    quick: bool
    say: Callable[[str], None]
    largest: int = 0
    _built: dict[int, Built] = field(default_factory=dict)
    _copies: int = 0

    @property
    def many(self) -> int:
        return 1_000_000 if self.quick else 10_000_000

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many phone numbers each large store has."""
        return (self.many, self.largest) if self.largest > self.many else (self.many,)

    def rounds(self, full: int) -> int:
        """Return how many rounds to run: fewer than `full` if `quick`."""
        return min(full, 3) if self.quick else full

    def built(self, numbers: int) -> Built:
        """Return a state directory with this many imported phone numbers, and with lists and people.

        It is built only once.
        """
        if numbers not in self._built:
            self.say(f"importing {numbers:,} numbers")
            state = self.directory / f"{numbers}"
            state.mkdir()
            self._built[numbers] = Built(state, fill(state / "callsieve.db", numbers))
        return self._built[numbers]

    def copy(self, numbers: int) -> Path:
        """Return a new copy of the state directory with this many phone numbers."""
        self._copies += 1
        state = self.directory / f"{numbers}-{self._copies}"
        state.mkdir()
        shutil.copyfile(self.built(numbers).store, state / "callsieve.db")
        return state


def fill(path: Path, numbers: int) -> float:
    """Create a store with the importer of `callsieve import numbers`. Return how many seconds the import took."""
    with open_store(path) as db:
        began = time.monotonic()
        import_numbers(db, "big-list", "spam", imported_rows(numbers))
        seconds = time.monotonic() - began
        with transaction(db):
            for entry in _list_entries():
                add_entry(db, entry)
            add_contacts(db, "addresses", [Contact(number_at(_LISTED + n), None, f"Contact {n}") for n in range(500)])
            for n in range(200):
                set_personal_entry(db, PersonalEntry("201", number_at(_LISTED + 1000 + n), ListName.ALLOW, 0.0))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return seconds


def _list_entries() -> list[ListEntry]:
    exact = [ListEntry(ListName.BLOCK, EntryKind.EXACT, number_at(_LISTED + 2000 + n)) for n in range(1000)]
    prefixes = [ListEntry(ListName.BLOCK, EntryKind.PREFIX, number_at(_LISTED + 4000 + n)[:9]) for n in range(100)]
    ranges = [
        ListEntry(ListName.BLOCK, EntryKind.RANGE, f"{start}000", f"{start}499")
        for start in (number_at(_LISTED + 5000 + n)[:-3] for n in range(50))
    ]
    return [*exact, *prefixes, *ranges]


def place_on_disk() -> str:
    """Return a directory for temporary files on a disk. /tmp is often in memory."""
    return os.environ.get("TMPDIR") or "/var/tmp"
