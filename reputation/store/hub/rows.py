"""The format of rows in the hub, and how these rows are read from and written to their tables.

A kind (tables/table.py) describes how the rows of a table are shared. A table without a kind stays local. Rows of other
sites are in the same SQLite tables as our rows. Their people, calls and cases are written as `site:name`
(reputation/site_names.py), so keys never collide.
"""

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
NO_NUMBER: Final = "-"  # in the place of the number of a row that is about none

KINDS: Final = {kind.name: kind for table in TABLES if (kind := table.kind) is not None}


MICROSECONDS = 1_000_000
MOST_NUMBER = 32
MOST_KEY = 1000  # characters, here and in the hub
MOST_INTEGER = 1 << 31
LATEST_US = 4_102_444_800 * MICROSECONDS  # the year 2100
DIGITS = 8  # hexadecimal, of a digest: billions of them still add up to an integer of 64 bits


Checked = tuple[dict[str, Any], dict[str, Any]]


class SharedRow(NamedTuple):
    """A row as its site sends it. Of two versions of a row, the greater `version` wins. If equal, a deletion wins.

    `key`: a JSON array of the row's key columns except the number. `payload`: the columns for all sites, as a JSON
    object or empty. `own`: the columns only for a standby or central console, in the same form. `version`: a growing
    value from the clock of the sending site, in microseconds.
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
    """The reason why a row of another site is unusable: a newer or older CallSieve wrote it, or it is invalid."""

    NEWER = "newer"
    OLDER = "older"
    ODD = "odd"


class Unusable(ValueError):
    """The error that a row of another site cannot be used."""

    def __init__(self, what: str, unfit: Unfit = Unfit.ODD) -> None:
        super().__init__(what)
        self.unfit = unfit


class Stored(NamedTuple):
    """The content of a row in its table. `at_us`: the date of the row; None if rows of its table have no date."""

    payload: str
    own: str
    at_us: int | None


def digest_of(kind: str, origin: str, number: str, key: str, payload: str, at_us: int) -> int:
    """Return the digest of a row's content, which is the same here and in the hub."""
    text = "\x1f".join((kind, origin, number, key, payload, str(at_us)))
    return int(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], 16)


def stored_row(db: sqlite3.Connection, kind: Kind, number: str, key: str) -> Stored | None:
    """Return the row with this key in its table; None if the row does not exist or is not to be sent."""
    row = db.execute(_read_one(kind), (number, *json.loads(key))).fetchone()
    return row and Stored(*row)


def rows_in_table(db: sqlite3.Connection, kind: Kind, site: str) -> Iterator[tuple[str, str, str, Stored]]:
    """Yield origin, number, key and content of every row of this kind, in the form in which its site sends the row."""
    names = _names_of_key(kind)
    for *columns, payload, own, at_us in db.execute(_read_all(kind)):
        values = dict(zip(names, columns, strict=True))
        content = json.loads(payload) if payload else {}
        origin = (site_of(str((values | content)[kind.named[0]])) if kind.named else "") or site
        if origin != site:
            for column in kind.named:
                for place in (values, content):
                    if place.get(column):
                        place[column] = name_at_site(place[column])
        key = to_json([values[column] for column in kind.key])
        number = values[kind.number] if kind.number else NO_NUMBER
        yield origin, number, key, Stored(to_json(content) if content else "", own, at_us)


def delete_row(db: sqlite3.Connection, kind: Kind, number: str, key: Sequence[object]) -> None:
    """Delete a row and the rows that depend on it."""
    if kind.name == "list_entry":
        remove_entry(db, _entry(dict(zip(kind.key, key, strict=True)) | {"first": number}))
        return
    db.execute(f"DELETE FROM {kind.name} WHERE {_where(kind)} AND {_may_change(kind)}", (number, *key))


def write_row(db: sqlite3.Connection, kind: Kind, values: Mapping[str, Any]) -> None:
    """Write a row, and replace a row with the same key."""
    if kind.name == "list_entry":
        add_entry(db, _entry(values))
        return
    sql, columns = _write_one(kind)
    if kind.scope is SharedWith.STANDBY:
        # A table has more columns than travel, and rows that must not be replaced.
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
    """Store the date that the hub gave the row. The hub changes dates if the clock of this site was wrong."""
    sql = f"UPDATE {kind.name} SET {kind.at} = ? WHERE {_where(kind)}"
    db.execute(sql, (at_us / MICROSECONDS, number, *json.loads(key)))


def values_of(kind: Kind, row: SharedRow, checked: Checked, site: str, *, tombstones_cover_all: bool) -> dict[str, Any]:
    """Return the columns of a row as they are written at `site`. `checked`: the result of `check_row`. Raise Unusable.

    `tombstones_cover_all`: whether a tombstone of the sending site also covers marks of other sites. If we do not
    follow the sending site, its tombstones only cover its own marks.
    """
    key, content = checked
    own: dict[str, Any] = {column: _filled(text, row.origin) for column, text in kind.own.items()}
    if row.own:  # this is a standby or central console: take only texts from others
        sent_own = json.loads(row.own)
        own |= {c: sent_own[c] for c in kind.own.keys() & sent_own.keys() if row.origin == site or not kind.own[c]}
    values: dict[str, Any] = {**key, **content, **own}
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
    """Return the key of a row, except the number, as query parameters. `values`: the columns of the row."""
    return [_in_key(kind, column, values[column]) for column in kind.key]


def number_column(kind: Kind, row: str) -> str:
    """Return SQL for the phone number of a row. `row`: `NEW.` or `OLD.` in triggers, otherwise empty."""
    if not kind.number:
        return f"'{NO_NUMBER}'"
    is_never_null = kind.number in ("number", "first")
    return f"{row}{kind.number}" if is_never_null else f"coalesce({row}{kind.number}, '{NO_NUMBER}')"


def key_columns(kind: Kind, row: str) -> list[str]:
    """Return SQL for each key column except the number. Dates are exact integers, so JSON does not round them."""
    return [
        f"CAST(round({row}{column} * {MICROSECONDS}) AS INTEGER)" if column == kind.at else f"{row}{column}"
        for column in kind.key
    ]


def check_row(kind: Kind, row: SharedRow) -> Checked:
    """Return the key columns and the content of a row. Raise Unusable if the row is invalid."""
    if not SITE.fullmatch(row.origin) or not 0 <= row.at_us <= LATEST_US or row.version < 0:
        raise Unusable("origin or date")
    if not _is_text(row.number, MOST_NUMBER) or len(row.key) + len(row.payload) + len(row.own) > kind.most_characters:
        raise Unusable("number or size")
    if len(row.key) > MOST_KEY:
        raise Unusable("size of the key")
    if not kind.number and row.number != NO_NUMBER:
        raise Unusable("number")
    try:
        key, content, own = (json.loads(text) if text else {} for text in (row.key, row.payload, row.own))
    except (ValueError, RecursionError):  # RecursionError: deeply nested brackets
        raise Unusable("no JSON") from None
    if not isinstance(key, list) or len(key) != len(kind.key) or not isinstance(content, dict):
        raise Unusable("shape")
    if not isinstance(own, dict) or not all(
        value is None or (isinstance(value, str) and _is_text(value, MOST_PAYLOAD)) for value in own.values()
    ):
        raise Unusable("own")
    shared = set(kind.shared)
    if not row.deleted and content.keys() <= shared and shared - kind.defaults.keys() - content.keys():
        raise Unusable("columns", Unfit.OLDER)
    columns = dict(zip(kind.key, key, strict=True))
    content = shared_columns(kind, content)
    for column, value in (columns | ({} if row.deleted else content)).items():
        _check_value(kind, column, value)
    return columns, content


def shared_columns(kind: Kind, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each shared column in the payload. A column that the payload lacks gets its default."""
    return {column: payload.get(column, kind.defaults.get(column)) for column in kind.shared}


def missing_columns(kind: Kind, row: SharedRow) -> list[str]:
    """Return the columns that have a default and are not in the row's payload."""
    payload = json.loads(row.payload) if row.payload else {}
    return [column for column in kind.shared if column in kind.defaults and column not in payload]


def has_unknown_columns(kind: Kind, row: SharedRow) -> bool:
    """Return whether a newer CallSieve wrote the row, so that it has columns which this version does not know."""
    return bool(row.payload) and not json.loads(row.payload).keys() <= set(kind.shared)


def lacks_new_columns(kind: Kind, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Return whether the stored row only differs from the sent row in columns that an older CallSieve did not know."""
    different = [column for column in kind.shared if stored.get(column) != sent.get(column)]
    is_default = [column in kind.defaults and stored.get(column) == kind.defaults[column] for column in different]
    return bool(different) and all(is_default)


def check_names(kind: Kind, columns: Mapping[str, Any]) -> None:
    """Raise Unusable if the first name in a row of another site is empty: it must show whose row this is."""
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
    # SQLite would convert one into the other, and then the row would differ from what its site has sent.
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
    """Return JSON text as SQLite writes it."""
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
    """Return whether the stored row with this key is from another site than `row`; False if the key names the site."""
    if not kind.named or not set(kind.named).isdisjoint(kind.key):
        return False
    keys = " AND ".join(f"{column} = ?" for column in kind.key)
    owner = db.execute(f"SELECT {kind.named[0]} FROM {kind.name} WHERE {keys}", json.loads(row.key)).fetchone()
    return owner is not None and (site_of(owner[0]) or site) != row.origin


def _may_change(kind: Kind) -> str:
    return kind.counts if kind.scope is SharedWith.STANDBY else "1"


def _in_key(kind: Kind, column: str, value: Any) -> Any:
    return round(value * MICROSECONDS) if column == kind.at and isinstance(value, float) else value
