"""The parts of the daemon that run beside its calls: one that fails is named, and started again less and less often."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.install.front_context import asked_in_files, is_answered_at
from callsieve.settings import Loaded
from reputation.backoff import wait_seconds
from reputation.store.errors import StoreError
from reputation.store.standing import fold_next, use_weights

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


logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0


def trouble_with(loaded: Loaded) -> str:
    """Why calls do not reach this daemon, and the way out; empty when they do, or when the files cannot tell."""
    etc, listen = Path(loaded.settings.asterisk.etc), loaded.settings.agi.listen
    try:
        asked = asked_in_files(etc)
    except OSError:
        return ""  # the service need not be able to read Asterisk's files: `callsieve doctor` looks as root
    if asked is None or is_answered_at(asked, listen):
        return ""
    return (
        f"no call is screened: the dialplan in {etc} asks {asked}, and this daemon answers on {listen}: "
        'run `callsieve asterisk install`, then asterisk -rx "dialplan reload"'
    )


async def watch_dialplan(load: Callable[[], Loaded], tell: Callable[[str], None]) -> None:
    """Look every few seconds, and `tell` what is wrong, or that nothing is."""
    known = ""
    while True:
        found = await asyncio.to_thread(trouble_with, load())  # a disk that stalls holds up no call
        if found and found != known:
            logger.critical("%s", found)
        elif known and not found:
            logger.info("the dialplan asks this daemon again")
        known = found
        tell(found)
        await asyncio.sleep(EVERY_SECONDS)


logger = logging.getLogger("callsieve.daemon.background")

AT_ONCE = 50  # numbers in a transaction: some 5 ms
PAUSE_SECONDS = 0.02  # between two, for whoever waits to write
RETRY_SECONDS = 10.0


async def keep_folded(store: StoreSupervisor, changed: asyncio.Event) -> None:
    """Until cancelled. `changed` is set when `store.weights` are others, or the store is another one."""
    while True:
        changed.clear()
        try:
            await fold(store)
        except StoreError as error:
            logger.debug("standings wait to be folded: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await changed.wait()


async def fold(store: StoreSupervisor) -> int:
    """Folds what is still to be folded with the store's weights, and returns how many numbers that were."""
    await store.write(use_weights, store.weights)
    total = 0
    while numbers := await store.write(fold_next, AT_ONCE):
        total += numbers
        await asyncio.sleep(PAUSE_SECONDS)
    if total:
        logger.info("the weights have changed: %d numbers were folded again", total)
    return total


logger = logging.getLogger("callsieve.daemon.background")

CONSOLE_FIRST_RETRY_SECONDS = 2.0
CONSOLE_LONGEST_RETRY_SECONDS = 300.0
CONSOLE_WELL_AFTER_SECONDS = 60.0
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
        if loop.time() - began > CONSOLE_WELL_AFTER_SECONDS:
            failures = 0
        failures += 1
        seconds = wait_seconds(failures, CONSOLE_FIRST_RETRY_SECONDS, CONSOLE_LONGEST_RETRY_SECONDS)
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
