"""Numbered migrations: `migrations/0053_store.sql` and so on, applied in order, each in one transaction.

A released migration is never edited: its checksum is stored and compared. The oldest file creates a complete store.
"""

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from reputation.store.errors import StoreError
from reputation.store.transaction import transaction

# The checksum of version 53 in stores that reached it through the earlier migrations.
STEP_BY_STEP = {53: "aa0849a9f5cc2b1e038a82a016bc87c1491e008e5342e4e9acb76c4b0a54a7b9"}
MIGRATION_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    at REAL NOT NULL
) STRICT
"""


class Migration(NamedTuple):
    """A change of the schema. `version`: the digits at the beginning of the file's name, as an integer."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum of the migration's SQL text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def known_migrations() -> tuple[Migration, ...]:
    """Return all migrations of this version of the program, oldest first."""
    folder = files("reputation.store") / "migrations"
    texts = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")}
    return tuple(Migration(int(name[:4]), name.removesuffix(".sql"), texts[name]) for name in sorted(texts))


def pending(db: sqlite3.Connection, known: Sequence[Migration] | None = None) -> list[Migration]:
    """Return the migrations to apply. Raise StoreError if the store is too new or too old, or a file was edited."""
    known = known_migrations() if known is None else known
    applied = _applied(db)
    by_version = {migration.version: migration for migration in known}
    first = known[0].version
    if applied and first not in applied:
        raise StoreError(
            f"{_path_of(db)}: the store has version {max(applied)}, and this CallSieve needs at least version {first}; "
            "install CallSieve 0.1.0, run `callsieve db migrate`, then install this version again"
        )
    for version, (name, sha256) in applied.items():
        if version < first:
            continue
        migration = by_version.get(version)
        if migration is None:
            raise StoreError(
                f"{_path_of(db)}: written by a newer CallSieve (migration {name}); "
                "update this installation, or restore a backup from before the update (`callsieve db restore`)"
            )
        if sha256 not in (migration.sha256, STEP_BY_STEP.get(version)):
            raise StoreError(
                f"{_path_of(db)}: migration {name} differs from the one that was applied here; "
                "reinstall CallSieve, or restore a backup (`callsieve db restore`)"
            )
    return [migration for migration in known if migration.version not in applied]


def migrate(db: sqlite3.Connection, known: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply the pending migrations and return them. Several processes may call this function at the same time."""
    known = known_migrations() if known is None else known
    return [migration for migration in pending(db, known) if _apply(db, migration)]


def _apply(db: sqlite3.Connection, migration: Migration) -> bool:
    with transaction(db):
        db.execute(MIGRATION_TABLE)
        if migration.version in _applied(db):
            return False
        for statement in _statements(migration.sql):
            db.execute(statement)
        db.execute(
            "INSERT INTO migration (version, name, sha256, at) VALUES (?, ?, ?, ?)",
            (migration.version, migration.name, migration.sha256, time.time()),
        )
    return True


def _applied(db: sqlite3.Connection) -> dict[int, tuple[str, str]]:
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migration'").fetchone():
        return {}
    rows = db.execute("SELECT version, name, sha256 FROM migration ORDER BY version")
    return {version: (name, sha256) for version, name, sha256 in rows}


def _statements(sql: str) -> Iterator[str]:
    """Yield the statements one at a time. SQLite's `executescript` would commit the open transaction."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _path_of(db: sqlite3.Connection) -> str:
    return str(db.execute("PRAGMA database_list").fetchone()[2]) or "the store"
