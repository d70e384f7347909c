"""The evidence rows of one number, as they count: what people said, what calls showed, who answered.

The block of 1000 that a number is in: which of its numbers are bad ones, and which have called lately.
"""

from __future__ import annotations

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
# Without those that were found wrong (reputation/store/tombstones). A stone of another site for all is one for `site:`.
MARKS_THAT_COUNT = f"""
SELECT {MARK_COLUMNS} FROM mark
 WHERE number = ? AND NOT (verdict = 'spam' AND EXISTS (
       SELECT 1 FROM tombstone WHERE tombstone.number = mark.number AND mark.at <= until
          AND tombstone.reporter IN ('', mark.reporter, {site_and_mark("mark.reporter")})))
 ORDER BY at DESC, reporter, auth_class
"""
# A call-back within a day after a one-ring call is what that call was for; not after one with a borrowed number.
# What speaks against the number in calls that rang at somebody who has called it and talked says nothing: people could
# let a caller in to hang up on it.
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
# Of DIDs that still are traps, and not from before an appeal was upheld.
TRAP_CALLS = f"""
SELECT {column_list(TrapCall)} FROM trap_call
 WHERE number = :number AND EXISTS (SELECT 1 FROM did WHERE did.number = trap_call.did AND trap = 1)
   AND NOT EXISTS (SELECT 1 FROM tombstone
                    WHERE tombstone.number = trap_call.number AND reporter = '' AND trap_call.at <= until)
"""
# When an identity ends. It ends early with its owner: when the number has another one since.
EXPIRES_AT = """
coalesce((SELECT min(identity.expires_at, min(at)) FROM epoch
           WHERE epoch.number = identity.number AND at > identity.added_at), identity.expires_at)
"""
PROOF = "SELECT added_at FROM identity WHERE number = ?"
ANSWERED = f"SELECT {column_list(Answered)} FROM answered WHERE number = ? ORDER BY at DESC, callee"


def rows_of(db: sqlite3.Connection, number: str) -> Rows:
    """All that counts of the number, of every class and epoch."""
    marks = [mark_from(row) for row in db.execute(MARKS_THAT_COUNT, (number,))]
    challenges = challenges_of(db, number)
    rows = Rows(marks, _signals(db, number, marks), answered_of(db, number), challenges, _trap_calls(db, number))
    names = names_in(rows)
    if all(site_of(name) == OURS for name in names):
        return rows
    rows = without_sites(rows, ignored_sites(db))
    return without_twins(rows, humans_of(db, names))


def marks_of(db: sqlite3.Connection, number: str) -> list[model.Mark]:
    """What people said about the number, the latest first: retractions too, and what was found wrong since."""
    return [mark_from(row) for row in db.execute(MARKS, (number,))]


def live_marks_of(db: sqlite3.Connection, number: str, reporter: str | None = None) -> list[model.Mark]:
    """The same as of now, of all people or one: what was taken back is not said any more."""
    said = (one for one in marks_of(db, number) if reporter in (None, one.reporter))
    return [one for one in said if one.verdict is not model.Verdict.RETRACTED]


def signals_of(db: sqlite3.Connection, number: str) -> list[Signal]:
    """What counts of the number's signals, the latest first: "not spam" among them, and no call-back that a one-ring
    call asked for.
    """
    found = _signals(db, number, marks_of(db, number))
    return sorted(found, key=lambda signal: (-signal.at, signal.callee, signal.category))


def answered_of(db: sqlite3.Connection, number: str) -> list[Answered]:
    """Who answered calls of the number, the latest first."""
    return [Answered(row[0], model.AuthClass(row[1]), *row[2:]) for row in db.execute(ANSWERED, (number,))]


def challenges_of(db: sqlite3.Connection, number: str) -> list[Challenged]:
    """What the number did when it was challenged; a proof of control is a pass."""
    found = [
        Challenged(number, model.AuthClass(auth_class), did, model.ChallengeResult(result), at, linkedid, epoch)
        for number, auth_class, did, result, at, linkedid, epoch in db.execute(CHALLENGES, (number,))
    ]
    proofs = [challenge for (at,) in db.execute(PROOF, (number,)) for challenge in proofs_of_control(number, at)]
    return [*found, *proofs]


def one_ring_before(db: sqlite3.Connection, number: str, at: float) -> float | None:
    """When the number last rang once and gave up, within the day before an instant."""
    (found,) = db.execute(ONE_RING, (number, at - ONE_RING_GUARD_SECONDS, at)).fetchone()
    return None if found is None else float(found)


def _trap_calls(db: sqlite3.Connection, number: str) -> list[TrapCall]:
    return [
        TrapCall(number, model.AuthClass(auth_class), did, bool(verified), at, linkedid, epoch)
        for number, auth_class, did, verified, at, linkedid, epoch in db.execute(TRAP_CALLS, {"number": number})
    ]


def mark_from(row: tuple[Any, ...]) -> model.Mark:
    """A mark from its MARK_COLUMNS."""
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
    found = [_signal(row) for row in db.execute(SIGNALS, (number,))]
    said = [signal for mark in marks if (signal := signal_of_mark(mark))]
    return latest_by_key([*found, *said]) if said else found


def _signal(row: tuple[Any, ...]) -> Signal:
    number, auth_class, callee, category, at, linkedid, epoch = row
    return Signal(number, model.AuthClass(auth_class), callee, model.SignalCategory(category), at, linkedid, epoch)


# Rows of other sites among ours: whom they name, and which of them count. Pure.


def names_in(rows: Rows) -> set[str]:
    """Every person, DID and queue that the rows name, and every call that was challenged."""
    return {
        *[mark.reporter for mark in rows.marks],
        *[signal.callee for signal in rows.signals],
        *[one.callee for one in rows.answered],
        *[one.linkedid for one in rows.challenges],
        *[one.linkedid for one in rows.traps],
    }


def without_sites(rows: Rows, sites: Collection[str]) -> Rows:
    """The rows without those of these sites."""
    return _of_names(rows, lambda name: site_of(name) not in sites)


def without_twins(rows: Rows, human_of: Mapping[str, str]) -> Rows:
    """The rows without those of people who are known under another name, at another site, and spoke there: here before
    elsewhere, then by the name of the site. Who only answered has not spoken. `human_of`: who several names are.
    """
    spoke: defaultdict[str, set[str]] = defaultdict(set)
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for name in [mark.reporter for mark in rows.marks] + [signal.callee for signal in rows.signals]:
        if name in human_of:
            spoke[human_of[name]].add(site_of(name))
    for name in [one.callee for one in rows.answered]:
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
        [one for one in rows.answered if counts(one.callee)],
        [one for one in rows.challenges if counts(one.linkedid)],
        [one for one in rows.traps if counts(one.linkedid)],
    )


# Who is who at other sites, and which sites do not count: read when a number is folded that other sites know.

IGNORED = "SELECT site FROM ignored_site"
HUMANS = "SELECT person, human FROM same_person WHERE person IN (SELECT value FROM json_each(?))"


def ignored_sites(db: sqlite3.Connection) -> frozenset[str]:
    """The sites of which nothing counts."""
    return frozenset(site for (site,) in db.execute(IGNORED))


def humans_of(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, str]:
    """Of these people those who are known by several names, each with the human that it is."""
    return dict(db.execute(HUMANS, (json.dumps(sorted(names)),)).fetchall())


# A standing of the index may be a bad one; whether it is now is asked of the fold (families/block.py).
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
    """Another number of the block that called: how often since then, when last, and its log-odds at most."""

    number: str
    calls: int
    last_at: float
    log_odds: float


def bad_numbers_near(db: sqlite3.Connection, number: str, limit: int = 20) -> list[str]:
    """Numbers of the block whose evidence may count them as bad."""
    about = {"number": number, "block": block_of(number), "limit": limit}
    return [found for (found,) in db.execute(STANDINGS, about)]


def callers_near(db: sqlite3.Connection, number: str, since: float, limit: int = 20) -> list[Neighbour]:
    """Numbers of the block that called since then, the latest first."""
    about = {"number": number, "block": block_of(number), "since": since, "limit": limit}
    return [Neighbour(*row) for row in db.execute(CALLERS, about)]
