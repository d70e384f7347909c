"""The page on which administrators create links to a person's own page and sign out devices. No calls are shown."""

import sqlite3
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.person_page.operations import OwnPageLink, SignOutRequest, end_links, find_person, make_link, sign_out
from callsieve.person_page.views import device_name
from callsieve.settings import Settings
from callsieve.text.qr_code import qr_svg
from callsieve.web.request import NotFound, Page, PageRequest, number_in_form
from reputation.model import Person
from reputation.store.devices import Device, OpenLink, devices_of, links_of
from reputation.users import Role


@dataclass(frozen=True, slots=True)
class PersonAccess:
    """A person, the devices on which they are signed in, and their unused links."""

    person: Person
    devices: tuple[Device, ...]
    links: tuple[OpenLink, ...]


async def show(req: PageRequest, link: OwnPageLink | None = None) -> Response:
    """Show a person's devices and unused links. `link`: a link that was just created, which is shown once."""
    access = await req.read(person_access, req.path("person"), req.state.loaded.settings, req.now)
    if access is None:
        raise NotFound
    code = Markup(qr_svg(link.url)) if link else ""
    has_https = req.state.loaded.settings.web.behind_proxy
    shown = {"access": access, "link": link, "code": code, "has_https": has_https, "device_name": device_name}
    return req.page("person_page/administration.html", **shown)


async def link(req: PageRequest) -> Response:
    """Create a link to the person's own page and show it once."""
    try:
        made = await req.perform(make_link, req.path("person"))
    except Refused as refused:
        raise NotFound from refused  # the path names no person
    return await show(req, made)


async def end(req: PageRequest) -> Response:
    """Sign out one or all of a person's devices."""
    device = number_in_form(req, "id") if "id" in req.form else None
    await req.perform(sign_out, SignOutRequest(req.path("person"), device))
    return req.go(f"/people/{req.path('person')}", "person-signed-out")


async def end_unused(req: PageRequest) -> Response:
    """Revoke a person's unused links."""
    await req.perform(end_links, req.path("person"))
    return req.go(f"/people/{req.path('person')}", "person-links-ended")


def person_access(db: sqlite3.Connection, extension: str, settings: Settings, now: float) -> PersonAccess | None:
    """Return a person with their devices and links; None if nobody has this extension."""
    person = find_person(db, settings, extension)
    if person is None:
        return None
    return PersonAccess(person, tuple(devices_of(db, extension, now)), tuple(links_of(db, extension, now)))


PAGES = (
    Page("GET", "/people/{person}", show, Role.ADMINISTRATOR),
    Page("POST", "/people/{person}/link", link, Role.ADMINISTRATOR),
    Page("POST", "/people/{person}/end-links", end_unused, Role.ADMINISTRATOR),
    Page("POST", "/people/{person}/sign-out", end, Role.ADMINISTRATOR),
)
