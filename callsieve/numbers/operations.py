"""What an operator does to a number, from its page or a call's: a correction, each the same as a command.

Each is a function for `Visit.change`: it writes, fills in the row of the audit, and raises Refused where it must not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from callsieve.changes.operation import Refused
from callsieve.lists.operations import NOTE_CHARACTERS
from reputation.appeals import Appeal, AppealError
from reputation.marking import MarkStatus, Statement, mark
from reputation.model import MarkChannel, Verdict
from reputation.store.appeals import open_appeal
from reputation.store.audit import Change
from reputation.store.ownership import epoch_of, lower_epoch, raise_epoch
from reputation.store.reviews import forget_review, numbers_to_review, review, review_of

Write = Callable[[sqlite3.Connection, Change], None]


def say(statement: Statement) -> Write:
    """A mark, or taking one back, in the name of the visitor's person."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        result = mark(db, statement)
        if result.status in (MarkStatus.REFUSED, MarkStatus.NOTHING):
            raise Refused("refused", result.message)
        change.before, change.after = result.before, result.mark

    return write


def statement_of(number: str, extension: str | None, verdict: Verdict, at: float) -> Statement:
    """What the visitor's person says. Refused for a visitor who is nobody of ours."""
    if extension is None:
        raise Refused("refused", "you mark in nobody's name: an administrator adds you again with --person")
    return Statement(number=number, reporter=extension, verdict=verdict, at=at, channel=MarkChannel.WEB)


def count_burst(number: str, at: float, who: str) -> Write:
    """Somebody has looked at a burst of marks: they count."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        if not numbers_to_review(db, number):
            raise Refused("refused", f"no marks of {number} wait for a review")
        before = review_of(db, number)
        review(db, number, at, who)
        after = review_of(db, number)
        change.before, change.after = before and before._asdict(), after and after._asdict()

    return write


def uncount_burst(number: str) -> Write:
    """Nobody has looked: bursts of the number wait again."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        before = forget_review(db, number)
        if before is None:
            raise Refused("refused", f"nobody has reviewed {number}")
        change.before = before._asdict()

    return write


def new_owner(number: str, at: float, reason: str, who: str) -> Write:
    """The number has another owner: what is older weighs less, and an identity ends."""
    why = one_line(reason, NOTE_CHARACTERS)

    def write(db: sqlite3.Connection, change: Change) -> None:
        if not why:
            raise Refused("refused", "say how you know that the number has another owner")
        raise_epoch(db, number, at, why, who)
        epoch = epoch_of(db, number)
        change.after = epoch and epoch._asdict()

    return write


def same_owner(number: str) -> Write:
    """The latest change of the owner was none."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        epoch = lower_epoch(db, number)
        if epoch is None:
            raise Refused("refused", f"{number} is not known to have another owner")
        change.before = epoch._asdict()

    return write


def file_appeal(appeal: Appeal) -> Write:
    """An appeal that somebody made by telephone or mail; it has no effect until it is proven or accepted."""

    def write(db: sqlite3.Connection, change: Change) -> None:
        try:
            change.after = open_appeal(db, appeal)
        except AppealError as error:
            raise Refused("refused", str(error)) from None

    return write


def one_line(text: str, most: int) -> str:
    """What somebody typed, as one line."""
    return "".join(filter(str.isprintable, " ".join(text.split())))[:most]
