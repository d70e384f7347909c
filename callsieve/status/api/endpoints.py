"""API endpoint that reports whether calls are screened, for monitoring programs."""

from dataclasses import replace

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.capability import Capabilities
from callsieve.doctor.checks import checks_of
from callsieve.doctor.finding import CheckContext, HealthCheck, not_asked
from callsieve.health import Check
from callsieve.settings import Loaded
from callsieve.status.records import SystemStatus, system_status
from callsieve.status.views import status_of
from callsieve.version import program_version
from callsieve.web.rendering import mask_numbers
from reputation.users import Role, Scope


async def show(req: ApiRequest) -> SystemStatus:
    """Return whether calls are screened now, and the problems."""
    context = req.context
    status = await req.in_thread(_status_of, context.loaded, context.at, checks_of(req.state.service(Capabilities)))
    if context.role >= Role.OPERATOR:
        return status
    trouble, not_known = (tuple(map(_masked, checks)) for checks in (status.trouble, status.not_known))
    return replace(status, last_call=None, why=mask_numbers(str(status.why)), trouble=trouble, not_known=not_known)


def _masked(check: Check) -> Check:
    return replace(check, detail=mask_numbers(str(check.detail)), remedy=mask_numbers(str(check.remedy)))


def _status_of(loaded: Loaded, now: float, checks: list[HealthCheck]) -> SystemStatus:
    return system_status(status_of(CheckContext(loaded, not_asked, now), loaded, checks), program_version())


ENDPOINTS = (endpoint("GET", "/status", show, Scope.READ, Role.VIEWER),)
