"""What waits to be looked at is bounded and in order, and what did not fit is a gap."""

from __future__ import annotations

import asyncio
import time

import pytest

from ami_listener.framing import EventQueue, Gap, Notice, Packet, Received
from tests.waiting import until

HUNDRED = Packet("x" * 100, "")
EVENT = Packet("Event: Newchannel", "Newchannel")


async def all_of(inbox: EventQueue) -> list[Notice]:
    inbox.close()
    return [notice async for notice in inbox.notices()]


async def test_everything_comes_out_in_order() -> None:
    inbox = EventQueue()
    inbox.put(EVENT, 1.0)
    inbox.put_gap(Gap(3.0, 2.0, "lost"))
    inbox.put(EVENT, 5.0)
    assert (inbox.oldest_at, inbox.waiting, inbox.received, inbox.received_at) == (1.0, 3, 2, 5.0)
    assert await all_of(inbox) == [
        Received(1.0, EVENT),
        Gap(3.0, 2.0, "lost"),
        Received(5.0, EVENT),
    ]
    assert inbox.oldest_at is None


async def test_events_beyond_the_limit_are_counted_as_a_gap() -> None:
    inbox = EventQueue(limit=300)
    for at in range(10):
        inbox.put(HUNDRED, at)
    assert (inbox.dropped, inbox.gaps) == (7, 1)
    notices = await all_of(inbox)
    assert [notice.at for notice in notices] == [0, 1, 2, 3]
    assert isinstance(notices[3], Gap)


async def test_full_queue_accepts_packets_again_when_half_empty() -> None:
    inbox = EventQueue(limit=400)
    for at in range(5):
        inbox.put(HUNDRED, at)
    notices = inbox.notices()
    await anext(notices)
    inbox.put(HUNDRED, 5)  # there is room, but not enough to begin again
    assert inbox.dropped == 2
    await anext(notices)
    inbox.put(HUNDRED, 6)
    assert [type(notice) for notice in await all_of(inbox)] == [Received, Received, Gap, Received]
    assert (inbox.dropped, inbox.gaps) == (2, 1)


async def test_consumer_waits_for_events_and_ends_when_closed() -> None:
    inbox = EventQueue()
    seen = []

    async def consume() -> None:
        async for notice in inbox.notices():
            seen.append(notice.at)

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    for at in (1, 2):
        inbox.put(EVENT, at)
        await until(lambda at=at: len(seen) == at)  # type: ignore[misc]
    inbox.put(EVENT, 3)
    inbox.close()
    await asyncio.wait_for(consumer, 20)
    assert seen == [1, 2, 3]


async def test_many_events_do_not_block_other_tasks() -> None:
    inbox = EventQueue()
    for at in range(100_000):
        inbox.put(EVENT, at)
    others, longest = 0, 0.0

    async def consume() -> None:
        async for _ in inbox.notices():
            pass

    inbox.close()
    consumer = asyncio.create_task(consume())
    while not consumer.done():
        before = time.thread_time()  # ours alone: others may hold up this machine
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
        others += 1
    assert others > 10
    assert longest < 0.05


@pytest.mark.parametrize("size", [1, 17, 300])
async def test_limit_of_the_queue_is_in_characters(size: int) -> None:
    inbox = EventQueue(limit=3000)
    for at in range(4000):
        inbox.put(Packet("x" * size, ""), at)
    assert sum(len(notice.packet.text) for notice in await all_of(inbox) if isinstance(notice, Received)) <= 3000
