"""Create and open the store's file, without asyncio, and keep checksums of the allowlists and blocklists.

If a program other than CallSieve changed a list, a blocked caller could get in. SQLite's own checks would not notice.
So each list has a checksum, the sum of the checksums of its rows. Triggers update the checksum. They belong to the
connection, not to the file, so only writes by CallSieve run them.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from operator import attrgetter
from pathlib import Path

from reputation.model import AuthClass, CallerKind
from reputation.store.errors import StoreError, primary_code, store_error, store_errors
from reputation.store.migrations import migrate, pending
from reputation.store.transaction import begin_reading, transaction

BYTES = 7
MODULUS = 1 << (8 * BYTES)  # the sum of two is still an integer to SQLite

# Table -> the list of a row, with {} for the row. Calls are matched by prefixes, which are rows of their own.
LISTS = {"list_entry": "{}.list", "list_prefix": "'prefixes'", "personal_entry": "'personal'"}
NAMES = ("allow", "block", "prefixes", "personal")

# A table that exists until the checksums are first made, and the migration that has made it.
UNMADE = "list_digest_unmade"
MADE_BY = 54

ADD = "UPDATE list_digest SET digest = (digest + row_digest({row})) % {modulus} WHERE list = {of};"
TAKE = "UPDATE list_digest SET digest = (digest + {modulus} - row_digest({row})) % {modulus} WHERE list = {of};"
TRIGGERS = {"INSERT": ("", "NEW"), "DELETE": ("OLD", ""), "UPDATE": ("OLD", "NEW")}


def keep_digests(db: sqlite3.Connection) -> None:
    """Make writes by this connection update the checksums of the lists. Compute missing checksums first."""
    _can_digest(db)
    for table, of in LISTS.items():
        columns = _columns(db, table)
        for event, (old, new) in TRIGGERS.items():
            body = "".join(
                sql.format(row=", ".join(f"{row}.{column}" for column in columns), of=of.format(row), modulus=MODULUS)
                for sql, row in ((TAKE, old), (ADD, new))
                if row
            )
            db.execute(f"CREATE TEMP TRIGGER {table}_{event} AFTER {event} ON main.{table} BEGIN {body} END")
    if _has_table(db, UNMADE):
        with transaction(db):
            if _has_table(db, UNMADE) and not _kept(db):  # another program may have been faster
                accept_lists(db)
            db.execute(f"DROP TABLE IF EXISTS {UNMADE}")


def changed_lists(db: sqlite3.Connection) -> list[str]:
    """Return the lists that a program other than CallSieve has changed; all lists if the checksums are missing."""
    with transaction(db, begin_reading):  # else a list that the daemon writes meanwhile looks changed
        if not _has_table(db, "list_entry") or _has_table(db, UNMADE):
            return []
        kept = _kept(db) if _has_table(db, "list_digest") else {}
        if not kept and not db.execute("SELECT 1 FROM migration WHERE version >= ?", (MADE_BY,)).fetchone():
            return []
        return [name for name, digest in _digests(db).items() if kept.get(name) != digest]


def accept_lists(db: sqlite3.Connection) -> None:
    """Store the checksums of the lists as they are now. Call it in a transaction."""
    db.executemany("INSERT OR REPLACE INTO list_digest (list, digest) VALUES (?, ?)", _digests(db).items())


def _has_table(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone() is not None


def _kept(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT list, digest FROM list_digest"))


def _digests(db: sqlite3.Connection) -> dict[str, int]:
    _can_digest(db)
    sums = dict.fromkeys(NAMES, 0)
    for table, of in LISTS.items():
        row = ", ".join(f"{table}.{column}" for column in _columns(db, table))
        for name, digest in db.execute(f"SELECT {of.format(table)}, row_digest({row}) FROM {table}"):
            sums[name] = (sums[name] + digest) % MODULUS
    return sums


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _can_digest(db: sqlite3.Connection) -> None:
    db.create_function("row_digest", -1, _row_digest, deterministic=True)


def _row_digest(*values: str | float | None) -> int:
    """Return a checksum of a row's values. 1 and 1.0 give the same checksum: SQLite may store one as the other."""
    plain = [float(value) if isinstance(value, int) else value for value in values]
    return int.from_bytes(hashlib.blake2b(repr(plain).encode(), digest_size=BYTES).digest())


# Every decision has values of these types. Python's sqlite3 would look for an adapter each time, 2 us per value.
for _kind in (AuthClass, CallerKind):
    sqlite3.register_adapter(_kind, attrgetter("_value_"))
sqlite3.register_adapter(bool, int)

BUSY_SECONDS = 5.0
CHECKPOINT_STEP_SECONDS = 0.1
CHECKPOINT_TRIES = 20
LEAST_PAGE = 512  # bytes; no store is smaller
LOG_HEADER = 32  # bytes
LOG_BEGINS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
LOST = "the store is missing or empty, but existed before: start the daemon or run `callsieve db restore`"
READ_ONLY = "the store is read-only (its disk or directory cannot be written): nothing is recorded"
BACKUP_PREFIX = "callsieve-"

# synchronous=NORMAL: a power cut may lose the last commits but never damages a WAL file. No mmap: an I/O
# error would be a SIGBUS. The cache is small (8 MB): the system's own page cache holds the file anyway.
# secure_delete: what is deleted is personal data, and its bytes are overwritten.
PRAGMAS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -8192",
    "PRAGMA mmap_size = 0",
    "PRAGMA journal_size_limit = 33554432",
)


def companions_of(path: Path) -> list[Path]:
    """Return the paths of the store file, its -wal and its -shm."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def files_of(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Return device and inode of the store file, its -wal and its -shm; None for a file that is missing."""
    return tuple(map(_identity, companions_of(path)))


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def is_emptied(path: Path) -> bool:
    """Return whether the store file was emptied in place, or its -wal was emptied and then written to.

    The store file is not opened, because a process that closes it loses its SQLite locks on it.
    """
    if path.stat().st_size < LEAST_PAGE:
        return True
    with log_of(path).open("rb") as log:
        begin = log.read(LOG_HEADER)
    return bool(begin) and not begin.startswith(LOG_BEGINS)


def log_of(path: Path) -> Path:
    """Return the path of the store's -wal file."""
    return path.with_name(f"{path.name}-wal")


def backup_directory(path: Path) -> Path:
    """Return the directory of the store's backups."""
    return path.parent / "backups"


def is_lost(path: Path) -> bool:
    """Return whether the store is missing or empty although backups, quarantined files or a -wal exist."""
    if path.exists() and path.stat().st_size:
        return False
    backups = backup_directory(path).glob(f"{BACKUP_PREFIX}*.db")
    damaged = path.parent.glob(f"{path.name}.damaged-*")
    log = log_of(path)
    return any(backups) or any(damaged) or (log.exists() and log.stat().st_size > 0)


def connect(path: Path, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Return a connection in autocommit mode. The file is created if needed, but not migrated. Raise StoreError."""
    with store_errors(path):
        create_file(path)
        db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            _use_wal(db)
            for pragma in PRAGMAS:
                db.execute(pragma)
        except BaseException:
            db.close()
            raise
    return db


def is_read_only(path: Path) -> bool:
    """Return whether the store exists but cannot be written, or a -wal is needed and cannot be created."""
    needed = (path,) if os.path.exists(log_of(path)) else (path, path.parent)  # False without the permission to look
    return os.path.isfile(path) and not all(os.access(file, os.W_OK, effective_ids=True) for file in needed)


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read. It creates no files. Raise StoreError if the store needs a migration."""
    # SQLite cannot create -wal and -shm here. With `immutable`, which says that nobody writes, it needs neither.
    alone = "" if log_of(path).exists() else "&immutable=1"
    with store_errors(path):
        uri = f"{path.absolute().as_uri()}?mode=ro{alone}"
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            if waiting := pending(db):
                raise StoreError(
                    f"{path}: {READ_ONLY}, and {len(waiting)} migrations are missing: make the store writable"
                )
        except BaseException:
            db.close()
            raise
    return db


def truncate_wal(db: sqlite3.Connection) -> bool:
    """Empty the -wal after a deletion, without blocking writers. Return False if readers still use the -wal."""
    db.execute(f"PRAGMA busy_timeout = {int(1000 * CHECKPOINT_STEP_SECONDS)}")
    try:
        for _ in range(CHECKPOINT_TRIES):
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return True
            time.sleep(CHECKPOINT_STEP_SECONDS)
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}")


@contextmanager
def open_store(path: Path, *, migrated: bool = True) -> Iterator[sqlite3.Connection]:
    """Open the store and close it after the block. `migrated`: whether to migrate the store first. Raise StoreError."""
    with closing(connect(path)) as db, store_errors(path):
        if migrated:
            migrate(db)
            keep_digests(db)
        yield db


def create_file(path: Path) -> None:
    """Create the directory (0750) and an empty file (0640), if missing. SQLite copies the mode to -wal and -shm."""
    try:
        if is_lost(path):
            raise StoreError(f"{path}: {LOST}", damaged=True)
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o640))
    except OSError as error:
        raise store_error(path, error) from error


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to WAL mode. Try again if another program does the same, because SQLite does not wait for this lock."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up_at:
                raise
        time.sleep(0.01)
