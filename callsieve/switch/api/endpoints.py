"""API endpoints that switch screening off and on."""

from typing import Annotated

import msgspec
from msgspec import Meta, field

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.changes.describe import LineText
from callsieve.changes.operation import note
from callsieve.pbx.cli_client import FOR_EVER
from callsieve.switch import operations
from callsieve.switch.operations import Switched
from reputation.encoding import Instant
from reputation.users import Role, Scope

Duration = Annotated[
    Annotated[str, Meta(pattern="^[0-9]{1,6}[smhd]$", examples=["30m"])] | None,
    Meta(description="How long screening stays off; null: until screening is switched on."),
]


class SwitchOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request to switch screening off, with a duration and a reason."""

    duration: Duration = field(name="for", default=None)
    reason: Annotated[LineText, Meta(description="Reason, for others who see that screening is off.")] = ""


class ScreenedState(msgspec.Struct, frozen=True):
    """Whether calls are screened.

    Attributes:
        off: Whether screening is off.
        until: When screening is switched on again automatically; null if it is on or stays off.
    """

    off: bool
    until: Instant | None


async def switch_off(req: ApiRequest, request: SwitchOff) -> ScreenedState:
    """Switch screening off: every call is let through unscreened."""
    switched = await req.in_thread(operations.switch_off, req.context, request.duration, request.reason)
    await _noted(req, switched)
    return ScreenedState(off=True, until=None if switched.until == FOR_EVER else switched.until)


async def switch_on(req: ApiRequest) -> ScreenedState:
    """Switch screening on."""
    await _noted(req, await req.in_thread(operations.switch_on, req.context))
    return ScreenedState(off=False, until=None)


async def _noted(req: ApiRequest, switched: Switched) -> None:
    if switched.done is not None:
        await req.perform(note, switched.done)


ADMIN = (Scope.ADMIN, Role.ADMINISTRATOR)
ENDPOINTS = (
    endpoint("POST", "/screening/off", switch_off, *ADMIN, example=SwitchOff("30m")),
    endpoint("POST", "/screening/on", switch_on, *ADMIN),
)
