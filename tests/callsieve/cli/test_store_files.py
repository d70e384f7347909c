"""The store's files are removed, replaced or emptied under a running daemon: no confirmed feature code is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from callsieve.daemon.store_supervisor import StoreSupervisor
from lab.daemon import Daemon
from reputation.store.backup import backups_of, make_backup, quarantined_of
from reputation.store.database import log_of, open_store
from tests.callsieve.phones import dial, expecting, status
from tests.office import NOBODY
from tests.waiting import until, wait_until

pytestmark = pytest.mark.slow

PHONES = [f"PJSIP/{extension}" for extension in range(201, 205)]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as daemon:
        wait_until(lambda: status(daemon) == "")
        yield daemon


def remove(store: Path) -> None:
    store.unlink()


def remove_all(store: Path) -> None:
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()


def move(store: Path) -> None:
    store.rename(store.with_name("elsewhere.db"))


def remove_log(store: Path) -> None:
    store.with_name(f"{store.name}-wal").unlink()


def remove_index(store: Path) -> None:
    store.with_name(f"{store.name}-shm").unlink()


def empty(store: Path) -> None:
    os.truncate(store, 0)


def empty_log(store: Path) -> None:
    os.truncate(store.with_name(f"{store.name}-wal"), 0)


@pytest.mark.parametrize("handle", [empty_log, remove, remove_all, move, remove_log, remove_index])
def test_confirmed_feature_codes_survive_loss_of_store_files(daemon: Daemon, handle: Callable[[Path], None]) -> None:
    assert dial(daemon, PHONES[0]) == "expecting"
    handle(daemon.store)
    heard = {PHONES[0], PHONES[1]} if dial(daemon, PHONES[1]) == "expecting" else {PHONES[0]}
    daemon.wait_for_log("the store is open again")
    assert status(daemon) != ""
    assert dial(daemon, PHONES[2]) == "expecting"
    assert expecting(daemon.store) == heard | {PHONES[2]}
    daemon.kill()
    daemon.start()
    wait_until(lambda: dial(daemon, PHONES[3]) == "expecting")
    assert expecting(daemon.store) == heard | {*PHONES[2:]}


@pytest.mark.parametrize("handle", [empty, empty_log])
@pytest.mark.parametrize("codes", [pytest.param(True, id="codes-are-dialled"), pytest.param(False, id="nobody-writes")])
def test_emptied_store_is_restored_from_its_backup(daemon: Daemon, codes: bool, handle: Callable[[Path], None]) -> None:
    assert dial(daemon, PHONES[0]) == "expecting"
    daemon.callsieve("db", "backup")
    handle(daemon.store)
    heard = {PHONES[3]} if codes and dial(daemon, PHONES[3]) == "expecting" else set()
    daemon.wait_for_log("EMPTIED")
    daemon.wait_for_log("the store is open again")
    assert (status(daemon) != "", daemon.callsieve("doctor").returncode) == (True, 1)
    assert len(quarantined_of(daemon.store)) == 1
    assert dial(daemon, PHONES[1]) == "expecting"
    daemon.kill()
    assert expecting(daemon.store) == {PHONES[0], PHONES[1]} | heard


def test_command_refuses_an_emptied_store(daemon: Daemon) -> None:
    assert dial(daemon, PHONES[0]) == "expecting"
    daemon.kill()
    log = log_of(daemon.store)
    before = log.read_bytes()
    empty(daemon.store)
    assert daemon.callsieve("list", "show", "block").returncode != 0
    assert log.read_bytes() == before


@pytest.mark.parametrize("handle", [shutil.copyfile, Path.rename])
def test_backup_put_in_place_by_hand_is_opened(
    daemon: Daemon, tmp_path: Path, handle: Callable[[Path, Path], None]
) -> None:
    assert dial(daemon, PHONES[0]) == "expecting"
    backup = make_backup(daemon.store, time.time()).rename(tmp_path / "backup.db")
    assert dial(daemon, PHONES[1]) == "expecting"
    daemon.store.unlink()
    handle(backup, daemon.store)
    daemon.wait_for_log("the store is open again")
    assert dial(daemon, PHONES[2]) == "expecting"
    with open_store(daemon.store) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert expecting(daemon.store) == {PHONES[0], PHONES[2]}
    with closing(sqlite3.connect(f"file:{backups_of(daemon.store)[0]}?immutable=1", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM expected_call").fetchone() == (2,)


def test_backup_checkpoint_and_vacuum_are_no_incident(daemon: Daemon) -> None:
    assert dial(daemon, PHONES[0]) == "expecting"
    daemon.callsieve("db", "backup")
    with open_store(daemon.store) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")
    looked = time.monotonic() + 2.5
    wait_until(lambda: time.monotonic() > looked)
    assert (status(daemon), len(backups_of(daemon.store))) == ("", 1)


async def test_store_moved_back_at_once_is_kept(tmp_path: Path) -> None:
    """No backup can be made meanwhile."""
    path, away = tmp_path / "callsieve.db", tmp_path / "away.db"
    (tmp_path / "backups").touch()
    store = StoreSupervisor(path)
    await store.start()
    try:
        await store.record_emergency(1_767_000_000.0)
        path.rename(away)
        async with asyncio.timeout(20):
            while not store.trouble:  # noqa: ASYNC110 (the supervisor has no events)
                await asyncio.sleep(0)
        away.rename(path)
        await until(lambda: not store.trouble)
    finally:
        await store.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT at FROM emergency_call").fetchall() == [(1_767_000_000.0,)]


@pytest.mark.root
def test_store_reopens_in_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    """The folder belongs to another user, so no backup can be made."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec setpriv --bounding-set -dac_override {sys.executable} "$@"\n')
    python.chmod(0o755)
    with Daemon(tmp_path / "state", python=str(python)) as daemon:
        assert dial(daemon, PHONES[0]) == "expecting"
        other = tmp_path / "other.db"
        with open_store(other):
            """Another store."""
        os.chown(daemon.state, NOBODY, NOBODY)
        other.rename(daemon.store)
        daemon.wait_for_log("the store is open again")
        assert dial(daemon, PHONES[1]) == "expecting"
        assert expecting(daemon.store) == {PHONES[1]}
        with open_store(daemon.store) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
