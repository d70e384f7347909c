"""Backups of the store, and recovery from a backup. A backup is a full, checked copy in `backups/` next to the store.

Close all connections before a recovery. The new file is made and checked before the old file is moved. So a full disk
changes nothing, and after a crash in the middle the next start of the daemon completes the recovery.
"""

import logging
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reputation.site_names import new_id
from reputation.store.database import BACKUP_PREFIX, backup_directory, changed_lists, companions_of, connect, open_store
from reputation.store.errors import DAMAGE, StoreError, primary_code, store_error, store_errors
from reputation.store.event_deliveries import RESTORED
from reputation.store.migrations import migrate, pending
from reputation.store.outbox import set_state
from reputation.store.transaction import transaction

logger = logging.getLogger(__name__)

NOT_AS_WRITTEN = "another program has changed list entries: {}; run `callsieve db check`"
KEPT = 7
DAY = 86_400.0


def make_backup(path: Path, now: float, keep: int = KEPT, opened: sqlite3.Connection | None = None) -> Path:
    """Copy the store, check the copy, and return its path. Other programs can write to the store meanwhile.

    All but the last `keep` backups are deleted, unless another program has changed a list. `opened`: the connection
    whose store is copied, even if another file is now at `path`; None: the store at `path`. Raise StoreError.
    """
    if opened is None and not path.exists():
        raise StoreError(f"{path}: there is no store to back up; check the path in callsieve.toml")
    target = _free_name(backup_directory(path), now)
    partial = target.with_suffix(".partial")
    try:
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _drop_unfinished(target.parent, now)
        try:
            with nullcontext(opened) if opened else closing(connect(path)) as source:
                _copy(source, partial)
            if problem := problem_of_backup(partial):
                raise StoreError(f"{path}: the store, or the disk of its backup, is damaged ({problem})", damaged=True)
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
        with open_backup(target) as copy:
            changed = changed_lists(copy)
        for old in [] if changed else backups_of(path)[keep:]:  # an older one has the list as it was
            old.unlink(missing_ok=True)
    except OSError as error:
        raise store_error(target, error) from error
    return target


def _drop_unfinished(directory: Path, now: float) -> None:
    """Delete files that interrupted backups and erasures left, if they are an hour old. Newer files may be in use."""
    for partial in directory.glob(f"{BACKUP_PREFIX}*.partial*"):
        if now - partial.stat().st_mtime > 3600:
            partial.unlink(missing_ok=True)


def backups_of(path: Path) -> list[Path]:
    """Return the backups of the store at `path`, newest first. Backups dated in the future come last."""
    soon = BACKUP_PREFIX + stamp_of(time.time() + 60)
    backups = backup_directory(path).glob(f"{BACKUP_PREFIX}*.db")
    return sorted(backups, key=lambda file: (file.name < soon, file.name), reverse=True)


def has_backup_of_today(path: Path, now: float) -> bool:
    """Return whether the latest backup is less than a day old. A backup dated in the future does not count."""
    backups = backups_of(path)
    return bool(backups) and 0 <= now - backups[0].stat().st_mtime < DAY


def last_good_backup(path: Path) -> Path | None:
    """Return the latest undamaged backup that this version can read, or None."""
    return next(filter(_is_good, backups_of(path)), None)


def _is_good(backup: Path) -> bool:
    try:
        if problem_of_backup(backup) is not None:
            return False
        with open_backup(backup) as db:
            pending(db)
    except StoreError as error:
        logger.warning("backup skipped: %s", error)
        return False
    return True


def problem_of_backup(backup: Path) -> str | None:
    """Return what is wrong with a backup; None if it is good. An empty file is not good, although SQLite accepts it."""
    with open_backup(backup) as db:
        problem = problem_of(db)
        if problem is None and not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migration'").fetchone():
            return "the file does not contain a store"
        return problem


@contextmanager
def open_backup(backup: Path) -> Iterator[sqlite3.Connection]:
    """Open a backup for reading only. With SQLite's option `immutable`, no -wal file is created next to it."""
    uri = f"{backup.absolute().as_uri()}?mode=ro&immutable=1"
    with store_errors(backup), closing(sqlite3.connect(uri, uri=True)) as db:
        yield db


def problem_of(db: sqlite3.Connection) -> str | None:
    """Read the whole store and return what is wrong with its content; None if it is intact."""
    try:
        (result,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in DAMAGE:
            raise
        return str(error)
    return None if result == "ok" else str(result)


def stamp_of(now: float) -> str:
    """Format an instant (UTC) for file names, such as `20261127T170007`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")


def copy_store(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy all pages in a single step. A copy in several steps would restart whenever another program writes."""
    source.backup(target, pages=-1)


def _copy(source: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    with store_errors(target), closing(sqlite3.connect(target)) as copy:
        target.chmod(0o640)
        copy_store(source, copy)


def _free_name(directory: Path, now: float) -> Path:
    target = directory / f"{BACKUP_PREFIX}{stamp_of(now)}.db"
    return _free_name(directory, now + 1) if target.exists() else target


def main(arguments: list[str]) -> int:
    """Back up the store `arguments[0]`. Return 0; 1 if another program has changed a list; 2 if the backup failed."""
    try:
        backup = make_backup(Path(arguments[0]), time.time())
        with open_backup(backup) as copy:
            changed = changed_lists(copy)
    except StoreError as error:
        sys.stderr.write(str(error))
        return 2
    if changed:
        sys.stderr.write(
            f"{backup}: the backup was made, but {NOT_AS_WRITTEN.format(', '.join(changed))}. Older backups are kept"
        )
        return 1
    sys.stdout.write(str(backup))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))


@dataclass(frozen=True, slots=True)
class Recovery:
    """A recovery's result. `quarantined`: the damaged file, if any. `backup`: the backup used; None: an empty store."""

    path: Path
    quarantined: Path | None
    backup: Path | None

    @property
    def message(self) -> str:
        """The result as text for the log, the doctor and the console."""
        what = f"DAMAGED and is kept as {self.quarantined.name}" if self.quarantined else "MISSING"
        now_in_place = (
            f"the backup {self.backup.name} has replaced the store: all later changes are lost"
            if self.backup
            else "no good backup was found, so the daemon began with an EMPTY store: lists and reputations are lost"
        )
        return f"{self.path}: the store was {what}; {now_in_place}"


def recover(path: Path, now: float) -> Recovery:
    """Replace a damaged or missing store by the last good backup, or else by an empty store. Raise StoreError."""
    backup = last_good_backup(path)
    return Recovery(path, _replace(path, backup, now), backup)


def quarantine(path: Path, now: float) -> Path | None:
    """Rename the store, its -wal and its -shm to `<name>.damaged-<time>`. Return the new path; None without a store."""
    target = path.with_name(f"{path.name}.damaged-{stamp_of(now)}")
    if any(companion.exists() for companion in companions_of(target)):
        return quarantine(path, now + 1)
    exists = path.exists()
    try:
        # The file first: if it is missing, the next start recovers. If only its -wal were missing, it would be opened
        # without the last writes.
        for source, moved in zip(companions_of(path), companions_of(target), strict=True):
            if source.exists():
                source.rename(moved)
    except OSError as error:
        raise store_error(path, error) from error
    return target if exists else None


def quarantined_of(path: Path) -> list[Path]:
    """Return the quarantined store files, oldest first. Their -wal and -shm files are left out."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"))


def restore(path: Path, backup: Path, now: float) -> Path | None:
    """Replace the store by a backup, in one transaction on the same file. The daemon may be running.

    Return the backup that was made of the old store, or None if the old store was missing or damaged. A damaged store
    is quarantined. The store keeps the version of the backup until the daemon starts and migrates it. Raise StoreError.
    """
    if problem := problem_of_backup(backup):
        raise StoreError(f"{backup}: this backup is damaged ({problem}); try an older one")
    try:
        before = make_backup(path, now, keep=sys.maxsize) if path.exists() else None
    except StoreError as error:
        if not error.damaged:
            raise
        before = None
    if before is None:
        _replace(path, backup, now)
        return None
    with open_backup(backup) as source, closing(connect(path)) as target, store_errors(path):
        copy_store(source, target)
    with open_store(path, migrated=False) as db, transaction(db):
        set_state(db, RESTORED, new_id(), now)
    return before


def _replace(path: Path, backup: Path | None, now: float) -> Path | None:
    """Quarantine the store, and put a checked copy of `backup` in its place (None: an empty store).

    Return the path of the quarantined store, or None if there was no store.
    """
    ready = path.with_name(path.name + ".partial")
    try:
        _drop(ready)
        _make(ready, backup)
        quarantined = quarantine(path, now)
        ready.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise store_error(path, error) from error
    finally:
        _drop(ready)
    return quarantined


def _make(ready: Path, backup: Path | None) -> None:
    with open(ready, "xb", opener=_private) as target:  # x: follow no link that somebody has put there
        if backup is not None:
            with backup.open("rb") as source:
                shutil.copyfileobj(source, target)
    with store_errors(ready), closing(sqlite3.connect(ready, isolation_level=None)) as db:
        migrate(db)
    if problem := problem_of_backup(ready):
        raise StoreError(f"{ready}: the new store is damaged ({problem}); check the disk")
    _sync(ready)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop(ready: Path) -> None:
    for file in companions_of(ready):
        file.unlink(missing_ok=True)
