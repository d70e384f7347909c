"""The process `callsieve hub run`, which exchanges rows between the store and the hub. One process runs per store.

While the hub is unreachable, the process tries again after pauses, which grow up to a limit.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from callsieve.hub.administration import address_of_site
from callsieve.hub.postgresql import FORBIDDEN, UNDEFINED, HubError, connection_to
from callsieve.hub.sync import NumbersErased, StoreReplaced, Sync
from callsieve.numbers import operations as number_operations
from callsieve.settings import Loaded
from callsieve.system import service_process
from callsieve.system.service_process import follow_signals, only_process, reloaded, run_until
from reputation.backoff import wait_seconds
from reputation.store.connection import Store
from reputation.store.errors import StoreError
from reputation.store.hub.link import note_failure

logger = logging.getLogger("callsieve.hub.process")

LOCK: Final = "hub.lock"
SERVED_ALREADY: Final = (
    "process {process} already exchanges rows with the hub: stop it first (systemctl stop callsieve-hub)"
)
FIRST_RETRY_SECONDS: Final = 0.5
# Or half of [hub] poll_seconds if that is longer: thousands of sites should come back more slowly. With this value, all
# rows are exchanged within five seconds after the hub is back.
LONGEST_RETRY_SECONDS: Final = 2.0
WELL_AFTER_SECONDS: Final = 60.0
NOT_MADE: Final = "this database is not set up as a hub, or an older CallSieve set it up: run `callsieve hub init`"


def run(load: Callable[[], Loaded]) -> None:
    """Exchange rows until SIGTERM or SIGINT. On SIGHUP, reload the settings. Raise SettingsError or AlreadyRunning."""
    loaded = load()
    with only_process(loaded.state / LOCK, SERVED_ALREADY):
        asyncio.run(_serve(load, loaded))


def run_once(loaded: Loaded) -> None:
    """Exchange all rows once, in both directions. Raise HubError, StoreError or AlreadyRunning."""
    with only_process(loaded.state / LOCK, SERVED_ALREADY):
        erased = asyncio.run(_once(loaded, _run_id()))
    _clear(loaded, erased)


async def _once(loaded: Loaded, run: str) -> frozenset[str]:
    store = await Store.open(loaded.store_path)
    try:
        async with connection_to(address_of_site(loaded)) as hub:
            await Sync(store, hub, loaded, run).once()
    except NumbersErased as done:
        return done.numbers
    finally:
        await store.close()
    return frozenset()


async def _serve(load: Callable[[], Loaded], loaded: Loaded) -> None:
    stop, reload = follow_signals()
    watchdog = asyncio.create_task(service_process.run_watchdog())
    service_process.ready()
    failures, run = 0, _run_id()
    while not stop.is_set():
        if reload.is_set():
            reload.clear()
            loaded = reloaded(load, loaded, logger)
        began = time.monotonic()
        try:
            await run_until(_share(loaded, run), stop, reload)
        except NumbersErased as done:
            await asyncio.to_thread(_clear, loaded, done.numbers)
            continue
        except StoreReplaced:
            logger.warning("store file replaced: opening it again")
        except (HubError, StoreError) as error:
            failures = 1 if time.monotonic() - began > WELL_AFTER_SECONDS else failures + 1
            words = words_of(error)
            logger.log(logging.WARNING if failures == 1 else logging.DEBUG, "exchange with the hub failed: %s", words)
            # Many sites lose a hub at the same moment. Random pauses keep them from coming back at once.
            longest = max(LONGEST_RETRY_SECONDS, loaded.settings.hub.poll_seconds / 2)
            seconds = wait_seconds(failures, FIRST_RETRY_SECONDS, longest) * random.uniform(0.5, 1.0)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)
    service_process.stopping()
    watchdog.cancel()
    await asyncio.gather(watchdog, return_exceptions=True)
    logger.info("stopped")


def words_of(error: Exception) -> str:
    """Return the text of an error of the hub, with a remedy if one is known."""
    if isinstance(error, HubError) and error.code in UNDEFINED:
        return NOT_MADE
    if isinstance(error, HubError) and error.code == FORBIDDEN:
        return f"{error} (`callsieve hub sites` at another site shows whether this site was expelled)"
    return str(error)


def _run_id() -> str:
    return secrets.token_hex(8)


async def _share(loaded: Loaded, run: str) -> None:
    store = await Store.open(loaded.store_path)
    try:
        async with connection_to(address_of_site(loaded)) as hub:
            await Sync(store, hub, loaded, run).run()
    except HubError as error:
        with suppress(StoreError):
            await store.write(note_failure, time.time(), words_of(error))
        raise
    finally:
        await store.close()


def _clear(loaded: Loaded, numbers: frozenset[str]) -> None:
    """Remove erased numbers from freed pages of the store's file and from backups. The store must be closed."""
    for number in sorted(numbers):
        is_clear, problems = number_operations.clear_files(loaded, number)
        if not is_clear or problems:
            logger.warning(
                "number erased at the request of another site, but files of this site still contain it: "
                "run callsieve privacy erase"
            )
