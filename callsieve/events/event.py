"""What a receiver of events is, and how it says that an event was not taken.

    class Mqtt:
        name = "mqtt"
        async def deliver(self, event: Event) -> None: ...     # DeliveryError: it was not taken

An event may come twice, with the same id: when we ended between delivering it and writing that down.
"""

from __future__ import annotations

from typing import Final, Protocol

from reputation.events import Event, EventData, EventKind

__all__ = ["DELIVER_SECONDS", "DeliveryError", "Event", "EventData", "EventKind", "Receiver"]

# So long a delivery may take; a receiver that gathers events for longer says so by its `deliver_seconds`.
DELIVER_SECONDS: Final = 30.0


class DeliveryError(Exception):
    """The event was not taken. `words` say why in one line, without a secret or a number.

    `permanent`: to try again is useless, so that the event becomes a dead letter at once. `retry_after`: seconds that
    the receiver asks for. `gone`: it wants no event any more, and is switched off.
    """

    def __init__(
        self, words: str, permanent: bool = False, *, retry_after: float | None = None, gone: bool = False
    ) -> None:
        super().__init__(words)
        self.words = words
        self.permanent = permanent or gone
        self.retry_after = retry_after
        self.gone = gone


class Receiver(Protocol):
    """Somebody who is told events. `deliver` is called for several subjects at once, and may be cancelled."""

    @property
    def name(self) -> str:
        """As the settings name it; it is kept with what is still to be delivered."""
        ...

    async def deliver(self, event: Event) -> bool | None:
        """Return when the receiver has it; False: it need not be told, and nothing was sent. DeliveryError."""
        ...
