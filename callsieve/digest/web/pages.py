"""The digest of a day: what a mail says every morning, with buttons that put right what was wrong."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.responses import Response

from callsieve.calls.history import CHALLENGED
from callsieve.changes.operation import Refused
from callsieve.digest.operations import DayRequest, Digest, day, day_of
from callsieve.digest.text import appeal_words, lead_of, title_of
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.own.suspicion import suspicion_words
from reputation.users import Role


async def show(req: PageRequest) -> Response:
    """Yesterday."""
    return await _page(req, None)


async def show_day(req: PageRequest) -> Response:
    """One day."""
    try:
        return await _page(req, date.fromisoformat(req.path("day")))
    except (ValueError, OverflowError, Refused):
        raise NotFound from None


async def _page(req: PageRequest, wanted: date | None) -> Response:
    digest: Digest = await req.state.slow_store.read(day, req.context, DayRequest(wanted))
    after = digest.day + timedelta(days=1)
    return req.page(
        "digest/digest.html",
        digest=digest,
        title=title_of(digest),
        lead=lead_of(digest),
        before=digest.day - timedelta(days=1),
        after=after if after <= day_of(req.now) else None,
        appeals=[(one, appeal_words(one, digest.at)) for one in digest.in_force],
        suspicions=[(one, suspicion_words(one.suspicion)) for one in digest.suspicions],
        words_of_challenged=CHALLENGED,
    )


PAGES = (
    Page("GET", "/digest", show, Role.VIEWER),
    Page("GET", "/digest/{day}", show_day, Role.VIEWER),
)
