"""Hostile text in every text field of every form: it is shown as text, and nothing else.

The fields are read from the pages themselves, so none is forgotten. Each of them gets a text with a mark of its own.
The mark must be shown afterwards, unless the field is in NEVER_SHOWN: a test that shows nothing proves nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from callsieve.main.console_server import PAGES
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
from tests.callsieve.browsing import SETTINGS, Browser, Clock

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
# Not pages: streams, files, documents for other people, what programs ask for; and the pages of single people.
OTHERS = re.compile(
    r"/(?:live|livez|readyz|metrics|screening|me(?:/.*)?|.*\.csv|.*/(?:recordings|screenshots|evidence)/.*)"
)
TYPED = frozenset({"text", "search", "tel", "url", "textarea"})
# Fields for a telephone number: each form that is sent has a number of its own.
NUMBERS = frozenset({"number", "code_number", "entry", "from"})
# A valid value for the other fields that a form cannot do without.
VALID = {
    "name": "Joe",
    "code_name": "Joe",
    "contact": "joe@example.org",
    "proof": "a letter",
    "after": "a call",
    "reason": "a reason",
    "statement": "a statement",
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
}

MARKUP = """'"><xss onxss="1"></textarea></title></script><xss onxss='1'>&lt;{{ 7 * 7 }}%(x)s%s{0}"""
TEXTS = {"markup": MARKUP, "control": "\x07\x1b[31m\x00\x85\u200f\u202emosnar", "long": "w" * 1000}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
HIDES_DIRECTION = frozenset({"bdi", "textarea", "title", "option", "blockquote", "pre", "code"})


class Form(NamedTuple):
    """A form: where it goes to, the values of its fields, and the fields that somebody writes text into."""

    method: str
    action: str
    values: dict[str, str]
    typed: dict[str, int]  # and how long a text may be


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
            self._form = Form(given.get("method", "get"), given.get("action") or self._path, {}, {})
            self.forms.append(self._form)
        elif self._form is not None and (name := given.get("name")):
            kind = given.get("type", "text") if tag == "input" else tag
            self._select = name if kind == "select" else ""
            if kind not in ("checkbox", "file") or "checked" in given:
                self._form.values.setdefault(name, given.get("value", ""))
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


def paths() -> Iterator[str]:
    for page in PAGES:
        if page.method == "GET" and not OTHERS.fullmatch(page.path):
            names = re.findall(r"{(\w+)}", page.path)
            for values in product(*(EXAMPLES[name] for name in names)):
                yield page.path.format(**dict(zip(names, values, strict=True)))
    yield from MORE_PATHS


def pages(browser: Browser) -> Iterator[tuple[str, str]]:
    """(its path, the page)."""
    for path in paths():
        answer = browser.get(path)
        assert answer.status_code in (200, 303, 404), (path, answer.status_code)
        if answer.headers.get("content-type", "").startswith("text/html"):
            yield path, answer.text


def kind_of(form: Form) -> str:
    """The form's action without the number or the reference."""
    return re.sub(r"%2B[0-9]+|\+[0-9]{7,}|AP[0-9A-Z]{6}", "X", form.action.partition("?")[0])


def send(browser: Browser, form: Form, values: Mapping[str, str]) -> str:
    if form.method == "get":
        answer = browser.get(form.action, params=dict(values))
    else:
        answer = browser.post(form.action, **values)
    if answer.status_code == 303:
        answer = browser.get(answer.headers["location"])
    assert answer.status_code < 500, (form.action, values, answer.status_code)
    return answer.text if answer.headers["content-type"].startswith("text/html") else ""


def filled(form: Form, place: int) -> dict[str, str]:
    """The fields of the form as somebody fills them in who has nothing in mind."""
    values = {name: value for name, value in form.values.items() if name != "form_token"}
    number = f"+1201555{place:04d}"
    return {name: number if name in NUMBERS else value or VALID.get(name, "") for name, value in values.items()}


@pytest.mark.parametrize("kind", TEXTS)
def test_text_of_a_form_is_shown_as_text(tmp_path: Path, kind: str) -> None:
    office = make_office(tmp_path, SETTINGS)
    office.clock = Clock(time.time())
    marks: dict[tuple[str, str], str] = {}

    def hostile(form: Form, field: str) -> str:
        mark = marks.setdefault((kind_of(form), field), f"zz{len(marks)}zz")
        return (mark + TEXTS[kind])[: form.typed[field]]

    with office.console() as console:
        ada = console.browser("administrator")
        forms: dict[str, Form] = {}
        for path, page in pages(ada):
            for form in read(path, page).forms:
                if form.typed:
                    forms.setdefault(form.action, form)
        seen = []
        for place, form in enumerate(forms.values()):
            texts = {field: hostile(form, field) for field in form.typed}
            valid = filled(form, 10 * place)
            free = {field: text for field, text in texts.items() if field not in NUMBERS}
            seen.append((form.action, send(ada, form, {**valid, **free})))
            for field, text in texts.items():
                valid = filled(form, 10 * place + len(seen) % 10)
                seen.append((f"{form.action} {field}", send(ada, form, {**valid, field: text})))
        seen += pages(ada)
    assert len(marks) > 50
    faults = {(path, fault) for path, page in seen for fault in read(path, page).faults}
    everything = "".join(page for _, page in seen)
    missing = {field for field, mark in marks.items() if mark not in everything}
    assert not faults
    assert missing == NEVER_SHOWN.keys()
