"""Access to people's own pages: check who is signed in, and limit requests and sign-in attempts.

These pages have their own cookie. The console does not accept this cookie, and these pages do not accept the console's.
"""

import sqlite3
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from callsieve.person_page.operations import find_person
from callsieve.settings import Settings
from callsieve.web.access import (
    FIRST_SECONDS,
    TOUCH_SECONDS,
    Redirected,
    cookie_name,
    with_done,
    with_form,
    write_later,
)
from callsieve.web.connections import network_of
from callsieve.web.request import Page, PageRequest
from callsieve.web.throttle import MINUTE, Count, Throttle
from callsieve.web.tokens import hash_of, parse_token
from reputation.model import Person
from reputation.store.devices import Device, device_of, touch_device

COOKIE = "callsieve-me"
SIGN_IN = "/me/sign-in"
REQUESTS_A_MINUTE = 120


class PersonPageLimits:
    """Limits, counted in memory: of requests by device or network, and of wrong links and passcodes by network."""

    def __init__(self) -> None:
        self.requests = Count(REQUESTS_A_MINUTE, MINUTE)
        self.wrong = Throttle()


async def admit_person(page: Page, req: PageRequest) -> PageRequest:
    """Return the request with its person and form. Redirect to the sign-in page if the device is not signed in."""
    token = parse_token(req.http.cookies.get(cookie_name(COOKIE, req.http)))
    signed_in = (
        await req.read(_device_and_person, hash_of(token), req.state.loaded.settings, req.now) if token else None
    )
    if token is None or signed_in is None:
        _count(req, network_of(req.address))
        raise Redirected(RedirectResponse(SIGN_IN, 303))
    device, person = signed_in
    _count(req, f"device {device.id}")
    req.http.state.logged_in = True  # connections.py closes connections without a login first
    await req.state.screening.first(FIRST_SECONDS)
    if req.now - device.seen_at >= TOUCH_SECONDS:
        write_later(req.state, touch_device, device.id, req.now)
    return await with_form(page, await with_done(replace(req, token=token, person=person, device=device)))


async def admit_anybody(page: Page, req: PageRequest) -> PageRequest:
    """Return the request with its form, for pages that need no sign-in."""
    _count(req, network_of(req.address))
    return await with_form(page, req)


def _count(req: PageRequest, key: str) -> None:
    if not req.state.service(PersonPageLimits).requests.take(key, req.now):
        raise HTTPException(429)


def _device_and_person(
    db: sqlite3.Connection, digest: str, settings: Settings, now: float
) -> tuple[Device, Person] | None:
    device = device_of(db, digest, now)
    person = find_person(db, settings, device.person) if device else None
    return (device, person) if device and person else None
