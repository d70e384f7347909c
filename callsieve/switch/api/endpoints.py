"""Screening off and on again, for programs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from callsieve.api.endpoint import ApiRequest, ApiStruct, Endpoint
from callsieve.changes.operation import note
from callsieve.pbx.cli_client import FOR_EVER
from callsieve.switch import operations
from callsieve.switch.operations import Switched
from reputation.encoding import Instant
from reputation.users import Role, Scope


class SwitchOff(ApiStruct, frozen=True):
    """For how long; null: until it is switched on."""

    duration: Annotated[str, Meta(pattern="^[0-9]{1,6}[smhd]$", examples=["30m"])] | None = field(
        name="for", default=None
    )


class ScreenedState(msgspec.Struct, frozen=True):
    """Whether screening is off. `until`: when it is on again by itself; null: not by itself, or it is on."""

    off: bool
    until: Instant | None


async def switch_off(req: ApiRequest[None, SwitchOff]) -> ScreenedState:
    """Every call goes on as if we were not there."""
    switched = await req.in_thread(operations.switch_off, req.context, req.asked.body.duration)
    await _noted(req, switched)
    return ScreenedState(off=True, until=None if switched.until == FOR_EVER else switched.until)


async def switch_on(req: ApiRequest[None, None]) -> ScreenedState:
    """Calls are screened again."""
    await _noted(req, await req.in_thread(operations.switch_on, req.context))
    return ScreenedState(off=False, until=None)


async def _noted(req: ApiRequest[Any, Any], switched: Switched) -> None:
    if switched.done is not None:
        await req.perform(note, switched.done)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/screening/off",
        switch_off,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        ScreenedState,
        "Switch screening off: every call goes on.",
        body=SwitchOff,
        example=SwitchOff(duration="30m"),
    ),
    Endpoint(
        "POST", "/screening/on", switch_on, Scope.ADMIN, Role.ADMINISTRATOR, ScreenedState, "Switch screening on again."
    ),
)
