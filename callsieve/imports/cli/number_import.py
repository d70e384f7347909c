"""Stores an imported list of numbers, at once or not at all, and sums up what became of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from callsieve.cli.errors import warn
from callsieve.cli.input_file import nothing_usable
from callsieve.cli.store import note, stores
from callsieve.imports.cli.summary import Summary
from callsieve.settings import Loaded
from callsieve.text.csv_table import Problem
from callsieve.wiring import known_own_numbers
from reputation.store.audit import Change
from reputation.store.imports import Feed, ImportedRow


def store_numbers(
    loaded: Loaded,
    summary: Summary,
    verdict: str,
    rows: Iterable[ImportedRow],
    problems: list[Problem],
    *,
    feed: Feed | None = None,
    least_share: float = 0.0,
) -> int:
    """Makes the rows the numbers of the source, at once or not at all; returns how many could be used.

    `problems` is what the rows were refused for, filled while they are read. With a smaller share of the numbers that
    are in force than `least_share` the import is refused: TooFewNumbers.
    """
    from reputation.store.imports import LIST, ImportSource, import_numbers

    def also(live: ImportSource) -> None:
        before = None if summary.before is None else {"rows": summary.before}
        after = {"verdict": verdict, "rows": live.numbers}
        command = "import feed" if feed else "import numbers"
        note(written, Change(command, name=summary.source, before=before, after=after))

    started = time.monotonic()
    with stores(loaded, dry_run=summary.dry_run) as (known, written):
        summary.before = _numbers_of(known, summary.source)
        counted = _Counted(known_own_numbers(known, loaded), problems)
        try:
            terms = (feed or LIST)._replace(least=ceil((summary.before or 0) * least_share))
            live = import_numbers(written, summary.source, verdict, counted.of(rows), also=also, feed=terms)
        except KeyboardInterrupt:
            if _numbers_of(known, summary.source) == summary.before:
                warn(f"the import was stopped: {summary.source} is as it was before; run it again and it goes on")
            raise
    summary.imported, summary.duplicates = live.numbers, counted.rows - live.numbers
    summary.continued = live.continued
    summary.seconds = time.monotonic() - started
    if counted.own and verdict == "spam":
        summary.remarks.append(f"our own numbers are listed: {some(sorted(counted.own))}: have them taken off")
    return counted.rows


class _Counted:
    """Counts the rows that pass, and notes which of them are our own numbers."""

    def __init__(self, own_numbers: frozenset[str], problems: list[Problem]) -> None:
        self.rows = 0
        self.own: set[str] = set()
        self._own_numbers = own_numbers
        self._problems = problems

    def of(self, rows: Iterable[ImportedRow]) -> Iterator[ImportedRow]:
        """The rows. CommandError at the end when there was none: nothing is no reason to drop what is in force."""
        for row in rows:
            self.rows += 1
            if row[0] in self._own_numbers:
                self.own.add(row[0])
            yield row
        if not self.rows:
            raise nothing_usable(self._problems)


def some(words: Sequence[str], most: int = 5) -> str:
    """The first five, or as many as are asked for, and how many more there are."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _numbers_of(db: sqlite3.Connection, source: str) -> int | None:
    from reputation.store.imports import sources

    return next((live.numbers for live in sources(db) if live.name == source), None)
