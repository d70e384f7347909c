"""The search in the header of every console page, which finds a number, a person or a page."""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from starlette.responses import Response

from callsieve.settings import Loaded
from callsieve.text.number_entry import EntryError, parse_entry
from callsieve.web.request import Page, PageRequest
from callsieve.wiring import people_of
from reputation.model import EntryKind, ListName
from reputation.store.lists import Contact, contacts_named
from reputation.store.people import all_people
from reputation.users import Role

MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a search. `people`: each person's extension and name.

    `entry`: a prefix or range that can be put on a list.
    """

    number: str | None
    people: tuple[tuple[str, str], ...]
    contacts: tuple[Contact, ...]
    entry: str = ""


def find(db: sqlite3.Connection, loaded: Loaded, text: str, *, with_numbers: bool) -> Found:
    """Return the results of a search. `with_numbers`: whether the user may see phone numbers."""
    number, entry, wanted = None, "", text.casefold()
    if with_numbers:
        with suppress(EntryError):
            parsed = parse_entry(text, ListName.BLOCK, loaded.settings.numbers.region)
            number, entry = (parsed.first, "") if parsed.kind is EntryKind.EXACT else (None, parsed.text)
    named = {person.extension: person.name or "" for person in (*all_people(db), *people_of(loaded.settings))}
    people = [(extension, name) for extension, name in named.items() if wanted in f"{extension} {name}".casefold()]
    contacts = tuple(contacts_named(db, text, MOST_FOUND)) if with_numbers else ()
    return Found(number, tuple(sorted(people)[:MOST_FOUND]), contacts, entry)


LONGEST = 80


async def search(req: PageRequest) -> Response:
    """Redirect to the page of an entered number, or to the lists for a prefix or range. Otherwise show the results."""
    text = req.query.get("q", "").strip()[:LONGEST]
    results = Found(None, (), ())
    if text:
        results = await req.read(partial(find, text=text, with_numbers=req.sees_numbers), req.state.loaded)
    if results.number is not None and not results.people:
        return req.go(f"/numbers/{results.number}")
    if results.entry:
        return req.go(f"/lists?{urlencode({'entry': results.entry})}#add")
    places = [place for part in req.parts("/search") for place in part.places]
    wanted = text.casefold()
    pages = [place for place in places if wanted in f"{req.say(place.section)} {req.say(place.label)}".casefold()]
    return req.page("search/search.html", text=text, found=results, pages=pages)


PAGES = (Page("GET", "/search", search, Role.VIEWER),)
