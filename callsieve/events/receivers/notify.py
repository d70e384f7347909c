"""Any service that apprise knows (chats, telephones, tickets): an extra, and the only module that imports it.

The address of a service is its password as well, so nothing of it is ever in a message or a log.
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
        """Returns when the service has it, as far as apprise can tell. DeliveryError."""
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
                taken = await service.async_notify(body=body, title=title, body_format="text")
        except TimeoutError:
            raise DeliveryError(f"{table.name}: not done within {TOTAL_SECONDS:g} seconds") from None
        except Exception as error:  # noqa: BLE001  of a hundred plugins; what they say may hold the address
            raise DeliveryError(f"{table.name}: it failed ({type(error).__name__})") from None
        if not taken:
            raise DeliveryError(f"{table.name}: the service did not take it")


def _service_at(url: str) -> Any:
    """DeliveryError: no such library, or no address of a service."""
    try:
        import apprise
    except ImportError:
        raise DeliveryError(MISSING) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs addresses
    service = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True, app_id="CallSieve"))
    if not service.add(url):
        raise DeliveryError("the address is none that apprise knows: https://github.com/caronc/apprise says how")
    return service
