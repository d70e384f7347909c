"""How commands write: each change in one transaction with its row in the audit, so that none can leave it out.

Imports write their numbers as one generation, and in a dry run into thin air.
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import any_store, existing_store, has_store
from callsieve.imports.cli.summary import Summary
from callsieve.settings import Loaded

if TYPE_CHECKING:
    from callsieve.text.csv_table import Problem
    from reputation.store.audit import Change
    from reputation.store.imports import Feed, ImportedRow

NAME_CHARACTERS = 64


@contextmanager
def stores(
    loaded: Loaded, *, dry_run: bool, copied: bool = False
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """The store as it is known, and where to write: for a dry run one that is thrown away, so all else is the same.

    `copied`: what is thrown away begins as a copy of the store, where what is written depends on what is there.
    """
    from reputation.store.backup import copy_store
    from reputation.store.database import open_store

    if not dry_run:
        with any_store(loaded) as db:
            yield db, db
        return
    with TemporaryDirectory(prefix="callsieve-") as folder, open_store(Path(folder) / "dry-run.db") as thrown_away:
        if has_store(loaded):
            with existing_store(loaded) as known:
                if copied:
                    copy_store(known, thrown_away)
                yield known, thrown_away
        else:
            yield thrown_away, thrown_away


@contextmanager
def changing(
    db: sqlite3.Connection, what: str, number: str | None = None, name: str = "", *, at: float | None = None
) -> Iterator[Change]:
    """All of the block or nothing, with the row of the audit that the block fills in. `what` is the command.

    `at`: the instant of the row, for one that belongs to others; else now.
    """
    from reputation.store.audit import Change
    from reputation.store.transaction import transaction

    change = Change(what, number, name)
    with transaction(db):
        yield change
        note(db, change, at)


def note(db: sqlite3.Connection, change: Change, at: float | None = None) -> None:
    """The row of the audit, for what makes its own transactions."""
    from reputation.store.audit import add_audit

    add_audit(db, change, who(), time.time() if at is None else at)


def note_done(loaded: Loaded, what: str, name: str = "") -> None:
    """The row of the audit for what was done already, elsewhere than in the store: one that fails undoes nothing."""
    from reputation.store.audit import Change
    from reputation.store.errors import StoreError

    try:
        if has_store(loaded):
            with existing_store(loaded) as db:
                note(db, Change(what, name=name))
    except (StoreError, OSError) as error:
        warn(f"it is not in the audit: {error}")


def who() -> str:
    """The login name of the person at the keyboard, also behind sudo."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # nobody has this user id
        name = f"user {os.getuid()}"
    return "".join(filter(str.isprintable, name))[:NAME_CHARACTERS]


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
    from reputation.store.audit import Change
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


def nothing_usable(problems: Sequence[Problem]) -> CommandError:
    """The error for a table of which nothing can be used."""
    first = f": {f'line {problems[0].line}: ' if problems[0].line else ''}{problems[0].text}" if problems else ""
    return CommandError(f"not one row can be used{first}. Nothing was changed")


def some(words: Sequence[str], most: int = 5) -> str:
    """The first five, or as many as are asked for, and how many more there are."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _numbers_of(db: sqlite3.Connection, source: str) -> int | None:
    from reputation.store.imports import sources

    return next((live.numbers for live in sources(db) if live.name == source), None)


def known_own_numbers(db: sqlite3.Connection, loaded: Loaded) -> frozenset[str]:
    """Our own numbers: of the register, of the settings, and DIDs."""
    from callsieve.wiring import dids_of, own_numbers_of
    from reputation.store.people import own_numbers

    dids = (did.number for did in dids_of(loaded.settings))
    return frozenset((*own_numbers(db), *own_numbers_of(loaded.settings), *dids))
