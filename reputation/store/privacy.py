"""Export and erase all data about a phone number, as data protection law demands.

The table definitions (reputation/store/tables/) say which rows are erased. Whole rows are deleted, because a decision
without its caller would still name the call, and the CDRs of the PBX name the caller of this call. In all other texts
the number is masked, however it is written. Own numbers are not personal data: their settings, register entries and
daily counts stay. If a list with the number is imported later, the number is stored again.

In notes people write a number with or without its country code. Between its digits there may be spaces, brackets, dots,
hyphens, slashes, commas, underscores or stars. Digits may be full-width, Arabic or Persian. `+44 20 7183 8750`, `+44
(0)20-7183.8750` and `020 7183 8750` are the same number. `+49 201 5550143` is not the American 201 555 0143.
"""

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

from reputation.numbers import national_digits
from reputation.store.backup import backups_of, problem_of_backup
from reputation.store.database import companions_of, open_store, truncate_wal
from reputation.store.errors import StoreError, store_error
from reputation.store.tables.every import TABLE_BY_NAME, TABLES
from reputation.store.tables.table import OURS, Table
from reputation.store.transaction import transaction

MAX_DIGITS = 15  # of a number with its country code (E.164)
# The zeros of ASCII, Arabic, Persian and full-width digits. The other digits follow each zero.
_ZEROS = (0x30, 0x660, 0x6F0, 0xFF10)
_PLAIN = {zero + digit: str(digit) for zero in _ZEROS for digit in range(10)}
# U+2000 to U+206F are spaces, dashes and direction marks; U+FFxx are typed on Chinese keyboards.
_SIGNS = r"\s()\[\]./*_\-\u00ad\u00b7\u2000-\u206f\u2212\uff08\uff09\uff0a\uff0d\uff0e\uff3f"
_GAP = f"[{_SIGNS}]{{0,8}}"
_COMMAS = f"[{_SIGNS},\u060c\u3001\uff0c]{{0,8}}"  # after a country code a comma would join items of a list
# Wide patterns find texts and files that may have the number. JSON writes line ends and tabs as letters.
_WIDE_GAP = rf"(?:\\[nrt]|[^A-Za-z\x00{''.join(map(chr, _PLAIN))}]){{0,16}}+"
_OTHER_DIGITS = rb"\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xef\xbc[\x90-\x99]"  # in UTF-8
_WIDE_GAP_IN_FILE = rb"(?:\\[nrt]|(?!" + _OTHER_DIGITS + rb")[^0-9A-Za-z\x00]){0,16}+"


def masker(number: str, mask: str) -> Callable[[str], str]:
    """Return a function that replaces the number in a text with `mask`. Longer numbers that contain its digits stay."""
    pattern = _spelling(number)

    def masked(text: str) -> str:
        pieces, end = [], 0
        for match in pattern.finditer(text.translate(_PLAIN)):  # a character for a character: places stay
            if match["ours"]:
                pieces += [text[end : match.start()], mask]
                end = match.end()
        return "".join(pieces) + text[end:]

    return masked


def digits_in_text(number: str) -> re.Pattern[str]:
    """Return a pattern for the digits of the number in any spelling. The pattern also matches inside longer numbers."""
    return re.compile(_WIDE_GAP.join(f"[{''.join(_written(digit))}]" for digit in national_digits(number)))


def digits_in_file(number: str) -> re.Pattern[bytes]:
    """Return a pattern like that of `digits_in_text`, but for the bytes of a file."""
    spelled = (b"(?:" + b"|".join(map(str.encode, _written(digit))) + b")" for digit in national_digits(number))
    return re.compile(_WIDE_GAP_IN_FILE.join(spelled))


def _written(digit: str) -> list[str]:
    return [chr(zero + int(digit)) for zero in _ZEROS]


def _spelling(number: str) -> re.Pattern[str]:
    """Return a pattern for the number (group `ours`), or for a longer number that contains its digits (no group).

    Hyphens, dots and brackets join digits to one number. A space may also stand between two numbers or after a time of
    day. So spaces join digits only if these begin like an international number. No number has more than MAX_DIGITS.
    """
    digits = national_digits(number)
    code = number.lstrip("+").removesuffix(digits)
    national = _COMMAS.join(digits)
    more = f"{{1,{max(1, MAX_DIGITS - len(digits))}}}"
    international = r"(?:\+|00|011)"
    return re.compile(
        rf"""(?<![0-9])(?:
            (?P<ours>
                # The bracket of (201) 555-0143 goes too, that of (2015550143) stays.
                (?:[(\[\uff08](?=[+0-9\ ]{{1,6}}[)\]\uff09]{_GAP}[0-9]))?
                (?:{international}{_GAP})? (?:{_GAP.join(code)}{_GAP})? (?:0{_GAP})? {national}
                (?![0-9]) (?![-.(*_][0-9]{more}(?![0-9]))
            )
            | {international} (?:{_GAP}[0-9]){more} {_GAP} {national}
            | (?:[0-9]{more}[-.()*_]{{1,2}}){more} {national}
        )""",
        re.VERBOSE,
    )


EXPORTED = tuple(table.name for table in TABLES if table.where)
ERASED = frozenset(table.name for table in TABLES if table.is_erased)
# The progress of imports and recomputations is stored as a number.
CURSORS = (
    """UPDATE import_source SET staged_to = coalesce(
    (SELECT max(number) FROM imported WHERE source = id AND number < :number), '') WHERE staged_to = :number""",
    "UPDATE folding SET after = '' WHERE after = :number",
    "UPDATE hub_fill SET after = '' WHERE after = :number",
)
MASK = "[erased]"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


class Mentions(NamedTuple):
    """Rows of one table, by primary key, whose texts (in `columns`) contain the digits of a number."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


def export_number(
    db: sqlite3.Connection, number: str, tables: Collection[str] = EXPORTED
) -> dict[str, list[dict[str, object]]]:
    """Return every row about the number, by table, as JSON-compatible values. Binary content is encoded as Base64."""
    _can_find(db, number)
    return {name: _rows(db, TABLE_BY_NAME[name].export_sql, number) for name in tables}


def find_mentions(db: sqlite3.Connection, number: str) -> list[Mentions]:
    """Return rows about others that mention the number. This reads the whole store, so call it before a transaction."""
    _can_find(db, number)
    mentioned = (_mentions_in(db, table) for table in TABLES)
    return [mentions for mentions in mentioned if mentions is not None]


def erase_number(db: sqlite3.Connection, number: str, mentions: Sequence[Mentions] | None = None) -> dict[str, int]:
    """Delete every row about the number, and mask the number elsewhere. Return how many rows were erased, by table.

    Call it in a transaction. The audit keeps who changed something and when, but not the number or texts about it.
    `mentions`: the result of `find_mentions`, called just before; None: it is called here.
    """
    mentions = find_mentions(db, number) if mentions is None else mentions
    _can_find(db, number)
    db.execute("PRAGMA defer_foreign_keys = ON")  # a name that is a key is masked in one table after another
    erased = {
        table.name: db.execute(table.erase_sql, {"number": number}).rowcount for table in TABLES if table.is_erased
    }
    for cursor in CURSORS:
        db.execute(cursor, {"number": number})
    db.create_function("masked", 1, _masker_of(number))
    for mention in mentions:
        changes = ", ".join(f"{column} = masked({column})" for column in mention.columns)
        where = " AND ".join(f"{column} IS ?" for column in mention.key)
        db.executemany(f"UPDATE OR REPLACE {mention.table} SET {changes} WHERE {where}", mention.rows)
    return erased


def text_columns(db: sqlite3.Connection, table: Table) -> tuple[str, ...]:
    """Return the text columns that may mention a phone number: those without names of people, groups or endpoints."""
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
    is_filled = " OR ".join(f"{column} <> ''" for column in columns)
    rows = db.execute(
        f"SELECT {', '.join(key)} FROM {table.name} WHERE ({is_filled}) AND has_digits({texts})"
    ).fetchall()
    return Mentions(table.name, key, columns, rows) if rows else None


def _can_find(db: sqlite3.Connection, number: str) -> None:
    digits = digits_in_text(number)
    db.create_function("has_digits", 1, lambda text: digits.search(text) is not None)


def _masker_of(number: str) -> Callable[[str | None], str | None]:
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
    """Remove the number from freed pages of the store's file. Return False if a reader keeps the -wal file in use."""
    with open_store(path) as db:
        if not truncate_wal(db):
            return False
    if not any(names_number(file, number) for file in companions_of(path)):
        return True
    with open_store(path) as db:
        db.execute("VACUUM")
        return truncate_wal(db)


def erase_from_backups(path: Path, number: str) -> Iterator[tuple[Path, str]]:
    """Rewrite each backup that contains the number. Yield its path, with an error message or an empty text."""
    for backup in backups_of(path):
        if _may_name(backup, number):
            try:
                _erase_from_backup(backup, number)
                yield backup, ""
            except StoreError as error:
                yield backup, str(error)


def _erase_from_backup(backup: Path, number: str) -> None:
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
    """Return the files in these directories that contain the number or cannot be read. Links are not followed."""
    files = {Path(root, name) for folder in folders for root, _, names in os.walk(folder) for name in names}
    return sorted(file for file in files if _may_name(file, number))


def _may_name(file: Path, number: str) -> bool:
    try:
        return names_number(file, number)
    except FileNotFoundError:  # deleted meanwhile
        return False
    except OSError:
        return True


def names_number(file: Path, number: str) -> bool:
    """Return whether a regular file contains the digits of the number, however it is written.

    Never call this for a store that this process has open: closing the file ends SQLite's locks on it (fcntl(2)). A
    daemon that starts then would take the store for unused, and damage the store.
    """
    if file.is_symlink() or not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return digits_in_file(number).search(data) is not None
