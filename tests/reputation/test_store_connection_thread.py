"""A thread that runs functions for an event loop: in order, whatever they raise and whoever is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from reputation.store.connection import ConnectionThread


@pytest.fixture
async def thread() -> AsyncIterator[ConnectionThread]:
    made = ConnectionThread("a thread of a test")
    yield made
    made.stop()


async def test_functions_run_in_order_in_one_thread(thread: ConnectionThread) -> None:
    ran: list[int] = []

    def run(number: int) -> int:
        ran.append(number)
        return threading.get_ident()

    threads = await asyncio.gather(*(thread.run(run, number) for number in range(99)))
    assert ran == list(range(99))
    assert set(threads).isdisjoint({threading.get_ident()})
    assert len(set(threads)) == 1


async def test_an_exception_is_raised_at_the_await(thread: ConnectionThread) -> None:
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    assert await thread.run(lambda: 2) == 2


async def test_a_cancelled_function_does_not_stop_the_next(thread: ConnectionThread) -> None:
    goes_on = threading.Event()
    first, second = thread.run(goes_on.wait), thread.run(lambda: 2)
    first.cancel()
    goes_on.set()
    assert await second == 2


async def test_queued_functions_run_before_the_thread_ends(thread: ConnectionThread) -> None:
    before = {item.name for item in threading.enumerate()}
    one = ConnectionThread("one that ends")
    last = one.run(threading.current_thread)
    one.stop()
    (await last).join(20)
    assert {item.name for item in threading.enumerate()} == before
