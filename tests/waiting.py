"""How tests wait for what happens elsewhere: they look again and again, and fail when it takes too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LONGEST_SECONDS = 45.0  # seven processes of tests share two cores
# Between two looks: soon at first, and seldom enough later that waiting costs little.
FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.02


async def until(holds: Callable[[], object], seconds: float = LONGEST_SECONDS) -> None:
    """Until it is so, while the loop goes on."""
    pause = FIRST_PAUSE_SECONDS
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)


def wait_until(holds: Callable[[], object], what: str = "it", seconds: float = LONGEST_SECONDS) -> None:
    """The same for what other threads and processes do."""
    give_up_at, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not happen in time"
        time.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)
