"""Console pages that switch screening on, or off with a reason and a duration."""

import asyncio

from starlette.responses import Response

from callsieve.changes.operation import note
from callsieve.switch import operations
from callsieve.switch.operations import Switched
from callsieve.web.request import Page, PageRequest, local_path
from reputation.users import Role


async def switch_off(req: PageRequest) -> Response:
    """Switch screening off for the duration in the form, or until it is switched on."""
    duration, reason = req.form.get("for", "").strip() or None, req.form.get("reason", "")
    return await _done(
        req, await asyncio.to_thread(operations.switch_off, req.context, duration, reason), "switched-off"
    )


async def switch_on(req: PageRequest) -> Response:
    """Switch screening on."""
    return await _done(req, await asyncio.to_thread(operations.switch_on, req.context), "switched-on")


async def _done(req: PageRequest, switched: Switched, message: str) -> Response:
    if switched.done is not None:
        await req.perform(note, switched.done)
    return req.go(local_path(req.form.get("back")).partition("?")[0], message)


PAGES = (
    Page("POST", "/screening/off", switch_off, Role.ADMINISTRATOR),
    Page("POST", "/screening/on", switch_on, Role.ADMINISTRATOR),
)
