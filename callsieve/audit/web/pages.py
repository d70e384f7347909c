"""The audit page: who changed what, with the values before and after."""

import json
import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.capability import Changes
from callsieve.changes.describe import about_field, value_of_side
from callsieve.changes.undo import can_undo
from callsieve.web.request import Page, PageRequest, local_path, take_back_named, undoing
from reputation.store.audit import AuditFilter, AuditRow, search_audit, what_was_changed, who_changed
from reputation.users import Role

PAGE_ROWS = 100
LONGEST = 200


@dataclass(frozen=True, slots=True)
class ChangeShown:
    """A change on the audit page. `before` and `after`: the value before and after the change, one line per field."""

    id: int
    row: AuditRow
    can_undo: bool
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditShown:
    """Content of the audit page. `older`: the id after which the next page begins; None on the last page.

    `whos`, `whats`: the authors and the kinds of change to choose from in the filters.
    """

    changes: tuple[ChangeShown, ...]
    older: int | None
    whos: tuple[str, ...]
    whats: tuple[str, ...]


async def show(req: PageRequest) -> Response:
    """Show the audit page."""
    who, what, about = (req.query.get(key, "").strip()[:LONGEST] for key in ("who", "what", "about"))
    before = req.query.get("before", "")
    wanted = AuditFilter(
        who or None,
        what or None,
        about_field(req.context, about),
        int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None,
        PAGE_ROWS + 1,
    )
    shown = await req.read(audit_shown, wanted, req.state.changes)
    return req.page("audit/audit.html", audit=shown, who=who, what=what, about=about, is_first=wanted.before is None)


async def undo_own(req: PageRequest) -> Response:
    """Undo the change that the visitor has just made, and return to the page on which they made it."""
    await take_back_named(req, None)
    return req.go(local_path(req.form.get("back")).partition("?")[0], "undone")


def audit_shown(db: sqlite3.Connection, wanted: AuditFilter, known: Changes) -> AuditShown:
    """Return the content of the audit page. One extra row is read from the store, to know whether older rows exist."""
    kept = search_audit(db, wanted)
    shown = kept[:PAGE_ROWS]
    older = shown[-1].id if len(kept) > PAGE_ROWS else None
    changes = tuple(
        ChangeShown(entry.id, entry.row, can_undo(db, known, entry), _lines(entry.row.before), _lines(entry.row.after))
        for entry in shown
    )
    return AuditShown(changes, older, tuple(who_changed(db)), tuple(what_was_changed(db)))


def _lines(text: str | None) -> str:
    value = value_of_side(text)
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


PAGES = (
    Page("GET", "/audit", show, Role.ADMINISTRATOR),
    Page("POST", "/changes/undo", undo_own, Role.OPERATOR),
    Page("POST", "/audit/undo", undoing("/audit"), Role.ADMINISTRATOR),
)
