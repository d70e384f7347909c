"""The console beside the daemon, where `[web] enabled` says so: another process, behind all that answers calls.

It is started again when it ends, less and less often, and nothing that happens to it reaches a call.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable

from callsieve.settings import Loaded
from reputation.backoff import wait_seconds

logger = logging.getLogger("callsieve.daemon.console_process")

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 300.0
WELL_AFTER_SECONDS = 60.0
END_SECONDS = 1.0


async def keep_console(load: Callable[[], Loaded]) -> None:
    """Run the console for as long as the task does; nothing where it is not enabled."""
    loaded = load()
    if not loaded.settings.web.enabled:
        return
    failures = 0
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        code = await _run(loaded)
        if loop.time() - began > WELL_AFTER_SECONDS:
            failures = 0
        failures += 1
        seconds = wait_seconds(failures, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        logger.warning("the console ended with %s: again in %.0f s; calls are not affected", code, seconds)
        await asyncio.sleep(seconds)


async def _run(loaded: Loaded) -> int:
    """One life of it. It ends by itself when its standard input does: when we do, even by SIGKILL."""
    words = [sys.executable, "-P", "-m", "callsieve.main.console_main", *([str(loaded.file)] if loaded.file else [])]
    process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.PIPE)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
