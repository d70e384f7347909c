"""Keeps the store's sums at the weights of the settings: once they have changed, all standings are folded again."""

from __future__ import annotations

import asyncio
import logging

from callsieve.daemon.store_supervisor import StoreSupervisor
from reputation.store.errors import StoreError
from reputation.store.standing import fold_next, use_weights

logger = logging.getLogger("callsieve.daemon.recompute")

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
