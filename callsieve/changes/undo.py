"""Taking back what was changed, from the row of the audit that tells how it was.

Only as long as it is still as that change left it: whoever changed it again has said the later word. The command and
the console share it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec

from callsieve.text.times import when
from reputation.marking import say_again, undo_mark
from reputation.model import Did, Identity, ListEntry, Mark, Person
from reputation.own.register import OwnNumber
from reputation.store.audit import AuditRow, Change, value_of
from reputation.store.audit_search import change_of_id, changed_at_once, latest_of, undone_at
from reputation.store.do_not_call import (
    Complaint,
    DoNotCall,
    add_complaint,
    add_do_not_call,
    complaint_of,
    do_not_call_of,
    remove_complaint,
    remove_do_not_call,
)
from reputation.store.evidence_rows import marks_of
from reputation.store.identities import identity_of, remove_identity, set_identity
from reputation.store.lists import add_entry, entry_there, remove_entry
from reputation.store.own_register import own_of, put_own, remove_own
from reputation.store.ownership import Epoch, epochs_of, lower_epoch, raise_epoch
from reputation.store.people import remove_did, remove_person, upsert_dids, upsert_people
from reputation.store.personal_lists import PersonalEntry, personal_entries, remove_personal_entry, set_personal_entry
from reputation.store.reviews import (
    Correction,
    Review,
    correct,
    correction_of,
    forget_review,
    review,
    review_of,
    undo_correction,
)
from reputation.store.sources import From, did_from, person_from
from reputation.wording import Wording

W = TypeVar("W", DoNotCall, Complaint)

LATEST = 8
LISTS = ("list add", "list remove", "list import")
IDENTITIES = ("identity add", "identity remove")
REGISTER = ("own add", "own check", "own rest", "own use", "own retire", "own remove", "own import")
WISHES = ("own dnc add", "own dnc remove")
COMPLAINTS = ("own complaint",)
MARKS = ("mark", "unmark")
REVIEWS = ("review done", "review undo")
CORRECTIONS = ("review wrong",)
PEOPLE = ("import people", "import dids", "import remove")
OWNERS = ("reassigned add", "reassigned remove")
# Changes of many things at once: a row for each, and a last one that sums them up. Of the imports of numbers and
# contacts there is that one alone: what they brought or replaced is not kept.
IMPORTS = ("list import", "own import", "import people", "import dids", "import remove")
CHANGED = Wording("It has been changed again since: it is not as that change left it. Nothing was undone.")
GONE = Wording("There is no such change, or it cannot be undone here.")
# What an older version did not keep of a wish or a complaint: put back, it does not count.
SETTLED = {"is_of_called": False}


class UndoError(ValueError):
    """The change stays: `words` say why."""

    def __init__(self, words: Wording) -> None:
        super().__init__(str(words))
        self.words = words


class Kind(NamedTuple):
    """Something that is changed. `read`: it, from a row of the audit and one side of that.

    `there`: what stands now where the one given stood, or would stand; None: nothing.
    """

    read: Callable[[AuditRow, dict[str, Any]], Any]
    there: Callable[[sqlite3.Connection, Any], Any]
    remove: Callable[[sqlite3.Connection, Any], object]
    put_back: Callable[[sqlite3.Connection, Any, float], object]


ENTRY = Kind(
    lambda _row, value: msgspec.convert(value, ListEntry),
    entry_there,
    remove_entry,
    lambda db, entry, _now: add_entry(db, entry),
)
PERSONAL = Kind(
    lambda _row, value: msgspec.convert([value[field] for field in PersonalEntry._fields], PersonalEntry),
    lambda db, entry: next((one for one in personal_entries(db, entry.person) if one.number == entry.number), None),
    lambda db, entry: remove_personal_entry(db, entry.person, entry.number),
    lambda db, entry, _now: set_personal_entry(db, entry),
)
IDENTITY = Kind(
    lambda _row, value: msgspec.convert({**value, "note": value["note"]}, Identity),  # none goes without its proof
    lambda db, identity: identity_of(db, identity.number),
    lambda db, identity: remove_identity(db, identity.number),
    set_identity,
)
OWN_NUMBER = Kind(
    lambda _row, value: msgspec.convert(value, OwnNumber),
    lambda db, own: own_of(db, own.number),
    lambda db, own: remove_own(db, own.number),
    lambda db, own, _now: put_own(db, own),
)
WISH = Kind(
    lambda _row, value: msgspec.convert([(SETTLED | value)[field] for field in DoNotCall._fields], DoNotCall),
    lambda db, wish: _as_settled(do_not_call_of(db, wish.number), wish),
    lambda db, wish: remove_do_not_call(db, wish.number),
    lambda db, wish, _now: add_do_not_call(db, wish),
)
COMPLAINT = Kind(
    lambda row, value: msgspec.convert(
        [row.number, *((SETTLED | value)[key] for key in ("from", "at", "note", "is_of_called"))], Complaint
    ),
    lambda db, one: _as_settled(complaint_of(db, one.own_number, one.number, one.at), one),
    lambda db, one: remove_complaint(db, one.own_number, one.number, one.at),
    lambda db, one, _now: add_complaint(db, one),
)
MARK = Kind(
    lambda _row, value: msgspec.convert(value, Mark),
    lambda db, mark: _last_word(db, mark),
    undo_mark,
    say_again,
)
REVIEW = Kind(
    lambda _row, value: msgspec.convert([value[field] for field in Review._fields], Review),
    lambda db, one: review_of(db, one.number),
    lambda db, one: forget_review(db, one.number),
    lambda db, one, _now: review(db, *one),
)
CORRECTION = Kind(
    lambda _row, value: msgspec.convert([value[field] for field in Correction._fields], Correction),
    lambda db, one: correction_of(db, one.case_id),
    lambda db, one: undo_correction(db, one.case_id),
    correct,
)
OWNER = Kind(
    lambda _row, value: msgspec.convert([value[field] for field in Epoch._fields], Epoch),
    lambda db, epoch: next((one for one in epochs_of(db, epoch.number)[:1] if one.at >= epoch.at), None),
    lambda db, epoch: lower_epoch(db, epoch.number),
    lambda db, epoch, _now: raise_epoch(db, epoch.number, epoch.at, epoch.reason, epoch.who),
)
PERSON = Kind(
    lambda _row, value: From(msgspec.convert(value, Person), value["source"]),
    lambda db, one: person_from(db, one.one.extension),
    lambda db, one: remove_person(db, one.one.extension),
    lambda db, one, _now: upsert_people(db, [one.one], one.source),
)
DID = Kind(
    lambda _row, value: From(msgspec.convert(value, Did), value["source"]),
    lambda db, one: did_from(db, one.one.number),
    lambda db, one: remove_did(db, one.one.number),
    lambda db, one, _now: upsert_dids(db, [one.one], one.source),
)
KIND_BY_WHAT = {
    **dict.fromkeys(LISTS, ENTRY),
    **dict.fromkeys(IDENTITIES, IDENTITY),
    **dict.fromkeys(REGISTER, OWN_NUMBER),
    **dict.fromkeys(WISHES, WISH),
    **dict.fromkeys(COMPLAINTS, COMPLAINT),
    **dict.fromkeys(MARKS, MARK),
    **dict.fromkeys(REVIEWS, REVIEW),
    **dict.fromkeys(CORRECTIONS, CORRECTION),
    **dict.fromkeys(OWNERS, OWNER),
    **dict.fromkeys(PEOPLE, PERSON),
}


def undo(
    change_id: int,
    whats: tuple[str, ...],
    now: float,
    number: str | None = None,
    object_to: Callable[[sqlite3.Connection, Any], None] = lambda _db, _before: None,
) -> Callable[[sqlite3.Connection, Change], int]:
    """The change of this id, which is one of `whats`, taken back; an import with all that it brought: of how many
    things. UndoError.

    `number`: where the change must be about this number. `object_to` raises what it likes where something must not be
    put back.
    """

    def write(db: sqlite3.Connection, change: Change) -> int:
        kept = change_of_id(db, change_id)
        if kept is None or kept.row.what not in whats or number not in (None, kept.row.number):
            raise UndoError(GONE)
        if (at := undone_at(db, kept)) is not None:
            raise UndoError(Wording("It was undone already, at {time}.", {"time": when(at)}))
        row = kept.row
        change.what, change.number, change.name = f"undo {row.what}", row.number, row.name
        together = changed_at_once(db, row) if row.what in IMPORTS else [kept]
        ids = [one.id for one in together]
        change.before = (_value(row.after) or {}) | {"undone": [min(ids), max(ids)]}
        change.after = _value(row.before)
        things = together[1:] if row.what in IMPORTS else together  # the latest first
        rows = [one.row for one in things if one.row.before or one.row.after]
        if not rows:
            raise UndoError(GONE)
        for one in rows:
            _take_back(db, one, now, object_to)
        return len(rows)

    return write


@dataclass(frozen=True, slots=True)
class Latest:
    """A change that was made lately. `can_undo`: not what is undone already or the erasure of a number has emptied, or
    an undoing itself.
    """

    id: int
    row: AuditRow
    can_undo: bool

    @property
    def is_import(self) -> bool:
        """Whether it was an import, which administrators bring in and take back."""
        return self.row.what in IMPORTS


def latest_changes(db: sqlite3.Connection, whats: tuple[str, ...], number: str | None = None) -> tuple[Latest, ...]:
    """The latest changes of these kinds, and what was undone of them; all, or those of one number."""
    found = latest_of(db, (*whats, *(f"undo {what}" for what in whats)), LATEST, number)
    return tuple(
        Latest(
            one.id,
            one.row,
            one.row.what in whats and bool(one.row.before or one.row.after) and undone_at(db, one) is None,
        )
        for one in found
    )


def _take_back(
    db: sqlite3.Connection, row: AuditRow, now: float, object_to: Callable[[sqlite3.Connection, Any], None]
) -> None:
    kind = _kind_of(row)
    before, after = (_read(kind, row, _value(side)) for side in (row.before, row.after))
    if kind.there(db, after or before) != after:
        raise UndoError(CHANGED)
    if after is not None:
        kind.remove(db, after)
    if before is not None:
        object_to(db, before)
        kind.put_back(db, before, now)


def _kind_of(row: AuditRow) -> Kind:
    """What the row is about. People's own lists are changed by the same commands as the administrator's."""
    kind, value = KIND_BY_WHAT[row.what], _value(row.after) or _value(row.before) or {}
    if kind is PERSON and "screen" in value:
        return DID
    return PERSONAL if kind is ENTRY and "person" in value else kind


def _as_settled(found: W | None, one: W) -> W | None:
    """What stands there; whether it counts is settled once, so it is no change."""
    return found and found._replace(is_of_called=one.is_of_called)


def _last_word(db: sqlite3.Connection, mark: Mark) -> Mark | None:
    """The person's mark of this class; a retraction where something else was said before is one, too."""
    said = (one for one in marks_of(db, mark.number) if one.reporter == mark.reporter)
    return next((one for one in said if one.auth_class is mark.auth_class), None)


def _value(text: str | None) -> Any:
    found = value_of(text) if text else None
    return found if isinstance(found, dict) else None


def _read(kind: Kind, row: AuditRow, value: dict[str, Any] | None) -> Any:
    if value is None:
        return None
    try:
        return kind.read(row, value)
    except (msgspec.ValidationError, KeyError):  # a row of an older version, which kept less
        raise UndoError(GONE) from None
