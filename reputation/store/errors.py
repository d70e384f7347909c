"""Errors of the store as messages for the administrator: the file, what happened, and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(Exception):
    """The error for a failed operation on the store. `damaged`: whether the file is damaged and needs a recovery."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged


# Primary result codes of SQLite (sqlite.org/rescode.html) that mean a broken file.
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_NO_PERMISSION = "no permission to open or write the file; run this as the file's owner, or check the directory"
_LOCKED = "another program has locked the file for 5 s; end that program or wait for its end, and try again"
_FULL = "the disk is full, or the file may not grow; free some space and try again"

TROUBLE = {
    sqlite3.SQLITE_CORRUPT: "the store is damaged; `callsieve db restore` restores the last good backup",
    sqlite3.SQLITE_NOTADB: "this is not a CallSieve store, or it is damaged; `callsieve db restore` replaces the file",
    sqlite3.SQLITE_PERM: _NO_PERMISSION,
    sqlite3.SQLITE_CANTOPEN: _NO_PERMISSION,
    sqlite3.SQLITE_READONLY: _NO_PERMISSION,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: "reading or writing failed; look for a full or failing disk (`df`, `dmesg`)",
}


def store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Convert an error of SQLite or of the operating system to a StoreError with a message."""
    if isinstance(error, OSError):
        trouble = _NO_PERMISSION if isinstance(error, PermissionError) else "the file cannot be used"
        return StoreError(f"{path}: {trouble} ({error.strerror or error})")
    code = primary_code(error)
    return StoreError(f"{path}: {TROUBLE.get(code, 'SQLite failed')} ({error})", damaged=code in DAMAGE)


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, or 0 if the error comes from Python's module and not from SQLite."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Convert SQLite errors in the block to StoreError, except constraint violations and misuse, which are bugs."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        raise store_error(path, error) from error
