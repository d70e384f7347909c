"""The console page of event receivers and dead letters, for administrators."""

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.events import operations
from callsieve.events.operations import EventsShown, ReplayRequest, events_shown
from callsieve.settings import Settings
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.store.event_deliveries import DeadLetter, count_dead_letters, dead_letters
from reputation.users import Role

MOST_DEAD = 100


@dataclass(frozen=True, slots=True)
class EventsPage:
    """The content of the events page. `letters`: the latest dead letters. `count`: how many there are in all."""

    shown: EventsShown
    letters: tuple[DeadLetter, ...]
    count: int


async def show(req: PageRequest) -> Response:
    """Show the receivers and dead letters."""
    events = await req.read(events_page, req.state.loaded.settings, req.now)
    return req.page("events/events.html", events=events)


async def replay(req: PageRequest) -> Response:
    """Deliver one dead letter again, or all of them."""
    try:
        result = await req.perform(operations.replay, ReplayRequest(req.form.get("event") or None))
        count = result.replayed
    except Refused as refused:
        if refused.code == "no-such-event":
            raise NotFound from None
        count = 0
    return req.go("/events", "events-replayed" if count else "no-dead-letter")


def events_page(db: sqlite3.Connection, settings: Settings, now: float) -> EventsPage:
    """Return the content of the events page."""
    return EventsPage(events_shown(db, settings, now), tuple(dead_letters(db, MOST_DEAD)), count_dead_letters(db))


PAGES = (
    Page("GET", "/events", show, Role.ADMINISTRATOR),
    Page("POST", "/events/replay", replay, Role.ADMINISTRATOR),
)
