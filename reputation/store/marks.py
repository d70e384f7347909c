"""Marks (what people say about a number: spam or not spam), their reviews, and tombstones, which cancel wrong marks.

Of each reporter, the latest mark of a number is stored, per auth class and epoch (the time of one owner of the number).
A retraction is stored as a mark too. So the retraction still applies when another site sends the old mark again.

A tombstone keeps wrong spam marks from counting, whichever site sends them again. The marks stay in the store, but
standings (the sums over a number's evidence) skip them. So marks and tombstones may arrive in any order, and the marks
count again once the tombstone is removed.
"""

import sqlite3
from typing import Annotated, NamedTuple

from reputation.columns import NAMED, ORIGIN, Key, column_list, insert_sql
from reputation.encoding import Instant
from reputation.events import EventKind, NumberMarked
from reputation.model import AuthClass, Mark, Verdict
from reputation.store.evidence_rows import MARK_COLUMNS, mark_from, rows_of
from reputation.store.outbox import add_event
from reputation.store.standing import refresh, refresh_all, settle_case, unsettle_case

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
    """The caller of the last call that reached a person. `number`: None if the caller withheld it."""

    number: str | None
    at: float
    linkedid: str


def add_mark(db: sqlite3.Connection, mark: Mark) -> None:
    """Store a mark in place of the reporter's earlier mark of the number. Do nothing if the stored mark is later."""
    if db.execute(ADD, _row(mark)).rowcount:
        add_event(db, EventKind.NUMBER_MARKED, mark.number, mark.at, _event_data(mark))
    refresh(db, mark.number)


def _event_data(mark: Mark) -> NumberMarked:
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
    """Return the stored marks that were made between `since` and `until` (exclusive), in time order."""
    return [mark_from(row) for row in db.execute(OF_SPAN, (since, until))]


def numbers_marked_since(db: sqlite3.Connection, reporter: str, since: float, but: str) -> int:
    """Return how many numbers the reporter has marked after `since`, not counting the number `but`."""
    (count,) = db.execute(OTHERS_SINCE, (reporter, since, but)).fetchone()
    return int(count)


def last_caller_of(db: sqlite3.Connection, person: str) -> LastCaller | None:
    """Return the caller of the last call that the person answered or left unanswered; None if there was no call."""
    return next((LastCaller(*row) for row in db.execute(LAST_CALLER, (person,))), None)


def auth_class_of_mark(db: sqlite3.Connection, number: str, reporter: str, linkedid: str | None) -> AuthClass:
    """Return the auth class of the marked call; if unknown, of the number's last call to the reporter or to anybody."""
    about = {"number": number, "person": reporter, "linkedid": linkedid}
    for sql in (CLASS_OF_CALL, CLASS_TO_PERSON, CLASS_OF_LAST):
        row = db.execute(sql, about).fetchone()
        if row is not None:
            return AuthClass(row[0])
    return AuthClass.UNKNOWN


def block_for(db: sqlite3.Connection, person: str, number: str, at: float) -> None:
    """Block a number for the person who marked it. Change nothing if the person has already blocked it."""
    db.execute(BLOCK, {"number": number, "person": person, "at": at})


def unblock_for(db: sqlite3.Connection, person: str, number: str, at: float) -> bool:
    """Undo `block_for` and restore the allowlist entry that it replaced. Return False if there was nothing to undo."""
    removed = db.execute(UNBLOCK, (number, person)).rowcount
    return removed + db.execute(ALLOW_AGAIN, (at, number, person)).rowcount > 0


def _row(mark: Mark) -> tuple[object, ...]:
    words = (mark.group or "", mark.category or "", mark.reason, mark.linkedid or "")
    key = (mark.number, mark.auth_class.value, mark.epoch, mark.reporter)
    return (*key, mark.verdict.value, mark.at, mark.channel.value, *words)


class Tombstone(NamedTuple):
    """A record that earlier spam marks of a number were wrong and do not count.

    Attributes:
        number: The number.
        reporter: The person who made the marks; empty for everybody's marks.
        case_id: The reference of the appeal or correction that ruled the marks wrong.
        until: Marks made at this time or before do not count.
    """

    number: str
    reporter: Annotated[str, Key(1), NAMED]
    case_id: Annotated[str, Key(2), ORIGIN]
    until: Instant

    def covers(self, reporter: str, at: float) -> bool:
        """Return whether the tombstone cancels a spam mark that this reporter made at `at`."""
        site = reporter[: reporter.find(":") + 1]  # one of another site: `berlin:`
        return self.reporter in ("", reporter, site) and at <= self.until


ADD_REVIEW = f"""
{insert_sql("tombstone", Tombstone)}
ON CONFLICT (number, reporter, case_id) DO UPDATE SET until = max(until, excluded.until)
"""
REMOVE = "DELETE FROM tombstone WHERE case_id = ? RETURNING number"
TOMBSTONE_OF = f"SELECT {column_list(Tombstone)} FROM tombstone WHERE number = ? ORDER BY until DESC, case_id, reporter"


def add_tombstone(db: sqlite3.Connection, tombstone: Tombstone) -> None:
    """Add a tombstone. If one exists for the same number, reporter and case id, keep the later `until` of the two."""
    db.execute(ADD_REVIEW, tombstone)
    refresh(db, tombstone.number)


def remove_tombstones(db: sqlite3.Connection, case_id: str) -> None:
    """Remove the tombstones of an appeal or correction, so that the marks which they cancelled count again."""
    refresh_all(db, [number for (number,) in db.execute(REMOVE, (case_id,)).fetchall()])


def tombstones_of(db: sqlite3.Connection, number: str) -> list[Tombstone]:
    """Return the tombstones of the number, newest first."""
    return [Tombstone(*row) for row in db.execute(TOMBSTONE_OF, (number,))]


REVIEW = """
INSERT INTO review (number, at, who) VALUES (?, ?, ?)
ON CONFLICT (number) DO UPDATE SET at = excluded.at, who = excluded.who WHERE excluded.at > at
"""
OF = "SELECT number, at, who FROM review WHERE number = ?"
FORGET = "DELETE FROM review WHERE number = ? RETURNING number, at, who"
CORRECTED = "SELECT number, reporter FROM tombstone WHERE case_id = ? AND reporter <> '' ORDER BY reporter"


class Review(NamedTuple):
    """A record that somebody has reviewed the marks of a number.

    Attributes:
        number: The number.
        at: When the marks were reviewed.
        who: The user who reviewed the marks.
    """

    number: str
    at: Instant
    who: str


class Correction(NamedTuple):
    """A ruling that these reporters' spam marks of a number are wrong. `case_id`: the id of the ruling."""

    case_id: str
    number: str
    reporters: tuple[str, ...]


def review(db: sqlite3.Connection, number: str, at: float, who: str) -> None:
    """Record that `who` reviewed the number's marks. Bursts (many marks at once) from before `at` then count."""
    db.execute(REVIEW, (number, at, who))


def review_of(db: sqlite3.Connection, number: str) -> Review | None:
    """Return the last review of the number's marks, or None."""
    return next((Review(*row) for row in db.execute(OF, (number,))), None)


def forget_review(db: sqlite3.Connection, number: str) -> Review | None:
    """Delete the review of the number and return it. Bursts (many marks at once) then wait for a review again."""
    return next((Review(*row) for row in db.execute(FORGET, (number,)).fetchall()), None)


def reporters_of(db: sqlite3.Connection, number: str) -> list[str]:
    """Return the reporters whose spam marks of the number count."""
    return sorted({mark.reporter for mark in rows_of(db, number).marks if mark.verdict is Verdict.SPAM})


def correct(db: sqlite3.Connection, correction: Correction, at: float) -> None:
    """Cancel the spam marks that these reporters made until `at`, and trust the reporters a little less."""
    for reporter in correction.reporters:
        add_tombstone(db, Tombstone(correction.number, reporter, correction.case_id, at))
    settle_case(db, correction.reporters, correction.case_id, False, at)


def correction_of(db: sqlite3.Connection, case_id: str) -> Correction | None:
    """Return the correction with this id, or None."""
    rows = db.execute(CORRECTED, (case_id,)).fetchall()
    return Correction(case_id, rows[0][0], tuple(reporter for _, reporter in rows)) if rows else None


def undo_correction(db: sqlite3.Connection, case_id: str) -> None:
    """Undo a correction: the marks count again, and the trust in their reporters is restored."""
    remove_tombstones(db, case_id)
    unsettle_case(db, case_id)
