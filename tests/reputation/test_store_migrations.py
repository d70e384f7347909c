"""Migrations: applied once, in order, whole; an edited one and a newer store are refused with a way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from reputation.store.errors import StoreError
from reputation.store.migrations import Migration, known_migrations, migrate, pending

FIRST = Migration(
    1, "0001_first", "CREATE TABLE a (x) -- ; not the end\n;\n-- a note;\nCREATE TABLE b (y);\n-- the end\n"
)
SECOND = Migration(2, "0002_second", "ALTER TABLE a ADD COLUMN z;\nINSERT INTO b VALUES ('; ''quoted');\n")
BROKEN = Migration(2, "0002_broken", "ALTER TABLE a ADD COLUMN z;\nINSERT INTO nowhere VALUES (1);\n")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        yield db


def names(migrations: list[Migration]) -> list[str]:
    return [migration.name for migration in migrations]


def test_a_new_store_gets_all_and_then_nothing(db: sqlite3.Connection) -> None:
    assert pending(db) == list(known_migrations())
    assert migrate(db) == list(known_migrations())
    assert pending(db) == []
    assert migrate(db) == []


def test_versions_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in known_migrations()] == list(range(1, len(known_migrations()) + 1))


def test_every_table_is_strict(db: sqlite3.Connection) -> None:
    migrate(db)
    tables = db.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'")
    assert [name for name, strict in tables if not strict] == []


def test_only_what_is_new_is_applied(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST])
    assert names(pending(db, [FIRST, SECOND])) == ["0002_second"]
    assert names(migrate(db, [FIRST, SECOND])) == ["0002_second"]
    assert db.execute("SELECT y FROM b").fetchall() == [("; 'quoted",)]


def test_a_migration_that_fails_leaves_nothing_of_itself(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, [FIRST, BROKEN])
    assert [column[1] for column in db.execute("PRAGMA table_info (a)")] == ["x"]
    assert names(pending(db, [FIRST, SECOND])) == ["0002_second"]


def test_an_edited_migration_is_refused(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST])
    with pytest.raises(StoreError, match="0001_first is not"):
        migrate(db, [FIRST._replace(sql="CREATE TABLE a (x);\n"), SECOND])


def test_a_store_of_a_newer_program_is_refused(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST, SECOND])
    with pytest.raises(StoreError, match=r"newer CallSieve \(migration 0002_second\)"):
        migrate(db, [FIRST])


def test_old_wishes_are_settled_by_whom_the_number_called(db: sqlite3.Connection) -> None:
    migrate(db, [one for one in known_migrations() if one.version < 16])
    day, at = 20_400, 20_400 * 86_400.0
    called = [("ours", "called", day), ("ours", "later", day + 1), ("ours", "before", day - 29)]
    db.executemany("INSERT INTO own_called VALUES (?, ?, ?, 1)", called)
    people = ("called", "later", "before", "stranger", "")
    db.executemany("INSERT INTO do_not_call VALUES (?, ?, 'ours', '', '')", [(who, at) for who in people])
    db.executemany("INSERT INTO own_complaint VALUES ('ours', ?, ?, '')", [(who, at) for who in people])
    migrate(db)
    for table in ("do_not_call", "own_complaint"):
        assert db.execute(f"SELECT number FROM {table} WHERE of_called").fetchall() == [("called",)]


def test_keys_that_looked_like_those_of_another_site_are_ours(db: sqlite3.Connection) -> None:
    """`london` has told something, so its keys stay."""
    known = list(known_migrations())
    before = [one for one in known if one.name < "0062"]
    migrate(db, before)
    keys = ["sip:a:b@c", "crm:7", "london:17.1", "17.1", "PJSIP/a:b", ":x"]
    for key in keys:
        db.execute("INSERT INTO reached (person, at, linkedid) VALUES ('201', 0, ?)", (key,))
        db.execute("INSERT INTO challenge_result (linkedid, result, at) VALUES (?, 'passed', 0)", (key,))
    db.execute("INSERT INTO hub_row (number, kind, origin, key, version, at_us, deleted, digest)"
               " VALUES ('-', 'mark', 'london', '[]', 1, 1, 0, 0)")  # fmt: skip
    migrate(db, known)
    for table in ("reached", "challenge_result"):
        found = [key for (key,) in db.execute(f"SELECT linkedid FROM {table}")]
        assert sorted(found) == sorted([":sip:a:b@c", ":crm:7", *keys[2:]])
