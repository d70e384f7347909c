"""Hostile text in every text field of every form: it is shown as text, and nothing else.

The fields are read from the pages themselves, so none is forgotten. Each of them gets a text with a mark of its own.
The mark must be shown afterwards, unless the field is in NEVER_SHOWN: a test that shows nothing proves nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from callsieve.appeals.operations import RulingRequest, decide
from callsieve.changes.operation import Context
from callsieve.main.console_server import PAGES
from callsieve.public_page.web.pages import PAGES as PUBLIC_PAGES
from callsieve.public_page.web.visit import PublicPage
from callsieve.web.rendering import readable
from callsieve.web.request import Page
from callsieve.web.throttle import Limits
from reputation.appeals import AppealStep
from reputation.store.appeals import all_appeals, take_step
from reputation.users import Role
from tests.browser.office import (
    APPEAL,
    BUSINESS,
    CLOSED_APPEAL,
    NUISANCE,
    OPEN_APPEAL,
    OWN,
    SHOWN_CALL,
    STOPPED_APPEAL,
    make_office,
)
from tests.callsieve.browsing import NOW, SETTINGS, Clock, Office
from tests.callsieve.console_calls import add_calls, make_decision
from tests.callsieve.person_page.phones import Phone
from tests.callsieve.public_page.pages import SETTINGS as PUBLIC_SETTINGS
from tests.callsieve.public_page.pages import page_of

# What stands for the parts of addresses. A page with another part needs an example here.
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "call": (SHOWN_CALL,),
    "name": ("balanced",),
    "number": (NUISANCE, BUSINESS, OWN, "+12015550987"),
    "person": ("201",),
    "reference": (OPEN_APPEAL, APPEAL, CLOSED_APPEAL, STOPPED_APPEAL),
}
MORE_PATHS = (
    f"/own/{OWN}?do=change",
    "/policies/compare?from=cautious&to=balanced",
    "/policies/draft?from=cautious",
    f"/numbers/{NUISANCE}/complaint?to=ftc",
)
OWN_PAGE = re.compile(r"/me(?:/.*)?")
# Not pages: streams, files, documents for other people, what programs ask for.
OTHERS = re.compile(r"/(?:live|livez|readyz|metrics|screening|.*\.csv|.*/(?:recordings|screenshots|evidence)/.*)")
TYPED = frozenset({"text", "search", "tel", "url", "textarea"})
# Fields for a telephone number: each form that is sent has a number of its own.
NUMBERS = frozenset({"number", "code_number", "entry", "from"})
KEYS = NUMBERS | {"reference"}  # what a form is about: its other fields are only read if it is valid
# A valid value for the other fields that a form cannot do without.
VALID = {
    "name": "Joe",
    "code_name": "Joe",
    "contact": "joe@example.org",
    "proof": "a letter",
    "after": "a call",
    "reason": "a reason",
    "statement": "a statement",
    "title": "a letter",
    "person": "201",
    "passcode": "12345678",
    "purpose": "sales",
    "owner": "Joe",
    "platform": "Hiya",
    "for": "1h",
}
# The fields whose text no page shows, and why.
NEVER_SHOWN = {
    ("/account/second-factor", "code"): "a secret",
    ("/screening/off", "reason"): "needs an Asterisk: tests/callsieve/switch/test_web_switch.py",
    ("/appeals/X/evidence", "text"): "a document to download",
    ("/people/import", "source"): "needs a file: tests/callsieve/imports/test_web_people.py",
    ("/people/dids/import", "source"): "needs a file: tests/callsieve/imports/test_web_people.py",
    ("/me/sign-in", "passcode"): "only its digits are read",
    ("/reference", "reference"): "one message for all that is wrong",
}

MARKUP = """'"><xss onxss="1"></textarea></title></script><xss onxss='1'>&lt;{{ 7 * 7 }}%(x)s%s{0}{x}"""
TEXTS = {"markup": MARKUP, "control": "\x07\x1b[31m\x00\x85\u200f\u202emosnar", "long": "w" * 1000}
# Also what a browser does not send: half of a pair of surrogates, and more than the field takes.
SENT = {**TEXTS, "surrogate": "\ud800\udc80\udfff\x00", "endless": "w" * 10_000}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
HIDES_DIRECTION = frozenset({"bdi", "textarea", "title", "option", "blockquote", "pre", "code"})


# What has happened to the appeals whose status is read.
ACCEPTED, PROVEN = (AppealStep.ACCEPT,), (AppealStep.PROVE,)
STEPS_OF_APPEALS = ((), ACCEPTED, PROVEN, (AppealStep.WITHDRAW,), ACCEPTED, PROVEN)
RULED = {4: "uphold", 5: "deny"}
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


class Visitor(Protocol):
    """Somebody's browser."""

    client: TestClient

    def get(self, path: str) -> Response: ...

    def post(self, path: str) -> Response: ...


class Form(NamedTuple):
    """A form: where it goes to, the values of its fields, and the fields that somebody writes text into."""

    method: str
    action: str
    values: dict[str, str]
    typed: dict[str, int]  # and how long a text may be
    files: list[str]


class Reader(HTMLParser):
    """A page: its forms, and what hostile text has made of it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.faults: list[str] = []
        self._path, self._open = path, [""]
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "xss" or any("xss" in name for name in given):
            self.faults.append(f"{tag} {sorted(given)}")
        if tag not in ("input", "br", "meta", "link", "img", "hr", "rect", "path", "use"):
            self._open.append(tag)
        if tag == "form":
            self._form = Form(given.get("method", "get"), given.get("action") or self._path, {}, {}, [])
            self.forms.append(self._form)
        elif self._form is not None and (name := given.get("name")):
            kind = given.get("type", "text") if tag == "input" else tag
            self._select = name if kind == "select" else ""
            if kind not in ("checkbox", "file") or "checked" in given:
                self._form.values.setdefault(name, given.get("value", ""))
            if kind == "file":
                self._form.files.append(name)
            if kind in TYPED:
                self._form.typed[name] = int(given.get("maxlength", 1000))
        elif self._form is not None and self._select and tag == "option":
            self._form.values[self._select] = self._form.values[self._select] or given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if TURNING.search(data) and not HIDES_DIRECTION & set(self._open):
            self.faults.append(f"turns what follows it: {data!r} in {self._open}")


def read(path: str, page: str) -> Reader:
    reader = Reader(path)
    reader.feed(page)
    reader.faults += [f"control character {found!r}" for found in set(CONTROL.findall(page))]
    return reader


def paths(table: Iterable[Page | PublicPage], examples: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for page in table:
        if page.method == "GET" and not OTHERS.fullmatch(page.path):
            names = re.findall(r"{(\w+)}", page.path)
            for values in product(*(examples[name] for name in names)):
                yield page.path.format(**dict(zip(names, values, strict=True)))


def console_paths() -> Iterator[str]:
    yield from paths((page for page in PAGES if not OWN_PAGE.fullmatch(page.path)), EXAMPLES)
    yield from MORE_PATHS


def pages(browser: Visitor, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(its path, the page)."""
    for path in wanted:
        answer = browser.get(path)
        assert answer.status_code in (200, 303, 404, 410), (path, answer.status_code)
        if answer.headers.get("content-type", "").startswith("text/html"):
            yield path, answer.text


def kind_of(form: Form) -> str:
    """The form's action without the number or the reference."""
    return re.sub(r"%2B[0-9]+|\+[0-9]{7,}|AP[0-9A-Z]{6}|(?<=/calls/)\w+|[\w-]{43}", "X", form.action.partition("?")[0])


def send(browser: Visitor, form: Form, values: Mapping[str, str]) -> str:
    action, body = form.action, urlencode(values, errors="surrogatepass")
    if form.method == "get":
        answer = browser.get(f"{action.partition('?')[0]}?{body}")
    elif form.files:
        files = {name: ("x.pdf", f"%PDF-1.7 {body}".encode()) for name in form.files}
        data = {name: value.encode(errors="surrogatepass") for name, value in values.items()}
        answer = browser.client.post(action, data=data, files=files, follow_redirects=False)
    else:
        answer = browser.client.post(action, content=body, headers=URLENCODED, follow_redirects=False)
    if answer.status_code == 303:
        answer = browser.get(answer.headers["location"])
    assert answer.status_code < 500, (form.action, values, answer.status_code)
    return answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""


def filled(form: Form, place: int) -> dict[str, str]:
    """The fields of the form as somebody fills them in who has nothing in mind."""
    keys = {"reference": f"7KQ2{place:04d}", **dict.fromkeys(NUMBERS, f"+1201555{place:04d}")}
    return {name: keys.get(name) or value or VALID.get(name, "") for name, value in form.values.items()}


class Walk:
    """What somebody has sent with each form of some pages, and has seen of it. The forms are those of the pages.

    `marks`: each field that somebody writes into, with the text that stands in it before the hostile one.
    """

    def __init__(self, browser: Visitor, kind: str, between: Callable[[], object] = dict) -> None:
        self.browser, self.kind, self.between = browser, kind, between
        self.marks: dict[tuple[str, str], str] = {}
        self.kept: dict[str, str] = {}
        self.seen: list[tuple[str, str]] = []

    def send_all(self, wanted: Sequence[str], *, with_hidden: bool = False) -> None:
        """Send each form of these pages, and of the answers. `with_hidden`: also with hostile text in hidden fields."""
        forms: dict[str, Form] = {}

        def look_at(path: str, page: str) -> None:
            for form in read(path, page).forms:
                if form.typed or with_hidden:
                    forms.setdefault(kind_of(form) if with_hidden else form.action, form)

        def sent(form: Form, what: str, more: Mapping[str, str]) -> None:
            place = 10 * done + len(self.seen) % 10
            self.between()
            page = send(self.browser, form, {**filled(form, place), **more})
            self.seen.append((f"{form.action} {what}", page))
            look_at(form.action, page)

        for path, page in pages(self.browser, wanted):
            look_at(path, page)
        done = 0
        while done < len(forms):
            form = list(forms.values())[done]
            done += 1
            texts = {field: self.hostile(form, field) for field in form.typed}
            if texts:
                sent(form, "", {field: text for field, text in texts.items() if field not in KEYS})
            hidden = [field for field in form.values if with_hidden and field not in (*texts, "form_token")]
            for field in (*texts, *hidden):
                sent(form, field, {field: texts.get(field, SENT[self.kind])})
        self.seen += pages(self.browser, wanted)

    def hostile(self, form: Form, field: str) -> str:
        mark = self.marks.setdefault((kind_of(form), field), f"zz{len(self.marks)}zz")
        text = mark + SENT[self.kind]
        text = text if self.kind == "endless" else text[: form.typed[field]]
        self.kept[mark] = readable(text).strip()
        return text

    def check(self, office: Office) -> None:
        """The texts were shown as text, and nothing in the store is unreadable."""
        everything = "".join(page for _, page in self.seen)
        assert {(path, fault) for path, page in self.seen for fault in read(path, page).faults} == set()
        missing = {field for field, mark in self.marks.items() if mark not in everything}
        if self.kind != "endless":
            assert missing == NEVER_SHOWN.keys() & self.marks.keys()
        stored = texts_in(office)
        assert [text for text in stored if CONTROL.search(text) or TURNING.search(text)] == []
        for mark, text in self.kept.items() if self.kind in TEXTS else ():
            with_mark = [value for value in stored if mark in value]
            assert not with_mark or any(text in value or json.dumps(text)[1:-1] in value for value in with_mark), text


def texts_in(office: Office) -> list[str]:
    """All texts of the store."""
    with closing(sqlite3.connect(office.store)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = [row for table in tables for row in db.execute(f"SELECT * FROM {table}")]
    return [value for row in rows for value in row if isinstance(value, str)]


def ask_for_hostile_paths(browser: Visitor, table: Iterable[Page | PublicPage], kind: str) -> None:
    text = quote(f"zz{SENT[kind]}", safe="", errors="surrogatepass")
    for page in table:
        for name in re.findall(r"{\w+}", page.path):
            path = re.sub(r"{\w+}", "x", page.path.replace(name, text))
            answer = browser.get(path) if page.method == "GET" else browser.post(path)
            assert answer.status_code < 500, (page.path, answer.status_code)
            assert read(page.path, answer.text).faults == [], page.path


@pytest.mark.parametrize("kind", TEXTS)
def test_text_of_a_form_is_shown_as_text(tmp_path: Path, kind: str) -> None:
    office = make_office(tmp_path, SETTINGS)
    office.clock = Clock(time.time())
    with office.console() as console:
        walk = Walk(console.browser("administrator"), kind)
        walk.send_all(tuple(console_paths()))
        ask_for_hostile_paths(walk.browser, PAGES, kind)
    assert len(walk.marks) > 50
    walk.check(office)


@pytest.mark.parametrize("kind", SENT)
def test_text_of_a_persons_form_is_shown_as_text(tmp_path: Path, kind: str) -> None:
    office = make_office(tmp_path, SETTINGS)
    office.clock = Clock(time.time())
    own = [page for page in PAGES if OWN_PAGE.fullmatch(page.path)]
    with office.console() as console:
        walk = Walk(Phone(console, "201"), kind, lambda: setattr(office.clock, "now", office.clock.now + 60))
        walk.send_all(tuple(paths(own, {"secret": ("x",)})), with_hidden=True)
        ask_for_hostile_paths(walk.browser, own, kind)
    assert {path for path, _ in walk.marks} == {"/me/lists/add", "/me/sign-in"}
    walk.check(office)


@pytest.mark.parametrize("kind", SENT)
def test_text_of_a_strangers_form_is_shown_as_text(tmp_path: Path, kind: str) -> None:
    office = Office(tmp_path, PUBLIC_SETTINGS)
    add_calls(office, *(make_decision(f"7KQ2{place:04d}", caller=f"+1206555{place:04d}") for place in range(100)))
    with page_of(office) as stranger:
        tokens = []
        for place, steps in enumerate(STEPS_OF_APPEALS):
            stranger.state.limits = Limits()
            tokens.append(stranger.filed(f"7KQ2{90 + place:04d}").removeprefix("/status/").partition("?")[0])
            appeal = next(item for item in office.read(all_appeals) if item.decision_id == f"7KQ2{90 + place:04d}")
            for step in steps:
                office.write(take_step, appeal.reference, step, NOW)
            if place in RULED:
                reason = readable(SENT[kind].encode(errors="replace").decode())[:200] or "a reason"
                otto = Context("otto", Role.OPERATOR, NOW, office.load())
                office.write(decide, otto, RulingRequest(appeal.reference, RULED[place], reason))
        walk = Walk(stranger, kind, lambda: setattr(stranger.state, "limits", Limits()))
        examples = {"token": tuple(tokens), "reference": ("7KQ20001",), "proof": ("x",)}
        walk.send_all(tuple(paths(PUBLIC_PAGES, examples)), with_hidden=True)
        ask_for_hostile_paths(stranger, PUBLIC_PAGES, kind)
    with office.console() as console:
        walk.seen += pages(console.browser("administrator"), console_paths())
        for appeal in office.read(all_appeals):
            walk.seen += pages(console.browser("administrator"), [f"/appeals/{appeal.reference}"])
    assert {path for path, _ in walk.marks} == {"/reference", "/appeal", "/status/X/documents"}
    walk.check(office)
