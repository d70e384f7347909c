"""Read the rows that count as evidence about a number, such as marks, and find other numbers of its block of 1000."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from reputation import model
from reputation.columns import column_list
from reputation.model import Answered, Challenged, TrapCall
from reputation.numbers import block_of
from reputation.outcome import Signal
from reputation.signals import (
    ONE_RING_GUARD_SECONDS,
    RELATIONSHIP_SECONDS,
    SPAMWARD,
    latest_by_key,
    proofs_of_control,
    signal_of_mark,
)
from reputation.site_names import OURS, site_and_mark, site_of
from reputation.standing import Rows

MARK_COLUMNS = column_list(model.Mark)
MARKS = f"SELECT {MARK_COLUMNS} FROM mark WHERE number = ? ORDER BY at DESC, reporter, auth_class"
# Without marks that a tombstone covers. A tombstone of another site for everybody has the reporter `site:`.
MARKS_THAT_COUNT = f"""
SELECT {MARK_COLUMNS} FROM mark
 WHERE number = ? AND NOT (verdict = 'spam' AND EXISTS (
       SELECT 1 FROM tombstone WHERE tombstone.number = mark.number AND mark.at <= until
          AND tombstone.reporter IN ('', mark.reporter, {site_and_mark("mark.reporter")})))
 ORDER BY at DESC, reporter, auth_class
"""
# A call-back within a day after a one-ring call is what that call was for, so it does not count. It counts if the
# one-ring call had another auth class. Signals against the number do not count if the callee has called it and talked:
# people could let a caller in only to hang up on it.
SIGNAL_COUNTS = f"""
NOT (category = 'called-back' AND EXISTS (
       SELECT 1 FROM one_ring WHERE one_ring.number = signal.number AND one_ring.auth_class <> 'unauthenticated'
          AND one_ring.at > signal.at - {ONE_RING_GUARD_SECONDS} AND one_ring.at <= signal.at))
   AND NOT (category IN ({", ".join(f"'{category}'" for category in sorted(SPAMWARD))}) AND EXISTS (
       SELECT 1 FROM talk WHERE talk.number = signal.number AND talk.person = signal.callee
          AND talk.at > signal.at - {RELATIONSHIP_SECONDS}
          AND NOT EXISTS (SELECT 1 FROM one_ring WHERE one_ring.number = talk.number
                             AND one_ring.at > talk.at - {ONE_RING_GUARD_SECONDS} AND one_ring.at <= talk.at)))
"""
SIGNALS = f"""
SELECT {column_list(Signal)} FROM signal
 WHERE number = ? AND {SIGNAL_COUNTS}
"""
ONE_RING = "SELECT max(at) FROM one_ring WHERE number = ? AND at > ? AND at <= ?"
CHALLENGES = f"SELECT {column_list(Challenged)} FROM challenge WHERE number = ?"
# Only calls to DIDs that still are traps, after the last upheld appeal.
TRAP_CALLS = f"""
SELECT {column_list(TrapCall)} FROM trap_call
 WHERE number = :number AND EXISTS (SELECT 1 FROM did WHERE did.number = trap_call.did AND trap = 1)
   AND NOT EXISTS (SELECT 1 FROM tombstone
                    WHERE tombstone.number = trap_call.number AND reporter = '' AND trap_call.at <= until)
"""
# When an identity ends: at its time, or early when the number gets another owner.
EXPIRES_AT = """
coalesce((SELECT min(identity.expires_at, min(at)) FROM epoch
           WHERE epoch.number = identity.number AND at > identity.added_at), identity.expires_at)
"""
PROOF = "SELECT added_at FROM identity WHERE number = ?"
ANSWERED = f"SELECT {column_list(Answered)} FROM answered WHERE number = ? ORDER BY at DESC, callee"


def rows_of(db: sqlite3.Connection, number: str) -> Rows:
    """Return all rows that count as evidence about the number, for all auth classes and all owners (epochs)."""
    marks = [mark_from(row) for row in db.execute(MARKS_THAT_COUNT, (number,))]
    challenges = challenges_of(db, number)
    rows = Rows(marks, _signals(db, number, marks), answered_of(db, number), challenges, _trap_calls(db, number))
    names = names_in(rows)
    if all(site_of(name) == OURS for name in names):
        return rows
    rows = without_sites(rows, ignored_sites(db))
    return without_duplicates(rows, humans_of(db, names))


def marks_of(db: sqlite3.Connection, number: str) -> list[model.Mark]:
    """Return all marks of a number, newest first, even retractions and marks that an appeal or review found wrong."""
    return [mark_from(row) for row in db.execute(MARKS, (number,))]


def live_marks_of(db: sqlite3.Connection, number: str, reporter: str | None = None) -> list[model.Mark]:
    """Return the marks of a number, except retractions. `reporter`: only marks by this person; None: all marks."""
    marks = (row for row in marks_of(db, number) if reporter in (None, row.reporter))
    return [row for row in marks if row.verdict is not model.Verdict.RETRACTED]


def signals_of(db: sqlite3.Connection, number: str) -> list[Signal]:
    """Return the signals of a number that count, newest first, including those that follow from "not spam" marks."""
    signals = _signals(db, number, marks_of(db, number))
    return sorted(signals, key=lambda signal: (-signal.at, signal.callee, signal.category))


def answered_of(db: sqlite3.Connection, number: str) -> list[Answered]:
    """Return a row for each person who answered calls from the number, newest first."""
    return [Answered(row[0], model.AuthClass(row[1]), *row[2:]) for row in db.execute(ANSWERED, (number,))]


def challenges_of(db: sqlite3.Connection, number: str) -> list[Challenged]:
    """Return the challenges of the number. A proof of control of the number appears as a passed challenge."""
    challenges = [
        Challenged(number, model.AuthClass(auth_class), did, model.ChallengeResult(result), at, linkedid, epoch)
        for number, auth_class, did, result, at, linkedid, epoch in db.execute(CHALLENGES, (number,))
    ]
    proofs = [challenge for (at,) in db.execute(PROOF, (number,)) for challenge in proofs_of_control(number, at)]
    return [*challenges, *proofs]


def one_ring_before(db: sqlite3.Connection, number: str, at: float) -> float | None:
    """Return when the number last called and hung up after one ring, in the day before `at`; None if it did not."""
    (at_once,) = db.execute(ONE_RING, (number, at - ONE_RING_GUARD_SECONDS, at)).fetchone()
    return None if at_once is None else float(at_once)


def _trap_calls(db: sqlite3.Connection, number: str) -> list[TrapCall]:
    return [
        TrapCall(number, model.AuthClass(auth_class), did, bool(verified), at, linkedid, epoch)
        for number, auth_class, did, verified, at, linkedid, epoch in db.execute(TRAP_CALLS, {"number": number})
    ]


def mark_from(row: tuple[Any, ...]) -> model.Mark:
    """Convert a row with the columns MARK_COLUMNS to a mark."""
    number, auth_class, reporter, verdict, at, channel, group, category, reason, linkedid, epoch = row
    return model.Mark(
        number=number,
        auth_class=model.AuthClass(auth_class),
        reporter=reporter,
        verdict=model.Verdict(verdict),
        at=at,
        channel=model.MarkChannel(channel),
        group=group or None,
        category=category or None,
        reason=reason,
        linkedid=linkedid or None,
        epoch=epoch,
    )


def _signals(db: sqlite3.Connection, number: str, marks: list[model.Mark]) -> list[Signal]:
    signals = [_signal(row) for row in db.execute(SIGNALS, (number,))]
    marked = [signal for mark in marks if (signal := signal_of_mark(mark))]
    return latest_by_key([*signals, *marked]) if marked else signals


def _signal(row: tuple[Any, ...]) -> Signal:
    number, auth_class, callee, category, at, linkedid, epoch = row
    return Signal(number, model.AuthClass(auth_class), callee, model.SignalCategory(category), at, linkedid, epoch)


# Rows of other sites beside the rows of this site: the people in them, and which of them count. Pure.


def names_in(rows: Rows) -> set[str]:
    """Return the names of all people, DIDs, queues and calls in the rows: `201`, or `berlin:201` at another site."""
    return {
        *[mark.reporter for mark in rows.marks],
        *[signal.callee for signal in rows.signals],
        *[row.callee for row in rows.answered],
        *[row.linkedid for row in rows.challenges],
        *[row.linkedid for row in rows.traps],
    }


def without_sites(rows: Rows, sites: Collection[str]) -> Rows:
    """Return the rows that do not come from these sites."""
    return _of_names(rows, lambda name: site_of(name) not in sites)


def without_duplicates(rows: Rows, human_of: Mapping[str, str]) -> Rows:
    """Return the rows without duplicates: if a human has names at several sites, keep the rows of one site.

    `human_of`: the human behind each name. A site where they gave marks or signals is preferred, then this
    site, then the site that comes first in the alphabet.
    """
    spoke: defaultdict[str, set[str]] = defaultdict(set)
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for name in [mark.reporter for mark in rows.marks] + [signal.callee for signal in rows.signals]:
        if name in human_of:
            spoke[human_of[name]].add(site_of(name))
    for name in [row.callee for row in rows.answered]:
        if name in human_of:
            answered[human_of[name]].add(site_of(name))
    counts_at = {human: min(sites) for human, sites in (answered | spoke).items()}

    def counts(name: str) -> bool:
        # A call that is named like a person is no person.
        return name not in human_of or counts_at.get(human_of[name], site_of(name)) == site_of(name)

    return _of_names(rows, counts)


def _of_names(rows: Rows, counts: Callable[[str], bool]) -> Rows:
    return Rows(
        [mark for mark in rows.marks if counts(mark.reporter)],
        [signal for signal in rows.signals if counts(signal.callee)],
        [row for row in rows.answered if counts(row.callee)],
        [row for row in rows.challenges if counts(row.linkedid)],
        [row for row in rows.traps if counts(row.linkedid)],
    )


# People with several names, and ignored sites: read when a number is folded that other sites know.

IGNORED = "SELECT site FROM ignored_site"
HUMANS = "SELECT person, human FROM same_person WHERE person IN (SELECT value FROM json_each(?))"


def ignored_sites(db: sqlite3.Connection) -> frozenset[str]:
    """Return the other sites whose evidence does not count here."""
    return frozenset(site for (site,) in db.execute(IGNORED))


def humans_of(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, str]:
    """Return the human behind each name, for humans who have several names."""
    return dict(db.execute(HUMANS, (json.dumps(sorted(names)),)).fetchall())


# The index has standings that may be bad. families/block.py decides whether they are bad now.
STANDINGS = """
SELECT DISTINCT number FROM standing
 WHERE substr(number, 1, length(number) - 3) = :block AND may_be_bad = 1 AND number <> :number
   AND length(number) = length(:number) ORDER BY number LIMIT :limit
"""
CALLERS = """
SELECT caller, count(*), max(at), max(log_odds) FROM decision
 WHERE caller BETWEEN :block || '000' AND :block || '999' AND length(caller) = length(:number) AND caller <> :number
   AND caller IS NOT NULL AND at >= :since
 GROUP BY caller ORDER BY max(at) DESC LIMIT :limit
"""


class Neighbour(NamedTuple):
    """Another number of the same block that called: how often, when last, and its highest reputation (log-odds)."""

    number: str
    calls: int
    last_at: float
    log_odds: float


def bad_numbers_near(db: sqlite3.Connection, number: str, limit: int = 20) -> list[str]:
    """Return at most `limit` other numbers of the same block of 1000 that may have evidence against them."""
    about = {"number": number, "block": block_of(number), "limit": limit}
    return [near for (near,) in db.execute(STANDINGS, about)]


def callers_near(db: sqlite3.Connection, number: str, since: float, limit: int = 20) -> list[Neighbour]:
    """Return other numbers of the same block that called since `since`, the most recent caller first."""
    about = {"number": number, "block": block_of(number), "since": since, "limit": limit}
    return [Neighbour(*row) for row in db.execute(CALLERS, about)]
