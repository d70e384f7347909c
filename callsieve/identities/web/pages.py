"""Identities: who a number belongs to, and how well that is proven."""

from __future__ import annotations

import sqlite3

from starlette.responses import Response

from callsieve.changes.names import IDENTITIES
from callsieve.changes.operation import Refused
from callsieve.identities.operations import IdentityError, checked_identity
from callsieve.lists.views import IdentitiesShown, identities_shown
from callsieve.text.number_entry import EntryError, number_from
from callsieve.web.request import Visit, take_back_named
from callsieve.web.routes import Page
from reputation.model import Identity
from reputation.store.audit import Change
from reputation.store.identities import identity_of, remove_identity, set_identity
from reputation.users import Role
from reputation.wording import Wording

LEVELS = {"1": 1, "2": 2}


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """Who a number belongs to; what is there already is replaced."""
    form, now = visit.form, visit.now
    level = LEVELS.get(form.get("level", ""), 1)
    try:
        number = number_from(form.get("number", "")[:80], visit.desk.loaded.settings.numbers.region)
        typed = Identity(number, form.get("name", ""), level, now, form.get("note", ""))
        identity = checked_identity(typed, form.get("expires", ""), now)
    except EntryError as error:
        return await _page(visit, str(error))
    except IdentityError as error:
        return await _page(visit, error.words)

    def write(db: sqlite3.Connection, change: Change) -> None:
        change.before, change.after = identity_of(db, number), identity
        set_identity(db, identity, now)

    await visit.change("identity add", write, number)
    return visit.go("/identities", "identified")


async def remove(visit: Visit) -> Response:
    """It is forgotten who the number belongs to."""
    number = visit.form.get("number", "")

    def write(db: sqlite3.Connection, change: Change) -> None:
        change.before = remove_identity(db, number)
        if change.before is None:
            raise Refused("refused", f"it is not recorded any more who {number[:40]} belongs to")

    await visit.change("identity remove", write, number)
    return visit.go("/identities", "unidentified")


async def take_back(visit: Visit) -> Response:
    """One of the latest changes undone."""
    await take_back_named(visit, IDENTITIES)
    return visit.go("/identities", "undone")


async def _page(visit: Visit, problem: str | Wording = "") -> Response:
    text = visit.query.get("q", "").strip()[:80] if visit.sees_numbers else ""
    shown: IdentitiesShown = await visit.read(identities_shown, text, visit.now)
    typed = {key: visit.form.get(key, "") for key in ("number", "name", "level", "note", "expires")}
    return visit.page(
        "identities/identities.html", 422 if problem else 200, identities=shown, text=text, problem=problem, typed=typed
    )


PAGES = (
    Page("GET", "/identities", show, Role.VIEWER),
    Page("POST", "/identities/add", add, Role.OPERATOR),
    Page("POST", "/identities/remove", remove, Role.OPERATOR),
    Page("POST", "/identities/undo", take_back, Role.OPERATOR),
)
