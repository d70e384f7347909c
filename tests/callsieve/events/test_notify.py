"""Events through apprise, to a JSON service on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.events.alerts import Alert, event_in_words, with_alert
from callsieve.events.kinds import DeliveryError, Event, EventKind
from callsieve.events.receivers.build import MISSING, NotifyReceiver
from callsieve.integration_settings import NotifyTable
from reputation.model import Identity, Person
from reputation.store.database import open_store
from reputation.store.event_deliveries import names_of_event
from reputation.store.identities import set_identity
from reputation.store.people import replace_settings_people
from reputation.store.transaction import transaction

# apprise imports what Python 3.13 has no more, and finds another way there.
pytestmark = pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")
CALLER = "+12017421834"
EVENT = Event("evt_1", EventKind.NUMBER_MARKED, CALLER, 1.0, {"number": CALLER, "verdict": "spam", "reporter": "201"})
TOKEN = "s3cr3t-t0k3n"


class Service:
    """A server that keeps posted bodies and answers with a status."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.status = 200
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.partition("content-length:")[2].partition("\r\n")[0])
        self.taken.append(json.loads(await reader.readexactly(size)))
        writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    service = Service()
    async with await asyncio.start_server(service.talk, "127.0.0.1", 0) as server:
        service.port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("TEST_NOTIFY_URL", f"json://user:{TOKEN}@127.0.0.1:{service.port}/")
        yield service


def receiver_of(**fields: object) -> NotifyReceiver:
    return NotifyReceiver(NotifyTable(**{"name": "phone", "url": "env:TEST_NOTIFY_URL", **fields}))  # type: ignore[arg-type]


async def test_an_event_is_a_message(service: Service) -> None:
    await receiver_of(mask=False).deliver(EVENT)
    (message,) = service.taken
    assert message["title"] == "CallSieve"
    assert message["message"] == "201 marked +1 201 742 1834 as spam"


async def test_alert_has_a_title_and_masked_numbers(service: Service) -> None:
    await receiver_of(language="zh").deliver(with_alert(EVENT, Alert("at risk")))
    (message,) = service.taken
    assert message["title"] == "CallSieve: at risk"
    assert CALLER[1:] not in message["message"]
    assert "标记" in message["message"]


async def test_failed_message_is_retried_and_no_secret_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.status = 500
    with pytest.raises(DeliveryError) as failed:
        await receiver_of().deliver(EVENT)
    assert not failed.value.permanent
    assert TOKEN not in failed.value.words + caplog.text


async def test_invalid_address_is_not_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TEST_NOTIFY_URL", f"nosuchservice://{TOKEN}")
    with pytest.raises(DeliveryError) as failed:
        await receiver_of().deliver(EVENT)
    assert TOKEN not in failed.value.words + caplog.text


async def test_missing_library_has_a_remedy(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(DeliveryError) as failed:
        await receiver_of().deliver(EVENT)
    assert failed.value.words == MISSING


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        pytest.param(False, "Alice (201) marked +1 201 742 1834 (Joe's Loans) as spam", id="whole"),
        pytest.param(True, "Alice (201) marked +1201*****34 as spam", id="masked"),
    ],
)
def test_people_and_numbers_are_named_unless_masked(*, mask: bool, told: str) -> None:
    """Masked receivers get no names of callers."""
    named = replace(EVENT, names={"201": "Alice", CALLER: "Joe's Loans"})
    assert event_in_words(named, "en", mask=mask) == told


def test_names_come_from_the_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        with transaction(db):
            replace_settings_people(db, [Person("201", "PJSIP/201", name="Alice")])
            set_identity(db, Identity(CALLER, "Joe's Loans", 1, expires_at=2.0), 0.0)
        assert names_of_event(db, EVENT) == {"201": "Alice", CALLER: "Joe's Loans"}
        assert names_of_event(db, replace(EVENT, at=3.0)) == {"201": "Alice"}, "the identity has expired"
