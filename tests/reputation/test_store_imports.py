"""Imports: any order and size, all or nothing for readers, and short waits for other writers."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.store.imports import Feed, ImportedRow, ImportSource, import_numbers, last_of, remove_source, sources
from reputation.store.site import record_emergency
from reputation.store.transaction import transaction
from tests.reputation.histories import empty_store
from tests.reputation.store_builders import CALLER, NOW, facts, make_query, run_python

IMPORT = """
import sys, pathlib
from reputation.store.database import open_store
from reputation.store.imports import import_numbers
with open_store(pathlib.Path(sys.argv[1])) as db:
    print("begun", flush=True)
    rows = ((f"+1{(i * 7919) % 10_000_000:010d}", None, None, None) for i in range(int(sys.argv[2])))
    import_numbers(db, "feed", "spam", rows)
"""


def rows_of(*numbers: str) -> list[ImportedRow]:
    return [(number, None, None, None) for number in numbers]


def stored(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return db.execute("SELECT number, source FROM imported").fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callsieve.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(path) as db:
        yield db


def test_an_import_returns_what_it_added(db: sqlite3.Connection) -> None:
    imported = import_numbers(db, "feed", "spam", rows_of("+2", "+1"), lambda: NOW)
    assert imported == ImportSource("feed", "spam", NOW, 2)
    import_numbers(db, "customers", "ok", rows_of("+1"), lambda: NOW)
    assert sources(db) == [ImportSource("customers", "ok", NOW, 1), imported]


def test_an_empty_import_is_recorded(db: sqlite3.Connection) -> None:
    assert import_numbers(db, "feed", "spam", [], lambda: NOW) == ImportSource("feed", "spam", NOW, 0)


def test_the_last_row_of_a_number_counts(db: sqlite3.Connection, path: Path) -> None:
    rows = [(CALLER, "scam", "Old", None), ("+1", None, None, None), (CALLER, None, "New", "note")]
    assert import_numbers(db, "feed", "spam", rows, lambda: NOW).numbers == 2
    [imported] = facts(path).imported
    assert (imported.category, imported.name, imported.note) == (None, "New", "note")


def test_an_import_replaces_the_previous_one(db: sqlite3.Connection) -> None:
    import_numbers(db, "feed", "spam", rows_of("+1", "+2"), lambda: NOW)
    import_numbers(db, "other", "spam", rows_of("+1"), lambda: NOW)
    import_numbers(db, "feed", "ok", rows_of("+2", "+3"), lambda: NOW + 1)
    assert sources(db) == [ImportSource("feed", "ok", NOW + 1, 2), ImportSource("other", "spam", NOW, 1)]
    assert [number for number, _ in stored(db)] == ["+1", "+2", "+3"]


def test_a_removed_source_is_gone(db: sqlite3.Connection) -> None:
    import_numbers(db, "feed", "spam", rows_of("+1"), lambda: NOW)
    assert remove_source(db, "feed", lambda: NOW)
    assert not remove_source(db, "feed", lambda: NOW)
    assert sources(db) == []
    assert stored(db) == []


def test_a_failed_import_keeps_the_previous_one(db: sqlite3.Connection, path: Path) -> None:
    def broken() -> Iterator[ImportedRow]:
        yield CALLER, None, None, None
        raise LookupError("line 2 is no number")

    import_numbers(db, "feed", "ok", rows_of(CALLER), lambda: NOW)
    with pytest.raises(LookupError):
        import_numbers(db, "feed", "spam", broken(), lambda: NOW)
    assert [imported.verdict for imported in facts(path).imported] == ["ok"]


def test_rows_of_a_dead_import_are_dropped_after_a_day(db: sqlite3.Connection) -> None:
    with transaction(db):
        db.execute(
            "INSERT INTO import_source (id, name, verdict, live, imported_at, touched_at, numbers)"
            " VALUES (7, 'feed', 'spam', 0, ?, ?, 1)",
            (NOW, NOW),
        )
        db.execute("INSERT INTO imported VALUES ('+1', 7, NULL, NULL, NULL)")
    import_numbers(db, "other", "spam", [], lambda: NOW + 86_400)  # it may be run again
    assert stored(db) == [("+1", 7)]
    import_numbers(db, "other", "spam", [], lambda: NOW + 86_401)
    assert stored(db) == []
    assert [source.name for source in sources(db)] == ["other"]


def test_an_import_dropped_as_dead_raises_an_error(db: sqlite3.Connection, path: Path) -> None:
    def slow(rows: Iterable[ImportedRow]) -> ImportedRow:
        with open_store(path) as other:
            import_numbers(other, "other", "spam", [], lambda: NOW + 86_401)
        return last_of(rows)

    with pytest.raises(StoreError, match="start the import again"):
        import_numbers(db, "feed", "spam", rows_of(CALLER), lambda: NOW, feed=Feed(merge=slow))
    assert stored(db) == []


numbers = st.text("01", min_size=1, max_size=3)
rows = st.lists(st.tuples(numbers, st.none() | st.just("scam"), st.none(), st.none()), max_size=30)


@given(rows)
def test_the_last_row_of_each_number_wins_in_any_order(given_rows: list[ImportedRow]) -> None:
    with closing(empty_store()) as db:
        import_numbers(db, "feed", "spam", given_rows, lambda: NOW)
        found = dict(db.execute("SELECT number, category FROM imported").fetchall())
    assert found == {number: category for number, category, *_ in given_rows}


def test_other_processes_write_during_a_large_import(db: sqlite3.Connection, path: Path) -> None:
    import_numbers(db, "feed", "ok", rows_of(CALLER))
    process = run_python(IMPORT, path, 150_000)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    longest, written = 0.0, 0
    while process.poll() is None:
        started = time.monotonic()
        with transaction(db):
            record_emergency(db, float(written))
        longest, written = max(longest, time.monotonic() - started), written + 1
        verdicts = [imported.verdict for imported in facts(path).imported]
        assert verdicts in (["ok"], [])
        time.sleep(0.01)
    assert process.communicate()[0] == ""
    assert written > 10
    assert longest < 2.0
    assert sources(db)[0].numbers == 150_000
    assert len(facts(path, make_query("+10000007919")).imported) == 1


def test_100_000_numbers_take_less_than_100_bytes_each(db: sqlite3.Connection, path: Path) -> None:
    count = 100_000
    rows = [(f"+1{(i * 7_919_113) % 10_000_000_000:010d}", "scam", None, None) for i in range(count)]
    assert import_numbers(db, "feed", "spam", rows).numbers == count
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    bytes_per_number = path.stat().st_size / count
    print(f"{bytes_per_number:.1f} bytes of file per number")
    assert bytes_per_number < 100


def test_a_full_temporary_directory_is_named(db: sqlite3.Connection, path: Path) -> None:
    script = """
import pathlib, resource, sys
from reputation.store.errors import StoreError
from reputation.store.database import open_store
from reputation.store.imports import import_numbers
with open_store(pathlib.Path(sys.argv[1])) as db:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    try:
        import_numbers(db, "feed", "spam", ((f"+1{i:010d}", None, None, None) for i in range(1_000_000)))
    except StoreError as error:
        print(error)
"""
    output, _ = run_python(script, path).communicate(timeout=60)
    assert output.startswith(f"{tempfile.gettempdir()}: ")
