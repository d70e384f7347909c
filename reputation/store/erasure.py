"""Erasing a number from the files, after its rows are deleted: the WAL, pages that SQLite has freed, and backups.

`privacy` knows the rows. Here the bytes count: a file is searched for the digits of the number, whatever they stand in
and whatever signs are between them.
"""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from reputation.store.backup import backups_of, problem_of_backup
from reputation.store.database import companions_of, open_store, truncate_wal
from reputation.store.errors import StoreError, store_error
from reputation.store.privacy import erase_number
from reputation.store.spellings import digits_in_file
from reputation.store.transaction import transaction


def clear_freed(path: Path, number: str) -> bool:
    """Makes the deletion one of the bytes. False: somebody reads the store all the time, so its WAL still has them.

    Pages that a version without secure_delete has freed keep what was in them: then all of the file is written anew.
    """
    with open_store(path) as db:
        if not truncate_wal(db):
            return False
    if not any(names_number(file, number) for file in companions_of(path)):
        return True
    with open_store(path) as db:
        db.execute("VACUUM")
        return truncate_wal(db)


def erase_from_backups(path: Path, number: str) -> Iterator[tuple[Path, str]]:
    """Writes each backup of the store that names the number anew, without it. Yields each, and why it could not be."""
    for backup in backups_of(path):
        if _may_name(backup, number):
            try:
                _erase_from_backup(backup, number)
                yield backup, ""
            except StoreError as error:
                yield backup, str(error)


def _erase_from_backup(backup: Path, number: str) -> None:
    """The age of a backup is that of what is in it, so it stays. StoreError; then the backup is as it was."""
    partial = backup.with_suffix(".partial")
    try:
        status = backup.stat()
        shutil.copyfile(backup, partial)
        partial.chmod(0o640)
        with open_store(partial) as db:
            with transaction(db):
                erase_number(db, number)
            db.execute("VACUUM")
        if problem := problem_of_backup(partial):
            raise StoreError(f"{backup}: this backup is damaged ({problem})")
        os.utime(partial, (status.st_atime, status.st_mtime))
        partial.rename(backup)
    except OSError as error:
        raise store_error(backup, error) from error
    finally:
        for file in companions_of(partial):
            file.unlink(missing_ok=True)


def files_naming(folders: Iterable[Path], number: str) -> list[Path]:
    """The files below these directories that name the number in any form, or cannot be searched, in order.

    Links are not followed.
    """
    found = {Path(root, name) for folder in folders for root, _, names in os.walk(folder) for name in names}
    return sorted(file for file in found if _may_name(file, number))


def _may_name(file: Path, number: str) -> bool:
    try:
        return names_number(file, number)
    except FileNotFoundError:  # one that went away meanwhile
        return False
    except OSError:
        return True


def names_number(file: Path, number: str) -> bool:
    """Whether the digits that all spellings of the number have in common stand in a regular file.

    Never of a store that this process has open: closing the file ends SQLite's locks on it (fcntl(2)), and a daemon
    that starts then takes the store for nobody's, and damages it.
    """
    if file.is_symlink() or not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return digits_in_file(number).search(data) is not None
