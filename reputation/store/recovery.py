"""A damaged or missing store: put the last good backup in its place, and say so loudly.

`StoreError.damaged` tells when. Whoever has the store open closes it first. The new file is made and checked beside the
old one before that is moved, so a full disk changes nothing, and after a crash at any step the next start goes on.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from reputation.ids import new_id
from reputation.store.backup import copy_store, last_good_backup, make_backup, open_backup, problem_of_backup, stamp_of
from reputation.store.database import companions_of, connect, open_store
from reputation.store.errors import StoreError, store_error, store_errors
from reputation.store.event_deliveries import RESTORED
from reputation.store.migrations import migrate
from reputation.store.outbox import set_state
from reputation.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a store. `quarantined`: None when it was missing. `backup` is in its place now; None: an empty
    store is.
    """

    path: Path
    quarantined: Path | None
    backup: Path | None

    @property
    def message(self) -> str:
        """For the log, the doctor and the console."""
        what = f"DAMAGED and is kept as {self.quarantined.name}" if self.quarantined else "MISSING"
        now_in_place = (
            f"the backup {self.backup.name} is in its place: what was learnt after it is lost"
            if self.backup
            else "no good backup was found, an EMPTY store is in its place: lists and reputations are gone"
        )
        return f"{self.path}: the store was {what}; {now_in_place}"


def recover(path: Path, now: float) -> Recovery:
    """Puts the last good backup, or an empty store, in the place of a damaged or missing store.

    Raises StoreError; then the store is as it was.
    """
    backup = last_good_backup(path)
    return Recovery(path, _replace(path, backup, now), backup)


def quarantine(path: Path, now: float) -> Path | None:
    """Renames the file and its -wal and -shm to `<name>.damaged-<time>`, where sqlite3 can still read them.

    None when there is no such file.
    """
    target = path.with_name(f"{path.name}.damaged-{stamp_of(now)}")
    if any(companion.exists() for companion in companions_of(target)):
        return quarantine(path, now + 1)
    there = path.exists()
    try:
        # The file goes first: without it the next start recovers. Without its -wal it would be opened, and lack the
        # last writes.
        for source, moved in zip(companions_of(path), companions_of(target), strict=True):
            if source.exists():
                source.rename(moved)
    except OSError as error:
        raise store_error(path, error) from error
    return target if there else None


def quarantined_of(path: Path) -> list[Path]:
    """The damaged files that were put aside, the latest last, without SQLite's companions."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"))


def restore(path: Path, backup: Path, now: float) -> Path | None:
    """Puts a backup in place, also under a running daemon: it is one transaction on the same file.

    Returns the backup that was made of the store as it was; None when there was none, or when it was damaged and
    is in quarantine. Raises StoreError.
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
    with open_store(path) as db, transaction(db):
        set_state(db, RESTORED, new_id(), now)
    return before


def _replace(path: Path, backup: Path | None, now: float) -> Path | None:
    """Copy and check, then quarantine, then rename: the path of the quarantined file, if there was one."""
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
    """A sound store of the present schema, on the disk."""
    with open(ready, "xb", opener=_private) as target:  # x: no link that somebody has put there is followed
        if backup is not None:
            with backup.open("rb") as source:
                shutil.copyfileobj(source, target)
    with store_errors(ready), closing(sqlite3.connect(ready, isolation_level=None)) as db:
        migrate(db)
    if problem := problem_of_backup(ready):
        raise StoreError(f"{ready}: the copy of {backup or 'nothing'} is damaged ({problem})")
    _sync(ready)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def _sync(path: Path) -> None:
    """A power cut finds it as it is now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop(ready: Path) -> None:
    """What a recovery left that was killed half-way."""
    for file in companions_of(ready):
        file.unlink(missing_ok=True)
