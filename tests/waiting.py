"""How tests wait for what happens elsewhere: they look again and again, and fail when it takes too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LONGEST_SECONDS = 20.0


async def until(holds: Callable[[], object], seconds: float = LONGEST_SECONDS) -> None:
    """Until it is so, while the loop goes on."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (what is waited for has no events)
            await asyncio.sleep(0.002)


def wait_until(holds: Callable[[], object], what: str = "it", seconds: float = LONGEST_SECONDS) -> None:
    """The same for what other threads and processes do."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not happen in time"
        time.sleep(0.005)
