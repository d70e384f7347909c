"""The search of the console: what is typed in the head of a page leads to a number, a person or a page."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from starlette.responses import Response

from callsieve.search.views import Found, find
from callsieve.web.request import Page, PageRequest
from reputation.users import Role

LONGEST = 80


async def search(req: PageRequest) -> Response:
    """Go to the number that was typed, or to the lists with a prefix or range, else show what the text finds."""
    text = req.query.get("q", "").strip()[:LONGEST]
    found = Found(None, (), ())
    if text:
        found = await req.read(partial(find, text=text, with_numbers=req.sees_numbers), req.state.loaded)
    if found.number is not None and not found.people:
        return req.go(f"/numbers/{found.number}")
    if found.entry:
        return req.go(f"/lists?{urlencode({'entry': found.entry})}#add")
    places = [place for part in req.parts("/search") for place in part.places]
    wanted = text.casefold()
    pages = [place for place in places if wanted in f"{req.say(place.section)} {req.say(place.label)}".casefold()]
    return req.page("search/search.html", text=text, found=found, pages=pages)


PAGES = (Page("GET", "/search", search, Role.VIEWER),)
