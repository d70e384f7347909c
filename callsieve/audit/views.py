"""Changes in the audit as the pages and the API show them."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from callsieve.changes.describe import about_field, change_of, value_of_side
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_of, place_of
from callsieve.changes.undo import GONE, can_undo
from reputation.encoding import FLAT
from reputation.store.audit import AuditFilter, AuditRow, KeptChange, change_of_id, search_audit
from reputation.wording import Wording

ID_DIGITS = 15
Word = Annotated[str, Meta(max_length=200)]


class ChangesRequest(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filters for changes. An empty field matches any change. `about`: the number or name that a change is about.

    `who`: the author of the change, such as `joe` or `token:crm`. `what`: the kind of change, such as `list add`.
    """

    who: Word = ""
    what: Word = ""
    about: Word = ""


class ChangeKey(msgspec.Struct, frozen=True):
    """A request to show or undo a change. `change_id`: the id of the change."""

    change_id: Annotated[str, Meta(max_length=200, examples=["17"], extra_json_schema={"pattern": "^[1-9][0-9]*$"})]


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """A change that the audit recorded.

    Attributes:
        id: The id of the change, with which it can be undone.
        before: The value before the change; null if the change added something.
        after: The value after the change; null if the change removed something.
        change: The change in words.
        can_undo: Whether an undo is possible. It can still be refused if a later change affects the same value.
    """

    id: int
    row: Annotated[AuditRow, FLAT]
    before: object
    after: object
    change: str | Wording
    can_undo: bool


def find_changes(db: sqlite3.Connection, context: Context, request: ChangesRequest) -> ResultPage[AuditedChange]:
    """Return the changes that match the filters, with their authors, the latest first."""
    before = place_of(request.cursor, tuple[int])
    about = about_field(context, request.about)
    limit = request.limit + 1
    wanted = AuditFilter(request.who or None, request.what or None, about, before[0] if before else None, limit)
    shown, following = page_of(search_audit(db, wanted), request.limit, lambda change: (change.id,))
    return ResultPage([audited(db, context, change) for change in shown], following)


def show_change(db: sqlite3.Connection, context: Context, request: ChangeKey) -> AuditedChange:
    """Return one change."""
    return audited(db, context, kept_change(db, request))


def audited(db: sqlite3.Connection, context: Context, kept: KeptChange) -> AuditedChange:
    """Return a stored change with its values before and after, and whether it can be undone."""
    before, after = value_of_side(kept.row.before), value_of_side(kept.row.after)
    return AuditedChange(kept.id, kept.row, before, after, change_of(kept.row), can_undo(db, context.changes, kept))


def kept_change(db: sqlite3.Connection, request: ChangeKey) -> KeptChange:
    """Return the stored change with this id. Raise Refused if it does not exist."""
    text = request.change_id
    is_id = text.isascii() and text.isdigit() and len(text) <= ID_DIGITS
    kept = change_of_id(db, int(text)) if is_id else None
    if kept is None:
        raise Refused("no-such-change", GONE, "change_id")
    return kept
