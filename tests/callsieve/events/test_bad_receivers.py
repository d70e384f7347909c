"""Bad web servers do not delay a good one."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from callsieve.events.kinds import KINDS, EventKind
from callsieve.events.receivers.build import Webhook
from callsieve.outside.http_client import OutsideClient
from reputation.store.database import open_store
from reputation.store.event_deliveries import ReceiverState, receiver_states
from reputation.store.outbox import add_event
from reputation.store.transaction import transaction
from tests.callsieve.events.hooks import SECRET, Posted, accept, hook_server, http, skip_digests
from tests.callsieve.events.test_sender import running_sender
from tests.waiting import until

KIND = EventKind.NUMBER_MARKED
SUBJECTS = 50
EVENTS = 300


async def silent(_posted: Posted) -> bytes:
    await asyncio.sleep(3600)
    return b""


async def endless(_posted: Posted) -> bytes:
    piece = b"10000\r\n" + bytes(65_536) + b"\r\n"
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + 3 * piece


async def lying(_posted: Posted) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnone"


async def overloaded(_posted: Posted) -> bytes:
    return http(503, retry_after="3600")


async def failing(_posted: Posted) -> bytes:
    return http(500)


async def refusing(_posted: Posted) -> bytes:
    return http(422)


ANSWERS = {
    "well": accept,
    "silent": silent,
    "endless": endless,
    "lying": lying,
    "overloaded": overloaded,
    "failing": failing,
    "refusing": refusing,
}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        skip_digests(opened)
        yield opened


async def test_bad_receivers_do_not_delay_others(
    tmp_path: Path, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(hook_server(answer)) for name, answer in ANSWERS.items()}
        tables = [server.table(name) for name, server in servers.items()]
        tables.append(servers["well"].table("closed", url="http://127.0.0.1:1/"))
        clients = [await stack.enter_async_context(OutsideClient()) for _ in tables]
        hooks = [Webhook(table, client) for table, client in zip(tables, clients, strict=True)]
        await stack.enter_async_context(running_sender(tmp_path / "callsieve.db", *hooks))
        for place in range(EVENTS):
            with transaction(db):
                add_event(db, KIND, f"subject {place % SUBJECTS}", time.time(), KINDS[KIND].sample)
        await until(lambda: len(set(servers["well"].ids)) == EVENTS)
        await until(lambda: of(db)["webhook/refusing"].dead_letters == EVENTS)
        found = of(db)
    assert len(servers["well"].posted) == EVENTS
    for name in ("silent", "endless", "lying", "overloaded", "failing", "closed"):
        state = found[f"webhook/{name}"]
        assert (state.delivered, state.waiting) == (0, EVENTS), name
        if name != "silent":
            assert state.failed > 0, name
    # It asked for an hour, so no event is sent twice. A lost answer frees the place for another event.
    assert len(servers["overloaded"].posted) <= SUBJECTS


def of(db: sqlite3.Connection) -> dict[str, ReceiverState]:
    return {state.name: state for state in receiver_states(db)}
