"""One request to the console: all that the function of a page is given, and the only way from there to the store.

req.user, req.form, req.path("id")     who asks, and for what
await req.read(fn, *args)                  what fn(db, *args) returns
await req.perform(lists.add, request)      what an operation returns
req.page("calls/calls.html", calls=calls)        the answer

What a line of the table of pages is: what can be asked for, who may, and which function answers.
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
    """The entries in their order.

    `messages`: what is said, by the word in `?said=`: nobody can make it say more. `on`: the capabilities that have
    pages here: templates link to no other.
    """

    entries: tuple[Entry, ...]
    messages: Mapping[str, str]
    on: Set[str]


class MenuPlace(NamedTuple):
    """A page of the navigation, and whether the visitor is on it or below it."""

    section: Section
    path: str
    label: str
    is_current: bool


class MenuPart(NamedTuple):
    """A part of the navigation with its pages, of which there is at least one."""

    section: Section
    places: Sequence[MenuPlace]

    @property
    def is_current(self) -> bool:
        """Whether the visitor is on one of its pages."""
        return any(place.is_current for place in self.places)


Ts = TypeVarTuple("Ts")

LONGEST_ADDRESS = 64

THEMES = {"system": N_("System"), "light": N_("Light"), "dark": N_("Dark")}


class NotFound(Exception):
    """What the address names is not there, or not for this visitor: nobody is told which."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`user` and `session` are None where nobody is logged in; `token` is then that of the form to log in by.

    `window`: that after an emergency call, and `open_appeals`, for who is logged in. `person` and `device`: on the own
    page of one of our people, which has no `user`. `done`: the change that the visitor has just made, by the id in
    `?change=`. `made`: the ids of the changes that this request makes.
    `now`, in UTC seconds, is when the request came: all that becomes of it happens at that one instant.
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
        """Who asks, on pages that nobody sees without having logged in."""
        assert self.user is not None
        return self.user

    @property
    def here(self) -> Session:
        """The session that such a page is asked in."""
        assert self.session is not None
        return self.session

    @property
    def owner(self) -> Person:
        """Who asks, on the own page of one of our people."""
        assert self.person is not None
        return self.person

    @property
    def role(self) -> Role:
        """The visitor's. Only pages for everybody are visited by nobody."""
        return self.user.role if self.user else Role.VIEWER

    @property
    def who(self) -> str:
        """The visitor as the audit names them."""
        if self.person:
            return f"{self.person.extension} (own page)"
        return f"{self.user.name} (console)" if self.user else "nobody"

    @property
    def sees_numbers(self) -> bool:
        """Whether numbers are shown whole."""
        return self.person is not None or (self.user is not None and self.user.role >= Role.OPERATOR)

    @property
    def address(self) -> str:
        """Where the visitor comes from, as the proxy says it where there is one."""
        said = self.http.client.host if self.http.client else ""
        return "".join(filter(str.isprintable, said))[:LONGEST_ADDRESS]  # a proxy may pass on any text for it

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, which wants a part of the page and not all of it."""
        return self.http.headers.get("hx-request") == "true"

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark, each key once."""
        return self.http.query_params

    def path(self, name: str) -> str:
        """A part of the address."""
        return str(self.http.path_params[name])

    async def read(self, fn: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """What `fn(db, *args)` returns. StoreError."""
        return await self.state.store.read(fn, *args)

    @property
    def context(self) -> Context:
        """Who asks, when, and under which settings, for operations."""
        user = self.user.name if self.user else ""
        return Context(self.who, self.role, self.now, self.state.loaded, user, self.state.changes)

    async def perform(self, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
        """What the operation returns. Refused, StoreError."""
        context = self.context
        result = await self.state.store.write(operation, context, request)
        self.made.extend(change.id for change in context.made if change.id is not None)
        return result

    def page(self, template: str, status: int = 200, /, **shown: Any) -> HTMLResponse:
        """The template with what it shows, and what all pages show."""
        return HTMLResponse(self.render(template, **shown), status)

    def render(self, template: str, /, **shown: Any) -> str:
        """The text of a template; one that begins with `_` is a part of a page."""
        return self.state.templates.render(template, self.language, {**self._common(), **shown})

    def say(self, text: str) -> str:
        """A text of ours in the visitor's language."""
        return self.state.templates.say(text, self.language)

    def go(self, path: str, said: str = "") -> Response:
        """To another page, after something was done. `said` is a word of the menu's messages.

        The page also shows the last change that this request made, with its undo.
        """
        assert not said or said in self.state.service(Menu).messages, said
        query = {"said": said} if said else {}
        if said and self.made:
            query["change"] = str(self.made[-1])
        return RedirectResponse(f"{path}{'&' if '?' in path else '?'}{urlencode(query)}" if query else path, 303)

    def _may_see(self, entry: Entry) -> bool:
        if self.user is None or self.role < entry.role:
            return False
        return not entry.is_central or self.state.health.latest.is_central

    def parts(self, path: str) -> list[MenuPart]:
        """Return the parts of the navigation that the visitor may see."""
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
    """That the window after an emergency call is open: by the store, or by what the doctor saw since it was closed."""
    if window.is_open:
        return window.said
    seen = health.window
    # What was stored may be older than any window lasts, where nobody looks again.
    if seen is None or not (window.closed_at or 0.0) < seen.at > window.now - window.seconds:
        return ""
    return seen.detail


def local_path(text: str | None, otherwise: str = "/") -> str:
    """A path of this console to go on to; `otherwise` for an address that leads anywhere else."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable():
        return otherwise
    parts = urlsplit(text)
    return otherwise if parts.scheme or parts.netloc or "\\" in text else text


def as_file(content: str | bytes, name: str, kind: str = "text/csv; charset=utf-8") -> Response:
    """A file for the browser to keep. `name` is one of ours."""
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def document_response(req: PageRequest, page: str, name: str) -> Response:
    """A page by itself, to look at, or with `?download=` to keep: it needs nothing else, and brings its style with it.
    `name` is one of ours, without the language.
    """
    if req.query.get("download"):
        return as_file(page, f"{name}-{req.language}.html", "text/html; charset=utf-8")
    style = page.partition("<style>")[2].partition("</style>")[0]
    return HTMLResponse(page, headers={POLICY_HEADER: policy_with(style)})


def uploaded_table(req: PageRequest, columns: Sequence[str], longest: int = FIELD_CHARACTERS) -> CsvTable:
    """The table in the file that the form carries. TableError: it is none, or no file was chosen."""
    raw = req.files.get("file", b"")
    if not raw:
        raise TableError(EMPTY)
    return CsvTable(io.BytesIO(raw), columns, Wording("the file"), longest=longest)


def expiry_in(form: Mapping[str, str]) -> str | None:
    """Return the expiry that the macro `expiry` asks for: a day if one is chosen, else a span; None for good."""
    return form.get("expires_on", "").strip() or form.get("expires", "").strip() or None


def number_in_form(req: PageRequest, key: str) -> int:
    """A number that a form of ours carries."""
    text = req.form.get(key, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NotFound
    return int(text)


def undoing(path: str, whats: Collection[str] | None = None) -> Callable[[PageRequest], Awaitable[Response]]:
    """The page's function that undoes the change which a form names, one of `whats` or any, and goes on to the path."""

    async def take_back(req: PageRequest) -> Response:
        await take_back_named(req, whats)
        return req.go(path, "undone")

    return take_back


async def take_back_named(req: PageRequest, whats: Collection[str] | None, number: str | None = None) -> None:
    """Undo the change that the form names, if it is one of `whats`, and about this number; None: any."""
    await req.perform(undo, UndoRequest(number_in_form(req, "id"), whats, number))


# A body must be whole in time; each piece that arrives gives it more, for files over a slow line.
BODY_SECONDS = 10.0
BODY_BYTES_A_SECOND = 8192


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The body. HTTPException for what is too large or too slow."""
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
    """One line. `role`: the least that may, None for everybody, also who is not logged in.

    A POST carries the token of its form, or is refused before `handler` sees it; `most_bytes` bounds what it sends.
    `is_poll`: a page asks for it by itself, so it does not keep a session alive. `admit`: lets visitors in that have
    no session of the console, and nobody else.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None
    most_bytes: int = FORM_BYTES
    is_poll: bool = False
    admit: Admit | None = None
