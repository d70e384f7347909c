"""What people say about numbers. Of a reporter, number, class and epoch the latest word stays; nothing is deleted but
by time: a retraction is a word too, and outlives the same mark when another system sends it again.

The door, with all that it refuses, is reputation/marking.py. Here a mark is only written.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.events import EventKind, NumberMarked
from reputation.model import AuthClass, Mark
from reputation.store.evidence_rows import MARK_COLUMNS, mark_from
from reputation.store.outbox import add_event
from reputation.store.standing import refresh

# At equal times a retraction wins, then the text that comes last.
ADD = """
INSERT INTO mark (number, auth_class, epoch, reporter, verdict, at, channel, grp, category, reason, linkedid)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, auth_class, epoch, reporter) DO UPDATE
SET verdict = excluded.verdict, at = excluded.at, channel = excluded.channel, grp = excluded.grp,
    category = excluded.category, reason = excluded.reason, linkedid = excluded.linkedid
WHERE (excluded.at, excluded.verdict = 'retracted', excluded.verdict, excluded.channel, excluded.grp,
       excluded.category, excluded.reason, excluded.linkedid)
    > (mark.at, mark.verdict = 'retracted', mark.verdict, mark.channel, mark.grp,
       mark.category, mark.reason, mark.linkedid)
"""
OF_SPAN = f"SELECT {MARK_COLUMNS} FROM mark WHERE at >= ? AND at < ? ORDER BY at, number, reporter"
# A number marked again does not count again.
OTHERS_SINCE = "SELECT count(DISTINCT number) FROM mark WHERE reporter = ? AND at > ? AND number <> ?"

LAST_CALLER = "SELECT number, at, linkedid FROM reached WHERE person = ? ORDER BY at DESC, linkedid DESC LIMIT 1"
# The class of a call: of this one, of the last one to this person, of the last one. The journal knows calls that have
# not ended yet, the outcomes those that were never screened.
CLASS_OF_CALL = "SELECT auth_class FROM decision WHERE linkedid = :linkedid AND caller = :number ORDER BY at LIMIT 1"
CLASS_TO_PERSON = """
SELECT auth_class, at FROM (
    SELECT outcome.auth_class, reached.at FROM reached JOIN outcome USING (linkedid)
     WHERE reached.number = :number AND reached.person = :person
    UNION ALL
    SELECT auth_class, at FROM decision WHERE caller = :number AND callee = :person
) ORDER BY at DESC LIMIT 1
"""
CLASS_OF_LAST = """
SELECT auth_class, at FROM (
    SELECT auth_class, at FROM outcome WHERE caller = :number
    UNION ALL
    SELECT auth_class, at FROM decision WHERE caller = :number
) ORDER BY at DESC LIMIT 1
"""

BLOCK = """
INSERT INTO personal_entry (number, person, verdict, at, source) VALUES (:number, :person, 'block', :at, 'mark')
ON CONFLICT (number, person) DO UPDATE
SET at = excluded.at, verdict = 'block', source = iif(verdict = 'allow', 'mark-over-allow', source)
WHERE excluded.at >= at AND NOT (verdict = 'block' AND source = 'person')
"""
UNBLOCK = "DELETE FROM personal_entry WHERE number = ? AND person = ? AND source = 'mark'"
ALLOW_AGAIN = """
UPDATE personal_entry SET verdict = 'allow', source = 'person', at = ?
 WHERE number = ? AND person = ? AND source = 'mark-over-allow'
"""


class LastCaller(NamedTuple):
    """The last call that reached a person. `number` is None when the caller had none."""

    number: str | None
    at: float
    linkedid: str


def add_mark(db: sqlite3.Connection, mark: Mark) -> None:
    """Writes a mark as it is; what was said later stays."""
    if db.execute(ADD, _row(mark)).rowcount:
        add_event(db, EventKind.NUMBER_MARKED, mark.number, mark.at, _told(mark))
    refresh(db, mark.number)


def _told(mark: Mark) -> NumberMarked:
    return NumberMarked(
        number=mark.number,
        auth_class=mark.auth_class.value,
        verdict=mark.verdict.value,
        reporter=mark.reporter,
        channel=mark.channel.value,
        category=mark.category,
        reason=mark.reason,
        linkedid=mark.linkedid,
    )


def marks_between(db: sqlite3.Connection, since: float, until: float) -> list[Mark]:
    """What people said from `since` until before `until` and is their latest word, in time order."""
    return [mark_from(row) for row in db.execute(OF_SPAN, (since, until))]


def numbers_marked_since(db: sqlite3.Connection, reporter: str, since: float, but: str) -> int:
    """How many numbers, not counting one, the person has said something about since."""
    (count,) = db.execute(OTHERS_SINCE, (reporter, since, but)).fetchone()
    return int(count)


def last_caller_of(db: sqlite3.Connection, person: str) -> LastCaller | None:
    """Who called the person last: whom the person talked to, whose call rang there and was taken by nobody,
    or who left a message without a ring.
    """
    return next((LastCaller(*row) for row in db.execute(LAST_CALLER, (person,))), None)


def auth_class_of_mark(db: sqlite3.Connection, number: str, reporter: str, linkedid: str | None) -> AuthClass:
    """The class that a mark counts in: of its call, else of the last call from the number to the reporter, else of its
    last call, else `unknown` (docs/explanation/model.md).
    """
    about = {"number": number, "person": reporter, "linkedid": linkedid}
    for sql in (CLASS_OF_CALL, CLASS_TO_PERSON, CLASS_OF_LAST):
        row = db.execute(sql, about).fetchone()
        if row is not None:
            return AuthClass(row[0])
    return AuthClass.UNKNOWN


def block_for(db: sqlite3.Connection, person: str, number: str, at: float) -> None:
    """Blocks the number for the person who marked it. An entry that the person made stays the person's."""
    db.execute(BLOCK, {"number": number, "person": person, "at": at})


def unblock_for(db: sqlite3.Connection, person: str, number: str, at: float) -> bool:
    """Takes back what `block_for` did, and puts an allowlist entry that it replaced back. False: there was nothing."""
    removed = db.execute(UNBLOCK, (number, person)).rowcount
    return removed + db.execute(ALLOW_AGAIN, (at, number, person)).rowcount > 0


def _row(mark: Mark) -> tuple[object, ...]:
    words = (mark.group or "", mark.category or "", mark.reason, mark.linkedid or "")
    key = (mark.number, mark.auth_class.value, mark.epoch, mark.reporter)
    return (*key, mark.verdict.value, mark.at, mark.channel.value, *words)
