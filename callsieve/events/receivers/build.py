"""The receivers that the settings name, ready to be told events."""

from __future__ import annotations

from contextlib import AsyncExitStack

from callsieve.events.event import Receiver
from callsieve.events.receivers.webhook import Webhook
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Settings


async def open_receivers(settings: Settings, stack: AsyncExitStack) -> list[Receiver]:
    """All of them; `stack` closes what they hold. Each has connections of its own, so that none uses up another's."""
    return [Webhook(one, await stack.enter_async_context(OutsideClient())) for one in settings.webhook]
