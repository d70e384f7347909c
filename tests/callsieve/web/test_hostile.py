"""Hostile text in every field that the pages show: it is text, and nothing else; and to viewers it shows no number.

`HOSTILE` is what each field is filled with. A new page adds its path to SHARED or SINGLE and its rows to `fill_rows`.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from httpx2 import Response

from reputation.model import (
    AuthClass,
    EntryKind,
    Identity,
    ListEntry,
    ListName,
    Mark,
    MarkChannel,
    Person,
    Verdict,
    Voice,
)
from reputation.own.register import OwnNumber
from reputation.store.audit import Change, add_audit
from reputation.store.database import open_store
from reputation.store.do_not_call import Complaint, DoNotCallRequest, add_complaint, add_do_not_call
from reputation.store.identities import set_identity
from reputation.store.imports import import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, add_contacts, add_entry
from reputation.store.marks import add_mark
from reputation.store.other_sites import Ignored, ignore_site
from reputation.store.outcomes import record_outcome
from reputation.store.own_register import put_own
from reputation.store.people import upsert_people
from reputation.store.transaction import transaction
from reputation.store.transcripts import Transcript, record_transcript
from tests.callsieve.browsing import NOW, Console, Office
from tests.callsieve.console_calls import CALLER, make_decision, make_ending
from tests.callsieve.web.test_hostile_forms import TEXTS, read
from tests.integration.test_hostile import PAYLOADS
from tests.office import Office as PlainOffice

MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "<!--",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "%(x)s {} {0}",
    "&lt;b&gt;&amp;",
    "\u202egnp.exe",
    "<a hx-get=/logout hx-trigger=load>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
]
HOSTILE = [*MARKUP, *PAYLOADS, *TEXTS.values()]
# Pages that show everybody's rows, and pages about one call or number.
SHARED = (
    *("/", "/activity", "/calls", "/account", "/health"),
    *(
        "/policies",
        "/lists",
        "/identities",
        "/own",
        "/own/do-not-call",
        "/own/consents",
        "/own/outbound",
        "/appeals",
        "/feeds",
        "/exchange",
        "/sites",
        "/sites/evidence",
        "/plans",
        "/plans?country=US",
        "/people",
        "/users",
        "/events",
        "/audit",
    ),
)
SINGLE = ("/calls/{call}", "/numbers/{number}", "/numbers/{number}/complaint?to=ftc", "/own/{number}")


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def elements_of(page: str) -> set[tuple[str, tuple[str, ...]]]:
    parser = Elements()
    parser.feed(page)
    return set(parser.found)


def fill(office: PlainOffice, texts: list[str]) -> None:
    """Each text wherever somebody outside of us, or inside, can put one: in the rows of a number of its own."""
    with open_store(office.store) as db:
        with transaction(db):
            for place, text in enumerate(texts):
                fill_rows(db, text, number_at(place), call_at(place))
        imported = [(number_at(place), text, text, text) for place, text in enumerate(texts)]
        import_numbers(db, "list", "spam", imported)


def number_at(place: int) -> str:
    return f"+1201555{place:04d}"


def call_at(place: int) -> str:
    return f"7KQ2{place:04d}"


def fill_rows(db: sqlite3.Connection, text: str, number: str, call: str) -> None:
    families = [{"family": text, "log_odds": 1.0, "counts": {text: 1}}]
    vector = json.dumps({"families": families, "would_change": [{"what": text, "level": "warn"}]})
    told = {"rule": text, "reason": text, "policy": text, "trunk": text, "did": text, "callee": text}
    decision = make_decision(call, caller=number, vector=vector, **told)
    record_decisions(db, [decision])
    record_outcome(db, make_ending(decision, answered_by=text, did=None), NOW)
    record_transcript(db, Transcript(call, NOW, decision.linkedid, number, text, "en", Voice.UNCLEAR))
    set_identity(db, Identity(number, text, 1, NOW + 1e6, text), NOW)
    add_contacts(db, "crm", [Contact(number, text, "201")])
    upsert_people(db, [Person(f"x{call}", f"PJSIP/{call}", text, "en", text)], "settings")
    add_mark(db, Mark(number, AuthClass.UNKNOWN, text, Verdict.SPAM, NOW, MarkChannel.WEB, category=text, reason=text))
    add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, note=text))
    add_audit(db, Change("mark", number, text, {"note": "x"}, {"note": text}), text, NOW)
    own = OwnNumber(number=number, name=text, purpose=text, owner=text, trunks=(text,), documents=(text,), since=NOW)
    own = replace(own, registered=(text,), next_check_at=NOW + 1)
    put_own(db, own)
    add_audit(db, Change("own add", number, "", None, own), text, NOW)
    add_do_not_call(db, DoNotCallRequest(number, NOW, number, text, text))
    add_complaint(db, Complaint(number, "", NOW, text))
    for site in ("rome", call.lower()):
        add_mark(db, Mark(number, AuthClass.UNKNOWN, f"{site}:305", Verdict.SPAM, NOW, MarkChannel.WEB))
    ignore_site(db, Ignored(call.lower(), NOW, text, text))


def pages_of(console: Console, role: str, texts: list[str]) -> Iterator[tuple[str, str, Response]]:
    """(which page, the text that it is about, the answer)."""
    browser = console.browser(role)
    for path in SHARED:
        yield path, "all", browser.get(path)
    for place, text in enumerate(texts):
        for path in SINGLE:
            yield path, text, browser.get(path.format(call=call_at(place), number=number_at(place)))


def shown(folder: Path, role: str, texts: list[str], single: int | None = None) -> list[tuple[str, str, Response]]:
    """All pages; those about one call or number for the first `single` texts only, unless that is None."""
    office = Office(folder)
    fill(office, texts)
    with office.console() as console:
        console.wait_for_health()
        return list(pages_of(console, role, texts[:single]))


@pytest.mark.slow
@pytest.mark.parametrize("role", ["administrator", "viewer"])
def test_text_is_escaped_on_every_page(tmp_path: Path, role: str) -> None:
    known: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    harmless = [f"harmless {n}" for n in range(len(HOSTILE))]
    (tmp_path / "harmless").mkdir()
    for path, _, answer in shown(tmp_path / "harmless", role, harmless, single=1):
        known.setdefault(path, set()).update(elements_of(answer.text))
    pages = shown(tmp_path, role, HOSTILE)
    assert len(pages) == len(SHARED) + len(SINGLE) * len(HOSTILE)
    for path, text, answer in pages:
        assert answer.status_code in (200, 403), (path, text)
        assert elements_of(answer.text) <= known[path], (path, text)
        assert read(path, answer.text).faults == [], (path, text)


NUMBERS_IN_TEXTS = [
    CALLER,
    "2015550123",
    "(201) 555-0123",
    "201.555.0123",
    "call +1 201 555 0123 back",
    "0012015550123",
    "201\u20665550\u202e123",
]


def test_viewers_see_no_number_in_any_text(tmp_path: Path) -> None:
    for path, text, answer in shown(tmp_path, "viewer", NUMBERS_IN_TEXTS):
        page = answer.text if answer.status_code == 200 else ""  # what is not for viewers only repeats its address
        for line in re.split(r"[<>\n]", page):
            digits = re.sub(r"[^0-9]", "", line)
            assert "2015550" not in digits, (path, text, line)
    assert any("2015550" in text_ for text_ in NUMBERS_IN_TEXTS)
