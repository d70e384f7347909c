"""The process `callsieve events send`. One process per store runs until SIGTERM. On SIGHUP it reloads the settings."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress

from callsieve.capability import Capabilities
from callsieve.events.checks import scheduled_checks
from callsieve.events.receivers.build import StatesInStore, open_receivers
from callsieve.events.sender import Sender, StoreChanged
from callsieve.settings import Loaded
from callsieve.system.service_process import follow_signals, only_process, reloaded, run_until
from reputation.backoff import wait_seconds
from reputation.store.connection import Store
from reputation.store.errors import StoreError

logger = logging.getLogger("callsieve.events.process")

LOCK = "events.lock"
SENT_ALREADY = "process {process} already sends events: stop it first (systemctl stop callsieve-events)"
MOST_THREADS = 256


def run(load: Callable[[], Loaded], capabilities: Capabilities) -> None:
    """Send events until SIGTERM or SIGINT. Raise SettingsError, or AlreadyRunning if another process sends."""
    loaded = load()
    with only_process(loaded.state / LOCK, SENT_ALREADY):
        asyncio.run(_serve(load, loaded, capabilities))


async def _serve(load: Callable[[], Loaded], loaded: Loaded, capabilities: Capabilities) -> None:
    stop, reload = follow_signals()
    # Looking up a name whose server does not answer blocks a thread for as long as resolv.conf says.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_THREADS, "events"))
    failures = 0
    while not stop.is_set():
        if reload.is_set():
            reload.clear()
            loaded = reloaded(load, loaded, logger)
        try:
            await _send(loaded, capabilities, stop, reload)
            failures = 0
        except StoreError as error:
            failures += 1
            logger.log(logging.ERROR if failures == 1 else logging.DEBUG, "sending events failed: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_seconds(failures))
        except StoreChanged:
            logger.warning("store file replaced or restored: opening it again")
    logger.info("stopped")


async def _send(loaded: Loaded, capabilities: Capabilities, stop: asyncio.Event, reload: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        store = await Store.open(loaded.store_path)
        stack.push_async_callback(store.close)
        receivers = await open_receivers(loaded, StatesInStore(store), stack, capabilities)
        sender = Sender(store, loaded, receivers, scheduled_checks(capabilities))
        stack.push_async_callback(sender.close)
        names = ", ".join(receiver.name for receiver in receivers) or "no receivers, because the settings name none"
        logger.info("sending events to %s", names)
        await run_until(sender.run(), stop, reload)
