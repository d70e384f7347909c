"""Copies of national registers: one takes the place of another in one step, and what is broken off leaves nothing."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.call_lists.registers import RegisterFile, RegisterRequest, import_register
from callsieve.changes.operation import Context, Refused
from callsieve.settings import Loaded, Settings
from reputation.store.database import open_store
from reputation.store.registers import copies_in_force, registers_with
from reputation.users import Role
from tests.reputation.store_builders import NOW

FIRST, SECOND = "+12017421834", "+12017421835"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        yield opened


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context("joe", Role.ADMINISTRATOR, NOW, Loaded(settings=Settings(), file=None, state=tmp_path))


class Broken(io.BytesIO):
    """A file that ends in the middle."""

    def readline(self, size: int | None = -1, /) -> bytes:
        if line := super().readline(size):
            return line
        raise OSError("the disk is gone")


def request(lines: io.BytesIO) -> RegisterRequest:
    return RegisterRequest("us-dnc", "US", "dnc.txt", NOW, RegisterFile(lines, "US"))


def file_of(*numbers: str) -> io.BytesIO:
    return io.BytesIO("".join(f"{number[2:]}\n" for number in numbers).encode())


def kept(db: sqlite3.Connection) -> list[int]:
    return [number for (number,) in db.execute("SELECT number FROM register_number ORDER BY number")]


def test_new_copy_replaces_the_previous_one(
    db: sqlite3.Connection, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reputation.store.registers.BATCH", 2)
    many = [f"+1201742{n:04d}" for n in range(7)]
    import_register(db, context, request(file_of(*many)))
    done = import_register(db, context, request(file_of(*many[3:], SECOND, SECOND)))
    assert done.before is not None
    assert (done.before.numbers, done.copy.numbers) == (7, 5)
    assert registers_with(db, many[0]) == ()
    assert [register.name for register in registers_with(db, SECOND)] == ["us-dnc"]
    assert len(kept(db)) == 5, "nothing of the one before is left"


def test_interrupted_import_keeps_the_copy_in_force(db: sqlite3.Connection, context: Context) -> None:
    import_register(db, context, request(file_of(FIRST)))
    with pytest.raises(OSError, match="the disk is gone"):
        import_register(db, context, request(Broken(file_of(SECOND).getvalue())))
    assert len(copies_in_force(db)) == 1
    assert registers_with(db, FIRST) != ()
    assert registers_with(db, SECOND) == ()
    assert kept(db) == [int(FIRST[1:])]


def test_next_import_cleans_up_after_a_killed_one(db: sqlite3.Connection, context: Context) -> None:
    db.execute("INSERT INTO register_copy VALUES (9, 'us-dnc', 'US', 'x', '', 1.0, 1.0, 0, 0)")
    db.execute("INSERT INTO register_number VALUES (12017421835, 9)")
    assert registers_with(db, SECOND) == ()
    import_register(db, context, request(file_of(FIRST)))
    assert kept(db) == [int(FIRST[1:])]


def test_an_empty_file_is_refused(db: sqlite3.Connection, context: Context) -> None:
    with pytest.raises(Refused) as caught:
        import_register(db, context, request(io.BytesIO(b"nothing\n")))
    assert caught.value.code == "nothing-usable"
    assert copies_in_force(db) == ()
