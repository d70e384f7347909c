"""An interrupted import is resumed, and a feed is imported again and again."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.store import imports
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.store.imports import (
    Feed,
    ImportedRow,
    TooFewNumbers,
    import_numbers,
    last_of,
    remove_source,
    sources,
    usual_gap,
)
from reputation.store.sources import FAILURE_CHARACTERS, FeedSource, feed_sources, record_failure, rows_of
from reputation.store.transaction import transaction
from tests.reputation.histories import empty_store
from tests.reputation.store_builders import NOW, run_python

ROWS: list[ImportedRow] = [(f"+1201742{line:04d}", "scam", None, None) for line in range(100)]
WEEK = 7 * 86_400.0

IMPORT = """
import sys, pathlib
from reputation.store.database import open_store
from reputation.store.imports import import_numbers
with open_store(pathlib.Path(sys.argv[1])) as db:
    rows = ((f"+1{(i * 7919) % 10_000_000:010d}", None, None, None) for i in range(int(sys.argv[2])))
    done = import_numbers(db, "feed", "spam", rows)
    print(done.numbers, done.continued)
"""


class Cut(Exception):
    """The import is interrupted."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callsieve.db"


@pytest.fixture
def db(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setattr(imports, "BATCH", 10)
    monkeypatch.setattr(imports, "PAUSE_SECONDS", 0.0)
    with open_store(path) as db:
        yield db


def clock_until(batches: int, at: float) -> Callable[[], float]:
    """Return a clock that interrupts an import after so many batches. It is read once before them and once for each."""
    left = itertools.count(batches + 1, -1)

    def clock() -> float:
        if next(left) < 0:
            raise Cut
        return at

    return clock


def import_cut(db: sqlite3.Connection, batches: int, rows: list[ImportedRow] = ROWS, at: float = NOW) -> None:
    with pytest.raises(Cut):
        import_numbers(db, "feed", "spam", rows, clock_until(batches, at))


def stored(db: sqlite3.Connection) -> list[ImportedRow]:
    assert db.execute("SELECT count(*) FROM imported").fetchone() == (len(list(rows_of(db, "feed"))),)
    return list(rows_of(db, "feed"))


@given(st.lists(st.integers(0, 10), max_size=4), st.randoms(use_true_random=False))
def test_an_interrupted_import_ends_like_an_uninterrupted_one(cuts: list[int], chance: random.Random) -> None:
    rows = [*ROWS, *ROWS[:10]]
    chance.shuffle(rows)
    with pytest.MonkeyPatch.context() as patch, closing(empty_store()) as db:
        patch.setattr(imports, "BATCH", 10)
        patch.setattr(imports, "PAUSE_SECONDS", 0.0)
        for count in cuts:
            if count <= 10 - count_staged(db) // 10:
                import_cut(db, count, rows)
        expected = count_staged(db)
        done = import_numbers(db, "feed", "spam", rows, lambda: NOW)
        assert (done.numbers, done.continued) == (100, expected)
        assert stored(db) == ROWS


def count_staged(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM imported").fetchone()[0])


@pytest.mark.parametrize(
    ("name", "verdict", "rows", "feed"),
    [
        pytest.param("other", "spam", ROWS, Feed(), id="another-name"),
        pytest.param("feed", "ok", ROWS, Feed(), id="another-verdict"),
        pytest.param("feed", "spam", ROWS, Feed("CSV"), id="another-format"),
        pytest.param("feed", "spam", ROWS[:-1], Feed(), id="other-rows"),
        pytest.param("feed", "spam", ROWS[::-1], Feed(), id="another-order"),
    ],
)
def test_only_the_same_import_is_resumed(
    db: sqlite3.Connection, name: str, verdict: str, rows: list[ImportedRow], feed: Feed
) -> None:
    import_cut(db, 5)
    assert import_numbers(db, name, verdict, rows, lambda: NOW, feed=feed).continued == 0
    assert len(list(rows_of(db, name))) == len(rows)


def test_an_interrupted_import_is_dropped_after_a_day(db: sqlite3.Connection) -> None:
    import_cut(db, 5)
    assert import_numbers(db, "other", "spam", [], lambda: NOW + 86_400).numbers == 0
    assert count_staged(db) == 50
    import_numbers(db, "other", "spam", [], lambda: NOW + 86_401)
    assert count_staged(db) == 0
    assert import_numbers(db, "feed", "spam", ROWS, lambda: NOW + 86_401).continued == 0


def test_a_half_dropped_import_is_not_resumed(db: sqlite3.Connection) -> None:
    import_cut(db, 5)
    with transaction(db):  # another process is at it and has not got far
        db.execute("UPDATE import_source SET touched_at = 0")
        db.execute("DELETE FROM imported WHERE number < '+12017420020'")
    assert import_numbers(db, "feed", "spam", ROWS, lambda: NOW).continued == 0
    assert stored(db) == ROWS


def test_one_of_two_parallel_imports_raises_an_error(db: sqlite3.Connection, path: Path) -> None:
    def overtaken(rows: Iterable[ImportedRow]) -> ImportedRow:
        with open_store(path) as other:
            import_numbers(other, "feed", "spam", ROWS, lambda: NOW)
        return last_of(rows)

    with pytest.raises(StoreError, match="taken over"):
        import_numbers(db, "feed", "spam", ROWS, lambda: NOW, feed=Feed(merge=overtaken))
    assert stored(db) == ROWS


def test_an_import_resumes_after_its_process_was_killed(path: Path) -> None:
    with open_store(path) as db:
        process = run_python(IMPORT, path, 60_000)
        while count_staged(db) < imports.BATCH:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert sources(db) == []
        there = count_staged(db)
        again = run_python(IMPORT, path, 60_000)
        assert again.communicate(timeout=60)[0] == f"60000 {there}\n"
        assert imports.BATCH <= there < 60_000
        assert count_staged(db) == 60_000


def test_a_much_smaller_import_is_refused(db: sqlite3.Connection) -> None:
    import_numbers(db, "feed", "spam", ROWS, lambda: NOW)
    with pytest.raises(TooFewNumbers) as error:
        import_numbers(db, "feed", "spam", ROWS[:40], lambda: NOW, feed=Feed(least=50))
    assert error.value.numbers == 40
    assert sources(db)[0].numbers == 100
    done = import_numbers(db, "feed", "spam", ROWS[:40], lambda: NOW, feed=Feed(least=40))
    assert (done.numbers, done.continued) == (40, 40)
    assert stored(db) == ROWS[:40]


# A feed over the weeks.


def test_a_feed_keeps_its_interval_and_previous_size(db: sqlite3.Connection) -> None:
    import_numbers(db, "feed", "spam", ROWS, lambda: NOW, feed=Feed("CSV"))
    assert feed_sources(db) == [FeedSource("feed", "spam", "CSV", 100, NOW)]
    import_numbers(db, "feed", "spam", ROWS[:60], lambda: NOW + WEEK, feed=Feed("CSV"))
    assert feed_sources(db) == [FeedSource("feed", "spam", "CSV", 60, NOW + WEEK, WEEK, 100)]


def test_an_imported_list_is_no_feed(db: sqlite3.Connection) -> None:
    import_numbers(db, "list", "ok", ROWS, lambda: NOW)
    assert feed_sources(db) == []


@pytest.mark.parametrize(
    ("every", "gap", "then"),
    [
        pytest.param(None, 0.0, None, id="first"),
        pytest.param(None, WEEK, WEEK, id="second"),
        pytest.param(None, 60.0, None, id="tried-twice"),
        pytest.param(WEEK, 60.0, WEEK, id="tried-again"),
        pytest.param(WEEK, -WEEK, WEEK, id="a-clock-that-went-back"),
        pytest.param(WEEK, 2 * WEEK, 2 * WEEK, id="one-was-missing"),
        pytest.param(2 * WEEK, WEEK, WEEK, id="as-often-as-before"),
        pytest.param(WEEK, 7200.0, WEEK / 2, id="one-that-comes-early-halves-it"),
    ],
)
def test_the_usual_interval_of_a_feed_is_estimated(every: float | None, gap: float, then: float | None) -> None:
    assert usual_gap(every, gap) == then


def test_a_failure_stays_with_the_feed_until_the_next_import(db: sqlite3.Connection) -> None:
    assert not record_failure(db, "feed", NOW, "x")
    import_numbers(db, "feed", "spam", ROWS, lambda: NOW, feed=Feed("CSV"))
    assert record_failure(db, "feed", NOW + 1, "x" * 2000)
    [feed] = feed_sources(db)
    assert (feed.failed_at, feed.failure) == (NOW + 1, "x" * FAILURE_CHARACTERS)
    import_numbers(db, "feed", "spam", ROWS, lambda: NOW + 2, feed=Feed("CSV"))
    [feed] = feed_sources(db)
    assert (feed.failed_at, feed.failure) == (None, None)


def test_a_removed_feed_leaves_no_rows(db: sqlite3.Connection) -> None:
    import_numbers(db, "feed", "spam", ROWS, lambda: NOW, feed=Feed("CSV"))
    remove_source(db, "feed", lambda: NOW)
    assert feed_sources(db) == []
    assert db.execute("SELECT count(*) FROM import_source").fetchone() == (0,)
