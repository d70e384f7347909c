"""Checksums of the lists: a changed entry lets a blocked caller in, and the file that it stands in is sound to SQLite.

The checksum of a list is the sum of those of its rows, so a change costs one row. Triggers keep it, which belong to a
connection and not to the file: they catch every write of ours, in whatever module, and no write of anybody else.
"""

from __future__ import annotations

import hashlib
import sqlite3

from reputation.store.transaction import begin_reading, transaction

BYTES = 7
MODULUS = 1 << (8 * BYTES)  # two of them added up are still an integer to SQLite

# Table -> which list a row is of, with {} for the row. Calls are matched by prefixes, which are rows of their own.
LISTS = {"list_entry": "{}.list", "list_prefix": "'prefixes'", "personal_entry": "'personal'"}
NAMES = ("allow", "block", "prefixes", "personal")

# A table that is there until the checksums are made for the first time, and the migration that has made it.
UNMADE = "list_digest_unmade"
MADE_BY = 54

ADD = "UPDATE list_digest SET digest = (digest + row_digest({row})) % {modulus} WHERE list = {of};"
TAKE = "UPDATE list_digest SET digest = (digest + {modulus} - row_digest({row})) % {modulus} WHERE list = {of};"
TRIGGERS = {"INSERT": ("", "NEW"), "DELETE": ("OLD", ""), "UPDATE": ("OLD", "NEW")}


def keep_digests(db: sqlite3.Connection) -> None:
    """Have writes by this connection keep the checksums from now on. Make them where they never were made."""
    _can_digest(db)
    for table, of in LISTS.items():
        columns = _columns(db, table)
        for event, (old, new) in TRIGGERS.items():
            body = "".join(
                sql.format(row=", ".join(f"{row}.{column}" for column in columns), of=of.format(row), modulus=MODULUS)
                for sql, row in ((TAKE, old), (ADD, new))
                if row
            )
            db.execute(f"CREATE TEMP TRIGGER {table}_{event} AFTER {event} ON main.{table} BEGIN {body} END")
    if _has_table(db, UNMADE):
        with transaction(db):
            if _has_table(db, UNMADE) and not _kept(db):  # another program may have been faster
                accept_lists(db)
            db.execute(f"DROP TABLE IF EXISTS {UNMADE}")


def changed_lists(db: sqlite3.Connection) -> list[str]:
    """Return the lists that are not as CallSieve has written them. A store from before there were checksums has none.

    Of checksums that are gone nobody knows what they were of: all lists count as changed.
    """
    with transaction(db, begin_reading):  # else a list that the daemon writes meanwhile looks changed
        if not _has_table(db, "list_entry") or _has_table(db, UNMADE):
            return []
        kept = _kept(db) if _has_table(db, "list_digest") else {}
        if not kept and not db.execute("SELECT 1 FROM migration WHERE version >= ?", (MADE_BY,)).fetchone():
            return []
        return [name for name, digest in _digests(db).items() if kept.get(name) != digest]


def accept_lists(db: sqlite3.Connection) -> None:
    """The lists are right as they are. Call it in a transaction."""
    db.executemany("INSERT OR REPLACE INTO list_digest (list, digest) VALUES (?, ?)", _digests(db).items())


def _has_table(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone() is not None


def _kept(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT list, digest FROM list_digest"))


def _digests(db: sqlite3.Connection) -> dict[str, int]:
    _can_digest(db)
    found = dict.fromkeys(NAMES, 0)
    for table, of in LISTS.items():
        row = ", ".join(f"{table}.{column}" for column in _columns(db, table))
        for name, digest in db.execute(f"SELECT {of.format(table)}, row_digest({row}) FROM {table}"):
            found[name] = (found[name] + digest) % MODULUS
    return found


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _can_digest(db: sqlite3.Connection) -> None:
    db.create_function("row_digest", -1, _row_digest, deterministic=True)


def _row_digest(*values: str | float | None) -> int:
    """A whole number is the same as an integer and as a float: SQLite stores the one for the other."""
    plain = [float(value) if isinstance(value, int) else value for value in values]
    return int.from_bytes(hashlib.blake2b(repr(plain).encode(), digest_size=BYTES).digest())
