"""The parts of the daemon that run beside its calls: one that fails is named, and started again less and less often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

from reputation.backoff import wait_seconds

logger = logging.getLogger("callsieve.daemon.background")

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
WELL_AFTER_SECONDS = 600.0  # longer than any wait: a part that fails each time is named all the time

Part = Callable[[], Coroutine[None, None, None]]


class BackgroundParts:
    """Coroutines that run until the daemon stops. None of them can take the serving down with it."""

    def __init__(self) -> None:
        self._failed_at: dict[str, float] = {}

    def start(self, part: Part, stack: AsyncExitStack) -> None:
        """Run the part until the stack is closed."""
        stack.push_async_callback(_end, asyncio.create_task(self._keep(part), name=part.__name__))

    def failed(self) -> list[str]:
        """Return the names of the parts that failed in the last WELL_AFTER_SECONDS."""
        now = time.monotonic()
        return [name for name, at in self._failed_at.items() if now - at < WELL_AFTER_SECONDS]

    async def _keep(self, part: Part) -> None:
        name = part.__name__.strip("_").replace("_", " ")
        failures = 0
        while True:
            began = time.monotonic()
            try:
                return await part()
            except Exception:
                failures = failures + 1 if time.monotonic() - began < WELL_AFTER_SECONDS else 1
                seconds = wait_seconds(failures, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
                logger.exception(
                    "a part of the daemon failed (%s): again in %.0f s; calls are not affected", name, seconds
                )
                self._failed_at[name] = time.monotonic()
            await asyncio.sleep(seconds)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
