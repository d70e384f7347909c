"""Who of us changed what, and the way back, for programs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.problem import ApiError
from callsieve.changes import undo as operation
from callsieve.changes.describe import ChangeId, about_field, change_of, value_of_side
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_of, place_of
from callsieve.changes.undo import GONE, UndoRequest, can_undo, is_administrators
from reputation.encoding import Instant
from reputation.store.audit import AuditFilter, KeptChange, change_of_id, search_audit
from reputation.users import Role, Scope

LONGEST = 200
ID_DIGITS = 15
Word = Annotated[str, Meta(max_length=LONGEST)]


class ChangeQuery(PageQuery, frozen=True):
    """What is looked for; empty: anything. `about`: a number or a name."""

    who: Word = ""
    what: Word = ""
    about: Word = ""


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """A change, with what it was in words and whether it can be undone."""

    id: int
    at: Instant
    who: str
    what: str
    number: str | None
    name: str
    before: Any
    after: Any
    change: str
    can_undo: bool


class ChangeUndone(ApiStruct, frozen=True):
    """`what` was undone, of how many `things`; `change_id`: of the undoing."""

    change_id: ChangeId | None
    what: str
    subject: str
    things: int


def show(db: sqlite3.Connection, context: Context, asked: Asked[ChangeQuery, None]) -> ResultPage[AuditedChange]:
    """Return the changes that are looked for."""
    query = asked.query
    before = place_of(query.cursor, tuple[int])
    about = about_field(context, query.about)
    limit = query.limit + 1
    wanted = AuditFilter(query.who or None, query.what or None, about, before[0] if before else None, limit)
    shown, following = page_of(search_audit(db, wanted), query.limit, lambda one: (one.id,))
    return ResultPage([_audited(db, context, one) for one in shown], following)


def show_one(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> AuditedChange:
    """Return one change."""
    return _audited(db, context, _change(db, asked))


def undo(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> ChangeUndone:
    """Takes a change back. What only the scope `admin` can do, only it can undo."""
    kept = _change(db, asked)
    if is_administrators(context.changes, kept.row.what) and Scope.ADMIN not in asked.scopes:
        raise ApiError(HTTPStatus.FORBIDDEN, "wrong-scope", f"undoing this takes the scope {Scope.ADMIN}")
    done = operation.undo(db, context, UndoRequest(kept.id))
    return ChangeUndone(change_id=done.change_id, what=done.what, subject=done.subject, things=done.things)


def _audited(db: sqlite3.Connection, context: Context, one: KeptChange) -> AuditedChange:
    row = one.row
    return AuditedChange(
        one.id,
        row.at,
        row.who,
        row.what,
        row.number,
        row.name,
        value_of_side(row.before),
        value_of_side(row.after),
        str(change_of(row)),
        can_undo(db, context.changes, one),
    )


def _change(db: sqlite3.Connection, asked: Asked[Any, Any]) -> KeptChange:
    text = asked.path["change_id"]
    is_id = text.isascii() and text.isdigit() and len(text) <= ID_DIGITS
    kept = change_of_id(db, int(text)) if is_id else None
    if kept is None:
        raise Refused("no-such-change", GONE, "change_id")
    return kept


ENDPOINTS = (
    Endpoint(
        "GET",
        "/changes",
        show,
        Scope.READ,
        Role.ADMINISTRATOR,
        ResultPage[AuditedChange],
        "Who changed what, the latest first.",
        query=ChangeQuery,
    ),
    Endpoint("GET", "/changes/{change_id}", show_one, Scope.READ, Role.ADMINISTRATOR, AuditedChange, "One change."),
    Endpoint(
        "POST",
        "/changes/{change_id}/undo",
        undo,
        Scope.WRITE,
        Role.OPERATOR,
        ChangeUndone,
        "Undo a change; an import with all that it brought.",
    ),
)
