"""What the store knows about one number, and how it is forgotten (data protection law).

Erasing deletes: a decision without its caller would still name the call (linkedid, time, DID), and the CDRs of
the PBX would give the caller back. In texts about others the number is masked, however it is written (`spellings`).
`erasure` sees to the files. An import that lists the number brings it back. Our own lines are nobody's personal data:
what the settings and the register say of them stays, and so do the sums of their calls. Which rows and columns these
are follows from the tables (reputation/store/tables/).
"""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from reputation.store.backup import backups_of, problem_of_backup
from reputation.store.database import companions_of, open_store, truncate_wal
from reputation.store.errors import StoreError, store_error
from reputation.store.spellings import digits_in_file, digits_in_text, masker
from reputation.store.tables.every import TABLE_BY_NAME, TABLES
from reputation.store.tables.table import OURS, Table
from reputation.store.transaction import transaction

EXPORTED = tuple(table.name for table in TABLES if table.where)
ERASED = frozenset(table.name for table in TABLES if table.is_erased)
# How far an import and a recomputation are is written as a number.
CURSORS = (
    """UPDATE import_source SET staged_to = coalesce(
    (SELECT max(number) FROM imported WHERE source = id AND number < :number), '') WHERE staged_to = :number""",
    "UPDATE folding SET after = '' WHERE after = :number",
    "UPDATE hub_fill SET after = '' WHERE after = :number",
)
MASK = "[erased]"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


class Mentions(NamedTuple):
    """Rows of one table in whose texts the digits of a number stand, by their primary keys."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


def export_number(
    db: sqlite3.Connection, number: str, tables: Collection[str] = EXPORTED
) -> dict[str, list[dict[str, object]]]:
    """Return every row about the number, by table; ready for JSON, what was attached as Base64."""
    _can_find(db, number)
    return {name: _rows(db, TABLE_BY_NAME[name].export_sql, number) for name in tables}


def find_mentions(db: sqlite3.Connection, number: str) -> list[Mentions]:
    """Find the number in texts about others. It reads all of the store, so do it before the write lock is taken."""
    _can_find(db, number)
    found = (_mentions_in(db, table) for table in TABLES)
    return [mentions for mentions in found if mentions is not None]


def erase_number(db: sqlite3.Connection, number: str, mentions: Sequence[Mentions] | None = None) -> dict[str, int]:
    """Delete every row about the number and return how many went, by table. Call it in a transaction.

    Of the audit stays who did what and when, without the number and all that was said about it.

    Args:
        mentions: What `find_mentions` found a moment before; None: it is looked for here.
    """
    mentions = find_mentions(db, number) if mentions is None else mentions
    _can_find(db, number)
    db.execute("PRAGMA defer_foreign_keys = ON")  # a name that is a key is masked in one table after the other
    erased = {
        table.name: db.execute(table.erase_sql, {"number": number}).rowcount for table in TABLES if table.is_erased
    }
    for cursor in CURSORS:
        db.execute(cursor, {"number": number})
    db.create_function("masked", 1, _masker_of(number))
    for found in mentions:
        changes = ", ".join(f"{column} = masked({column})" for column in found.columns)
        where = " AND ".join(f"{column} IS ?" for column in found.key)
        db.executemany(f"UPDATE OR REPLACE {found.table} SET {changes} WHERE {where}", found.rows)
    return erased


def text_columns(db: sqlite3.Connection, table: Table) -> tuple[str, ...]:
    """Return the columns of a table that are searched for a number: every text but names of our people and lines."""
    left = OURS.union(table.numbers, table.own_numbers, table.verbatim)
    return tuple(
        name
        for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table.name})")
        if kind == "TEXT" and name not in left
    )


def _mentions_in(db: sqlite3.Connection, table: Table) -> Mentions | None:
    columns = text_columns(db, table)
    if not columns:
        return None
    keys = [(place, name) for _, name, *_, place in db.execute(f"PRAGMA table_info({table.name})") if place]
    key = tuple(name for _, name in sorted(keys)) or ("rowid",)
    texts = " || char(31) || ".join(f"coalesce({column}, '')" for column in columns)
    is_there = " OR ".join(f"{column} <> ''" for column in columns)
    rows = db.execute(
        f"SELECT {', '.join(key)} FROM {table.name} WHERE ({is_there}) AND has_digits({texts})"
    ).fetchall()
    return Mentions(table.name, key, columns, rows) if rows else None


def _can_find(db: sqlite3.Connection, number: str) -> None:
    """Let SQL find the digits of the number in a text."""
    digits = digits_in_text(number)
    db.create_function("has_digits", 1, lambda text: digits.search(text) is not None)


def _masker_of(number: str) -> Callable[[str | None], str | None]:
    """Return a function that takes the number out of a text; of JSON out of its strings, as a figure is no number."""
    masked = masker(number, MASK)

    def masked_string(literal: re.Match[str]) -> str:
        text = json.loads(literal[0])
        return literal[0] if masked(text) == text else json.dumps(masked(text), ensure_ascii=False)

    def masked_text(text: str | None) -> str | None:
        if not text:
            return text
        return _STRING.sub(masked_string, text) if _is_json(text) else masked(text)

    return masked_text


def _is_json(text: str) -> bool:
    if text[0] not in "[{":
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _rows(db: sqlite3.Connection, sql: str, number: str) -> list[dict[str, object]]:
    cursor = db.execute(sql, {"number": number})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, map(_ready_for_json, row), strict=True)) for row in cursor]


def _ready_for_json(value: object) -> object:
    return b64encode(value).decode() if isinstance(value, bytes) else value


def clear_freed(path: Path, number: str) -> bool:
    """Makes the deletion one of the bytes. False: somebody reads the store all the time, so its WAL still has them.

    Pages that a version without secure_delete has freed keep what was in them: then all of the file is written anew.
    """
    with open_store(path) as db:
        if not truncate_wal(db):
            return False
    if not any(names_number(file, number) for file in companions_of(path)):
        return True
    with open_store(path) as db:
        db.execute("VACUUM")
        return truncate_wal(db)


def erase_from_backups(path: Path, number: str) -> Iterator[tuple[Path, str]]:
    """Writes each backup of the store that names the number anew, without it. Yields each, and why it could not be."""
    for backup in backups_of(path):
        if _may_name(backup, number):
            try:
                _erase_from_backup(backup, number)
                yield backup, ""
            except StoreError as error:
                yield backup, str(error)


def _erase_from_backup(backup: Path, number: str) -> None:
    """The age of a backup is that of what is in it, so it stays. StoreError; then the backup is as it was."""
    partial = backup.with_suffix(".partial")
    try:
        status = backup.stat()
        shutil.copyfile(backup, partial)
        partial.chmod(0o640)
        with open_store(partial) as db:
            with transaction(db):
                erase_number(db, number)
            db.execute("VACUUM")
        if problem := problem_of_backup(partial):
            raise StoreError(f"{backup}: this backup is damaged ({problem})")
        os.utime(partial, (status.st_atime, status.st_mtime))
        partial.rename(backup)
    except OSError as error:
        raise store_error(backup, error) from error
    finally:
        for file in companions_of(partial):
            file.unlink(missing_ok=True)


def files_naming(folders: Iterable[Path], number: str) -> list[Path]:
    """The files below these directories that name the number in any form, or cannot be searched, in order.

    Links are not followed.
    """
    found = {Path(root, name) for folder in folders for root, _, names in os.walk(folder) for name in names}
    return sorted(file for file in found if _may_name(file, number))


def _may_name(file: Path, number: str) -> bool:
    try:
        return names_number(file, number)
    except FileNotFoundError:  # one that went away meanwhile
        return False
    except OSError:
        return True


def names_number(file: Path, number: str) -> bool:
    """Whether the digits that all spellings of the number have in common stand in a regular file.

    Never of a store that this process has open: closing the file ends SQLite's locks on it (fcntl(2)), and a daemon
    that starts then takes the store for nobody's, and damages it.
    """
    if file.is_symlink() or not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return digits_in_file(number).search(data) is not None
