"""Checks that run before a page's function, and the error pages.

For each request they check the session cookie, the user's role (table of pages) and, in a POST, the form token. The
page itself may still refuse the request.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, TypeVarTuple
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from callsieve.changes.operation import Refused
from callsieve.changes.undo import find_made
from callsieve.emergency_window import EmergencyWindow, window_of
from callsieve.settings import Settings
from callsieve.web.app_state import AppState
from callsieve.web.i18n import LANGUAGES, N_, wanted_language
from callsieve.web.rendering import readable
from callsieve.web.request import THEMES, NotFound, Page, PageRequest, body_of, local_path
from callsieve.web.security_headers import host_of
from callsieve.web.tokens import hash_of, is_form_token, new_token, parse_token
from reputation.store.appeals import count_live
from reputation.store.errors import StoreError
from reputation.store.users import Lifetime, session_of, touch_session
from reputation.users import ConsoleUser, Session
from reputation.wording import Wording

Ts = TypeVarTuple("Ts")

logger = logging.getLogger("callsieve.web")

COOKIE = "callsieve"
LOGIN_COOKIE = "callsieve-form"
BROWSER_COOKIE = "callsieve-browser"
LANGUAGE_COOKIE = "callsieve-language"
THEME_COOKIE = "callsieve-theme"
YEAR_SECONDS = 365 * 86400
TOUCH_SECONDS = 60.0
MOST_FIELDS = 200
PASSWORDS = frozenset({"password", "present", "new", "again"})  # the fields whose text is taken as it is
ID_DIGITS = 16
FIRST_SECONDS = 1.0  # how long the first page waits for the screening state

ERRORS = {
    400: N_("The console does not understand this request."),
    403: N_("Your role does not allow this. Ask an administrator if you need it."),
    404: N_("This page does not exist, or what it showed was removed."),
    405: N_("This address does not support this kind of request."),
    408: N_("The form took too long to arrive. Nothing was changed: send it again."),
    413: N_("The request is larger than the console accepts."),
    429: N_("Too many requests came from your address. Wait a minute and try again."),
    419: N_(
        "The form has expired or came from another website. "
        "Nothing was changed. Go back, reload the page and try again."
    ),
    500: N_("A part of the console failed. Nothing was changed. See the log for details. Calls are not affected."),
    503: N_("The store is not available at the moment. Calls are not affected: the daemon decides about them."),
}


class Redirected(Exception):
    """The exception that redirects the visitor instead of showing the page."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def is_https(request: Request) -> bool:
    """Return whether the browser uses HTTPS, also if a proxy in front of the console decrypts the requests."""
    return request.url.scheme == "https"


def cookie_name(name: str, request: Request) -> str:
    """Return the cookie's name. Over HTTPS the name gets a prefix, so that only this host can set the cookie."""
    return f"__Host-{name}" if is_https(request) else name


def set_cookie(response: Response, request: Request, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie that only the console receives and that scripts cannot read."""
    response.set_cookie(
        cookie_name(name, request),
        value,
        max_age=seconds,
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="lax",  # not strict: a link to a call, from a mail or a ticket, should find people logged in
    )


def drop_cookie(response: Response, request: Request, name: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(
        cookie_name(name, request), path="/", secure=is_https(request), httponly=True, samesite="lax"
    )


async def prefer(req: PageRequest) -> Response:
    """Store the chosen language and theme in cookies."""
    response = req.go(local_path(req.form.get("next")))
    if req.form.get("language") in LANGUAGES:
        set_cookie(response, req.http, LANGUAGE_COOKIE, req.form["language"], YEAR_SECONDS)
    if req.form.get("theme") in THEMES:
        set_cookie(response, req.http, THEME_COOKIE, req.form["theme"], YEAR_SECONDS)
    return response


def guarded(page: Page, state: AppState) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that checks the visitor, calls the page's function, and turns errors into pages."""

    async def answer(request: Request) -> Response:
        req = anonymous(request, state)
        try:
            req = await (page.admit or _admitted)(page, req)
            return await page.handler(req)
        except Redirected as redirected:
            return redirected.response
        except NotFound:
            return error_page(req, 404)
        except Refused as refused:
            return error_page(req, 422, refused.words)
        except StoreError as error:
            logger.warning("%s", error)
            return error_page(req, 503, str(error) if req.user else "")
        except HTTPException as error:
            return error_page(req, error.status_code)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            logger.exception("the page %s failed", page.path)
            return error_page(req, 500)

    return answer


def anonymous(request: Request, state: AppState) -> PageRequest:
    """Return a PageRequest without a user. `with_session` adds the user."""
    cookies = request.cookies
    theme = cookies.get(THEME_COOKIE, "")
    return PageRequest(
        http=request,
        state=state,
        now=state.clock(),
        token=parse_token(cookies.get(cookie_name(LOGIN_COOKIE, request))) or new_token(),
        language=wanted_language(cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", "")),
        theme=theme if theme in THEMES else "system",
    )


def error_page(req: PageRequest, status: int, detail: str | Wording = "") -> Response:
    """Return an error page that explains the problem and the next step."""
    text = ERRORS.get(status) or ("" if detail else ERRORS[400])
    return req.page("error.html", status, status=status, text=text, detail=detail)


async def _admitted(page: Page, req: PageRequest) -> PageRequest:
    """Return the request with its user and form. Raise Redirected or HTTPException if the visitor is not admitted."""
    req = await with_session(req, is_poll=page.is_poll)
    if page.role is not None:
        if req.user is None:
            raise Redirected(_to_login(req, page))
        if req.user.role < page.role:
            raise HTTPException(403)
        await req.state.screening.first(FIRST_SECONDS)
    return await with_form(page, req)


async def with_form(page: Page, req: PageRequest) -> PageRequest:
    """Return the request with its form. Raise HTTPException if the form did not come from this console."""
    if page.method == "POST":
        form, files = await form_of(req.http, page.most_bytes)
        req = replace(req, form=form, files=files)
        if not _is_ours(req):
            raise HTTPException(419)
        req.state.screening.forget()  # so that the next page shows the effect of this form
    return req


async def with_session(req: PageRequest, *, is_poll: bool = False) -> PageRequest:
    """Return the request with the session that the request's cookie names, if there is one.

    The time of the session's last use is written to the store at most once a minute. Polls do not count as use.
    """
    token = parse_token(req.http.cookies.get(cookie_name(COOKIE, req.http)))
    if token is None:
        return req
    visit = await req.read(_visit_of, hash_of(token), req.now, req.state.lifetime, req.state.loaded.settings)
    if visit is None:
        return req
    user, session = visit.user, visit.session
    req.http.state.logged_in = True  # connections.py closes others first
    if not is_poll and req.now - session.seen_at >= TOUCH_SECONDS:
        write_later(req.state, touch_session, session.token, req.now)
    visited = replace(
        req, token=token, user=user, session=session, window=visit.window, open_appeals=visit.open_appeals
    )
    return await with_done(visited)


async def with_done(req: PageRequest) -> PageRequest:
    """Return the request with the change named by `?change=`, if the visitor has just made that change."""
    change = req.query.get("change", "")
    if not (change.isascii() and change.isdigit() and len(change) < ID_DIGITS):
        return req
    return replace(req, done=await req.read(find_made, req.context, int(change)))


def write_later(state: AppState, fn: Callable[[sqlite3.Connection, *Ts], object], *args: *Ts) -> None:
    """Run `fn(db, *args)` in the background, for unimportant writes. The write is lost if the store is unavailable."""

    async def write() -> None:
        with suppress(StoreError):
            await state.store.write(fn, *args)

    task = asyncio.ensure_future(write())
    state.background.add(task)
    task.add_done_callback(state.background.discard)


class _Visit(NamedTuple):
    """The values that all pages of a logged-in user need, read from the store in one step."""

    user: ConsoleUser
    session: Session
    window: EmergencyWindow
    open_appeals: int


def _visit_of(db: sqlite3.Connection, token: str, now: float, lifetime: Lifetime, settings: Settings) -> _Visit | None:
    session = session_of(db, token, now, lifetime)
    return _Visit(*session, window_of(db, settings, now), count_live(db)) if session else None


def _to_login(req: PageRequest, page: Page) -> Response:
    """Return a redirect to the login form, which leads back to this page afterwards.

    If htmx requested only a fragment, the whole page is redirected.
    """
    url = req.http.url
    here = local_path(f"{url.path}?{url.query}" if url.query else url.path)
    target = f"/login?next={quote(here)}" if page.method == "GET" and not req.is_fragment else "/login"
    if req.is_fragment:
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303)


async def form_of(request: Request, most_bytes: int) -> tuple[Mapping[str, str], Mapping[str, bytes]]:
    """Parse a form into fields and files. Raise HTTPException if the body is too large, too slow or not a form."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        raise HTTPException(400)
    if kind.startswith("m") and "charset" in kind.lower():
        raise HTTPException(400)  # browsers send no charset, and starlette would use any Python codec
    request._body = await body_of(request, most_bytes)  # starlette reads a form from the body that was read already
    async with request.form(max_fields=MOST_FIELDS, max_files=1) as form:
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
        fields = {key: value if key in PASSWORDS else readable(value) for key, value in texts.items()}
        return fields, {key: await value.read() for key, value in form.items() if not isinstance(value, str)}


def _is_ours(req: PageRequest) -> bool:
    return not is_from_elsewhere(req.http) and is_form_token(req.form.get("form_token", ""), req.token)


def is_from_elsewhere(request: Request) -> bool:
    """Return whether the browser says that another website sent this request."""
    headers = request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and host_of(origin.partition("://")[2]) != host_of(headers.get("host", ""))
