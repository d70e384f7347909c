"""Only sound backups count, and a damaged store is replaced with a loud message."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from callsieve.daemon.store_supervisor import StoreSupervisor
from reputation.store.backup import (
    KEPT,
    backups_of,
    last_good_backup,
    make_backup,
    problem_of,
    quarantine,
    quarantined_of,
    recover,
    restore,
)
from reputation.store.connection import Store
from reputation.store.database import open_store
from reputation.store.errors import StoreError
from reputation.store.imports import import_numbers
from reputation.store.migrations import known_migrations, migrate, pending
from reputation.store.site import latest_emergency, record_emergency
from tests.reputation.store_builders import CALLER, NOW, facts, make_query, read, write
from tests.waiting import wait_until

PAGE = 4096
ROOT = Path(__file__).resolve().parents[2]

# Ends itself at the given step: each time a file is about to be opened, renamed or removed.
KILLED_RECOVERY = """
import os, signal, sys
from pathlib import Path
from reputation.store.backup import recover
path, step, seen = Path(sys.argv[1]), int(sys.argv[2]), 0
def watch(event, arguments):
    global seen
    if event in ("open", "os.rename", "os.remove", "sqlite3.connect") and str(path) in str(arguments[0]):
        seen += 1
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
recover(path, 1767000000.0)
"""

# The store on a disk of its own that has room for the store and a backup, but not for one more.
FULL_DISK = """
import shutil, subprocess, sys
from pathlib import Path
from reputation.store.site import latest_emergency
from reputation.store.errors import StoreError
from reputation.store.database import open_store
from reputation.store.backup import recover
made, disk = Path(sys.argv[1]), Path(sys.argv[1]) / "disk"
disk.mkdir()
size = (made / "callsieve.db").stat().st_size
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size * 7 // 2}", "tmpfs", disk], check=True)
shutil.copytree(made / "backups", disk / "backups")
path = disk / "callsieve.db"
path.write_bytes(b"no store" * (size // 8))
def attempt():
    try:
        recover(path, 1767000000.0)
    except StoreError as error:
        print("full" if "space" in str(error) else error)
    else:
        print("recovered")
def look():
    try:
        with open_store(path) as db:
            print(latest_emergency(db))
    except StoreError as error:
        print("damaged", *sorted(file.name for file in disk.glob("c*")))
filler = disk / "filler"
filler.write_bytes(b"x" * size)
look()
attempt()
look()
filler.unlink()
attempt()
look()
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with a few hundred pages and one known fact."""
    path = tmp_path_factory.mktemp("content") / "callsieve.db"
    write(path, record_emergency, NOW)
    with open_store(path) as db:
        import_numbers(db, "feed", "spam", [(f"+1201{i:07d}", "scam", None, None) for i in range(20_000)])
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Path:
    """A copy of that store."""
    path = tmp_path / "callsieve.db"
    path.write_bytes(content)
    return path


def damage(path: Path, page: int = 1) -> None:
    """Overwrite all pages from this one on, as a failing disk does. Page 0 is the head of the file."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(os.urandom(path.stat().st_size - page * PAGE))


def behind_the_schema(path: Path) -> int:
    """Return the first page that holds only numbers."""
    newest = (
        "SELECT max(max(rootpage), (SELECT max(pageno) FROM dbstat WHERE name = 'sqlite_schema')) FROM sqlite_schema"
    )
    (page,) = read(path, lambda db: db.execute(newest).fetchone())
    return int(page)


async def opened_and_closed(path: Path) -> None:
    """Open and close the store as the daemon does at its start."""
    store = StoreSupervisor(path)
    await store.start()
    await asyncio.to_thread(wait_until, lambda: not store.trouble)
    await store.close()


class TestBackups:
    def test_a_backup_is_a_whole_sound_store(self, path: Path) -> None:
        backup = make_backup(path, NOW)
        assert backup == path.parent / "backups" / "callsieve-20251229T092000.db"
        assert list(backup.parent.iterdir()) == [backup]
        assert backup.stat().st_mode & 0o137 == 0
        assert read(backup, latest_emergency) == NOW
        assert read(backup, problem_of) is None

    def test_a_backup_includes_the_write_ahead_log(self, path: Path) -> None:
        with open_store(path) as db:
            record_emergency(db, NOW + 1)
            assert path.with_name("callsieve.db-wal").stat().st_size > 0
            backup = make_backup(path, NOW)
        assert read(backup, latest_emergency) == NOW + 1

    def test_the_last_7_are_kept(self, path: Path) -> None:
        made = [make_backup(path, NOW + day * 86_400) for day in range(9)]
        assert backups_of(path) == made[:-8:-1]
        assert len(backups_of(path)) == KEPT

    def test_a_backup_dated_in_the_future_is_dropped_first(self, path: Path) -> None:
        ahead = make_backup(path, time.time() + 86_400)
        made = [make_backup(path, NOW + day * 86_400) for day in range(KEPT)]
        assert backups_of(path) == made[::-1]
        assert not ahead.exists()

    def test_the_last_good_backup_is_readable_and_not_newer(self, path: Path) -> None:
        good, newer, broken = [make_backup(path, NOW + day * 86_400) for day in range(3)]
        broken.unlink()
        broken.symlink_to(path.with_name("nowhere"))
        with closing(sqlite3.connect(newer)) as db, db:
            db.execute("INSERT INTO migration (version, name, sha256, at) VALUES (9999, 'to come', '', 0)")
        assert last_good_backup(path) == good

    def test_a_backup_never_overwrites_another(self, path: Path) -> None:
        assert make_backup(path, NOW) != make_backup(path, NOW)
        assert len(backups_of(path)) == 2

    def test_a_damaged_store_makes_no_backup(self, path: Path) -> None:
        good = make_backup(path, NOW)
        damage(path)
        with pytest.raises(StoreError) as caught:
            make_backup(path, NOW + 1)
        assert caught.value.damaged
        assert list(good.parent.iterdir()) == [good]

    def test_a_missing_store_makes_no_backup(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no store"):
            make_backup(tmp_path / "nowhere.db", NOW)
        assert list(tmp_path.iterdir()) == []

    def test_an_unusable_backup_directory_raises_a_clear_error(self, path: Path) -> None:
        path.with_name("backups").write_text("in the way")
        with pytest.raises(StoreError, match="cannot be used"):
            make_backup(path, NOW)

    def test_the_last_good_backup_is_the_latest_sound_one(self, path: Path) -> None:
        good, damaged, empty = (make_backup(path, NOW + i) for i in range(3))
        damage(damaged)
        empty.write_bytes(b"")
        assert last_good_backup(path) == good
        good.unlink()
        assert last_good_backup(path) is None

    async def test_other_connections_write_during_a_backup(self, path: Path) -> None:
        store = await Store.open(path)
        try:
            backup = asyncio.create_task(asyncio.to_thread(make_backup, path, NOW))
            at = NOW
            while not backup.done():
                at += 1
                await store.write(record_emergency, at)
            assert await asyncio.to_thread(read, await backup, latest_emergency) in [NOW + i for i in range(10_000)]
        finally:
            await store.close()


class TestDamage:
    @pytest.mark.parametrize("page", [0, 1, 2], ids=["all-of-it", "all-but-the-head", "from-the-third-page"])
    def test_a_damaged_store_is_replaced_by_its_backup(self, path: Path, page: int) -> None:
        backup = make_backup(path, NOW)
        write(path, record_emergency, NOW + 1)
        damage(path, page)
        damaged = path.read_bytes()
        recovery = recover(path, NOW + 2)
        assert recovery.backup == backup
        assert recovery.quarantined == path.with_name("callsieve.db.damaged-20251229T092002")
        assert recovery.quarantined.read_bytes() == damaged
        assert read(path, latest_emergency) == NOW
        assert len(facts(path, make_query("+12010000007")).imported) == 1
        assert "DAMAGED" in recovery.message
        assert backup.name in recovery.message

    def test_without_a_good_backup_an_empty_store_is_made(self, path: Path) -> None:
        damage(make_backup(path, NOW))
        damage(path)
        recovery = recover(path, NOW)
        assert recovery.backup is None
        assert "EMPTY" in recovery.message
        assert read(path, latest_emergency) is None

    def test_quarantine_keeps_the_write_ahead_log(self, path: Path) -> None:
        db = sqlite3.connect(path, isolation_level=None)
        record_emergency(db, NOW + 1)  # still in the log: the connection stays open
        quarantined = quarantine(path, NOW)
        assert quarantined is not None
        assert [file for file in path.parent.iterdir() if "damaged" not in file.name] == []
        db.close()
        assert read(quarantined, latest_emergency) == NOW + 1

    async def test_a_read_reports_damage(self, path: Path) -> None:
        await asyncio.to_thread(damage, path, behind_the_schema(path))
        store = await Store.open(path)
        try:
            with pytest.raises(StoreError, match="damaged") as caught:
                await store.facts(make_query("+12010019999"), time.monotonic() + 5)
            assert caught.value.damaged
        finally:
            await store.close()

    def test_a_check_finds_damage(self, path: Path) -> None:
        damage(path, behind_the_schema(path))
        with open_store(path, migrated=False) as db:
            assert problem_of(db) is not None

    @pytest.mark.parametrize("kind", ["gone", "empty"])
    def test_a_missing_store_beside_its_backup_is_damage(self, path: Path, kind: str) -> None:
        backup = make_backup(path, NOW)
        path.unlink()
        if kind == "empty":
            path.touch()
        with pytest.raises(StoreError) as caught, open_store(path):
            pass
        assert caught.value.damaged
        recovery = recover(path, NOW)
        assert (recovery.backup, recovery.quarantined is None) == (backup, kind == "gone")
        assert read(path, latest_emergency) == NOW

    def test_a_quarantined_store_is_not_treated_as_new(self, path: Path) -> None:
        quarantine(path, NOW)
        with pytest.raises(StoreError) as caught, open_store(path):
            pass
        assert caught.value.damaged
        assert "EMPTY" in recover(path, NOW).message

    def test_a_log_without_its_file_is_not_read_into_the_backup(self, path: Path) -> None:
        make_backup(path, NOW)
        db = sqlite3.connect(path, isolation_level=None)
        record_emergency(db, NOW + 1)
        log = path.with_name("callsieve.db-wal").read_bytes()
        db.close()
        path.unlink()
        path.with_name("callsieve.db-wal").write_bytes(log)
        recover(path, NOW)
        assert read(path, latest_emergency) == NOW
        assert read(path, problem_of) is None

    def test_two_quarantines_within_a_second_keep_both(self, path: Path) -> None:
        first = quarantine(path, NOW)
        path.write_bytes(b"another")
        second = quarantine(path, NOW)
        assert quarantined_of(path) == [first, second]

    def test_recovery_killed_at_any_step_is_completed_later(self, path: Path, tmp_path: Path) -> None:
        make_backup(path, NOW)
        folder, step, code = tmp_path / "begun", 0, -signal.SIGKILL
        while code == -signal.SIGKILL:
            step += 1
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns("begun"))
            store = folder / path.name
            damage(store, 0)
            damaged = store.read_bytes()
            command = [sys.executable, "-c", KILLED_RECOVERY, str(store), str(step)]
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            asyncio.run(opened_and_closed(store))
            assert read(store, latest_emergency) == NOW
            assert damaged in [item.read_bytes() for item in quarantined_of(store)]
            assert not list(folder.glob("*.partial*"))
        assert (code, step > 10) == (0, True)

    @pytest.mark.root
    def test_recovery_waits_until_the_disk_has_room(self, path: Path) -> None:
        make_backup(path, NOW)
        command = ["unshare", "-m", sys.executable, "-c", FULL_DISK, str(path.parent)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (said.stdout.split(), said.stderr) == (
            ["damaged", path.name, "full", "damaged", path.name, "recovered", str(NOW)],
            "",
        )


class TestRestore:
    def test_restoring_a_backup_keeps_a_copy_of_the_store(self, path: Path) -> None:
        backup = make_backup(path, NOW)
        write(path, record_emergency, NOW + 1)
        before = restore(path, backup, NOW)
        assert read(path, latest_emergency) == NOW
        assert before is not None
        assert read(before, latest_emergency) == NOW + 1
        assert sorted(backup.parent.iterdir()) == sorted([backup, before])

    async def test_a_backup_is_restored_under_a_running_daemon(self, path: Path) -> None:
        backup = make_backup(path, NOW)
        store = await Store.open(path)
        try:
            await store.write(record_emergency, NOW + 1)
            await asyncio.to_thread(restore, path, backup, NOW + 2)
            assert (await store.facts(make_query(), time.monotonic() + 5)).emergency_at == NOW
            await store.write(record_emergency, NOW + 3)
        finally:
            await store.close()
        assert await asyncio.to_thread(read, path, latest_emergency) == NOW + 3

    def test_a_damaged_store_is_quarantined_first(self, path: Path) -> None:
        backup = make_backup(path, NOW)
        damage(path, 0)
        assert restore(path, backup, NOW) is None
        assert read(path, latest_emergency) == NOW
        assert path.with_name("callsieve.db.damaged-20251229T092000").exists()

    def test_a_missing_store_is_restored(self, path: Path) -> None:
        backup = make_backup(path, NOW)
        path.unlink()
        assert restore(path, backup, NOW) is None
        assert read(path, latest_emergency) == NOW

    def test_restore_without_room_for_a_copy_changes_nothing(self, path: Path) -> None:
        backup = make_backup(path, NOW).rename(path.with_name("elsewhere.db"))
        path.with_name("backups").rmdir()
        path.with_name("backups").write_text("in the way")
        write(path, record_emergency, NOW + 1)
        with pytest.raises(StoreError, match="cannot be used"):
            restore(path, backup, NOW)
        assert read(path, latest_emergency) == NOW + 1

    def test_restoring_a_damaged_backup_changes_nothing(self, path: Path) -> None:
        backup = make_backup(path, NOW)
        damage(backup)
        with pytest.raises(StoreError, match=r"is damaged .* an older one"):
            restore(path, backup, NOW)
        assert read(path, latest_emergency) == NOW

    @pytest.mark.usefixtures("migrating_stores")
    def test_an_older_backup_is_migrated_when_opened(self, tmp_path: Path) -> None:
        """Until then the older program can use it."""
        path = tmp_path / "callsieve.db"
        *older, newest = known_migrations()
        with open_store(path, migrated=False) as db:
            migrate(db, older)
        backup = make_backup(path, NOW)
        with open_store(path):
            pass
        assert restore(path, backup, NOW) is not None
        with open_store(path, migrated=False) as db:
            assert pending(db) == [newest]
        assert facts(path, make_query(CALLER)).imported == ()
