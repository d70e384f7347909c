"""The page and its backend in two processes: what goes between them, and what a page that was taken over gets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from callsieve.changes.operation import Refused
from callsieve.public_page.backend import Backend
from callsieve.public_page.wire import LENGTH_BYTES, MOST_BYTES, TYPES, BackendClient, question_of, serve_backend
from callsieve.web.throttle import CODES_A_DAY
from callsieve.web.tokens import hash_of, new_token
from reputation.appeals import AppealStep
from reputation.site_names import new_id
from reputation.store.appeals import all_appeals, take_step
from reputation.store.errors import StoreError
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.test_documents import PDF

REFERENCE = "7KQ2M4XA"


@asynccontextmanager
async def served(office: Office) -> AsyncIterator[tuple[BackendClient, asyncio.Task[None]]]:
    """A client, and the task that answers it."""
    backend = Backend(office.load, office.clock)
    ours, theirs = socket.socketpair()
    serving = asyncio.ensure_future(serve_backend(backend, *await asyncio.open_unix_connection(sock=ours)))
    await asyncio.sleep(0)
    client = await asyncio.to_thread(BackendClient, theirs)
    await client.open()
    try:
        yield client, serving
    finally:
        await client.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await backend.close()


@pytest.fixture
def link(office: Office) -> str:
    add_calls(office, make_decision(REFERENCE))
    return hash_of(new_token())


async def test_backend_answers_every_method_of_the_page(office: Office, link: str) -> None:
    async with served(office) as (page, _):
        assert page.public.name == "Example Ltd"
        held = await page.ask(Backend.look_up, REFERENCE)
        assert held is not None
        await page.ask(Backend.file, REFERENCE, "Carol", "carol@example.com", "Parcels.", link)
        (appeal,) = office.read(all_appeals)
        office.write(take_step, appeal.reference, AppealStep.PROVE, NOW)
        await page.ask(Backend.attach, link, "letter", PDF)
        status, view = await page.ask(Backend.status, link), await page.ask(Backend.view, link)
        assert status is not None
        assert [document.name for document in status.documents] == ["letter.pdf"]
        assert view is not None
        assert view.number == CALLER
        assert (await page.ask(Backend.marks)).examples
        assert await page.ask(Backend.check, appeal.reference, "0" * 32) is None
        with pytest.raises(Refused) as refused:
            await page.ask(Backend.make_code, link)
        assert refused.value.code == "no-proof"


async def test_keyword_arguments_are_transmitted(office: Office, link: str) -> None:
    async with served(office) as (page, _):
        assert await page.ask(Backend.look_up, reference=REFERENCE) is not None
        await page.ask(Backend.file, REFERENCE, "Carol", link=link, statement="Parcels.", contact="carol@example.com")
    (appeal,) = office.read(all_appeals)
    assert (appeal.contact, appeal.statement) == ("carol@example.com", "Parcels.")


async def test_concurrent_answers_match_their_questions(office: Office, link: str) -> None:
    async with served(office) as (page, _):
        wanted = [REFERENCE if n % 3 else "ZZZZZZZZ" for n in range(200)]
        answers = await asyncio.gather(*(page.ask(Backend.look_up, item) for item in wanted))
        assert [answer is not None for answer in answers] == [item == REFERENCE for item in wanted]


async def test_thousand_wrong_references_keep_the_connection_open(office: Office, link: str) -> None:
    async with served(office) as (page, _):
        for _ in range(1100):
            assert await page.ask(Backend.look_up, new_id()) is None
        assert await page.ask(Backend.look_up, REFERENCE) is not None
        await page.ask(Backend.file, REFERENCE, "Carol", "carol@example.com", "Parcels.", link)


async def test_backend_limits_codes_a_day(office: Office, link: str) -> None:
    async with served(office) as (page, _):
        await page.ask(Backend.file, REFERENCE, "Carol", "carol@example.com", "Parcels.", link)
        for _ in range(CODES_A_DAY):
            await page.ask(Backend.make_code, link)
        with pytest.raises(Refused):
            await page.ask(Backend.make_code, link)


async def test_store_error_reaches_the_page(office: Office) -> None:
    office.store.unlink()
    async with served(office) as (page, _):
        with pytest.raises(StoreError):
            await page.ask(Backend.look_up, REFERENCE)


def frame(*question: Any) -> bytes:
    raw = msgspec.msgpack.encode(question)
    return len(raw).to_bytes(LENGTH_BYTES, "big") + raw


HOSTILE = [
    pytest.param(frame(1, "close", []), id="another-method"),
    pytest.param(frame(1, "__init__", ["x"]), id="a-method-of-python"),
    pytest.param(frame(1, "look_up", []), id="too-few"),
    pytest.param(frame(1, "look_up", ["x", "y"]), id="too-many"),
    pytest.param(frame(1, "look_up", [7]), id="another-type"),
    pytest.param(frame(1, "attach", ["x", "y", "z"]), id="text-for-bytes"),
    pytest.param(frame(1, "look_up", [{"a": 1}]), id="a-table"),
    pytest.param(frame("look_up"), id="no-question"),
    pytest.param(b"\x00\x00\x00\x03abc", id="no-messagepack"),
    pytest.param((MOST_BYTES + 1).to_bytes(LENGTH_BYTES, "big"), id="too-long"),
]


@pytest.mark.parametrize("raw", HOSTILE)
async def test_malformed_frame_closes_the_connection(office: Office, raw: bytes) -> None:
    async with served(office) as (page, serving):
        page._writer.write(raw)
        with pytest.raises(ValueError, match=r"\w"):
            await asyncio.wait_for(asyncio.shield(serving), 10)


async def test_lost_backend_ends_all_questions(office: Office) -> None:
    gone = asyncio.Event()
    async with served(office) as (page, serving):
        page.on_gone = gone.set
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        page._writer.close()
        await asyncio.wait_for(gone.wait(), 10)
        with pytest.raises(StoreError):
            await page.ask(Backend.look_up, REFERENCE)


def test_all_arguments_are_text_or_bytes() -> None:
    """Anything else would be made of what the page says."""
    assert {kind for kinds in TYPES.values() for kind in kinds} == {str, bytes}


def test_question_survives_the_wire() -> None:
    raw = msgspec.msgpack.encode((3, "attach", ("a", "b", b"c")))
    assert question_of(raw) == (3, "attach", ("a", "b", b"c"))
