"""A request to the console. It holds everything that a page's function receives, including access to the store.

req.user, req.form, req.path("id")          the visitor, and the parameters
await req.read(fn, *args)                   the result of fn(db, *args)
await req.perform(lists.add, request)       the result of an operation
req.page("calls/calls.html", calls=calls)   the response, rendered from a template
"""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, TypeVarTuple
from urllib.parse import urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from callsieve.capability import Entry, Section
from callsieve.changes.operation import Context
from callsieve.changes.undo import Latest, UndoRequest, undo
from callsieve.emergency_window import EmergencyWindow
from callsieve.health import SystemHealth
from callsieve.text.csv_table import FIELD_CHARACTERS, CsvTable
from callsieve.text.table_errors import TableError
from callsieve.web.app_state import AppState
from callsieve.web.i18n import LANGUAGES, N_, TAGS
from callsieve.web.rendering import readable
from callsieve.web.security_headers import POLICY_HEADER, policy_with
from callsieve.web.tokens import form_token
from reputation.model import Person
from reputation.store.devices import Device
from reputation.users import ConsoleUser, Role, Session
from reputation.wording import Wording

EMPTY = N_("Choose a file first.")

R = TypeVar("R")
T = TypeVar("T")


class Menu(NamedTuple):
    """The entries of the navigation, in order.

    `messages`: the texts that `?said=` may name after a change, so that a link cannot show any other text. `on`: names
    of the enabled capabilities that have pages, to which templates may link.
    """

    entries: tuple[Entry, ...]
    messages: Mapping[str, str]
    on: Set[str]


class MenuPlace(NamedTuple):
    """A page in the navigation. `is_current`: whether the visitor is on this page or below it."""

    section: Section
    path: str
    label: str
    is_current: bool


class MenuPart(NamedTuple):
    """A section of the navigation with at least one page."""

    section: Section
    places: Sequence[MenuPlace]

    @property
    def is_current(self) -> bool:
        """Whether the visitor is on one of the section's pages."""
        return any(place.is_current for place in self.places)


Ts = TypeVarTuple("Ts")

LONGEST_ADDRESS = 64

THEMES = {"system": N_("System"), "light": N_("Light"), "dark": N_("Dark")}


class NotFound(Exception):
    """The error for an object that does not exist or is hidden from the visitor. The error page does not tell which."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request to a page. Without a login, `user` and `session` are None, and `token` belongs to the login form.

    `window` (the emergency window) and `open_appeals` are set for logged-in users. `person` and `device` are set on a
    person's own page, where `user` is None.

    `done`: the change that the visitor has just made, named by `?change=`. `made`: ids of the changes that this request
    made. `now`: when the request arrived, in UTC seconds. Its changes are recorded with this time.
    """

    http: Request
    state: AppState
    now: float
    token: str
    language: str
    theme: str
    user: ConsoleUser | None = None
    session: Session | None = None
    window: EmergencyWindow | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    person: Person | None = None
    device: Device | None = None
    done: Latest | None = None
    open_appeals: int = 0
    made: list[int] = field(default_factory=list)

    @property
    def me(self) -> ConsoleUser:
        """The logged-in user. Only for pages that require a login."""
        assert self.user is not None
        return self.user

    @property
    def here(self) -> Session:
        """The visitor's session. Only for pages that require a login."""
        assert self.session is not None
        return self.session

    @property
    def owner(self) -> Person:
        """The person whose own page this is."""
        assert self.person is not None
        return self.person

    @property
    def role(self) -> Role:
        """The visitor's role. Visitors without a login are viewers and reach only public pages."""
        return self.user.role if self.user else Role.VIEWER

    @property
    def who(self) -> str:
        """The visitor's name for the audit log."""
        if self.person:
            return f"{self.person.extension} (own page)"
        return f"{self.user.name} (console)" if self.user else "nobody"

    @property
    def sees_numbers(self) -> bool:
        """Whether the visitor may see unmasked phone numbers."""
        return self.person is not None or (self.user is not None and self.user.role >= Role.OPERATOR)

    @property
    def address(self) -> str:
        """The visitor's IP address, from the proxy if there is one."""
        host = self.http.client.host if self.http.client else ""
        return "".join(filter(str.isprintable, host))[:LONGEST_ADDRESS]  # a proxy may pass on any text for it

    @property
    def is_fragment(self) -> bool:
        """Whether htmx requests only a fragment of the page."""
        return self.http.headers.get("hx-request") == "true"

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return {name: readable(value) for name, value in self.http.query_params.items()}

    def path(self, name: str) -> str:
        """Return the parameter of the path with this name."""
        return str(self.http.path_params[name])

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Return the result of `fn(db, *args)`. Raise StoreError on failure."""
        return await self.state.store.read(fn, *args)

    @property
    def context(self) -> Context:
        """The context of operations: user, time and settings."""
        user = self.user.name if self.user else ""
        return Context(self.who, self.role, self.now, self.state.loaded, user, self.state.changes)

    async def perform(self, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
        """Return the result of the operation, which may change the store. Raise Refused or StoreError."""
        context = self.context
        result = await self.state.store.write(operation, context, request)
        self.made.extend(change.id for change in context.made if change.id is not None)
        return result

    def page(self, template: str, status: int = 200, /, **shown: Any) -> HTMLResponse:
        """Render a template into a response, with the values that all pages share."""
        return HTMLResponse(self.render(template, **shown), status)

    def render(self, template: str, /, **shown: Any) -> str:
        """Render a template to text. A template whose name begins with `_` is a fragment."""
        return self.state.templates.render(template, self.language, {**self._common(), **shown})

    def say(self, text: str) -> str:
        """Translate one of the program's own texts into the visitor's language."""
        return self.state.templates.say(text, self.language)

    def go(self, path: str, message: str = "") -> Response:
        """Redirect to a page after a change. `message`: the key of a message in `Menu.messages`.

        The page also shows the last change of this request, with a button to undo it.
        """
        assert not message or message in self.state.service(Menu).messages, message
        query = {"said": message} if message else {}
        if message and self.made:
            query["change"] = str(self.made[-1])
        return RedirectResponse(f"{path}{'&' if '?' in path else '?'}{urlencode(query)}" if query else path, 303)

    def _may_see(self, entry: Entry) -> bool:
        if self.user is None or self.role < entry.role:
            return False
        return not entry.is_central or self.state.health.latest.is_central

    def parts(self, path: str) -> list[MenuPart]:
        """Return the sections of the navigation that the visitor may see."""
        entries = [entry for entry in self.state.service(Menu).entries if self._may_see(entry)]
        places = [
            MenuPlace(entry.section, entry.path, entry.label, path == entry.path or path.startswith(f"{entry.path}/"))
            for entry in entries
        ]
        parts = ((section, [place for place in places if place.section is section]) for section in Section)
        return [MenuPart(section, inner) for section, inner in parts if inner]

    def _common(self) -> dict[str, Any]:
        path = self.http.url.path
        health = self.state.health.latest if self.user else None
        menu = self.state.service(Menu)
        return {
            "user": self.user,
            "role": self.role.word,
            "may_operate": self.user is not None and self.role >= Role.OPERATOR,
            "may_administer": self.user is not None and self.role >= Role.ADMINISTRATOR,
            "sees_numbers": self.sees_numbers,
            "form_token": form_token(self.token),
            "path": path,
            "here": f"{path}?{self.http.url.query}" if self.http.url.query else path,
            "parts": self.parts(path),
            "language": self.language,
            "lang": TAGS[self.language],
            "languages": LANGUAGES,
            "theme": self.theme,
            "themes": THEMES,
            "on": menu.on,
            "last_change": self.done,
            "open_appeals": self.open_appeals,
            "said": menu.messages.get(self.query.get("said", ""), ""),
            "observing": self.state.observing if self.user else "",
            "screening": self.state.screening.latest,
            "has_pill": not (health and health.is_central),
            "window": _open_window(self.window, health) if self.window and health else "",
            "policy_trouble": self.state.policy_trouble if self.user else "",
            "now": self.now,
        }


def _open_window(window: EmergencyWindow, health: SystemHealth) -> str | Wording:
    """Return the text about an open emergency window; empty if no window is open.

    The window is known from the store, or from a health check that saw a later emergency call.
    """
    if window.is_open:
        return window.description
    seen = health.window
    # The stored check may be older than any window if no later check ran.
    if seen is None or not (window.closed_at or 0.0) < seen.at > window.now - window.seconds:
        return ""
    return seen.detail


def local_path(text: str | None, otherwise: str = "/") -> str:
    """Return the path if it is local to this console, else `otherwise`."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable():
        return otherwise
    parts = urlsplit(text)
    return otherwise if parts.scheme or parts.netloc or "\\" in text else text


def as_file(content: str | bytes, name: str, kind: str = "text/csv; charset=utf-8") -> Response:
    """Return a download. `name` must be a safe file name."""
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def document_response(req: PageRequest, page: str, name: str) -> Response:
    """Return a self-contained page; with `?download=`, as a download. `name`: file name without language and suffix."""
    if req.query.get("download"):
        return as_file(page, f"{name}-{req.language}.html", "text/html; charset=utf-8")
    style = page.partition("<style>")[2].partition("</style>")[0]
    return HTMLResponse(page, headers={POLICY_HEADER: policy_with(style)})


def uploaded_table(req: PageRequest, columns: Sequence[str], longest: int = FIELD_CHARACTERS) -> CsvTable:
    """Parse the uploaded CSV file. Raise TableError if no file was chosen or the file is not a table."""
    raw = req.files.get("file", b"")
    if not raw:
        raise TableError(EMPTY)
    return CsvTable(io.BytesIO(raw), columns, Wording("the file"), longest=longest)


def expiry_in(form: Mapping[str, str]) -> str | None:
    """Return the expiry from the form fields of the macro `expiry`: a date or a period; None for no expiry."""
    return form.get("expires_on", "").strip() or form.get("expires", "").strip() or None


def number_in_form(req: PageRequest, key: str) -> int:
    """Return an integer from a hidden form field. Raise NotFound if it is malformed."""
    text = req.form.get(key, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NotFound
    return int(text)


def undoing(path: str, whats: Collection[str] | None = None) -> Callable[[PageRequest], Awaitable[Response]]:
    """Return a page function that undoes the change named in its form and redirects to the path.

    `whats`: the kinds of change that the function may undo; None allows all kinds.
    """

    async def take_back(req: PageRequest) -> Response:
        await take_back_named(req, whats)
        return req.go(path, "undone")

    return take_back


async def take_back_named(req: PageRequest, whats: Collection[str] | None, number: str | None = None) -> None:
    """Undo the change that the form names. Its kind must be one of `whats`, and its phone number must be `number`.

    None allows any kind or number.
    """
    await req.perform(undo, UndoRequest(number_in_form(req, "id"), whats, number))


# A body must be whole in time; each piece that arrives gives it more, for files over a slow line.
BODY_SECONDS = 10.0
BODY_BYTES_A_SECOND = 8192


async def body_of(request: Request, most_bytes: int) -> bytes:
    """Return the body of a request. Raise HTTPException if the body is too large or too slow."""
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS) as limit:
            latest = limit.when() or 0.0
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > most_bytes:
                    raise HTTPException(413)
                limit.reschedule(latest + len(raw) / BODY_BYTES_A_SECOND)
    except TimeoutError:
        raise HTTPException(408) from None
    return bytes(raw)


if TYPE_CHECKING:
    from starlette.responses import Response

    from callsieve.web.request import PageRequest

    Handler = Callable[[PageRequest], Awaitable[Response]]
    Admit = Callable[["Page", PageRequest], Awaitable[PageRequest]]

FORM_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """An entry in a capability's table of pages.

    Attributes:
        role: The lowest role that may see the page; None: everybody, without a login. In both cases, POST requests need
            a valid form token.
        most_bytes: The size limit of the request's body.
        is_poll: Whether the browser requests the page periodically, so that a request does not keep the session alive.
        admit: The check that admits visitors; by default the console's login.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None
    most_bytes: int = FORM_BYTES
    is_poll: bool = False
    admit: Admit | None = None
