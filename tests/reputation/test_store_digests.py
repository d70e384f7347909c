"""A list entry that was changed outside CallSieve is noticed, and our own writes are not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.backup import KEPT, backups_of, make_backup, problem_of, restore
from reputation.store.connection import Store
from reputation.store.database import NAMES, UNMADE, accept_lists, changed_lists, open_store
from reputation.store.housekeeping import JOBS, expire, run_jobs
from reputation.store.lists import PersonalEntry, add_entry, remove_entry, remove_personal_entry, set_personal_entry
from reputation.store.privacy import erase_number
from reputation.store.transaction import transaction
from tests.reputation.store_builders import CALLER, NOW, read, write

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = ListEntry(ListName.BLOCK, EntryKind.EXACT, CALLER, None, "reject", "a note", NOW + 1, NOW)
ALLOWED = ListEntry(ListName.ALLOW, EntryKind.PREFIX, "+1201", None, None, "", None, NOW)
OWN = PersonalEntry("201", CALLER, ListName.BLOCK, NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "callsieve.db"
    write(path, add_entry, BLOCKED)
    write(path, add_entry, ALLOWED)
    write(path, set_personal_entry, OWN)
    return path


def run(path: Path, sql: str) -> None:
    """Run SQL as another program does."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)


def flip(path: Path) -> None:
    """Change one word of one entry on disk."""
    run(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    assert content.count(b"rejecta note") == 1  # the action, and the note behind it
    path.write_bytes(content.replace(b"rejecta note", b"screena note"))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        pytest.param(flip, "block", id="a-failing-disk"),
        pytest.param(lambda p: run(p, "UPDATE list_entry SET action = 'tag'"), "allow", id="changed"),
        pytest.param(lambda p: run(p, "DELETE FROM list_entry WHERE list = 'block'"), "block", id="gone"),
        pytest.param(lambda p: run(p, "UPDATE personal_entry SET verdict = 'allow'"), "personal", id="own"),
        pytest.param(lambda p: run(p, "DELETE FROM list_prefix"), "prefixes", id="a-prefix-gone"),
        pytest.param(lambda p: run(p, "UPDATE list_prefix SET prefix = '+1'"), "prefixes", id="a-prefix-changed"),
        pytest.param(lambda p: run(p, "DELETE FROM list_digest WHERE list = 'block'"), "block", id="a-checksum-gone"),
        pytest.param(lambda p: run(p, "DELETE FROM list_digest"), "block", id="all-checksums-gone"),
        pytest.param(lambda p: run(p, "DROP TABLE list_digest"), "block", id="no-table-of-checksums"),
    ],
)
def test_a_list_entry_changed_outside_is_noticed(path: Path, change: Callable[[Path], None], name: str) -> None:
    assert read(path, changed_lists) == []
    change(path)
    assert name in read(path, changed_lists)
    assert read(path, problem_of) is None, "the file is sound to SQLite"


@pytest.mark.parametrize(
    "ours",
    [
        pytest.param(lambda db: add_entry(db, BLOCKED), id="the-same-again"),
        pytest.param(lambda db: remove_entry(db, ALLOWED), id="removed"),
        pytest.param(lambda db: set_personal_entry(db, OWN._replace(verdict=ListName.ALLOW, at=NOW + 1)), id="own"),
        pytest.param(lambda db: remove_personal_entry(db, "201", CALLER), id="own-removed"),
        pytest.param(lambda db: expire(db, NOW + 5), id="expired"),
        pytest.param(lambda db: erase_number(db, CALLER), id="erased"),
    ],
)
async def test_our_own_writes_are_not_reported_as_changes(
    path: Path, ours: Callable[[sqlite3.Connection], object]
) -> None:
    store = await Store.open(path)
    await store.write(ours)
    await store.close()
    assert changed_of(path) == []


def test_missing_checksums_are_not_rebuilt_silently(path: Path) -> None:
    run(path, "DELETE FROM list_digest")
    run(path, "DELETE FROM list_entry WHERE list = 'block'")
    assert changed_of(path) == list(NAMES), "opening it has made none"
    write(path, add_entry, BLOCKED)
    assert read(path, changed_lists) == list(NAMES)
    with open_store(path) as db, transaction(db):
        accept_lists(db)
    assert changed_of(path) == []


def changed_of(path: Path) -> list[str]:
    with open_store(path) as db:
        return changed_lists(db)


def test_a_list_written_during_the_check_is_not_reported(path: Path) -> None:
    """The check and the weekly job read the lists one after the other while the daemon writes."""
    waiting = ["+12015550198", "+12015550199"]

    def write_meanwhile(statement: str) -> None:
        if "FROM list_" in statement and waiting:
            write(path, add_entry, replace(BLOCKED, first=waiting.pop()))

    with open_store(path) as db:
        db.set_trace_callback(write_meanwhile)
        assert changed_lists(db) == []
    assert waiting == []


def test_a_restored_backup_has_valid_checksums(path: Path) -> None:
    backup = make_backup(path, NOW)
    write(path, remove_entry, BLOCKED)
    restore(path, backup, NOW + 1)
    assert read(path, changed_lists) == []


def test_an_older_store_without_checksums_gets_them(path: Path) -> None:
    run(path, "DELETE FROM list_digest")
    run(path, f"CREATE TABLE {UNMADE} (list TEXT NOT NULL) STRICT")
    assert changed_of(path) == []
    run(path, "UPDATE list_entry SET note = 'x'")
    assert read(path, changed_lists) == ["allow", "block"]


def test_a_changed_list_keeps_all_older_backups(path: Path) -> None:
    for day in range(KEPT):
        make_backup(path, NOW + day * 86_400)
    flip(path)
    command = [sys.executable, "-m", "reputation.store.backup", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, len(backups_of(path))) == (1, KEPT + 1)


def test_an_index_that_lacks_a_row_is_damage(path: Path) -> None:
    """`quick_check` does not compare tables with their indices."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        index = "SELECT sql FROM sqlite_schema WHERE name = 'list_entry_expiry'"
        (sql,) = db.execute(index).fetchone()
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'list_entry_expiry'", (sql + " AND 0",))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE list_entry SET expires_at = 5 WHERE list = 'allow'")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'list_entry_expiry'", (sql,))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        assert problem_of(db) is not None


def test_the_weekly_job_reports_a_changed_list(path: Path) -> None:
    flip(path)
    with open_store(path) as db:
        did = {report.job: report.did for report in run_jobs(db, JOBS, NOW)}
    assert did["integrity"] == {"changed list": 1}
