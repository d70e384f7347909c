"""A damaged store: quarantine the file, put the last good backup in its place, and say so loudly.

`StoreError.damaged` tells when. Whoever has the store open closes it first.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from reputation.store.backup import copy_store, last_good_backup, make_backup, open_backup, problem_of_backup, stamp_of
from reputation.store.errors import StoreError, store_error, store_errors
from reputation.store.file import connect, open_store

# SQLite's own companions of a file in WAL mode.
COMPANIONS = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a damaged store. `backup` is in its place now; None: an empty store is."""

    path: Path
    quarantined: Path
    backup: Path | None

    @property
    def message(self) -> str:
        """For the log, the doctor and the console."""
        now_in_place = (
            f"the backup {self.backup.name} is in its place: what was learnt after it is lost"
            if self.backup
            else "no good backup was found, an EMPTY store is in its place: lists and reputations are gone"
        )
        return f"{self.path}: the store was DAMAGED and is kept as {self.quarantined.name}; {now_in_place}"


def recover(path: Path, now: float) -> Recovery:
    """Quarantines the file and puts the last good backup, or an empty store, in its place.

    Raises StoreError.
    """
    backup = last_good_backup(path)
    quarantined = quarantine(path, now)
    if backup:
        _put_in_place(backup, path)
    with open_store(path):
        pass
    return Recovery(path, quarantined, backup)


def quarantine(path: Path, now: float) -> Path:
    """Renames the file and its -wal and -shm to `<name>.damaged-<time>`, where sqlite3 can still read them."""
    target = path.with_name(f"{path.name}.damaged-{stamp_of(now)}")
    try:
        for companion in COMPANIONS:
            source = path.with_name(path.name + companion)
            if source.exists():
                source.rename(target.with_name(target.name + companion))
    except OSError as error:
        raise store_error(path, error) from error
    return target


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
        quarantine(path, now)
        before = None
    with open_backup(backup) as source, closing(connect(path)) as target, store_errors(path):
        copy_store(source, target)
    with open_store(path):
        pass
    return before


def _put_in_place(backup: Path, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        shutil.copyfile(backup, partial)
        partial.chmod(0o640)
        partial.rename(path)
    except OSError as error:
        raise store_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)
