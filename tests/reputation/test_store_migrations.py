"""Migrations are applied once, in order and whole. An edited one and a newer store are refused with a remedy."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reputation.store.errors import StoreError
from reputation.store.migrations import Migration, known_migrations, migrate, pending
from reputation.store.privacy import EXPORTED, export_number
from tests.reputation.store_builders import CALLER

RECORDINGS = Path(__file__).parent.parent / "recordings"
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


def test_a_new_store_is_migrated_once(db: sqlite3.Connection) -> None:
    assert pending(db) == list(known_migrations())
    assert migrate(db) == list(known_migrations())
    assert pending(db) == []
    assert migrate(db) == []


def test_migration_versions_rise_from_53() -> None:
    versions = [migration.version for migration in known_migrations()]
    assert versions[0] == 53
    assert versions == sorted(set(versions))


def test_every_table_is_strict(db: sqlite3.Connection) -> None:
    migrate(db)
    tables = db.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'")
    assert [name for name, strict in tables if not strict] == []


def test_only_new_migrations_are_applied(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST])
    assert names(pending(db, [FIRST, SECOND])) == ["0002_second"]
    assert names(migrate(db, [FIRST, SECOND])) == ["0002_second"]
    assert db.execute("SELECT y FROM b").fetchall() == [("; 'quoted",)]


def test_a_failed_migration_is_rolled_back(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, [FIRST, BROKEN])
    assert [column[1] for column in db.execute("PRAGMA table_info (a)")] == ["x"]
    assert names(pending(db, [FIRST, SECOND])) == ["0002_second"]


def test_an_edited_migration_is_refused(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST])
    with pytest.raises(StoreError, match="0001_first differs"):
        migrate(db, [FIRST._replace(sql="CREATE TABLE a (x);\n"), SECOND])


def test_a_store_of_a_newer_program_is_refused(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST, SECOND])
    with pytest.raises(StoreError, match=r"newer CallSieve \(migration 0002_second\)"):
        migrate(db, [FIRST])


def test_a_store_of_version_53_is_upgraded_as_if_it_were_new(db: sqlite3.Connection) -> None:
    """The store holds all rows about two numbers."""
    db.executescript((RECORDINGS / "store-53.sql").read_text())
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    before = export_number(db, CALLER, tables.intersection(EXPORTED))
    assert names(migrate(db)) == [migration.name for migration in known_migrations()[1:]]
    after = export_number(db, CALLER)
    assert sum(map(len, before.values())) > 30
    found = {table: len(rows) for table, rows in before.items()}
    found["audit"] += 1  # a complaint, whose sender had another name until migration 74
    assert {table: len(after[table]) for table in before} == found
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        migrate(new)
        assert layout_of(db) == layout_of(new)


def layout_of(db: sqlite3.Connection) -> dict[str, object]:
    """Return the columns by table, and the indexes."""
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    columns = {table: db.execute(f"PRAGMA table_info({table})").fetchall() for table in tables}
    indexes = "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index' ORDER BY name"
    return {"columns": columns, "indexes": db.execute(indexes).fetchall()}


def test_a_store_that_is_too_old_is_refused(db: sqlite3.Connection) -> None:
    """The store is not changed."""
    migrate(db, [FIRST])
    later = Migration(3, "0003_whole", "CREATE TABLE c (x);\n")
    with pytest.raises(StoreError, match=r"version 1.* version 3"):
        migrate(db, [later])
    assert db.execute("SELECT max(version) FROM migration").fetchone() == (1,)


def test_own_keys_that_look_foreign_are_renamed(db: sqlite3.Connection) -> None:
    """`london` has sent rows, so its keys stay."""
    known = list(known_migrations())
    before = [item for item in known if item.name < "0062"]
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


def test_migration_keeps_files_of_an_appeal_in_force(db: sqlite3.Connection) -> None:
    known = list(known_migrations())
    migrate(db, [item for item in known if item.name < "0074"])
    db.execute("PRAGMA foreign_keys = ON")
    appeal = "'AP1', '+12015550123', 'Bo', 'bo@example.com', 1, '', NULL, 'in force', 1, 2, NULL, '', 0"
    db.execute(f"INSERT INTO appeal VALUES ({appeal})")
    db.execute("INSERT INTO attachment VALUES ('AP1', 1, 'crm.csv', 3, 'joe', 'd', x'00')")
    db.execute("CREATE TABLE sent (reference TEXT, state TEXT) STRICT")
    db.execute("CREATE TRIGGER send AFTER UPDATE ON appeal BEGIN INSERT INTO sent VALUES (NEW.reference, ''); END")
    complaint = '{"from":"+12015550123","note":"rude"}'
    db.execute("INSERT INTO audit (at, who, what, name, after) VALUES (1, 'joe', 'own complaint', '', ?)", (complaint,))
    migrate(db, known)
    assert db.execute("SELECT state, in_force_at FROM appeal").fetchall() == [("in_force", 2.0)]
    assert db.execute("SELECT count(*) FROM attachment").fetchone() == (1,)
    assert db.execute("SELECT reference FROM sent").fetchall() == [("AP1",)]
    assert db.execute("SELECT after ->> 'number', after ->> 'from' FROM audit").fetchall() == [("+12015550123", None)]
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE appeal SET state = 'in force'")


def test_migration_renames_the_grade_at_risk(db: sqlite3.Connection) -> None:
    migrate(db, [migration for migration in known_migrations() if migration.name < "0080"])
    db.execute(f"INSERT INTO own_grade VALUES ('{CALLER}', 1.0, 'at risk', '[]', 'watch', 1.0)")
    db.execute(f"INSERT INTO own_grade VALUES ('{CALLER}9', 1.0, 'watch', '[]', 'at risk', 1.0)")
    data = '{"number": "x", "before": "at risk", "grade": "at risk"}'
    db.execute(
        "INSERT INTO event (id, kind, subject, at, data) VALUES ('e', 'own-number.grade-changed', 'x', 1.0, ?)", (data,)
    )
    migrate(db)
    assert db.execute("SELECT grade, before FROM own_grade ORDER BY number").fetchall() == [
        ("at_risk", "watch"),
        ("watch", "at_risk"),
    ]
    [(kept,)] = db.execute("SELECT data FROM event").fetchall()
    assert json.loads(kept) == {"number": "x", "before": "at_risk", "grade": "at_risk"}
