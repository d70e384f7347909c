"""Operations on people's marks and on changes of a number's owner (callsieve/changes/operation.py)."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.calls import spoken_names
from callsieve.changes.describe import (
    REASON_CHARACTERS,
    ChangeId,
    ExtensionText,
    NumberText,
    number_field,
    reason_field,
    since_field,
)
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.lists.operations import names_of_people
from callsieve.settings import Loaded
from callsieve.text.times import when
from policies.files import nearest
from reputation import marking
from reputation.encoding import FLAT, parse_plain, plain
from reputation.marking import MARKS_A_DAY, MarkRefusal, MarkResult, MarkStatement, MarkStatus, restore_mark, undo_mark
from reputation.model import Identity, Mark, MarkChannel, Verdict
from reputation.site_names import new_id
from reputation.store import marks
from reputation.store.event_deliveries import read_again
from reputation.store.evidence_rows import marks_of
from reputation.store.identities import Epoch, epoch_of, epochs_of, identity_of, lower_epoch, raise_epoch
from reputation.store.marks import Correction, correction_of, reporters_of, review_of, undo_correction
from reputation.store.marks import correct as correct_marks
from reputation.store.privacy import (
    ERASED,
    clear_freed,
    erase_from_backups,
    erase_number,
    export_number,
    files_naming,
    find_mentions,
)
from reputation.store.standing import numbers_to_review
from reputation.wording import Places, Wording

# Why a number cannot be marked. The prompts for phones are in reputation/feature_codes.py.
WHY_NOT_MARKED = {
    MarkRefusal.WITHHELD: Wording("callers with a withheld number cannot be marked: use a policy for such callers"),
    MarkRefusal.EMERGENCY_NUMBER: Wording("an emergency number cannot be marked"),
    MarkRefusal.INTERNAL_EXTENSION: Wording("an internal extension cannot be marked"),
    MarkRefusal.NO_NUMBER: Wording("this is not a telephone number and cannot be marked"),
    MarkRefusal.OWN_NUMBER: Wording("{number} is one of our own numbers and cannot be marked"),
    MarkRefusal.TOO_MANY: Wording(
        "{person} has marked {most} numbers within a day, which is the limit: ask the administrator to block the rest"
    ),
    MarkRefusal.CONTACT: Wording(
        "{number} is a contact of somebody here and cannot be marked: block it for yourself instead"
    ),
    MarkRefusal.VERIFIED: Wording("{number} is verified as {name}: enter a category and a reason"),
}


class MarkRequest(NamedTuple):
    """A request to mark a number, or to remove the mark (`RETRACTED`). `person`: None if the user has no extension."""

    number: str
    person: str | None
    verdict: Verdict
    channel: MarkChannel
    category: str | None = None
    reason: str = ""


class PersonMark(msgspec.Struct, frozen=True):
    """A request to mark a number on behalf of a person.

    Attributes:
        verdict: Whether the number is spam or not.
        category: The kind of spam; null if unknown, or if the number is not spam.
        reason: The reason for the mark. Required if the number belongs to a verified business.
    """

    number: NumberText
    person: ExtensionText
    verdict: Literal["spam", "ok"]
    category: Annotated[str, Meta(max_length=40, examples=["scam"])] | None = None
    reason: Annotated[str, Meta(max_length=REASON_CHARACTERS)] = ""


class PersonMarkKey(msgspec.Struct, frozen=True):
    """The key of a mark: the marked number, and the person who marked it."""

    number: NumberText
    person: ExtensionText


class SavedMark(NamedTuple):
    """The result of marking a number, or of removing a mark."""

    change_id: ChangeId | None
    result: Annotated[MarkResult, FLAT]


class CorrectionRequest(NamedTuple):
    """A request to correct wrong spam marks of a number. `reporters`: the people who made the wrong marks."""

    number: str
    reporters: tuple[str, ...]
    reason: str


class OwnerRequest(NamedTuple):
    """A request to record a new owner. `since`: when the owner changed; None: now. `reason`: how this became known."""

    number: str
    reason: str
    since: str | None = None


class Reviewed(NamedTuple):
    """The result of a review. `reporters`: the people whose marks were corrected."""

    change_id: int | None
    number: str
    reporters: tuple[str, ...] = ()


class OwnerChange(NamedTuple):
    """The result of recording or removing a new owner. `ended`: the previous owner's identity, which has ended."""

    change_id: int | None
    epoch: Epoch
    ended: Identity | None = None


def mark_for(db: sqlite3.Connection, context: Context, request: PersonMark) -> SavedMark:
    """Mark a number as spam or as not spam, on behalf of a person. The mark counts like a mark made in the console."""
    details = (Verdict(request.verdict), MarkChannel.WEB, request.category, request.reason)
    return mark(db, context, MarkRequest(request.number, request.person, *details))


def unmark_for(db: sqlite3.Connection, context: Context, request: PersonMarkKey) -> SavedMark:
    """Remove a person's mark of a number."""
    return mark(db, context, MarkRequest(request.number, request.person, Verdict.RETRACTED, MarkChannel.WEB))


def mark(db: sqlite3.Connection, context: Context, request: MarkRequest) -> SavedMark:
    """Mark a number on behalf of a person, or remove the mark. A spam number is also blocked for this person."""
    is_retraction = request.verdict is Verdict.RETRACTED
    if request.category is not None and request.verdict is not Verdict.SPAM:
        words = Wording("the category is the kind of spam: leave it out if the number is not spam")
        raise Refused("category-of-no-spam", words, "category")
    statement = MarkStatement(
        number=request.number,
        reporter=_reporter(db, context, request.person),
        verdict=request.verdict,
        at=context.at,
        channel=request.channel,
        region=context.settings.numbers.region,
        category=request.category,
        reason=request.reason,
    )
    with change(db, context, "unmark" if is_retraction else "mark") as changed:
        result = marking.mark_once(db, statement)
        if result.refusal is not None:
            raise Refused(result.refusal, _why_not_marked(db, result.refusal, result.number, statement.reporter))
        if result.status is MarkStatus.NOTHING:
            about: Places = {"person": statement.reporter, "number": result.number or request.number[:40]}
            raise Refused("not-marked", Wording("{person} has not marked {number}: there is no mark to remove", about))
        changed.number, changed.before, changed.after = result.number, result.before, result.mark
        changed.is_nothing = result.status is MarkStatus.UNCHANGED
    return SavedMark(changed.id, result)


def _why_not_marked(db: sqlite3.Connection, refusal: MarkRefusal, number: str | None, person: str) -> Wording:
    identity = identity_of(db, number) if number else None
    name = identity.name if identity else ""
    about: Places = {"number": number or "", "person": person, "most": MARKS_A_DAY, "name": name}
    return replace(WHY_NOT_MARKED[refusal], places=about)


def _reporter(db: sqlite3.Connection, context: Context, person: str | None) -> str:
    # Marks are counted by person, so a typing error must not count as a further person.
    if person is None:
        words = Wording(
            "To mark numbers, your user needs a person. Ask an administrator to remove the user and to add "
            "it again with --person EXTENSION."
        )
        raise Refused("nobody", words)
    people = names_of_people(db, context.settings)
    if person not in people:
        hint = nearest(person, people) if people else ""
        raise Refused("unknown-person", f"unknown person {person[:40]!r}{hint}", "as")
    return person


def review(db: sqlite3.Connection, context: Context, number: str) -> Reviewed:
    """Confirm a burst of marks after a review, so that the marks count."""
    e164 = number_field(context, number)
    with change(db, context, "review done", e164) as changed:
        if not numbers_to_review(db, e164):
            raise Refused(
                "nothing-to-review", Wording("no marks on {number} are waiting for a review", {"number": e164})
            )
        changed.before = review_of(db, e164)
        marks.review(db, e164, context.at, context.actor)
        changed.after = review_of(db, e164)
    return Reviewed(changed.id, e164)


def forget_review(db: sqlite3.Connection, context: Context, number: str) -> Reviewed:
    """Undo a review, so that bursts of marks wait for a review again."""
    e164 = number_field(context, number)
    with change(db, context, "review undo", e164) as changed:
        changed.before = marks.forget_review(db, e164)
        if changed.before is None:
            raise Refused("not-reviewed", Wording("nobody has reviewed the marks on {number}", {"number": e164}))
    return Reviewed(changed.id, e164)


def correct(db: sqlite3.Connection, context: Context, request: CorrectionRequest) -> Reviewed:
    """Correct wrong spam marks. The marks never count again, and the people who made them are trusted a little less."""
    e164, reason = number_field(context, request.number), reason_field(request.reason)
    correction = Correction(new_id(), e164, tuple(sorted(set(request.reporters))))
    with change(db, context, "review wrong", e164) as changed:
        reporters = reporters_of(db, e164)
        for reporter in correction.reporters:
            if reporter not in reporters:
                hint = nearest(reporter, reporters) if reporters else ""
                raise Refused("no-such-mark", f"{reporter[:40]} has no spam mark on {e164} that counts{hint}")
        marks.correct(db, correction, context.at)
        changed.after = plain(correction) | {"reason": reason}
    return Reviewed(changed.id, e164, correction.reporters)


def new_owner(db: sqlite3.Connection, context: Context, request: OwnerRequest) -> OwnerChange:
    """Record a number's new owner. Older evidence then weighs less, and the old owner's registered identity ends."""
    e164, reason = number_field(context, request.number), reason_field(request.reason)
    at = since_field(context, request.since)
    with change(db, context, "reassigned add", e164) as changed:
        latest, identity = epoch_of(db, e164), identity_of(db, e164)
        if latest is not None and at <= latest.at:
            about: Places = {"number": e164, "time": when(latest.at)}
            words = Wording("a new owner of {number} is already recorded from {time}: give a later time", about)
            raise Refused("owned-already", words)
        raise_epoch(db, e164, at, reason, context.actor)
        epoch = epoch_of(db, e164)
        assert epoch is not None
        changed.after = epoch
    return OwnerChange(changed.id, epoch, identity if _has_ended(identity, identity_of(db, e164), context.at) else None)


def same_owner(db: sqlite3.Connection, context: Context, number: str) -> OwnerChange:
    """Remove the latest recorded change of a number's owner, because it was a mistake."""
    e164 = number_field(context, number)
    with change(db, context, "reassigned remove", e164) as changed:
        epoch = lower_epoch(db, e164)
        if epoch is None:
            words = Wording("no new owner of {number} is recorded", {"number": e164})
            raise Refused("not-reassigned", words)
        changed.before = epoch
    return OwnerChange(changed.id, epoch)


def _has_ended(before: Identity | None, after: Identity | None, now: float) -> bool:
    return before is not None and after is not None and after.expires_at < min(before.expires_at, now + 1)


def _last_word(db: sqlite3.Connection, mark: Mark) -> Mark | None:
    by_reporter = (other for other in marks_of(db, mark.number) if other.reporter == mark.reporter)
    return next((other for other in by_reporter if other.auth_class is mark.auth_class), None)


MARK = UndoKind(
    lambda _db, _row, value: parse_plain(value, Mark),
    lambda db, _, mark: _last_word(db, mark),
    lambda db, _, mark: undo_mark(db, mark),
    lambda db, context, mark: restore_mark(db, mark, context.at),
)
CORRECTION = UndoKind(
    lambda _db, _row, value: parse_plain(value, Correction),
    lambda db, _, correction: correction_of(db, correction.case_id),
    lambda db, _, correction: undo_correction(db, correction.case_id),
    lambda db, context, correction: correct_marks(db, correction, context.at),
)
OWNER = UndoKind(
    lambda _db, _row, value: parse_plain(value, Epoch),
    lambda db, _, epoch: next((last for last in epochs_of(db, epoch.number)[:1] if last.at >= epoch.at), None),
    lambda db, _, epoch: lower_epoch(db, epoch.number),
    lambda db, _, epoch: raise_epoch(db, epoch.number, epoch.at, epoch.reason, epoch.who),
)


@dataclass(frozen=True, slots=True)
class NumberData:
    """All data about a number: rows by table, and recordings in which callers from the number said their own names."""

    number: str
    tables: Mapping[str, list[dict[str, object]]]
    recordings: tuple[Path, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each table has about the number."""
        return {table: len(rows) for table, rows in self.tables.items()}

    @property
    def erasable(self) -> dict[str, int]:
        """How many rows about the number can be erased from each table."""
        return {table: count for table, count in self.counts.items() if table in ERASED}

    @property
    def kept(self) -> dict[str, int]:
        """How many rows stay in each table, because they describe an own number and not a caller."""
        return {table: count for table, count in self.counts.items() if table not in ERASED}


@dataclass(frozen=True, slots=True)
class ErasedNumber:
    """The result of an erasure: how many rows of each table, and how many recordings, were erased."""

    number: str
    counts: Mapping[str, int]
    recordings: int


def stored_about(db: sqlite3.Connection, context: Context, number: str) -> NumberData:
    """Return all data about a number. Unlike `export`, this writes no audit row."""
    e164 = number_field(context, number)
    tables = export_number(db, e164)
    ids = [row["id"] for row in tables["decision"]]
    recordings = spoken_names.of_decisions(context.loaded.state, ids, spoken_names.ALL_PIECES)
    return NumberData(e164, tables, tuple(recordings))


def export(db: sqlite3.Connection, context: Context, number: str) -> NumberData:
    """Return all data about a number for its owner, and record the export in the audit."""
    stored = stored_about(db, context, number)
    with change(db, context, "privacy export", stored.number):
        return stored


def erase(db: sqlite3.Connection, context: Context, number: str) -> ErasedNumber:
    """Erase all data about the number. The audit records the erasure, but not the number."""
    stored = stored_about(db, context, number)
    mentions = find_mentions(db, stored.number)
    spoken = spoken_names.erase(stored.recordings)  # first, because the decisions say whose they are
    with change(db, context, "privacy erase"):
        counts = erase_number(db, stored.number, mentions)
        if counts["event"]:
            read_again(db, context.at)
        return ErasedNumber(stored.number, counts, spoken)


def clear_files(loaded: Loaded, number: str) -> tuple[bool, dict[Path, str]]:
    """Remove an erased number from the freed pages of the store's file, and from backups.

    Return whether the store is free of the number, and the problem of each backup that could not be rewritten.
    """
    is_clear = clear_freed(loaded.store_path, number)
    return is_clear, {backup: problem for backup, problem in erase_from_backups(loaded.store_path, number) if problem}


def files_about(loaded: Loaded, number: str) -> list[Path]:
    """Return the files in the state and store folders that contain the number or cannot be searched.

    The store must be closed.
    """
    return files_naming((loaded.state, loaded.store_path.parent), number)
