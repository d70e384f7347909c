"""The daemon's connections to its store: one reads and one writes (through aiosqlite), each in its own thread.

A read is stopped when no task waits for its result. A write that has begun is finished, even if its task is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

import aiosqlite

from reputation.facts import Facts, FactsQuery
from reputation.store.backup import make_backup
from reputation.store.database import (
    BUSY_SECONDS,
    READ_ONLY,
    connect,
    connect_read_only,
    files_of,
    is_emptied,
    is_read_only,
    keep_digests,
    log_of,
    open_store,
)
from reputation.store.errors import StoreError, primary_code, store_error, store_errors
from reputation.store.facts import facts_of
from reputation.store.transaction import begin_immediate, transaction
from reputation.weights import DEFAULT, Weights

__all__ = ["Store", "StoreError", "files_of", "open_store", "transaction"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logging.getLogger("aiosqlite").setLevel(logging.WARNING)  # at DEBUG it prints bound values: people's numbers

# Readers hardly ever wait in WAL mode. This does not limit the locks of WAL recovery (10 s). For calls, the server's
# timer and the breaker limit them.
READER_BUSY_SECONDS = 0.1
# Half of the usual size, because the daemon's two connections keep it for ever. With 100 million numbers a look-up
# reads 2.03 pages from the file instead of 1.96.
SMALL_CACHE = "PRAGMA cache_size = -4096"
# Nothing interrupts SQLite while it waits for a lock (sqlite3_interrupt does not), and its own steps grow to 0.1 s. So
# the writer waits by itself: close() need not wait, and a long import does not shut it out.
WRITER_STEP_SECONDS = 0.002
# Steps of SQLite's virtual machine between two checks whether a read is still wanted: well below 1 ms.
# A read of facts takes some 400 steps.
STEPS_BETWEEN_CHECKS = 10_000


class _Turn:
    """A queued or running read or write. It ends early at `give_up_at`, or if its future `waited_for` is cancelled."""

    __slots__ = ("give_up_at", "waited_for")

    def __init__(self, give_up_at: float) -> None:
        self.give_up_at = give_up_at
        self.waited_for: asyncio.Future[Any] | None = None

    def is_over(self) -> bool:
        left = self.waited_for is not None and self.waited_for.cancelled()
        return left or time.monotonic() >= self.give_up_at

    def check(self) -> None:
        if self.is_over():
            raise TimeoutError("the store was too busy to start this request in time")


class Store:
    """The daemon's store, opened by `Store.open`. The process cannot end before the store is closed."""

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self._path = path
        self.is_read_only = is_read_only
        self._closing = False
        self._turn = _Turn(math.inf)
        self._reader = ConnectionThread("store reader")
        self._read_ends = contextlib.ExitStack()
        self._writer = aiosqlite.Connection(self._connect_writer, iter_chunk_size=64)

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open the store. Create or migrate the file if needed, unless it is read-only. Raise StoreError."""
        # All that can fail must fail here: aiosqlite lets the thread of a connection that did not open end by itself,
        # and it cannot once the loop is closed.
        store = cls(path, is_read_only=await asyncio.to_thread(_prepare, path))
        try:
            await store._writer
            await store._reader.run(store._connect_reader)
        except BaseException:
            await store.close()
            raise
        return store

    def facts(self, query: FactsQuery, give_up_at: float, weights: Weights = DEFAULT) -> asyncio.Future[Facts]:
        """Return a future with the facts of a call. At `give_up_at`, an instant of time.monotonic(), the read stops."""
        return self._reading(give_up_at, facts_of, query, weights)

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts, give_up_at: float = math.inf) -> T:
        """Return the result of `fn(db, *args)`, run in the reader's thread. To stop the read, cancel the awaiting task.

        Raises:
            StoreError: SQLite failed.
            TimeoutError: `give_up_at`, an instant of time.monotonic(), passed before the read was done.
        """
        return await self._reading(give_up_at, fn, *args)

    async def write(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts, give_up_at: float = math.inf) -> T:
        """Return the result of `fn(db, *args)`, run in one transaction in the writer's thread.

        If the awaiting task is cancelled, the write still ends with COMMIT or ROLLBACK.

        Raises:
            StoreError: SQLite failed.
            TimeoutError: `give_up_at`, an instant of time.monotonic(), passed before COMMIT. Nothing was written.
        """
        return await asyncio.shield(self._hop(self._write, _Turn(give_up_at), fn, args))

    async def save(self, now: float) -> Path:
        """Back up the open store, even if another file is now at its path. Return the backup. Raise StoreError."""
        return await asyncio.shield(self._hop(self._save, now))

    async def is_emptied(self) -> bool:
        """Return whether another program emptied the store file or its -wal in place. Then every write fails."""
        return await asyncio.shield(self._hop(self._is_emptied))

    async def close(self) -> None:
        """End both threads after the queued work. Long reads and a wait for a database lock are stopped."""
        if self._closing:
            return
        self._closing = True
        closed = self._reader.run(self._read_ends.close)
        self._reader.stop()
        try:
            await closed
        finally:
            await self._writer.close()

    def _reading(self, give_up_at: float, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> asyncio.Future[T]:
        self._check_open()
        turn = _Turn(give_up_at)
        turn.waited_for = reading = self._reader.run(self._read, turn, fn, args)
        return reading

    async def _hop(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        self._check_open()
        # `_execute` is private, but aiosqlite has no public way to run a function in one hop. Its
        # execute, fetch and close are three hops (242 us against 83). pyproject.toml pins the version.
        result: T = await self._writer._execute(fn, *args)  # type: ignore[no-untyped-call]
        return result

    def _check_open(self) -> None:
        if self._closing:
            raise StoreError(f"{self._path}: the store is being closed")

    # In the reader's thread:

    def _connect_reader(self) -> None:
        read_only = self.is_read_only
        self._read_db = db = connect_read_only(self._path) if read_only else connect(self._path, READER_BUSY_SECONDS)
        self._read_ends.callback(db.close)
        db.execute("PRAGMA query_only = ON")
        db.execute(SMALL_CACHE)
        # Connection.interrupt() stops whatever runs when it is called. This checks the read that is running, so
        # it cannot stop another one, and it also keeps the deadline when nobody cancels.
        db.set_progress_handler(lambda: self._closing or self._turn.is_over(), STEPS_BETWEEN_CHECKS)

    def _read(self, turn: _Turn, fn: Callable[[sqlite3.Connection, *Ts], T], args: tuple[*Ts]) -> T:
        turn.check()
        self._turn = turn
        try:
            return fn(self._read_db, *args)
        except sqlite3.Error as error:
            if primary_code(error) == sqlite3.SQLITE_INTERRUPT:
                raise TimeoutError("the store did not finish this read in time") from error
            raise store_error(self._path, error) from error

    # In the writer's thread:

    def _connect_writer(self) -> sqlite3.Connection:
        if self.is_read_only:
            self._write_db = connect_read_only(self._path)
            return self._write_db
        self._write_db = db = connect(self._path)
        with store_errors(self._path):
            keep_digests(db)
        db.execute(SMALL_CACHE)
        db.execute("PRAGMA busy_timeout = 0")  # from here on `_begin` waits
        return db

    def _write(self, turn: _Turn, fn: Callable[[sqlite3.Connection, *Ts], T], args: tuple[*Ts]) -> T:
        if self.is_read_only:
            raise StoreError(f"{self._path}: {READ_ONLY}")
        if self._is_emptied():
            raise StoreError(f"{self._path}: the store's file or the -wal file beside it was emptied", damaged=True)
        with store_errors(self._path), transaction(self._write_db, lambda db: self._begin(db, turn)):
            result = fn(self._write_db, *args)
            turn.check()
            return result

    def _save(self, now: float) -> Path:
        return make_backup(self._path, now, keep=sys.maxsize, opened=self._write_db)

    def _is_emptied(self) -> bool:
        if self.is_read_only:
            return False
        try:
            return is_emptied(self._path) or (not log_of(self._path).stat().st_size and self._has_lost_log())
        except OSError:  # removed, or no permission: the supervisor handles that
            return False

    def _has_lost_log(self) -> bool:
        """Return whether another program emptied the -wal, so that SQLite cannot copy the -wal into the store file."""
        try:
            self._write_db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            return error.sqlite_errorcode == sqlite3.SQLITE_IOERR_SHORT_READ
        return False

    def _begin(self, db: sqlite3.Connection, turn: _Turn) -> None:
        give_up_at = time.monotonic() + BUSY_SECONDS
        while True:
            turn.check()
            try:
                return begin_immediate(db)
            except sqlite3.OperationalError as error:
                waiting = primary_code(error) == sqlite3.SQLITE_BUSY and not self._closing
                if not waiting or time.monotonic() >= give_up_at:
                    raise
            time.sleep(WRITER_STEP_SECONDS)


def _prepare(path: Path) -> bool:
    if is_read_only(path):
        return True
    with open_store(path):
        return False


# A thread that runs functions one after the other for an event loop, which waits for them.


class ConnectionThread:
    """A thread that runs functions for the current event loop. The process cannot end before the thread is stopped."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._waiting = SimpleQueue()
        self._answered: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_notified = False
        Thread(target=self._work, name=name).start()

    def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Queue `fn(*args)` for this thread and return a future. `fn` runs even if nobody awaits the future."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((future, fn, args))
        return future

    def stop(self) -> None:
        """End the thread after the work queued so far."""
        self._waiting.put(None)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            future, fn, args = job
            try:
                self._answered.append((future, fn(*args), None))
            except BaseException as error:  # noqa: BLE001 (raised in the waiting task)
                self._answered.append((future, None, error))
            if not self._is_notified:  # otherwise the loop is on its way and will take this answer too
                self._is_notified = True
                with contextlib.suppress(RuntimeError):  # the loop and all waiting tasks have ended
                    self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._is_notified = False
        while self._answered:
            future, result, error = self._answered.popleft()
            if future.done():  # nobody waits for it any more
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
