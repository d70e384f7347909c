"""The receivers that the settings name, ready to be told events."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from datetime import date
from functools import partial

from callsieve.capability import Capabilities
from callsieve.changes.operation import Context
from callsieve.digest.operations import DayRequest, day
from callsieve.digest.text import DigestText, console_address, digest_text
from callsieve.doctor.checks import checks_of
from callsieve.events.alerts import AlertReceiver, StateStore
from callsieve.events.event import Receiver
from callsieve.events.receivers.mail import MailReceiver
from callsieve.events.receivers.mqtt import MqttReceiver
from callsieve.events.receivers.notify import NotifyReceiver
from callsieve.events.receivers.webhook import Webhook
from callsieve.events.screening_state import screening_state
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Loaded
from reputation.store.connection import Store
from reputation.store.database import open_store
from reputation.store.outbox import set_state, state_of
from reputation.users import Role


class StatesInStore:
    """The states of alerts, where those of events are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, key: str) -> str | None:
        """The value that was kept last. StoreError."""
        return await self._store.read(state_of, key)

    async def write(self, key: str, value: str, at: float) -> None:
        """Keeps it. StoreError."""
        await self._store.write(set_state, key, value, at)


async def open_receivers(
    loaded: Loaded, states: StateStore, stack: AsyncExitStack, capabilities: Capabilities
) -> list[Receiver]:
    """Return all of them; `stack` closes what they hold. Each has connections of its own, none uses up another's."""
    settings = loaded.settings
    by_name: dict[str, Receiver] = {
        one.name: Webhook(one, await stack.enter_async_context(OutsideClient())) for one in settings.webhook
    }
    if settings.mqtt.host:
        look = partial(screening_state, loaded, checks_of(capabilities), mask=settings.mqtt.mask)
        mqtt = MqttReceiver(settings.mqtt, look, console_address(settings.web))
        by_name[mqtt.name] = await stack.enter_async_context(mqtt)
    if settings.mail.host:
        by_name["mail"] = MailReceiver(settings.mail, partial(_digest_of, loaded), settings.digest.to)
    by_name |= {one.name: NotifyReceiver(one) for one in settings.notify}
    alerts = [
        AlertReceiver(rule, to, by_name[to], states, settings.reputation.quiet)
        for rule in settings.alert
        for to in rule.to
    ]
    return [*by_name.values(), *alerts]


def _digest_of(loaded: Loaded, wanted: date) -> DigestText:
    """As the mail has it. Refused, StoreError."""
    settings = loaded.settings
    context = Context("events", Role.ADMINISTRATOR, time.time(), loaded)
    with open_store(loaded.store_path) as db:
        digest = day(db, context, DayRequest(wanted))
    console = console_address(settings.web)
    return digest_text(digest, settings.digest.language, numbers=not settings.mail.mask, console=console)
