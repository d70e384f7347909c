"""Records on an own number's page what a platform shows of it, as `callsieve own watch add`."""

from __future__ import annotations

from collections.abc import Mapping

from callsieve.mark_watch import operations
from callsieve.mark_watch.operations import NEXT, LookRequest
from callsieve.own_numbers.web.pages import stepping
from callsieve.web.routes import Page
from reputation.users import Role


def request_of(number: str, form: Mapping[str, str]) -> LookRequest:
    """What was typed. A count that is none is refused as one."""
    count = form.get("count", "").strip()
    counted = (int(count) if count.isascii() and count.isdecimal() and len(count) < 12 else -1) if count else None
    return LookRequest(number, form.get("platform", ""), form.get("label", ""), counted, "", form.get("next") or NEXT)


PAGES = (Page("POST", "/own/{number}/watch", stepping(operations.record, request_of, "own-watched"), Role.OPERATOR),)
