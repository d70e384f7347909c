"""A row as it travels, and how it is read from and written to its table.

What sites share through the hub, by kind of row: derived from the tables (reputation/store/tables/).

Capture, push, apply, checksum and erasure are made from this. A table that shares nothing stays where it is.

A row of another site stands in the same SQLite table as ours. What names a person, a call or a case there is written
`site:name` by reputation/site_names.py, so keys of two sites never meet.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple

from reputation.model import EntryKind, ListEntry, ListName
from reputation.site_names import SITE, all_of, name_at_site, of_site, site_of
from reputation.store.lists import add_entry, remove_entry
from reputation.store.tables.every import TABLES
from reputation.store.tables.table import MOST_PAYLOAD, MOST_POLICY, Kind, SharedWith

__all__ = ("KINDS", "MOST_PAYLOAD", "MOST_POLICY", "MOST_TEXT", "NO_NUMBER", "Kind", "SharedWith")

MOST_TEXT: Final = 200  # characters of one column
NO_NUMBER: Final = "-"  # what a row about no number lies under

KINDS: Final = {kind.name: kind for table in TABLES if (kind := table.kind) is not None}


MICROSECONDS = 1_000_000
MOST_NUMBER = 32
MOST_KEY = 1000  # characters, here and in the hub
MOST_INTEGER = 1 << 31
LATEST_US = 4_102_444_800 * MICROSECONDS  # the year 2100
DIGITS = 8  # hexadecimal, of a digest: billions of them still add up to an integer of 64 bits


Checked = tuple[dict[str, Any], dict[str, Any]]


class SharedRow(NamedTuple):
    """A row as its site writes it. `key`: a JSON array of its columns beside the number; `payload` and `own`: JSON
    objects, empty where there is nothing to say. `version`: its site's clock; the greater wins, and a deletion a tie.
    """

    kind: str
    origin: str
    number: str
    key: str
    payload: str
    own: str
    at_us: int
    version: int
    deleted: bool


class Unfit(StrEnum):
    """Why a row of another site cannot be used: a newer or an older CallSieve wrote it, or it says what none does."""

    NEWER = "newer"
    OLDER = "older"
    ODD = "odd"


class Unusable(ValueError):
    """A row of another site cannot be used."""

    def __init__(self, what: str, unfit: Unfit = Unfit.ODD) -> None:
        super().__init__(what)
        self.unfit = unfit


class Stored(NamedTuple):
    """What stands in the table. `at_us` None: it has no date."""

    payload: str
    own: str
    at_us: int | None


def digest_of(kind: str, origin: str, number: str, key: str, payload: str, at_us: int) -> int:
    """Of what a row says; the hub makes the same one of it."""
    text = "\x1f".join((kind, origin, number, key, payload, str(at_us)))
    return int(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], 16)


def stored_row(db: sqlite3.Connection, kind: Kind, number: str, key: str) -> Stored | None:
    """The row that has this key here, if it is worth telling."""
    row = db.execute(_read_one(kind), (number, *json.loads(key))).fetchone()
    return row and Stored(*row)


def rows_in_table(db: sqlite3.Connection, kind: Kind, site: str) -> Iterator[tuple[str, str, str, Stored]]:
    """Origin, number, key and content of every row, as its site writes it."""
    names = _names_of_key(kind)
    for *columns, payload, own, at_us in db.execute(_read_all(kind)):
        found = dict(zip(names, columns, strict=True))
        said = json.loads(payload) if payload else {}
        origin = (site_of(str((found | said)[kind.named[0]])) if kind.named else "") or site
        if origin != site:
            for column in kind.named:
                for place in (found, said):
                    if place.get(column):
                        place[column] = name_at_site(place[column])
        key = to_json([found[column] for column in kind.key])
        number = found[kind.number] if kind.number else NO_NUMBER
        yield origin, number, key, Stored(to_json(said) if said else "", own, at_us)


def delete_row(db: sqlite3.Connection, kind: Kind, number: str, key: Sequence[object]) -> None:
    """Deletes it, with what belongs to it."""
    if kind.name == "list_entry":
        remove_entry(db, _entry(dict(zip(kind.key, key, strict=True)) | {"first": number}))
        return
    db.execute(f"DELETE FROM {kind.name} WHERE {_where(kind)} AND {_may_change(kind)}", (number, *key))


def write_row(db: sqlite3.Connection, kind: Kind, values: Mapping[str, Any]) -> None:
    """Writes it in the place of the one with its key."""
    if kind.name == "list_entry":
        add_entry(db, _entry(values))
        return
    sql, columns = _write_one(kind)
    if kind.scope is SharedWith.STANDBY:
        # A table has more columns than travel, and rows that are not to be replaced.
        others = [column for column in kind.columns if column not in kind.key]
        number = values[kind.number] if kind.number else None
        where = (NO_NUMBER if number is None else number, *key_at(kind, values))
        settings = ", ".join(f"{column} = ?" for column in others)
        if others:
            update = f"UPDATE OR REPLACE {kind.name} SET {settings} WHERE {_where(kind)} AND {_may_change(kind)}"
            if db.execute(update, (*(values[column] for column in others), *where)).rowcount:
                return
        if db.execute(f"SELECT 1 FROM {kind.name} WHERE {_where(kind)}", where).fetchone():
            return
    db.execute(sql, [values[column] for column in columns])


def set_date(db: sqlite3.Connection, kind: Kind, number: str, key: str, at_us: int) -> None:
    """The hub has dated it otherwise: our clock was wrong."""
    sql = f"UPDATE {kind.name} SET {kind.at} = ? WHERE {_where(kind)}"
    db.execute(sql, (at_us / MICROSECONDS, number, *json.loads(key)))


def values_of(kind: Kind, row: SharedRow, checked: Checked, site: str, *, tombstones_cover_all: bool) -> dict[str, Any]:
    """The columns of a row, as it is written at `site`. `checked`: by `check_row`. Unusable.

    `tombstones_cover_all`: the origin is followed, so what it found wrong is wrong whoever said it.
    """
    key, said = checked
    own: dict[str, Any] = {column: _filled(text, row.origin) for column, text in kind.own.items()}
    if row.own:  # we are a standby or a central site: of others nothing but words
        said_own = json.loads(row.own)
        own |= {c: said_own[c] for c in kind.own.keys() & said_own.keys() if row.origin == site or not kind.own[c]}
    values: dict[str, Any] = {**key, **said, **own}
    if kind.number:
        values[kind.number] = None if row.number == NO_NUMBER else row.number
    if kind.is_dated:
        values[kind.at] = row.at_us / MICROSECONDS
    elif kind.at:
        values[kind.at] = key[kind.at] / MICROSECONDS
    if row.origin != site:
        check_names(kind, values)
        for column in kind.named:
            values[column] = of_site(row.origin, values[column])
        if kind.name == "tombstone" and not values["reporter"] and not tombstones_cover_all:
            values["reporter"] = all_of(row.origin)
    return values


def key_at(kind: Kind, values: Mapping[str, Any]) -> list[Any]:
    """The key of these columns beside the number, as it is looked for."""
    return [_in_key(kind, column, values[column]) for column in kind.key]


def number_column(kind: Kind, row: str) -> str:
    """SQL: what a row lies under. `row`: `NEW.` or `OLD.` in triggers, else empty."""
    if not kind.number:
        return f"'{NO_NUMBER}'"
    is_always_there = kind.number in ("number", "first")
    return f"{row}{kind.number}" if is_always_there else f"coalesce({row}{kind.number}, '{NO_NUMBER}')"


def key_columns(kind: Kind, row: str) -> list[str]:
    """SQL: the columns of the key beside it, exact in JSON as well."""
    return [
        f"CAST(round({row}{column} * {MICROSECONDS}) AS INTEGER)" if column == kind.at else f"{row}{column}"
        for column in kind.key
    ]


def check_row(kind: Kind, row: SharedRow) -> Checked:
    """The columns of its key and of what it says. Unusable."""
    if not SITE.fullmatch(row.origin) or not 0 <= row.at_us <= LATEST_US or row.version < 0:
        raise Unusable("origin or date")
    if not _is_text(row.number, MOST_NUMBER) or len(row.key) + len(row.payload) + len(row.own) > kind.most_characters:
        raise Unusable("number or size")
    if len(row.key) > MOST_KEY:
        raise Unusable("size of the key")
    if not kind.number and row.number != NO_NUMBER:
        raise Unusable("number")
    try:
        key, said, own = (json.loads(text) if text else {} for text in (row.key, row.payload, row.own))
    except (ValueError, RecursionError):  # or brackets in brackets without end
        raise Unusable("no JSON") from None
    if not isinstance(key, list) or len(key) != len(kind.key) or not isinstance(said, dict):
        raise Unusable("shape")
    if not isinstance(own, dict) or not all(
        value is None or (isinstance(value, str) and _is_text(value, MOST_PAYLOAD)) for value in own.values()
    ):
        raise Unusable("own")
    shared = set(kind.shared)
    if not row.deleted and said.keys() <= shared and shared - kind.defaults.keys() - said.keys():
        raise Unusable("columns", Unfit.OLDER)
    columns = dict(zip(kind.key, key, strict=True))
    said = columns_said(kind, said)
    for column, value in (columns | ({} if row.deleted else said)).items():
        _check_value(kind, column, value)
    return columns, said


def columns_said(kind: Kind, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a payload says of each column that travels; of one that an older CallSieve lacks, its default."""
    return {column: said.get(column, kind.defaults.get(column)) for column in kind.shared}


def unsaid_columns(kind: Kind, row: SharedRow) -> list[str]:
    """Return the columns with a default of which the row says nothing."""
    said = json.loads(row.payload) if row.payload else {}
    return [column for column in kind.shared if column in kind.defaults and column not in said]


def has_unknown_columns(kind: Kind, row: SharedRow) -> bool:
    """Return whether the row has columns that this program does not know, as one of a newer CallSieve."""
    return bool(row.payload) and not json.loads(row.payload).keys() <= set(kind.shared)


def lacks_new_columns(kind: Kind, stored: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Return whether the row here is as it was told but for columns that have nothing but their default yet.

    An older CallSieve took it, which did not know these columns.
    """
    different = [column for column in kind.shared if stored.get(column) != told.get(column)]
    is_default = [column in kind.defaults and stored.get(column) == kind.defaults[column] for column in different]
    return bool(different) and all(is_default)


def check_names(kind: Kind, columns: Mapping[str, Any]) -> None:
    """Of another site: what has no name has no site before it, and would be ours. Unusable."""
    first = kind.named[0] if kind.named else ""
    if columns.get(first, first) in ("", None) and first:
        raise Unusable(first)


def _check_value(kind: Kind, column: str, value: object) -> None:
    is_fine = value is None or (
        all(line.isprintable() for line in value.replace("\t", " ").split("\n"))
        if isinstance(value, str) and column == kind.long_text
        else _is_text(value, MOST_PAYLOAD if kind.is_private else MOST_TEXT) or kind.scope is SharedWith.STANDBY
        if isinstance(value, str)
        else not isinstance(value, bool) and isinstance(value, int | float) and abs(value) <= MOST_INTEGER
    )
    # SQLite would turn one into the other, and then the row would be no longer as its site has said it.
    if value is not None and isinstance(value, str) is kind.numeric.get(column, not isinstance(value, str)):
        is_fine = False
    if column == kind.at:  # in a key
        is_fine = isinstance(value, int) and 0 <= value <= LATEST_US
    if column in kind.named and value is not None:
        is_fine = is_fine and isinstance(value, str) and not site_of(value)
    if not is_fine:
        raise Unusable(column)
    if column in kind.allowed and value not in kind.allowed[column]:
        raise Unusable(column, Unfit.NEWER)


def _is_text(text: str, most: int) -> bool:
    return len(text) <= most and (text.isprintable() or not text)


def _filled(text: str | None, site: str) -> str | None:
    return text.replace("{site}", site) if text else text


def to_json(value: object) -> str:
    """As SQLite writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _entry(values: Mapping[str, Any]) -> ListEntry:
    return ListEntry(
        ListName(values["list"]),
        EntryKind(values["kind"]),
        values["first"],
        values["last"] or None,
        values.get("action"),
        values.get("note") or "",
        values.get("expires_at"),
        values.get("added_at") or 0.0,
    )


@cache
def _write_one(kind: Kind) -> tuple[str, tuple[str, ...]]:
    columns = kind.columns
    marks = ", ".join("?" * len(columns))
    return f"INSERT OR REPLACE INTO {kind.name} ({', '.join(columns)}) VALUES ({marks})", columns


@cache
def _read_one(kind: Kind) -> str:
    return f"SELECT {_content(kind)} FROM {kind.name} WHERE {_where(kind)} AND {kind.counts}"


@cache
def _read_all(kind: Kind) -> str:
    names = ", ".join(_names_of_key(kind))
    return f"SELECT {names}, {_content(kind)} FROM {kind.name} WHERE {kind.counts}"


def _names_of_key(kind: Kind) -> tuple[str, ...]:
    return (kind.number, *kind.key) if kind.number else kind.key


def _content(kind: Kind) -> str:
    at = f"CAST(round({kind.at} * {MICROSECONDS}) AS INTEGER)" if kind.at else "NULL"
    return f"{_object(kind.shared)}, {_object(tuple(kind.own))}, {at}"


def _object(columns: tuple[str, ...]) -> str:
    pairs = ", ".join(f"'{column}', {column}" for column in columns)
    return f"json_object({pairs})" if columns else "''"


def _where(kind: Kind) -> str:
    return " AND ".join(f"{column} = ?" for column in (number_column(kind, ""), *key_columns(kind, "")))


def is_of_another(db: sqlite3.Connection, kind: Kind, row: SharedRow, site: str) -> bool:
    """Whether the row that has this key here is another site's. Only where no name of a site is in the key."""
    if not kind.named or not set(kind.named).isdisjoint(kind.key):
        return False
    keys = " AND ".join(f"{column} = ?" for column in kind.key)
    found = db.execute(f"SELECT {kind.named[0]} FROM {kind.name} WHERE {keys}", json.loads(row.key)).fetchone()
    return found is not None and (site_of(found[0]) or site) != row.origin


def _may_change(kind: Kind) -> str:
    return kind.counts if kind.scope is SharedWith.STANDBY else "1"


def _in_key(kind: Kind, column: str, value: Any) -> Any:
    return round(value * MICROSECONDS) if column == kind.at and isinstance(value, float) else value
