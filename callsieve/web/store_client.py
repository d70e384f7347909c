"""The console's connection to the store, opened on first use, and again after a failure or a replaced file.

The console never creates the store: it runs as another user than the daemon, which could not use that file.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from reputation.store.connection import Store, files_of
from reputation.store.errors import StoreError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

READ_SECONDS = 8.0  # includes waiting for other reads: on a busy machine a late page is better than none


class StoreClient:
    """The store at a path. `read` and `write` raise StoreError for every failure."""

    def __init__(self, path: Path, read_seconds: float = READ_SECONDS) -> None:
        self._path = path
        self._read_seconds = read_seconds
        self._store: Store | None = None
        self._files: tuple[object, ...] = ()
        self._opening: asyncio.Future[Store] | None = None

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Return the result of `fn(db, *args)`. Raise StoreError if the store cannot be read within the time limit."""
        store = await self._current()
        try:
            return await store.read(fn, *args, give_up_at=time.monotonic() + self._read_seconds)
        except TimeoutError:
            raise StoreError(
                f"{self._path}: the store did not answer within {self._read_seconds:.0f} s. Try again"
            ) from None

    async def write(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Run `fn(db, *args)` in a transaction and return its result. Raise StoreError if the write fails."""
        store = await self._current()
        return await store.write(fn, *args)

    async def open(self, seconds: float) -> None:
        """Try for at most `seconds` to open the store in advance. Errors are raised on first use instead."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(seconds):
                await self._current()

    async def close(self) -> None:
        """Close the store and stop its threads."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._close()

    async def _current(self) -> Store:
        """Return the open store. Reopen it if `callsieve db restore` has replaced the file."""
        if self._store is not None and self._is_same():
            return self._store
        if self._opening is None or self._opening.done():
            self._opening = asyncio.ensure_future(self._opened())
            self._opening.add_done_callback(_retrieve_error)
        # Opening continues when a request gives up. Otherwise a slow store would never become open.
        return await asyncio.shield(self._opening)

    async def _opened(self) -> Store:
        if files_of(self._path)[0] is None:
            raise StoreError(f"{self._path}: the store does not exist yet. Start the daemon, which creates it")
        if not self._is_same():
            await self._close()
        if self._store is None:
            self._store = await Store.open(self._path)
            self._files = files_of(self._path)
        return self._store

    async def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            await store.close()

    def _is_same(self) -> bool:
        return files_of(self._path) == self._files


def _retrieve_error(opening: asyncio.Future[Store]) -> None:
    """Retrieve the error of a failed opening, so that asyncio does not log it. Waiting requests receive it anyway."""
    if not opening.cancelled():
        opening.exception()
