"""Look-up services (queried about a number while its call waits): state, answers, cost, and accuracy by our evidence.

An answer is evidence until it expires, and is kept for 90 days to compare it with later behaviour of the number. The
look-up process calls some functions while the daemon also writes. These make their own transaction, and say so.
"""

import sqlite3
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from reputation.encoding import HIDDEN, Instant, encoded
from reputation.site_names import is_ours
from reputation.store.transaction import transaction

DAY_SECONDS = 86_400.0
# The call of a look-up was decided just before the answer came.
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
# Evidence of this site about the numbers that were looked up. Marks that were found wrong do not count, and statements
# of other sites do not, because a site that lies could discredit a source.
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
    """The stored state of a look-up source. `off_why`: the reason for switching it off, in JSON; None while it is on.

    `is_outside`: whether its answers do not depend on what we report to the source, so they are outside evidence.
    """

    name: str
    is_outside: bool
    in_settings: Annotated[bool, HIDDEN]
    off_at: Instant | None = None
    off_why: Annotated[str | None, HIDDEN] = None
    since: Annotated[float, HIDDEN] = 0.0


class StoredAnswer(NamedTuple):
    """A source's answer about a number. `verdict`: `spam`, `ok` or `nothing`. It is evidence until `expires_at`."""

    source: str
    verdict: str
    category: str | None
    at: float
    expires_at: float


class DailyLimits(NamedTuple):
    """The limits of a source. `requests`: the most requests per day. `micros`: the cost of a request.

    `most_micros`: the highest cost per day; 0 means no limit. Costs are in millionths of the currency.
    """

    requests: int
    micros: int = 0
    most_micros: int = 0


class Usage(NamedTuple):
    """The look-ups of a source over several days. `micros`: their cost, in millionths of the currency."""

    asked: int
    answered: int
    failed: int
    micros: Annotated[int, HIDDEN]

    @property
    @encoded
    def cost(self) -> float:
        """The cost of all look-ups, in the currency of the settings."""
        return self.micros / 1_000_000


class Compared(NamedTuple):
    """Counts of numbers, by what a source answered about them and by what our own evidence says.

    `spam_of_fine`: numbers that the source calls spam and our evidence calls fine; the other names follow this pattern.
    `other`: the source knows nothing. `unknown`: numbers for which our evidence is missing or contradicts itself.
    """

    spam_of_spam: int = 0
    spam_of_fine: int = 0
    other_of_spam: int = 0
    other_of_fine: int = 0
    fine_of_spam: int = 0
    fine_of_fine: int = 0
    unknown: int = 0


def day_of(at: float) -> int:
    """Return the UTC day of an instant, counted from 1970-01-01, as stored in `lookup_day`."""
    return int(at // DAY_SECONDS)


def replace_sources(db: sqlite3.Connection, outside: dict[str, bool]) -> None:
    """Store which sources the settings name. `outside`: for each, whether it is outside evidence. Use a transaction."""
    for name, is_outside in outside.items():
        db.execute(PUT_SOURCE, (name, is_outside))
    for state in source_states(db):
        if state.in_settings and state.name not in outside:
            db.execute("UPDATE lookup_source SET in_settings = 0 WHERE name = ?", (state.name,))


def source_states(db: sqlite3.Connection) -> list[SourceState]:
    """Return all sources that the settings name or have named, ordered by name."""
    return [
        SourceState(name, bool(outside), bool(in_settings), *rest)
        for name, outside, in_settings, *rest in db.execute(STATES)
    ]


def source_state(db: sqlite3.Connection, name: str) -> SourceState | None:
    """Return the state of the source with this name, or None."""
    return next((state for state in source_states(db) if state.name == name), None)


def switch_off(db: sqlite3.Connection, name: str, at: float, why: str) -> bool:
    """Stop using a source and its stored answers. Return False if it was already off. Call it in a transaction."""
    return db.execute(SWITCH_OFF, (at, why, name)).rowcount > 0


def switch_on(db: sqlite3.Connection, name: str, at: float) -> bool:
    """Use a source again, and measure its accuracy anew. Return False if it was already on. Use a transaction."""
    return db.execute(SWITCH_ON, (at, name)).rowcount > 0


def put_switch(db: sqlite3.Connection, table: str, state: tuple[float | None, str | None, float, str]) -> None:
    """Write whether a source or company is on. `state`: `off_at`, `off_why`, `since` and name. Use a transaction."""
    db.execute(f"UPDATE {table} SET off_at = ?, off_why = ?, since = ? WHERE name = ?", state)


def answers_about(db: sqlite3.Connection, number: str) -> dict[str, StoredAnswer]:
    """Return the latest answer of each source about the number, by source, including expired answers."""
    return {row[0]: StoredAnswer(*row) for row in db.execute(ANSWERS, (number,))}


def record_answer(db: sqlite3.Connection, number: str, answer: StoredAnswer) -> None:
    """Store an answer about the number in place of the source's previous answer. Makes its own transaction."""
    with transaction(db):
        db.execute(PUT_ANSWER, (number, *answer))
        db.execute(COUNT, (1, 0, None, answer.source, day_of(answer.at)))


def reserve(db: sqlite3.Connection, source: str, at: float, limits: DailyLimits) -> bool:
    """Count one more request, or return False if it would exceed the limits of the day. Makes its own transaction."""
    about = {"source": source, "day": day_of(at), "micros": limits.micros}
    most = {"most": limits.requests, "most_micros": limits.most_micros}
    with transaction(db):
        return db.execute(RESERVE, about | most).rowcount > 0


def record_failure(db: sqlite3.Connection, source: str, at: float, code: str) -> None:
    """Record a request that got no answer, with a code for the reason. Makes its own transaction."""
    with transaction(db):
        db.execute(COUNT, (0, 1, code, source, day_of(at)))


def usage_since(db: sqlite3.Connection, source: str, at: float) -> Usage:
    """Return how the source was used since the beginning of the UTC day that contains `at`."""
    return Usage(*db.execute(USAGE, (source, day_of(at))).fetchone())


def last_failure(db: sqlite3.Connection, source: str) -> str | None:
    """Return the failure code of the source's last request that got no answer, or None."""
    row = db.execute(LAST_FAILURE, (source,)).fetchone()
    return None if row is None else str(row[0])


def compared(db: sqlite3.Connection, source: str, since: float) -> Compared:
    """Compare the source's answers since `since` with our own evidence."""
    return counted((*row, 1) for row in db.execute(COMPARED, (source, since)))


def counted(rows: Iterable[tuple[str, int, int, int]]) -> Compared:
    """Add up the counts of numbers in the rows.

    A row has the source's verdict, our own flags `is_spam` and `is_fine`, and the count of numbers with these values.
    """
    counts = dict.fromkeys(Compared._fields, 0)
    words = {SPAM: "spam", FINE: "fine", NOTHING: "other"}
    for verdict, is_spam, is_fine, count in rows:
        if bool(is_spam) == bool(is_fine):
            counts["unknown"] += count
        else:
            counts[f"{words[verdict]}_of_{'spam' if is_spam else 'fine'}"] += count
    return Compared(**counts)


def calls_of_listed(db: sqlite3.Connection, source: str, since: float) -> tuple[int, int]:
    """Return how many calls came from numbers that the source calls spam, and how many of these were not allowed."""
    every, treated = db.execute(CALLS, (source, since)).fetchone()
    return int(every), int(treated)
