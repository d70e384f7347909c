"""The door for what people say about numbers: one function, whether they dial *37, click or type.

    mark(db, Statement(...)) -> MarkResult     it is written, or it says by a code why not; never raises for a refusal

The guard rails are those of docs/explanation/model.md. Run these functions in a transaction (`Store.write` is one).
"""

from __future__ import annotations

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
UNDO_SECONDS = 60.0  # the same code dialled again within so long takes the mark back
REASON_CHARACTERS = 200
CATEGORY_CHARACTERS = 40


class MarkRefusal(StrEnum):
    """Why a number cannot be marked, or not by this person. The words are in callsieve/numbers/operations.py."""

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
class Statement:
    """What a person says about a number. `number` is as it was typed or shown; national ones are read by `region`.

    `reporter` is an extension: the person of the channel's endpoint, never its caller ID. `linkedid` names the call
    that it is about, where that is known. A category is kept in lower case, as policies compare them.
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
    """What became of a statement."""

    MARKED = "marked"
    UNCHANGED = "unchanged"  # the same was said within the day: a program that asked twice
    RETRACTED = "retracted"
    REFUSED = "refused"
    NOTHING = "nothing"  # there was nothing to take back


@dataclass(frozen=True, slots=True)
class MarkResult:
    """What became of a statement. `mark`: what was written last; `before`: what counted until then.

    Attributes:
        status: What became of it.
        number: A telephone number: E.164, or the key of a service number.
    """

    status: MarkStatus
    number: str | None = None
    mark: Mark | None = None
    before: Mark | None = None
    refusal: Annotated[MarkRefusal | None, HIDDEN] = None  # why nothing was written


def mark(db: sqlite3.Connection, statement: Statement) -> MarkResult:
    """Writes what the person says, unless something speaks against it. Spam also blocks the number for that person.

    "Not spam" takes the person's spam marks back, and with them the block. The verdict RETRACTED is `unmark`.
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
    _retract(db, [one for one in before if one.auth_class is not written.auth_class], statement)
    unblock_for(db, statement.reporter, number, statement.at)
    return MarkResult(MarkStatus.MARKED, number, written, latest)


def mark_once(db: sqlite3.Connection, statement: Statement) -> MarkResult:
    """Do as `mark`, unless the person said exactly this within the day: a program that asks twice changes nothing.

    After a day the same mark is news, for marks fade.
    """
    number = _number_of(statement)
    before = live_marks_of(db, number, statement.reporter) if number else []
    if number is None or len(before) != 1 or not 0 <= statement.at - before[0].at < DAY_SECONDS:
        return mark(db, statement)
    is_same = replace(before[0], at=statement.at) == _mark_of(db, number, statement)
    listed = next((one.verdict for one in personal_entries(db, statement.reporter) if one.number == number), None)
    if not is_same or (statement.verdict is Verdict.SPAM and listed is not ListName.BLOCK):
        return mark(db, statement)
    return MarkResult(MarkStatus.UNCHANGED, number, before[0], before[0])


def unmark(db: sqlite3.Connection, statement: Statement) -> MarkResult:
    """Takes back all that the person said about the number, and the block that came with it. Never refused."""
    number = _number_of(statement)
    before = live_marks_of(db, number, statement.reporter) if number else []
    if number is None or not before:
        return MarkResult(MarkStatus.NOTHING, number)
    retracted = _retract(db, before, statement)
    unblock_for(db, statement.reporter, number, statement.at)
    return MarkResult(MarkStatus.RETRACTED, number, retracted[0], before[0])


def mark_last_caller(db: sqlite3.Connection, person: str, verdict: Verdict, at: float) -> MarkResult:
    """What *37 (SPAM) and *38 (OK) do. The same code again within 60 s takes the mark back."""
    last = last_caller_of(db, person)
    if last is None:
        return MarkResult(MarkStatus.REFUSED, refusal=MarkRefusal.NOBODY_CALLED)
    if last.number is None:
        return MarkResult(MarkStatus.REFUSED, refusal=MarkRefusal.WITHHELD)
    statement = Statement(
        number=last.number,
        reporter=person,
        verdict=verdict,
        at=at,
        channel=MarkChannel.EXTENSION,
        linkedid=last.linkedid,
    )
    said = next(iter(live_marks_of(db, last.number, person)), None)
    if said is not None and said.verdict is verdict and 0 <= at - said.at <= UNDO_SECONDS:
        return unmark(db, statement)
    return mark(db, statement)


def undo_mark(db: sqlite3.Connection, mark: Mark) -> None:
    """As if this mark, the person's last word, had not been made. Of a retraction: nothing, until it is said again."""
    add_mark(db, replace(mark, verdict=Verdict.RETRACTED))
    unblock_for(db, mark.reporter, mark.number, mark.at)


def say_again(db: sqlite3.Connection, mark: Mark, at: float) -> None:
    """A mark that was taken back, or changed, counts again."""
    latest = max((one.at for one in marks_of(db, mark.number) if one.reporter == mark.reporter), default=at)
    add_mark(db, replace(mark, at=max(at, nextafter(latest, inf))))  # a retraction of the same instant would win
    if mark.verdict is Verdict.SPAM:
        block_for(db, mark.reporter, mark.number, at)


def _number_of(statement: Statement) -> str | None:
    return number_of(statement.number, statement.region)


def _mark_of(db: sqlite3.Connection, number: str, statement: Statement) -> Mark:
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


def _retract(db: sqlite3.Connection, marks: list[Mark], statement: Statement) -> list[Mark]:
    """Never dated before what it takes back: at equal times a retraction wins."""
    retracted = [
        replace(one, verdict=Verdict.RETRACTED, at=max(statement.at, one.at), channel=statement.channel)
        for one in marks
    ]
    for one in retracted:
        add_mark(db, one)
    return retracted


def _refusal_of(db: sqlite3.Connection, statement: Statement, number: str | None) -> MarkRefusal | None:
    """Why the door stays shut; None when it opens."""
    if person_of(db, statement.number.strip()) is not None:
        return MarkRefusal.INTERNAL_EXTENSION
    if number is None:
        return REFUSAL_BY_KIND.get(caller_of(statement.number, statement.region).kind, MarkRefusal.NO_NUMBER)
    if number in own_numbers(db):
        return MarkRefusal.OWN_NUMBER
    if numbers_marked_since(db, statement.reporter, statement.at - DAY_SECONDS, number) >= MARKS_A_DAY:
        return MarkRefusal.TOO_MANY
    return _refusal_of_spam(db, statement, number) if statement.verdict is Verdict.SPAM else None


def _refusal_of_spam(db: sqlite3.Connection, statement: Statement, number: str) -> MarkRefusal | None:
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
