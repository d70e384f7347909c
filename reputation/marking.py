"""Marks made by people: the same functions serve a dialled *37, a click and a command.

A refused mark gives a result with a code and raises no error. docs/contributing/model.md describes the limits. Call
these functions in a transaction (`Store.write` makes one).
"""

import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, nextafter
from typing import Annotated

from reputation.encoding import HIDDEN
from reputation.model import CallerKind, Identity, ListName, Mark, MarkChannel, Verdict
from reputation.numbers import caller_of, number_of
from reputation.scoring import VERIFIED_LEVEL
from reputation.store.evidence_rows import live_marks_of, marks_of
from reputation.store.identities import identity_of
from reputation.store.lists import is_contact, personal_entries
from reputation.store.marks import (
    add_mark,
    auth_class_of_mark,
    block_for,
    last_caller_of,
    numbers_marked_since,
    unblock_for,
)
from reputation.store.people import own_numbers, person_of

MARKS_A_DAY = 20
DAY_SECONDS = 86_400.0
UNDO_SECONDS = 60.0  # the same code dialled again within this time undoes the mark
REASON_CHARACTERS = 200
CATEGORY_CHARACTERS = 40


class MarkRefusal(StrEnum):
    """The reason why a mark is refused. The texts for people are in callsieve/numbers/operations.py."""

    WITHHELD = "withheld"
    EMERGENCY_NUMBER = "emergency-number"
    INTERNAL_EXTENSION = "internal-extension"
    NO_NUMBER = "no-number"
    OWN_NUMBER = "own-number"
    TOO_MANY = "too-many-marks"
    CONTACT = "contact"
    VERIFIED = "verified"
    NOBODY_CALLED = "nobody-called"


REFUSAL_BY_KIND = {
    CallerKind.WITHHELD: MarkRefusal.WITHHELD,
    CallerKind.EMERGENCY: MarkRefusal.EMERGENCY_NUMBER,
    CallerKind.INTERNAL: MarkRefusal.INTERNAL_EXTENSION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkStatement:
    """A person's statement that a number is spam or not spam.

    `number`: the number as it was typed or shown; a national number is parsed for `region`. `reporter`: the extension
    of the person who owns the channel's endpoint, never taken from the caller ID. `linkedid`: the call that the mark is
    about, if known. `category`: the kind of spam, stored in lower case because policies compare it so.
    """

    number: str
    reporter: str
    verdict: Verdict
    at: float
    channel: MarkChannel
    region: str = "ZZ"
    category: str | None = None
    reason: str = ""
    linkedid: str | None = None


class MarkStatus(StrEnum):
    """The result of a mark request. UNCHANGED: the person made the same mark before. NOTHING: no mark to retract."""

    MARKED = "marked"
    UNCHANGED = "unchanged"  # the same mark was made within the day: a program that repeats its request
    RETRACTED = "retracted"
    REFUSED = "refused"
    NOTHING = "nothing"  # there was nothing to retract


@dataclass(frozen=True, slots=True)
class MarkResult:
    """The result of a request to mark a number or to retract a mark.

    Attributes:
        status: The kind of result.
        number: A telephone number: E.164, or the key of a service number.
        mark: The last mark that was written.
        before: The mark that was valid before the request.
    """

    status: MarkStatus
    number: str | None = None
    mark: Mark | None = None
    before: Mark | None = None
    refusal: Annotated[MarkRefusal | None, HIDDEN] = None  # why nothing was written


def mark(db: sqlite3.Connection, statement: MarkStatement) -> MarkResult:
    """Store a mark unless it is refused. A spam mark also blocks the number for the person who made the mark.

    "Not spam" retracts the person's spam marks and removes the block. The verdict RETRACTED does the same as `unmark`.
    """
    if statement.verdict is Verdict.RETRACTED:
        return unmark(db, statement)
    number = _number_of(statement)
    refusal = _refusal_of(db, statement, number)
    if number is None or refusal is not None:
        return MarkResult(MarkStatus.REFUSED, number, refusal=refusal)
    before = live_marks_of(db, number, statement.reporter)
    written = _mark_of(db, number, statement)
    add_mark(db, written)
    latest = before[0] if before else None
    if statement.verdict is Verdict.SPAM:
        block_for(db, statement.reporter, number, statement.at)
        return MarkResult(MarkStatus.MARKED, number, written, latest)
    _retract(db, [other for other in before if other.auth_class is not written.auth_class], statement)
    unblock_for(db, statement.reporter, number, statement.at)
    return MarkResult(MarkStatus.MARKED, number, written, latest)


def mark_once(db: sqlite3.Connection, statement: MarkStatement) -> MarkResult:
    """Call `mark`, unless the person made the same mark within the last day. This makes repeated requests harmless."""
    number = _number_of(statement)
    before = live_marks_of(db, number, statement.reporter) if number else []
    if number is None or len(before) != 1 or not 0 <= statement.at - before[0].at < DAY_SECONDS:
        return mark(db, statement)
    is_same = replace(before[0], at=statement.at) == _mark_of(db, number, statement)
    listed = next((entry.verdict for entry in personal_entries(db, statement.reporter) if entry.number == number), None)
    if not is_same or (statement.verdict is Verdict.SPAM and listed is not ListName.BLOCK):
        return mark(db, statement)
    return MarkResult(MarkStatus.UNCHANGED, number, before[0], before[0])


def unmark(db: sqlite3.Connection, statement: MarkStatement) -> MarkResult:
    """Retract all marks that this person gave the number, and unblock the number for this person. Never refused."""
    number = _number_of(statement)
    before = live_marks_of(db, number, statement.reporter) if number else []
    if number is None or not before:
        return MarkResult(MarkStatus.NOTHING, number)
    retracted = _retract(db, before, statement)
    unblock_for(db, statement.reporter, number, statement.at)
    return MarkResult(MarkStatus.RETRACTED, number, retracted[0], before[0])


def mark_last_caller(db: sqlite3.Connection, person: str, verdict: Verdict, at: float) -> MarkResult:
    """Mark the person's last caller, as *37 (SPAM) and *38 (OK) do. The same code within 60 s retracts the mark."""
    last = last_caller_of(db, person)
    if last is None:
        return MarkResult(MarkStatus.REFUSED, refusal=MarkRefusal.NOBODY_CALLED)
    if last.number is None:
        return MarkResult(MarkStatus.REFUSED, refusal=MarkRefusal.WITHHELD)
    statement = MarkStatement(
        number=last.number,
        reporter=person,
        verdict=verdict,
        at=at,
        channel=MarkChannel.EXTENSION,
        linkedid=last.linkedid,
    )
    marked = next(iter(live_marks_of(db, last.number, person)), None)
    if marked is not None and marked.verdict is verdict and 0 <= at - marked.at <= UNDO_SECONDS:
        return unmark(db, statement)
    return mark(db, statement)


def undo_mark(db: sqlite3.Connection, mark: Mark) -> None:
    """Retract a person's mark, and unblock the number for this person. If the mark is a retraction, it stays."""
    add_mark(db, replace(mark, verdict=Verdict.RETRACTED))
    unblock_for(db, mark.reporter, mark.number, mark.at)


def restore_mark(db: sqlite3.Connection, mark: Mark, at: float) -> None:
    """Restore a mark that was retracted or changed. A spam mark also blocks the number for its reporter again."""
    latest = max((known.at for known in marks_of(db, mark.number) if known.reporter == mark.reporter), default=at)
    add_mark(db, replace(mark, at=max(at, nextafter(latest, inf))))  # at the same instant a retraction wins
    if mark.verdict is Verdict.SPAM:
        block_for(db, mark.reporter, mark.number, at)


def _number_of(statement: MarkStatement) -> str | None:
    return number_of(statement.number, statement.region)


def _mark_of(db: sqlite3.Connection, number: str, statement: MarkStatement) -> Mark:
    person = person_of(db, statement.reporter)
    return Mark(
        number=number,
        auth_class=auth_class_of_mark(db, number, statement.reporter, statement.linkedid),
        reporter=statement.reporter,
        verdict=statement.verdict,
        at=statement.at,
        channel=statement.channel,
        group=person.group if person else None,
        category=_line(statement.category or "", CATEGORY_CHARACTERS).lower() or None,
        reason=_line(statement.reason, REASON_CHARACTERS),
        linkedid=statement.linkedid,
    )


def _retract(db: sqlite3.Connection, marks: list[Mark], statement: MarkStatement) -> list[Mark]:
    """Store a retraction of each mark, never dated before the mark.

    If both have the same time, the retraction counts.
    """
    retracted = [
        replace(given, verdict=Verdict.RETRACTED, at=max(statement.at, given.at), channel=statement.channel)
        for given in marks
    ]
    for given in retracted:
        add_mark(db, given)
    return retracted


def _refusal_of(db: sqlite3.Connection, statement: MarkStatement, number: str | None) -> MarkRefusal | None:
    if person_of(db, statement.number.strip()) is not None:
        return MarkRefusal.INTERNAL_EXTENSION
    if number is None:
        return REFUSAL_BY_KIND.get(caller_of(statement.number, statement.region).kind, MarkRefusal.NO_NUMBER)
    if number in own_numbers(db):
        return MarkRefusal.OWN_NUMBER
    if numbers_marked_since(db, statement.reporter, statement.at - DAY_SECONDS, number) >= MARKS_A_DAY:
        return MarkRefusal.TOO_MANY
    return _refusal_of_spam(db, statement, number) if statement.verdict is Verdict.SPAM else None


def _refusal_of_spam(db: sqlite3.Connection, statement: MarkStatement, number: str) -> MarkRefusal | None:
    if is_contact(db, number):
        return MarkRefusal.CONTACT
    identity = identity_of(db, number)
    is_explained = statement.category and statement.reason.strip()
    if identity is not None and _is_verified(identity, statement.at) and not is_explained:
        return MarkRefusal.VERIFIED
    return None


def _is_verified(identity: Identity, now: float) -> bool:
    return identity.level >= VERIFIED_LEVEL and identity.expires_at > now


def _line(text: str, most: int) -> str:
    return "".join(filter(str.isprintable, text)).strip()[:most]
