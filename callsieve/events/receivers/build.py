"""The receivers for webhooks and apprise, and the function that opens all receivers in the settings."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

from callsieve.capability import Capabilities
from callsieve.changes.operation import Context
from callsieve.digest.operations import DayRequest, day
from callsieve.digest.text import DigestText, console_address, digest_text
from callsieve.doctor.checks import checks_of
from callsieve.doctor.finding import CheckContext, HealthCheck, not_asked, read_store
from callsieve.events.alerts import AlertReceiver, StateStore, alert_of, event_in_words
from callsieve.events.kinds import DeliveryError, Event, Receiver, as_sent, body_of
from callsieve.events.receivers.mail import MailReceiver
from callsieve.events.receivers.mqtt import MqttReceiver
from callsieve.integration_settings import NotifyTable, WebhookTable
from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import OutsideClient, RequestLimits
from callsieve.outside.secrets import secret_of
from callsieve.settings import Loaded
from callsieve.status.views import Status, status_of
from reputation.numbers import masked, spaced
from reputation.store.activity import counts_over
from reputation.store.connection import Store
from reputation.store.database import open_store
from reputation.store.event_deliveries import name_of_number
from reputation.store.outbox import set_state, state_of
from reputation.users import Role

TOTAL_SECONDS: Final = 30.0
MISSING: Final = (
    "apprise is not installed: run in CallSieve's checkout: pip install --require-hashes -r requirements/runtime.txt"
)


class NotifyReceiver:
    """A receiver for a service that apprise supports. The library apprise is imported with the first event."""

    reads_names = True

    def __init__(self, table: NotifyTable) -> None:
        self._table = table
        self.name = f"notify/{table.name}"

    async def deliver(self, event: Event) -> None:
        """Deliver an event. Return when the service has accepted it, as far as apprise knows. Raise DeliveryError."""
        table = self._table
        try:
            url = secret_of(table.url)
        except OutsideError as error:
            raise DeliveryError(str(error.words)) from None
        service = await asyncio.to_thread(_service_at, url)
        alert = alert_of(event)
        title = f"CallSieve: {alert.name}" if alert is not None else "CallSieve"
        body = event_in_words(event, table.language, mask=table.mask)
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                is_accepted = await service.async_notify(body=body, title=title, body_format="text")
        except TimeoutError:
            raise DeliveryError(f"{table.name}: no answer within {TOTAL_SECONDS:g} seconds") from None
        except Exception as error:  # noqa: BLE001  from a hundred plugins; messages may contain the address
            raise DeliveryError(f"{table.name}: delivery failed ({type(error).__name__})") from None
        if not is_accepted:
            raise DeliveryError(f"{table.name}: the service did not accept the event")


def _service_at(url: str) -> Any:
    try:
        import apprise
    except ImportError:
        raise DeliveryError(MISSING) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs addresses
    service = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True, app_id="CallSieve"))
    if not service.add(url):
        raise DeliveryError("apprise does not know this kind of address: see https://github.com/caronc/apprise")
    return service


ACTION_TEXTS = {
    "allow": "{caller} called, and the phone rang.",
    "tag": "{caller} called, and the phone showed that it may be spam.",
    "warn": "{caller} called, and the person who answered was warned.",
    "challenge": "{caller} called, and was asked to show that they are a person.",
    "route": "{caller} called, and was sent to voicemail.",
    "reject": "{caller} called, and was rejected.",
}
STOPPED = ("challenge", "route", "reject")
AHEAD_SECONDS = 60.0


def screening_state(loaded: Loaded, checks: Iterable[HealthCheck], *, mask: bool) -> dict[str, Any]:
    """Return the screening state for an MQTT broker, by key; None: unknown. Waits at most 3 s for the daemon."""
    now = time.time()
    status = status_of(CheckContext(loaded, not_asked, now), loaded, checks)
    counted = read_store(loaded.store_path, lambda db: _calls_today(db, now), None)
    last = status.journal.last_call if status.journal is not None else None
    caller = last.record.caller if last is not None else None
    name = read_store(loaded.store_path, lambda db: name_of_number(db, caller, now), "") if caller else ""
    return {
        "screening": status.screening.state.value,
        "screening_text": status.screening.kind.text,
        "trouble": _trouble(status),
        "calls_today": None if counted is None else counted.total(),
        "warned_today": None if counted is None else counted["warn"],
        "stopped_today": None if counted is None else sum(counted[action] for action in STOPPED),
        **_last_call(status, name, mask=mask),
    }


def _calls_today(db: sqlite3.Connection, now: float) -> Counter[str]:
    """Return how many calls came today, by action; in observe mode by would-be action."""
    midnight = datetime.fromtimestamp(now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    counted: Counter[str] = Counter()
    for row in counts_over(db, midnight.timestamp(), now + AHEAD_SECONDS, timedelta(days=2).total_seconds()):
        counted[row.action] += row.calls
    return counted


def _trouble(status: Status) -> str:
    return "; ".join(f"{check.name}: {check.detail}" for check in status.trouble)[:1000]


def _last_call(status: Status, name: str, *, mask: bool) -> dict[str, Any]:
    last = status.journal.last_call if status.journal is not None else None
    if last is None:
        return dict.fromkeys(("last_call", "last_caller", "last_action", "last_call_text"))
    record = last.record
    caller = record.caller or record.caller_kind.value
    text = "Somebody" if record.caller is None else masked(caller) if mask else name or spaced(caller)
    return {
        "last_call": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="seconds"),
        "last_caller": masked(caller) if mask else caller,
        "last_action": record.action,
        "last_call_text": ACTION_TEXTS[record.action].format(caller=text),
    }


LIMITS: Final = RequestLimits(total_seconds=15.0, body_bytes=1 << 16, redirects=0)
SECRET_PREFIX: Final = "whsec_"
LEAST_SECRET_BYTES: Final = 24
GONE: Final = 410
# Answers after which a retry may succeed. Any other from 400 to 499 says that the receiver does not want this event.
PASSING: Final = frozenset({408, 409, 421, 423, 425, 429})


class Webhook:
    """A receiver for a `[[webhook]]` of the settings. The secret is read for each event, so changes apply at once."""

    def __init__(self, table: WebhookTable, client: OutsideClient, limits: RequestLimits = LIMITS) -> None:
        self.name = f"webhook/{table.name}"
        self._table = table
        self._client = client
        self._limits = limits

    async def deliver(self, event: Event) -> None:
        """Post an event. A status from 200 to 299 means that the receiver has accepted the event."""
        body = body_of(as_sent(event, mask=self._table.mask))
        signature = signed(event.id, body, keys_of(self._table.secret), time.time())
        headers = {"content-type": "application/json", **signature}
        try:
            answer = await self._client.request(
                "POST",
                self._table.url,
                headers=headers,
                body=body,
                limits=self._limits,
                allow_private=self._table.private,
            )
        except OutsideError as error:
            raise DeliveryError(str(error.words)) from None
        if not 200 <= answer.status < 300:
            raise _refused(answer.status, answer.headers, time.time())


def keys_of(setting: str) -> list[bytes]:
    """Return the signing keys in a secret. During its replacement, a secret has several keys, separated by spaces.

    Raise DeliveryError if the secret cannot be read, or is not a key.
    """
    try:
        texts = secret_of(setting).split()
    except OutsideError as error:
        raise DeliveryError(str(error.words)) from None
    try:
        keys = [base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise DeliveryError(
            f"the secret of {setting} is not Base64: write {SECRET_PREFIX} followed by Base64"
        ) from None
    if any(len(key) < LEAST_SECRET_BYTES for key in keys):
        raise DeliveryError(f"the secret of {setting} is too short: use at least {LEAST_SECRET_BYTES} random bytes")
    return keys


def signed(event_id: str, body: bytes, keys: list[bytes], now: float) -> dict[str, str]:
    """Return the three headers of the signature. `now`: the time of this attempt; receivers refuse old signatures."""
    at = str(int(now))
    content = f"{event_id}.{at}.".encode() + body
    digests = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    signatures = " ".join(f"v1,{digest}" for digest in digests)
    return {"webhook-id": event_id, "webhook-timestamp": at, "webhook-signature": signatures}


def _refused(status: int, headers: Mapping[str, str], now: float) -> DeliveryError:
    if status == GONE:
        return DeliveryError("answered 410: the receiver wants no further events", gone=True)
    permanent = 400 <= status < 500 and status not in PASSING
    redirect = ": the address redirects; use the target address" if 300 <= status < 400 else ""
    retry_after = _asked(headers.get("retry-after"), now)
    return DeliveryError(f"answered {status}{redirect}", permanent, retry_after=retry_after)


def _asked(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text[:60]).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None


class StatesInStore:
    """Keeps the state of each alert in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, key: str) -> str | None:
        """Return the last value stored under a key, or None. Raise StoreError."""
        return await self._store.read(state_of, key)

    async def write(self, key: str, value: str, at: float) -> None:
        """Store a value under a key. Raise StoreError."""
        await self._store.write(set_state, key, value, at)


async def open_receivers(
    loaded: Loaded, states: StateStore, stack: AsyncExitStack, capabilities: Capabilities
) -> list[Receiver]:
    """Open all receivers in the settings, each with its own connection. `stack` closes them."""
    settings = loaded.settings
    by_name: dict[str, Receiver] = {
        table.name: Webhook(table, await stack.enter_async_context(OutsideClient())) for table in settings.webhook
    }
    if settings.mqtt.host:
        read_state = partial(screening_state, loaded, checks_of(capabilities), mask=settings.mqtt.mask)
        mqtt = MqttReceiver(settings.mqtt, read_state, console_address(settings.web))
        by_name[mqtt.name] = await stack.enter_async_context(mqtt)
    if settings.mail.host:
        by_name["mail"] = MailReceiver(settings.mail, partial(_digest_of, loaded), settings.digest.to)
    by_name |= {table.name: NotifyReceiver(table) for table in settings.notify}
    alerts = [
        AlertReceiver(rule, to, by_name[to], states, settings.reputation.quiet)
        for rule in settings.alert
        for to in rule.to
    ]
    return [*by_name.values(), *alerts]


def _digest_of(loaded: Loaded, wanted_day: date) -> DigestText:
    settings = loaded.settings
    context = Context("events", Role.ADMINISTRATOR, time.time(), loaded)
    with open_store(loaded.store_path) as db:
        digest = day(db, context, DayRequest(wanted_day))
    console = console_address(settings.web)
    return digest_text(digest, settings.digest.language, numbers=not settings.mail.mask, console=console)
