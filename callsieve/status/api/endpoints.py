"""Whether calls are screened, for programs that watch over us."""

from __future__ import annotations

from typing import Any

import msgspec

from callsieve.api.endpoint import ApiRequest, Endpoint
from callsieve.capability import Capabilities
from callsieve.doctor.checks import checks_of
from callsieve.doctor.finding import CheckContext, HealthCheck, not_asked
from callsieve.settings import Loaded
from callsieve.status.views import status_as_json, status_of
from callsieve.version import program_version
from callsieve.web.rendering import mask_numbers
from reputation.encoding import Instant
from reputation.users import Role, Scope


class ActivePolicy(msgspec.Struct, frozen=True):
    """`observing`: it decides and never acts."""

    name: str | None
    observing: bool | None


class LastHour(msgspec.Struct, frozen=True):
    """Decisions. `failed_open`: calls that went on because something failed."""

    calls: int
    by_action: dict[str, int]
    failed_open: int


class DaemonSaid(msgspec.Struct, frozen=True):
    """What the daemon says of itself."""

    listen: str | None
    started_at: Instant | None
    said_at: Instant | None


class ListenerSaid(msgspec.Struct, frozen=True):
    """Whether the daemon hears from Asterisk how calls end."""

    configured: bool
    connected: bool | None
    trouble: str


class StatusTrouble(msgspec.Struct, frozen=True):
    """A check of the doctor's."""

    name: str
    status: str
    detail: str
    way_out: str
    at: Instant


class SettingsRead(msgspec.Struct, frozen=True):
    """Where they are, and what is wrong with them."""

    file: str | None
    error: str | None
    state: str


class SystemStatus(msgspec.Struct, frozen=True):
    """As `callsieve status --json` has it. `screened`: None where that cannot be told, or depends on the trunk.

    `last_call`: None for a viewer, who sees no numbers.
    """

    version: str
    at: Instant
    screening: str
    screened: bool | None
    well: bool
    why: str
    since: Instant | None
    until: Instant | None
    policy: ActivePolicy
    last_call: dict[str, Any] | None
    last_hour: LastHour | None
    daemon: DaemonSaid
    listener: ListenerSaid
    trouble: list[StatusTrouble]
    not_known: list[StatusTrouble]
    settings: SettingsRead


async def show(req: ApiRequest[None, None]) -> SystemStatus:
    """Are calls screened now, and what is wrong."""
    context = req.context
    status = await req.in_thread(_look, context.loaded, context.at, checks_of(req.state.service(Capabilities)))
    if context.role >= Role.OPERATOR:
        return status
    trouble, not_known = ([_masked(one) for one in some] for some in (status.trouble, status.not_known))
    why = mask_numbers(status.why)
    return msgspec.structs.replace(status, last_call=None, why=why, trouble=trouble, not_known=not_known)


def _masked(one: StatusTrouble) -> StatusTrouble:
    return msgspec.structs.replace(one, detail=mask_numbers(one.detail), way_out=mask_numbers(one.way_out))


def _look(loaded: Loaded, now: float, checks: list[HealthCheck]) -> SystemStatus:
    found = status_as_json(status_of(CheckContext(loaded, not_asked, now), loaded, checks), program_version())
    return msgspec.convert(found, SystemStatus, from_attributes=True)


ENDPOINTS = (
    Endpoint(
        "GET", "/status", show, Scope.READ, Role.VIEWER, SystemStatus, "Are calls screened now, and what is wrong."
    ),
)
