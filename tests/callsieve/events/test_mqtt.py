"""Events and the state of screening at a real broker (mosquitto), and what Home Assistant finds there."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from callsieve.doctor.checks import checks_of
from callsieve.events.alerts import Alert, with_alert
from callsieve.events.kinds import DeliveryError, Event, EventKind
from callsieve.events.receivers import mqtt
from callsieve.events.receivers.build import ACTION_TEXTS, screening_state
from callsieve.events.receivers.mqtt import ENTITIES, MqttReceiver, discovery_message
from callsieve.health import STATES, ScreeningState
from callsieve.integration_settings import MqttTable
from callsieve.main.capabilities import ALL
from callsieve.settings import parse_settings
from lab.broker import USER, WATCHER, Broker
from lab.certificates import Authority, make_key
from lab.private_server import ADDRESS
from policies.decision import ACTION_BY_WORD
from reputation.model import Identity
from reputation.numbers import masked
from reputation.store.identities import set_identity
from tests.callsieve.browsing import Office
from tests.callsieve.console_calls import CALLER as LAST_CALLER
from tests.callsieve.console_calls import add_calls, make_decision
from tests.office import ROOT
from tests.waiting import until

pytestmark = pytest.mark.slow
PASSWORD = "env:TEST_MQTT_PASSWORD"
CALLER = "+12017421834"
EVENT = Event(
    "evt_1", EventKind.NUMBER_MARKED, CALLER, 1.0, {"number": CALLER, "verdict": "spam", "reporter": "201"}, 1
)
STATE = {"screening": "on", "trouble": "", "calls_today": 7, "last_call": None}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "a word")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def table_of(broker: Broker, **fields: Any) -> MqttTable:
    known = {"host": ADDRESS, "port": broker.port, "username": USER, "password": PASSWORD, "prefix": "pbx/callsieve"}
    return MqttTable(**{**known, **fields})


class Watcher:
    """Another client of the broker, with all published messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []

    def latest(self, topic: str) -> bytes | None:
        return next((payload for name, payload, _ in reversed(self.messages) if name == topic), None)

    def state(self) -> Any:
        return json.loads(self.latest("pbx/callsieve/state") or b"null")


@asynccontextmanager
async def watching(broker: Broker) -> AsyncIterator[Watcher]:
    watcher = Watcher()

    async def read(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            watcher.messages.append((str(message.topic), message.payload, bool(message.retain)))

    async with aiomqtt.Client(ADDRESS, broker.port, username=WATCHER, password=broker.password) as client:
        await client.subscribe("#", qos=1)
        task = asyncio.create_task(read(client))
        yield watcher
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_event_is_published(broker: Broker) -> None:
    async with watching(broker) as watcher, MqttReceiver(table_of(broker), lambda: STATE) as receiver:
        await receiver.deliver(EVENT)
        await until(lambda: watcher.latest("pbx/callsieve/event/number.marked"))
        told = json.loads(watcher.latest("pbx/callsieve/event/number.marked") or b"")
        assert (told["id"], told["type"], told["data"]["number"]) == ("evt_1", "number.marked", CALLER)
        await until(lambda: watcher.state() == STATE)


async def test_masked_receiver_publishes_no_number(broker: Broker) -> None:
    async with watching(broker) as watcher, MqttReceiver(table_of(broker, mask=True), lambda: STATE) as receiver:
        await receiver.deliver(EVENT)
        await until(lambda: watcher.latest("pbx/callsieve/event/number.marked"))
        assert CALLER[1:].encode() not in (watcher.latest("pbx/callsieve/event/number.marked") or b"")


async def test_alert_has_its_own_topic(broker: Broker) -> None:
    async with watching(broker) as watcher, MqttReceiver(table_of(broker), lambda: STATE) as receiver:
        await receiver.deliver(with_alert(EVENT, Alert("At Risk: now", 2, 1.0)))
        await until(lambda: watcher.latest("pbx/callsieve/alert/at-risk-now"))


async def test_availability_is_offline_after_close(broker: Broker) -> None:
    async with watching(broker) as watcher:
        async with MqttReceiver(table_of(broker), lambda: STATE) as receiver:
            await receiver.deliver(EVENT)
            await until(lambda: watcher.latest("pbx/callsieve/availability") == b"online")
        await until(lambda: watcher.latest("pbx/callsieve/availability") == b"offline")


LIVING = """
import asyncio, sys
from callsieve.events.receivers.mqtt import MqttReceiver
from callsieve.integration_settings import MqttTable

async def main():
    table = MqttTable(host=sys.argv[1], port=int(sys.argv[2]), username="callsieve", password="env:TEST_MQTT_PASSWORD")
    async with MqttReceiver(table, dict):
        await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_last_will_says_offline_after_a_kill(broker: Broker) -> None:
    async with watching(broker) as watcher:
        living = (sys.executable, "-c", LIVING, ADDRESS, str(broker.port))
        process = await asyncio.create_subprocess_exec(*living, cwd=ROOT)
        try:
            await until(lambda: watcher.latest("callsieve/availability") == b"online")
        finally:
            process.kill()
            await process.wait()
        await until(lambda: watcher.latest("callsieve/availability") == b"offline")


async def test_state_is_published_after_an_event(broker: Broker) -> None:
    states = iter([{"calls_today": 1}, {"calls_today": 2}])
    latest: dict[str, int] = {}

    def look() -> dict[str, int]:
        latest.update(next(states, latest))
        return dict(latest)

    async with watching(broker) as watcher, MqttReceiver(table_of(broker), look) as receiver:
        await until(lambda: watcher.state() == {"calls_today": 1})
        await receiver.deliver(EVENT)
        await until(lambda: watcher.state() == {"calls_today": 2})


# What Home Assistant requires of a device (developers' documentation of MQTT discovery, 2024.11 and later).
DEVICE_CLASSES: dict[str, set[str | None]] = {"sensor": {None, "enum", "timestamp"}, "binary_sensor": {"problem"}}


async def test_home_assistant_discovers_one_device_with_entities(broker: Broker, tmp_path: Path) -> None:
    office = Office(tmp_path)
    add_calls(office, make_decision())
    loaded = office.load()
    state = lambda: screening_state(loaded, checks_of(ALL), mask=False)  # noqa: E731
    table = table_of(broker, prefix="branch/callsieve")  # nobody else's: the broker keeps what was there before
    async with watching(broker) as watcher, MqttReceiver(table, state, "https://pbx.example.com"):
        topic = "homeassistant/device/branch_callsieve/config"
        await until(lambda: watcher.latest(topic) and watcher.latest("branch/callsieve/state"))
        found = json.loads(watcher.latest(topic) or b"")
        shown = json.loads(watcher.latest("branch/callsieve/state") or b"")
    assert found["device"]["identifiers"] == ["branch_callsieve"]
    assert found["device"]["configuration_url"] == "https://pbx.example.com"
    assert found["origin"]["name"]
    ids = [component["unique_id"] for component in found["components"].values()]
    assert len(set(ids)) == len(ids) == len(ENTITIES)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", id_) for id_ in (*ids, topic.split("/")[2]))
    for component in found["components"].values():
        assert component["device_class" if "device_class" in component else "name"]
        assert component.get("device_class") in DEVICE_CLASSES[component["platform"]]
        keys = re.findall(r"value_json\.(\w+)", component["value_template"])
        assert keys
        assert set(keys) <= shown.keys()
        if component.get("device_class") == "enum":
            assert shown[keys[0]] in component["options"]
    topics = {found["state_topic"], found["availability_topic"]}
    assert topics <= {name for name, _, _ in watcher.messages}
    assert watcher.latest(found["availability_topic"]) in (b"online", b"offline")


async def test_state_and_discovery_are_retained(broker: Broker) -> None:
    async with MqttReceiver(table_of(broker), lambda: STATE) as receiver:
        await receiver.deliver(EVENT)
        async with watching(broker) as late:
            await until(lambda: late.state())
            kept = {name for name, _, retained in late.messages if retained}
    assert {"pbx/callsieve/availability", "pbx/callsieve/state", "homeassistant/device/pbx_callsieve/config"} <= kept
    assert "pbx/callsieve/event/number.marked" not in kept


async def test_disabled_discovery_removes_the_device(broker: Broker) -> None:
    async with MqttReceiver(table_of(broker), lambda: STATE) as receiver:
        await receiver.deliver(EVENT)
    async with MqttReceiver(table_of(broker, discovery=False), lambda: STATE) as receiver:
        await receiver.deliver(EVENT)
    async with watching(broker) as late:
        await until(lambda: late.latest("pbx/callsieve/availability"))
        assert late.latest("homeassistant/device/pbx_callsieve/config") is None


PAGE = (ROOT / "docs" / "how-to" / "home-assistant.md").read_text()


async def test_documented_acl_is_sufficient() -> None:
    """Uses the settings of the page, and expects every topic of its table."""
    rights = re.search(r"^ +user callsieve\n(?: +topic .*\n)+", PAGE, re.MULTILINE)
    settings = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert rights
    assert settings
    written = parse_settings(textwrap.dedent(settings[1]), "the page").mqtt
    with Broker(acl=textwrap.dedent(rights[0])) as broker:
        table = msgspec.structs.replace(written, host=ADDRESS, port=broker.port, password=PASSWORD)
        async with watching(broker) as watcher, MqttReceiver(table, lambda: STATE) as receiver:
            await receiver.deliver(EVENT)
            await receiver.deliver(with_alert(EVENT, Alert("night")))
            topics = set(re.findall(r"^\| `([a-z/A-Z_]+)` \| (?:yes|no) \|", PAGE, re.MULTILINE))
            assert len(topics) == 5
            wanted = {topic.replace("KIND", "number.marked").replace("NAME", "night") for topic in topics}
            await until(lambda: wanted <= {name for name, _, _ in watcher.messages})


def test_the_page_names_each_entity_and_each_value() -> None:
    for entity in ENTITIES.values():
        assert entity["name"] in PAGE
    for state in ScreeningState:
        assert f"`{state.value}`" in PAGE


def test_two_sites_have_two_devices() -> None:
    one, other = discovery_message("callsieve"), discovery_message("branch/callsieve")
    ids = [{entity["unique_id"] for entity in message["components"].values()} for message in (one, other)]
    assert ids[0].isdisjoint(ids[1])
    assert one["device"]["identifiers"] != other["device"]["identifiers"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
async def test_restarted_broker_gets_everything_again() -> None:
    with Broker() as broker:
        async with MqttReceiver(table_of(broker), lambda: STATE) as receiver:
            await receiver.deliver(EVENT)
            await asyncio.to_thread(broker.stop)
            with pytest.raises(DeliveryError) as failed:
                await receiver.deliver(EVENT)
            assert not failed.value.permanent
            await asyncio.to_thread(broker.start)
            async with watching(broker) as watcher:
                await until(lambda: watcher.latest("pbx/callsieve/availability") == b"online")
                await receiver.deliver(EVENT)
                await until(lambda: watcher.latest("pbx/callsieve/event/number.marked"))


@pytest.mark.usefixtures("impatient")
async def test_failed_state_is_published_later(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    faults = iter([KeyError("a fault of ours")])

    def look() -> dict[str, Any]:
        for fault in faults:
            raise fault
        return STATE

    async with watching(broker) as watcher, MqttReceiver(table_of(broker, prefix="faulty"), look) as receiver:
        await until(lambda: watcher.latest("faulty/state"))
        await receiver.deliver(EVENT)
        await until(lambda: watcher.latest("faulty/event/number.marked"))
    assert "a fault of ours" in caplog.text


@pytest.mark.usefixtures("impatient")
async def test_frozen_broker_fails_a_delivery_in_time() -> None:
    with Broker() as broker:
        async with MqttReceiver(table_of(broker), lambda: STATE) as receiver:
            await receiver.deliver(EVENT)
            broker.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(DeliveryError):
                    await receiver.deliver(EVENT)
            finally:
                broker.send_signal(signal.SIGCONT)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("secret", "words"),
    [
        pytest.param("another word", "Not authorized", id="wrong-password"),
        pytest.param("", "no secret in env:TEST_MQTT_PASSWORD", id="no-password"),
    ],
)
async def test_login_failure_is_logged_without_the_secret(
    broker: Broker, secret: str, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_MQTT_PASSWORD", secret)
    async with MqttReceiver(table_of(broker), lambda: STATE) as receiver:
        await until(lambda: caplog.records)
        with pytest.raises(DeliveryError) as failed:
            await receiver.deliver(EVENT)
    said = f"{failed.value.words} {caplog.text}"
    assert not secret or secret not in said
    assert words in said


@pytest.mark.usefixtures("impatient")
async def test_closed_port_fails_the_delivery(unused_tcp_port: int) -> None:
    async with MqttReceiver(MqttTable(host=ADDRESS, port=unused_tcp_port), lambda: STATE) as receiver:
        with pytest.raises(DeliveryError) as failed:
            await receiver.deliver(EVENT)
    assert failed.value.words.startswith(f"{ADDRESS}: ")


# The library leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trusted", [True, False])
async def test_certificate_is_verified(tmp_path: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, key = Authority.make("lab"), make_key()
    for name, text in (
        ("ca.pem", authority.root()),
        ("cert.pem", authority.issue_server("localhost", key.public_key())),
        ("key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()),
    ):
        (tmp_path / name).write_text(text)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Broker(tls=(tmp_path / "cert.pem", tmp_path / "key.pem")) as broker:
        table = msgspec.structs.replace(table_of(broker, tls=True), host="localhost")
        async with MqttReceiver(table, lambda: STATE) as receiver:
            if trusted:
                await receiver.deliver(EVENT)
                return
            with pytest.raises(DeliveryError) as failed:
                await receiver.deliver(EVENT)
            assert "certificate" in failed.value.words.lower()


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        pytest.param(False, "Joe's Loans called, and was asked to show that they are a person.", id="whole"),
        pytest.param(True, f"{masked(LAST_CALLER)} called, and was asked to show that they are a person.", id="masked"),
    ],
)
def test_last_call_text_describes_the_last_call(tmp_path: Path, *, mask: bool, told: str) -> None:
    office = Office(tmp_path)
    add_calls(office, make_decision(at=time.time() - 60))
    office.write(set_identity, Identity(LAST_CALLER, "Joe's Loans", 1, time.time() + 60), 0.0)
    state = screening_state(office.load(), checks_of(ALL), mask=mask)
    assert state["last_call_text"] == told
    assert state["screening_text"] == STATES[ScreeningState(state["screening"])].text


def test_every_state_and_action_has_a_sentence() -> None:
    assert (set(STATES), set(ACTION_TEXTS)) == (set(ScreeningState), set(ACTION_BY_WORD))
