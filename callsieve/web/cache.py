"""What takes a while to find out, kept for a while: everybody who asks meanwhile gets what was found last."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger("callsieve.web")

STALE_SECONDS = 3600.0


class Cache(Generic[T]):
    """Values by key, of which there must be few. Fresh for `seconds`; then the old one is still given, while a new one
    is found in the background, until it is STALE_SECONDS old: then whoever asks waits.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: dict[str, tuple[float, T]] = {}
        self._finding: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        """The value. Raises what `find` raises, where there is no old one to give."""
        at, value = self._found.get(key, (-STALE_SECONDS, None))
        age = time.monotonic() - at
        if age < self._seconds and value is not None:
            return value
        task = self._finding.get(key)
        if task is None or task.done():
            task = self._finding[key] = asyncio.ensure_future(self._find(key, find))
            task.add_done_callback(_log)
        if value is not None and age < STALE_SECONDS:
            return value
        return await asyncio.shield(task)

    async def _find(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        value = await find()
        self._found[key] = (time.monotonic(), value)
        return value


def _log(task: asyncio.Task[T]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("%s", error)
