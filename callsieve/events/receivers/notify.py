"""Receivers through apprise (chats, telephones, tickets). An optional package; the only module that imports it.

The address of a service is also its password, so it never appears in a message or a log.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from callsieve.events.alerts import alert_of, event_in_words
from callsieve.events.kinds import DeliveryError, Event
from callsieve.integration_settings import NotifyTable
from callsieve.outside.errors import OutsideError
from callsieve.outside.secrets import secret_of

TOTAL_SECONDS: Final = 30.0
MISSING: Final = (
    "apprise is not installed: in CallSieve's checkout, pip install --require-hashes -r requirements/runtime.txt"
)


class NotifyReceiver:
    """A service. The library is imported with the first event."""

    reads_names = True

    def __init__(self, table: NotifyTable) -> None:
        self._table = table
        self.name = f"notify/{table.name}"

    async def deliver(self, event: Event) -> None:
        """Deliver an event and return when the service has accepted it, as far as apprise can tell."""
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
