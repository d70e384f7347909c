"""The MQTT receiver, which publishes events and the screening state to a broker. Only this module imports aiomqtt.

    PREFIX/availability      online, or offline as last will; retained by the broker
    PREFIX/state             screening state as JSON; retained by the broker
    PREFIX/event/KIND        each event as JSON, at least once
    PREFIX/alert/NAME        each alert

The receiver keeps one connection. It subscribes to no topic, so nobody can control CallSieve through the broker.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Self

import aiomqtt
import msgspec

from callsieve.events.alerts import alert_of, one_line
from callsieve.events.kinds import DeliveryError, Event, as_sent, body_of
from callsieve.health import ScreeningState
from callsieve.integration_settings import MqttTable
from callsieve.outside.errors import OutsideError
from callsieve.outside.secrets import secret_of
from callsieve.version import program_version
from reputation.backoff import wait_seconds

DISCOVERY_PREFIX: Final = "homeassistant"
ONLINE, OFFLINE = "online", "offline"


def node_of(prefix: str) -> str:
    """Return Home Assistant's name for this installation, made from `prefix`. Two installations need two prefixes."""
    return prefix.replace("/", "_")


def discovery_topic(prefix: str) -> str:
    """Return the topic of Home Assistant's discovery message. An empty message removes the device that it describes."""
    return f"{DISCOVERY_PREFIX}/device/{node_of(prefix)}/config"


def availability_topic(prefix: str) -> str:
    """Return the topic that says `online`, or `offline` as the last will."""
    return f"{prefix}/availability"


def state_topic(prefix: str) -> str:
    """Return the topic of the screening state, which is one JSON object for all of Home Assistant's entities."""
    return f"{prefix}/state"


def discovery_message(prefix: str, console: str = "") -> dict[str, Any]:
    """Return the description of CallSieve as a device for Home Assistant. `console`: the console's URL, or empty."""
    node = node_of(prefix)
    entities = {
        name: {"unique_id": f"{node}_{name}", "value_template": f"{{{{ value_json.{name} }}}}", **entity}
        for name, entity in ENTITIES.items()
    }
    return {
        "device": {
            "identifiers": [node],
            "name": "CallSieve" if node == "callsieve" else f"CallSieve {node}",
            "manufacturer": "CallSieve",
            "model": "Call screening",
            "sw_version": program_version(),
            **({"configuration_url": console} if console else {}),
        },
        "origin": {"name": "CallSieve", "sw_version": program_version()},
        "availability_topic": availability_topic(prefix),
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "state_topic": state_topic(prefix),
        "qos": 1,
        "components": entities,
    }


_COUNT = {"platform": "sensor", "state_class": "total_increasing", "unit_of_measurement": "calls"}
# By their key in the state; a null there is shown as `unknown`.
ENTITIES: Final[dict[str, dict[str, Any]]] = {
    "screening": {
        "platform": "sensor",
        "name": "Screening",
        "device_class": "enum",
        "options": [state.value for state in ScreeningState],
        "icon": "mdi:phone-check",
    },
    "screening_text": {"platform": "sensor", "name": "Screening in words", "icon": "mdi:phone-check"},
    "trouble": {
        "platform": "binary_sensor",
        "name": "Trouble",
        "device_class": "problem",
        "value_template": "{{ 'ON' if value_json.trouble else 'OFF' }}",
    },
    "trouble_text": {
        "platform": "sensor",
        "name": "Trouble in words",
        "value_template": "{{ value_json.trouble[:255] or 'Everything works.' }}",
        "icon": "mdi:alert-circle-outline",
    },
    "calls_today": {**_COUNT, "name": "Calls today", "icon": "mdi:phone"},
    "warned_today": {**_COUNT, "name": "Calls with a warning today", "icon": "mdi:phone-alert"},
    "stopped_today": {**_COUNT, "name": "Calls stopped today", "icon": "mdi:phone-remove"},
    "last_call": {"platform": "sensor", "name": "Last call", "device_class": "timestamp"},
    "last_caller": {"platform": "sensor", "name": "Last caller", "icon": "mdi:phone-incoming"},
    "last_call_text": {
        "platform": "sensor",
        "name": "Last call in words",
        "value_template": "{{ (value_json.last_call_text or 'Nobody has called yet.')[:255] }}",
        "icon": "mdi:filter",
    },
}


logger = logging.getLogger("callsieve.events.mqtt")
logger.addHandler(logging.NullHandler())  # a command that tests a receiver prints the failure itself

KEEPALIVE_SECONDS: Final = 30
ANSWER_SECONDS: Final = 10.0
STATE_SECONDS: Final = 30.0
GATHER_SECONDS: Final = 1.0  # delay of the state after an event
LEAVE_SECONDS: Final = 3.0
LONGEST_WAIT_SECONDS: Final = 60.0
QUIET = logging.getLogger("callsieve.events.mqtt.library")
QUIET.setLevel(logging.CRITICAL)  # its messages come as exceptions, too


class MqttReceiver:
    """A receiver that publishes to an MQTT broker. `read_state` returns the screening state. `console`: URL or empty.

    `async with` starts to connect, and does not wait for the connection.
    """

    name = "mqtt"

    def __init__(self, table: MqttTable, read_state: Callable[[], Mapping[str, Any]], console: str = "") -> None:
        self._table = table
        self._read_state = read_state
        self._console = console
        self._client: aiomqtt.Client | None = None
        self._trouble = "not connected yet"
        self._tried = asyncio.Event()
        self._happened = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay_connected(), name="mqtt")
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=LEAVE_SECONDS)

    async def deliver(self, event: Event) -> None:
        """Deliver an event. Return when the broker has confirmed the event. Raise DeliveryError if it does not."""
        with suppress(TimeoutError):  # connecting has only begun
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._tried.wait()
        client = self._client
        if client is None:
            raise DeliveryError(f"{self._table.host}: {self._trouble}")
        alert = alert_of(event)
        part = f"alert/{_as_topic(alert.name)}" if alert is not None else f"event/{event.kind.value}"
        payload = body_of(as_sent(event, mask=self._table.mask), with_id=True)
        try:
            await client.publish(f"{self._table.prefix}/{part}", payload, qos=1, timeout=ANSWER_SECONDS)
        except aiomqtt.MqttError as error:
            raise DeliveryError(f"{self._table.host}: {_words(error)}") from None
        self._happened.set()

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            try:
                async with self._make_client() as client:
                    await self._announce(client)
                    self._client, self._trouble, failures = client, "", 0
                    self._tried.set()
                    logger.info("mqtt: connected to %s", self._table.host)
                    try:
                        await self._publish_state(client)
                    finally:
                        self._client = None
                        await self._say_offline(client)
            except (aiomqtt.MqttError, OutsideError, OSError, ValueError) as error:
                trouble = _words(error)
                if trouble != self._trouble:
                    logger.warning("mqtt: %s: %s", self._table.host, trouble)
                self._trouble = trouble
                self._tried.set()
            except Exception:
                logger.exception("mqtt: internal error, reconnecting: host=%s", self._table.host)
                self._trouble = "internal error: see the log"
                self._tried.set()
            failures += 1
            await asyncio.sleep(wait_seconds(failures, longest=LONGEST_WAIT_SECONDS))

    def _make_client(self) -> aiomqtt.Client:
        table = self._table
        return aiomqtt.Client(
            table.host,
            table.port,
            username=table.username or None,
            password=secret_of(table.password) if table.password else None,
            will=aiomqtt.Will(availability_topic(table.prefix), OFFLINE, qos=1, retain=True),
            keepalive=KEEPALIVE_SECONDS,
            timeout=ANSWER_SECONDS,
            tls_context=ssl.create_default_context() if table.tls else None,
            logger=QUIET,
        )

    async def _announce(self, client: aiomqtt.Client) -> None:
        """Publish `online` and Home Assistant's discovery message, or an empty message if discovery is off."""
        prefix = self._table.prefix
        message = msgspec.json.encode(discovery_message(prefix, self._console)) if self._table.discovery else b""
        await client.publish(discovery_topic(prefix), message, qos=1, retain=True)
        await client.publish(availability_topic(prefix), ONLINE, qos=1, retain=True)

    async def _publish_state(self, client: aiomqtt.Client) -> None:
        """Publish each change of the screening state until the connection is lost. Check for changes after events."""
        lost = asyncio.create_task(_until_lost(client))
        published = b""
        try:
            while not lost.done():
                self._happened.clear()
                state = msgspec.json.encode(await asyncio.to_thread(self._read_state))
                if state != published:
                    await client.publish(state_topic(self._table.prefix), state, qos=1, retain=True)
                    published = state
                happened = asyncio.create_task(self._happened.wait())
                await asyncio.wait({lost, happened}, timeout=STATE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                happened.cancel()
                await asyncio.wait({lost}, timeout=GATHER_SECONDS)
            await lost
        finally:
            lost.cancel()
            await asyncio.gather(lost, return_exceptions=True)

    async def _say_offline(self, client: aiomqtt.Client) -> None:
        with suppress(aiomqtt.MqttError):
            await client.publish(availability_topic(self._table.prefix), OFFLINE, qos=1, retain=True, timeout=1.0)


async def _until_lost(client: aiomqtt.Client) -> None:
    """Wait until the connection is lost, which raises MqttError. No message arrives, because no topic is subscribed."""
    async for _ in client.messages:
        pass


def _as_topic(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _words(error: Exception) -> str:
    if isinstance(error, aiomqtt.MqttError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    words = getattr(error, "strerror", None) or re.sub(r"^\[Errno \d+\] ", "", str(error)) or type(error).__name__
    return one_line(words, mask=False)[:200]
