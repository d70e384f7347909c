"""Look-ups at others: who is asked, what they answered about a number, what it cost, and how it agrees with our calls.

An answer is evidence of its source until it expires; the latest takes the place of the one before. It is kept for
90 days, so that it can be compared with what our people and the caller showed. Functions that say so make their own
transaction: the look-up process writes beside the daemon, one statement or two at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from reputation.encoding import HIDDEN, Instant, told
from reputation.site_names import is_ours
from reputation.store.transaction import transaction

DAY_SECONDS = 86_400.0
# The call for which a source was asked was decided at the instant before the answer came.
ASKED_BEFORE_SECONDS = 5.0

SPAM, FINE, NOTHING = "spam", "ok", "nothing"

PUT_SOURCE = """
INSERT INTO lookup_source (name, is_outside, in_settings) VALUES (?, ?, 1)
ON CONFLICT (name) DO UPDATE SET is_outside = excluded.is_outside, in_settings = 1
 WHERE is_outside <> excluded.is_outside OR in_settings = 0
"""
STATES = "SELECT name, is_outside, in_settings, off_at, off_why, since FROM lookup_source ORDER BY name"
SWITCH_OFF = "UPDATE lookup_source SET off_at = ?, off_why = ? WHERE name = ? AND off_at IS NULL"
SWITCH_ON = "UPDATE lookup_source SET off_at = NULL, off_why = NULL, since = ? WHERE name = ? AND off_at IS NOT NULL"
ANSWERS = "SELECT source, verdict, category, at, expires_at FROM lookup_result WHERE number = ?"
PUT_ANSWER = """
INSERT INTO lookup_result (number, source, verdict, category, at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (number, source) DO UPDATE
   SET verdict = excluded.verdict, category = excluded.category, at = excluded.at, expires_at = excluded.expires_at
 WHERE excluded.at >= lookup_result.at
"""
RESERVE = """
INSERT INTO lookup_day (source, day, asked, micros) VALUES (:source, :day, 1, :micros)
ON CONFLICT (source, day) DO UPDATE SET asked = asked + 1, micros = micros + :micros
 WHERE asked < :most AND (:most_micros = 0 OR micros + :micros <= :most_micros)
"""
COUNT = """
UPDATE lookup_day SET answered = answered + ?, failed = failed + ?, failure = coalesce(?, failure)
 WHERE source = ? AND day = ?
"""
USAGE = """
SELECT coalesce(sum(asked), 0), coalesce(sum(answered), 0), coalesce(sum(failed), 0), coalesce(sum(micros), 0)
  FROM lookup_day WHERE source = ? AND day >= ?
"""
LAST_FAILURE = "SELECT failure FROM lookup_day WHERE source = ? AND failure IS NOT NULL ORDER BY day DESC LIMIT 1"
# What we know ourselves of the numbers that a source was asked about. A mark that was found wrong does not count, nor
# does what other sites say: one that lies could discredit a source.
COMPARED = f"""
SELECT verdict,
       EXISTS (SELECT 1 FROM mark WHERE mark.number = asked.number AND mark.verdict = 'spam' AND {is_ours("reporter")}
                  AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.number = mark.number
                                     AND tombstone.reporter IN ('', mark.reporter) AND mark.at <= until))
       OR EXISTS (SELECT 1 FROM challenge WHERE challenge.number = asked.number AND result IN ('wrong', 'silent')
                     AND {is_ours("linkedid")}),
       EXISTS (SELECT 1 FROM mark WHERE mark.number = asked.number AND mark.verdict = 'ok' AND {is_ours("reporter")})
       OR EXISTS (SELECT 1 FROM contact WHERE contact.number = asked.number)
       OR EXISTS (SELECT 1 FROM talk WHERE talk.number = asked.number AND {is_ours("person")})
       OR EXISTS (SELECT 1 FROM signal WHERE signal.number = asked.number AND category IN ('long-talk', 'second-talk')
                     AND {is_ours("callee")})
       OR EXISTS (SELECT 1 FROM challenge WHERE challenge.number = asked.number AND result = 'passed'
                     AND {is_ours("linkedid")})
       OR EXISTS (SELECT 1 FROM identity WHERE identity.number = asked.number)
  FROM lookup_result AS asked WHERE source = ? AND at >= ?
"""
CALLS = f"""
SELECT count(*), coalesce(sum(action <> 'allow'), 0)
  FROM lookup_result JOIN decision ON caller = number
 WHERE source = ? AND lookup_result.at >= ? AND verdict = 'spam' AND decision.rule <> 'fail-open'
   AND decision.at >= lookup_result.at - {ASKED_BEFORE_SECONDS}
"""


class SourceState(NamedTuple):
    """A source as the store has it. `off_why`: JSON of what it was switched off for; None while it is on.

    Attributes:
        name: The name that the settings give it.
        is_outside: Whether it knows more than what we report there.
        off_at: When it was switched off; null while it is on.
    """

    name: str
    is_outside: bool
    in_settings: Annotated[bool, HIDDEN]
    off_at: Instant | None = None
    off_why: Annotated[str | None, HIDDEN] = None
    since: Annotated[float, HIDDEN] = 0.0


class StoredAnswer(NamedTuple):
    """What a source said of a number: `spam`, `ok` or `nothing`; it counts until `expires_at`."""

    source: str
    verdict: str
    category: str | None
    at: float
    expires_at: float


class DailyLimits(NamedTuple):
    """Of a source: requests a day, what one costs and what a day may cost, in millionths; 0: no such limit."""

    requests: int
    micros: int = 0
    most_micros: int = 0


class Usage(NamedTuple):
    """What a source was asked on some days. `micros`: what that cost, in millionths of the currency.

    Attributes:
        asked: Number of requests.
        answered: Number of answers.
        failed: Number of failures.
    """

    asked: int
    answered: int
    failed: int
    micros: Annotated[int, HIDDEN]

    @property
    @told
    def cost(self) -> float:
        """What that cost, in the currency of the settings."""
        return self.micros / 1_000_000


class Compared(NamedTuple):
    """Numbers that a source was asked about and of which we know better by now, by what it said and what they are."""

    spam_of_spam: int = 0
    spam_of_fine: int = 0
    other_of_spam: int = 0
    other_of_fine: int = 0
    fine_of_spam: int = 0
    fine_of_fine: int = 0
    unknown: int = 0


def day_of(at: float) -> int:
    """The day of an instant, UTC, as `lookup_day` has it."""
    return int(at // DAY_SECONDS)


def replace_sources(db: sqlite3.Connection, outside: dict[str, bool]) -> None:
    """Makes the sources of the settings those, by name: whether each is outside. Call it in a transaction."""
    for name, is_outside in outside.items():
        db.execute(PUT_SOURCE, (name, is_outside))
    for state in source_states(db):
        if state.in_settings and state.name not in outside:
            db.execute("UPDATE lookup_source SET in_settings = 0 WHERE name = ?", (state.name,))


def source_states(db: sqlite3.Connection) -> list[SourceState]:
    """All that were ever in the settings, by name."""
    return [SourceState(name, bool(outside), bool(ours), *rest) for name, outside, ours, *rest in db.execute(STATES)]


def source_state(db: sqlite3.Connection, name: str) -> SourceState | None:
    """The source of this name."""
    return next((state for state in source_states(db) if state.name == name), None)


def switch_off(db: sqlite3.Connection, name: str, at: float, why: str) -> bool:
    """Asks it no more, and nothing that it said counts. False: it is off already. Call it in a transaction."""
    return db.execute(SWITCH_OFF, (at, why, name)).rowcount > 0


def switch_on(db: sqlite3.Connection, name: str, at: float) -> bool:
    """The way back; it is measured anew from then on. False: it is on. Call it in a transaction."""
    return db.execute(SWITCH_ON, (at, name)).rowcount > 0


def put_switch(db: sqlite3.Connection, table: str, state: tuple[float | None, str | None, float, str]) -> None:
    """Write when and why a source is off, since when it is measured, and its name. Call it in a transaction."""
    db.execute(f"UPDATE {table} SET off_at = ?, off_why = ?, since = ? WHERE name = ?", state)


def answers_about(db: sqlite3.Connection, number: str) -> dict[str, StoredAnswer]:
    """What each source said of the number last, expired or not."""
    return {row[0]: StoredAnswer(*row) for row in db.execute(ANSWERS, (number,))}


def record_answer(db: sqlite3.Connection, number: str, answer: StoredAnswer) -> None:
    """The source's answer takes the place of its one before. Its own transaction."""
    with transaction(db):
        db.execute(PUT_ANSWER, (number, *answer))
        db.execute(COUNT, (1, 0, None, answer.source, day_of(answer.at)))


def reserve(db: sqlite3.Connection, source: str, at: float, limits: DailyLimits) -> bool:
    """Whether one more request may be made that day; it counts, whatever becomes of it. Its own transaction."""
    about = {"source": source, "day": day_of(at), "micros": limits.micros}
    most = {"most": limits.requests, "most_micros": limits.most_micros}
    with transaction(db):
        return db.execute(RESERVE, about | most).rowcount > 0


def record_failure(db: sqlite3.Connection, source: str, at: float, code: str) -> None:
    """A request that brought no answer, by the code of why. Its own transaction."""
    with transaction(db):
        db.execute(COUNT, (0, 1, code, source, day_of(at)))


def usage_since(db: sqlite3.Connection, source: str, at: float) -> Usage:
    """From the day of that instant on."""
    return Usage(*db.execute(USAGE, (source, day_of(at))).fetchone())


def last_failure(db: sqlite3.Connection, source: str) -> str | None:
    """The code of the last request that brought no answer."""
    found = db.execute(LAST_FAILURE, (source,)).fetchone()
    return None if found is None else str(found[0])


def compared(db: sqlite3.Connection, source: str, since: float) -> Compared:
    """What the source said since then against what we know ourselves. A number with both for and against is unknown."""
    return counted((*row, 1) for row in db.execute(COMPARED, (source, since)))


def counted(rows: Iterable[tuple[str, int, int, int]]) -> Compared:
    """Numbers by kind. A row: what the source says, whether they are spam, whether they are fine, and how many."""
    counts = dict.fromkeys(Compared._fields, 0)
    said = {SPAM: "spam", FINE: "fine", NOTHING: "other"}
    for verdict, is_spam, is_fine, count in rows:
        if bool(is_spam) == bool(is_fine):
            counts["unknown"] += count
        else:
            counts[f"{said[verdict]}_of_{'spam' if is_spam else 'fine'}"] += count
    return Compared(**counts)


def calls_of_listed(db: sqlite3.Connection, source: str, since: float) -> tuple[int, int]:
    """Calls of numbers that the source calls spam, from the one on for which it was asked: all, and those that were not
    simply allowed.
    """
    every, treated = db.execute(CALLS, (source, since)).fetchone()
    return int(every), int(treated)
