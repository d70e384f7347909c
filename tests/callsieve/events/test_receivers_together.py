"""The sender's own process with a real broker and a mail server: events, an alert and the digest arrive, once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiomqtt
import pytest

from callsieve.events.kinds import KINDS, EventKind
from lab.broker import USER, Broker
from lab.private_server import ADDRESS
from reputation.store.event_deliveries import receiver_states
from reputation.store.outbox import add_event, event_weights
from tests.callsieve.events.smtp_server import SmtpServer, mail_server
from tests.callsieve.program import Program
from tests.office import SETTINGS
from tests.waiting import until

pytestmark = pytest.mark.slow
RECEIVERS = """
[mqtt]
host = "{address}"
port = {mqtt}
username = "{user}"
password = "env:TEST_MQTT_PASSWORD"

[mail]
host = "localhost"
port = {smtp}
tls = "none"
from = "pbx@example.com"
to = ["office@example.com"]

[[alert]]
name = "marked"
event = "number.marked"
when = {{ verdict = ["spam"] }}
to = ["mail"]
at_most = "1/d"

[digest]
at = "00:00"
to = ["boss@example.com"]
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with mail_server(SmtpServer()) as server:
        yield server


@pytest.fixture
def callsieve(tmp_path: Path, broker: Broker, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("TEST_MQTT_PASSWORD", broker.password)
    ports = {"address": ADDRESS, "mqtt": broker.port, "user": USER, "smtp": smtp.port}
    program = Program(tmp_path, SETTINGS + RECEIVERS.format(**ports))
    program.ok("db", "migrate")
    return program


@contextmanager
def sender(callsieve: Program) -> Iterator[subprocess.Popen[bytes]]:
    process = callsieve.start("events", "send")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def mark(callsieve: Program, number: str) -> None:
    callsieve.write(add_event, EventKind.NUMBER_MARKED, number, 1_795_780_800.0, KINDS[EventKind.NUMBER_MARKED].sample)


def waiting(callsieve: Program) -> int:
    return sum(state.waiting for state in callsieve.read(receiver_states))


def is_known(callsieve: Program) -> bool:
    """Return whether the sender has registered all receivers."""
    callsieve.read(event_weights)
    return len(callsieve.read(receiver_states)) == 3


async def test_all_receivers_get_each_event_once_despite_kills(
    callsieve: Program, broker: Broker, smtp: SmtpServer
) -> None:
    client = aiomqtt.Client(ADDRESS, broker.port, username=USER, password=broker.password)
    told: list[str] = []

    async def listen() -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            told.append(json.loads(message.payload)["id"])

    async with client:
        await client.subscribe("callsieve/event/number.marked", qos=1)
        listening = asyncio.create_task(listen())
        with sender(callsieve):
            await until(lambda: is_known(callsieve))
            mark(callsieve, "+12015550101")
            await until(lambda: len(told) == 1 and len(smtp.mails) == 2 and not waiting(callsieve))
        with sender(callsieve) as again:
            mark(callsieve, "+12015550102")
            await until(lambda: len(told) == 2 and not waiting(callsieve))
            again.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(again.wait, 20) == 0
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert len(set(told)) == 2
    by_recipient = {recipients[0]: mail for recipients, mail in zip(smtp.recipients, smtp.mails, strict=True)}
    assert len(smtp.mails) == len(by_recipient) == 2
    assert by_recipient["boss@example.com"]["Subject"].startswith("[CallSieve] Calls of ")
    assert by_recipient["office@example.com"]["Subject"].startswith("[CallSieve] marked: ")


async def test_test_event_reaches_the_receiver_at_once(callsieve: Program, smtp: SmtpServer) -> None:
    for name, kind in (("mqtt", "decision.taken"), ("alert/marked/mail", "number.marked")):
        result = await asyncio.to_thread(callsieve.process, "events", "test", name)
        assert result.code == 0, result.err
        assert result.out.startswith(f"{name} accepted {kind} evt_"), result.out
    tried = await asyncio.to_thread(callsieve.process, "alerts", "test", "marked")
    assert (tried.code, tried.out) == (0, "mail: sent\n"), tried.err
    assert len(smtp.mails) == 2
