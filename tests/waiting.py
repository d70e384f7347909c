"""Waiting in tests: poll a condition until a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LONGEST_SECONDS = 45.0  # seven processes of tests share two cores
# Seconds between two polls: short at first, longer later.
FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.02


async def until(holds: Callable[[], object], seconds: float = LONGEST_SECONDS) -> None:
    """Wait until the condition holds, while the loop runs."""
    pause = FIRST_PAUSE_SECONDS
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)


def wait_until(holds: Callable[[], object], what: str = "it", seconds: float = LONGEST_SECONDS) -> None:
    """Wait until other threads or processes make the condition true."""
    give_up_at, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not happen in time"
        time.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)
