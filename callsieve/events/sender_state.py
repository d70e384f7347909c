"""How a sender says in the store that it runs."""

from __future__ import annotations

from typing import Final

LOOK_SECONDS: Final = 30.0
FRESH_SECONDS: Final = 4 * LOOK_SECONDS  # a sender that has not said so for longer does not run
HEARTBEAT: Final = "events/sender"
