"""What one stranger may take: tries at once, memory, rows of the audit, lines of the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient

from callsieve.public_page.web.pages import make_public_app
from callsieve.public_page.web.visit import PublicState
from callsieve.web.throttle import CODES_A_DAY, FREE_TRIES
from reputation.site_names import new_id
from reputation.store.appeals import all_appeals
from reputation.store.audit import audit_rows
from tests.callsieve.browsing import Office
from tests.callsieve.console_calls import add_calls, make_decision
from tests.callsieve.public_page.pages import ADDRESS, FILED, Stranger, state_of
from tests.callsieve.public_page.test_documents import PDF, send

REFERENCE = "7KQ2M4XA"
CODECS = ["unicode_escape", "punycode", "undefined", "utf-7"]


@contextmanager
def asking(office: Office) -> Iterator[tuple[PublicState, AsyncClient]]:
    """A browser that sends without waiting for answers."""
    state = state_of(office)
    transport = ASGITransport(make_public_app(state), client=("192.0.2.1", 50000))
    yield state, AsyncClient(transport=transport, base_url=ADDRESS)


@pytest.mark.parametrize("page", ["/reference", "/appeal"])
async def test_simultaneous_guesses_are_limited_like_sequential_ones(office: Office, page: str) -> None:
    with asking(office) as (state, browser):
        fields = [{**FILED, "reference": new_id()} for _ in range(4 * FREE_TRIES)]
        answers = await asyncio.gather(*(browser.post(page, data=field) for field in fields))
        await state.backend.close()
    assert 0 < [answer.status_code for answer in answers].count(422) <= FREE_TRIES


async def test_simultaneous_filings_are_limited_like_sequential_ones(office: Office) -> None:
    references = [new_id() for _ in range(8)]
    add_calls(office, *(make_decision(item, caller=f"+120155501{n:02}") for n, item in enumerate(references)))
    with asking(office) as (state, browser):
        fields = [{**FILED, "reference": reference} for reference in references]
        await asyncio.gather(*(browser.post("/appeal", data=field) for field in fields))
        await state.backend.close()
    assert len(office.read(all_appeals)) == 3


async def ask_without_body(state: PublicState, path: str) -> int:
    """The answer to a form of which nothing has arrived yet; asking for its body fails."""
    started: list[int] = []

    async def receive() -> Any:
        raise AssertionError("its body is read")

    async def send_back(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.append(message["status"])

    headers = [(b"host", b"appeals.example.org"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"scheme": "https", "headers": headers, "client": ("192.0.2.1", 5), "server": ("x", 443)}
    await make_public_app(state)(scope, receive, send_back)
    await state.backend.close()
    return started[0]


async def test_document_for_an_unknown_link_is_not_read(office: Office) -> None:
    assert await ask_without_body(state_of(office), f"/status/{'A' * 43}/documents") == 404


async def test_document_is_not_read_where_none_is_accepted(office: Office, path: str) -> None:
    assert await ask_without_body(state_of(office), f"{path}/documents") == 422


async def test_a_link_uploads_one_document_at_a_time(office: Office, accepted: str) -> None:
    with asking(office) as (state, browser):
        document = {"file": ("x.pdf", PDF)}
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            begun.set()
            await goes_on.wait()
            yield b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%PDF-1.6\r\n--X--\r\n'

        kind = {"content-type": "multipart/form-data; boundary=X"}
        slow = asyncio.ensure_future(browser.post(f"{accepted}/documents", content=slowly(), headers=kind))
        await begun.wait()
        second = await browser.post(f"{accepted}/documents", files=document)
        goes_on.set()
        codes = [(await slow).status_code, second.status_code]
        codes.append((await browser.post(f"{accepted}/documents", files=document)).status_code)
        await state.backend.close()
    assert codes == [303, 429, 303]


def test_number_of_unused_codes_a_day_is_limited(stranger: Stranger, path: str) -> None:
    codes = [stranger.post(f"{path}/code").status_code for _ in range(CODES_A_DAY + 2)]
    assert codes == [200] * CODES_A_DAY + [429] * 2


def test_repeated_document_writes_no_audit_row(stranger: Stranger, office: Office, accepted: str) -> None:
    assert send(stranger, accepted, PDF).status_code == 303
    before = len(office.read(audit_rows))
    assert send(stranger, accepted, PDF).status_code == 303
    assert len(office.read(audit_rows)) == before


@pytest.mark.parametrize("codec", CODECS)
def test_form_is_read_as_utf_8_despite_its_charset(
    stranger: Stranger, office: Office, caplog: pytest.LogCaptureFixture, codec: str
) -> None:
    """The client would else choose one of Python's codecs, some of which fail, or make text that is none."""
    add_calls(office, make_decision(REFERENCE))
    parts = {"reference": REFERENCE, "name": r"a\ud800b", "contact": "c", "statement": r"\ud800"}
    body = "".join(
        f'--X\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{item}\r\n' for key, item in parts.items()
    )
    headers = {"content-type": f"multipart/form-data; boundary=X; charset={codec}"}
    answer = stranger.client.post("/appeal", content=f"{body}--X--\r\n".encode(), headers=headers)
    assert answer.status_code == 400
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_control_characters_are_removed(stranger: Stranger, office: Office) -> None:
    add_calls(office, make_decision(REFERENCE))
    stranger.filed(REFERENCE, statement="We call\r\n\tfor \x1b[31mparcels\x00 \u202eback\u2066wards 包裹.")
    (appeal,) = office.read(all_appeals)
    assert appeal.statement == "We call\n\tfor [31mparcels backwards 包裹."
