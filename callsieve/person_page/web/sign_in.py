"""Sign-in to a person's own page: with a link and its confirmation button, or with a passcode from the phone."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from callsieve.changes.operation import Context
from callsieve.doctor.stored_findings import Findings, read_findings
from callsieve.person_page.operations import (
    Browser,
    LinkSignIn,
    PasscodeSignIn,
    find_person,
    sign_in_with_link,
    sign_in_with_passcode,
)
from callsieve.person_page.web.admission import COOKIE, PersonPageLimits, admit_anybody
from callsieve.settings import Settings
from callsieve.web import access
from callsieve.web.connections import network_of
from callsieve.web.i18n import N_
from callsieve.web.request import Page, PageRequest
from callsieve.web.tokens import hash_of, new_token
from reputation.model import Person
from reputation.store.devices import DEVICE_SECONDS, PASSCODE_DIGITS, person_of_link
from reputation.wording import Wording

logger = logging.getLogger("callsieve.web")

R = TypeVar("R")
USED = N_("This link was used already, or is older than 24 hours. Ask your administrator for another one.")
WRONG = N_(
    "This is not the passcode of this extension, or the passcode is older than five minutes. Get a new passcode "
    "on your phone."
)


async def show(req: PageRequest) -> Response:
    """Show the passcode form."""
    return await _form(req)


async def show_link(req: PageRequest) -> Response:
    """Show a button that uses up the link. Opening the link is not enough, because mail scanners open links."""
    person = await req.read(_person_of, req.path("secret"), req.state.loaded.settings, req.now)
    return _link(req, person, "" if person else USED)


async def use_link(req: PageRequest) -> Response:
    """Use up a link and sign its person in."""
    if wait := _wait(req):
        return _link(req, None, wait, 429)
    browser, token = _browser(req)
    person = await _signed_in(req, sign_in_with_link, LinkSignIn(req.path("secret"), browser))
    return _to_page(req, token) if person else _link(req, None, USED)


async def use_passcode(req: PageRequest) -> Response:
    """Sign in the person on whose phone the passcode was spoken."""
    if wait := _wait(req):
        return await _form(req, wait, 429)
    browser, token = _browser(req)
    passcode = "".join(filter(str.isdigit, req.form.get("passcode", "")))[:PASSCODE_DIGITS]
    request = PasscodeSignIn(req.form.get("person", "").strip(), passcode, browser)
    person = await _signed_in(req, sign_in_with_passcode, request)
    return _to_page(req, token) if person else await _form(req, WRONG, 401)


async def _signed_in(
    req: PageRequest, operation: Callable[[sqlite3.Connection, Context, R], Person | None], request: R
) -> Person | None:
    """Return the person who signed in, or None.

    An attempt counts as wrong until it is checked, so that parallel attempts cannot exceed the limit.
    """
    wrong, network = req.state.service(PersonPageLimits).wrong, network_of(req.address)
    wrong.failed(network, req.now)
    person = await req.perform(operation, request)
    if person is None:
        logger.warning("personal page: sign-in failed: address=%s", req.address)
        return None
    wrong.take_back(network)
    logger.info("personal page: signed in: extension=%s address=%s", person.extension, req.address)
    return person


def _wait(req: PageRequest) -> Wording | None:
    seconds = req.state.service(PersonPageLimits).wrong.wait_seconds(network_of(req.address), req.now)
    return Wording("Too many attempts. Try again in {seconds} s.", {"seconds": int(seconds) + 1}) if seconds else None


def _browser(req: PageRequest) -> tuple[Browser, str]:
    token = new_token()
    agent = "".join(filter(str.isprintable, req.http.headers.get("user-agent", "")))
    return Browser(hash_of(token), req.address, agent), token


def _to_page(req: PageRequest, token: str) -> Response:
    response = req.go("/me", "me-signed-in")
    access.set_cookie(response, req.http, COOKIE, token, int(DEVICE_SECONDS))
    access.drop_cookie(response, req.http, access.LOGIN_COOKIE)
    return response


def _person_of(db: sqlite3.Connection, secret: str, settings: Settings, now: float) -> Person | None:
    extension = person_of_link(db, secret, now)
    return find_person(db, settings, extension) if extension else None


def _link(req: PageRequest, person: Person | None, problem: str | Wording, status: int = 200) -> Response:
    status = 410 if person is None and status == 200 else status
    return _with_form(req, req.page("person_page/link.html", status, owner=person, problem=problem))


async def _form(req: PageRequest, problem: str | Wording = "", status: int = 200) -> Response:
    typed = req.form.get("person", "")[:64]
    findings = await asyncio.to_thread(read_findings, req.state.loaded.findings_path)
    code = findings.passcode_code if isinstance(findings, Findings) else ""
    return _with_form(req, req.page("person_page/sign_in.html", status, problem=problem, typed=typed, code=code))


def _with_form(req: PageRequest, response: Response) -> Response:
    access.set_cookie(response, req.http, access.LOGIN_COOKIE, req.token)
    return response


PAGES = (
    Page("GET", "/me/sign-in", show, None, admit=admit_anybody),
    Page("POST", "/me/sign-in", use_passcode, None, admit=admit_anybody),
    Page("GET", "/me/link/{secret}", show_link, None, admit=admit_anybody),
    Page("POST", "/me/link/{secret}", use_link, None, admit=admit_anybody),
)
