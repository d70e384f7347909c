"""Whether the clock can be believed: a clock that is two years ahead makes all evidence look too old to keep.

What is compared is the last run of the housekeeping, not the newest row: a daemon with a wrong clock writes new rows at
once. A clock that is a week or more off is believed when it has said so for another week, run after run: the PBX was
off for that long.
"""

from __future__ import annotations

import json
import sqlite3

from reputation.store.personal_lists import EXPECT_SECONDS

DAY = 86_400.0
LEAP_SECONDS = 7 * DAY
HOLD_SECONDS = 7 * DAY
# A row from later than this was written with a clock that was ahead.
AHEAD_SECONDS = DAY

# The newest run of a job; where none ever ran, when the store was made.
LAST_RUN = """
SELECT coalesce((SELECT max(at) FROM housekeeping WHERE job <> 'clock'), (SELECT min(at) FROM migration))
"""
LOOKED = "SELECT at, did FROM housekeeping WHERE job = 'clock'"
LOOK = "INSERT OR REPLACE INTO housekeeping (job, at, seconds, did) VALUES ('clock', ?, 0, ?)"
BELIEVE = "DELETE FROM housekeeping WHERE job = 'clock' OR at > ?"

# What was written with a clock that was ahead would be in force for years.
CLAMP = (
    "UPDATE expected_call SET until = :now + :expect WHERE until > :now + :expect",
    "UPDATE identity SET expires_at = expires_at - added_at + :now, added_at = :now WHERE added_at > :now + :ahead",
    "UPDATE list_entry SET expires_at = expires_at - added_at + :now, added_at = :now WHERE added_at > :now + :ahead",
    "UPDATE challenge SET at = :now WHERE at > :now + :ahead",
    "UPDATE lookup_result SET expires_at = expires_at - at + :now, at = :now WHERE at > :now + :ahead",
)


def leap_of(db: sqlite3.Connection, now: float) -> float:
    """How many seconds the clock is past the last run of the housekeeping, if that is implausible; negative when it is
    before it. Else 0.
    """
    leap = now - float(db.execute(LAST_RUN).fetchone()[0])
    return leap if abs(leap) > LEAP_SECONDS else 0.0


def is_held(db: sqlite3.Connection) -> bool:
    """Whether nothing is removed at the moment, because of the clock."""
    return db.execute(LOOKED).fetchone() is not None


def look_at_clock(db: sqlite3.Connection, now: float) -> bool:
    """Whether the clock is believed. Notes since when it says what it says. Call it in a transaction."""
    since = _since(db, now)
    if leap_of(db, now) and now - since < HOLD_SECONDS:
        db.execute(LOOK, (now, json.dumps({"since": since})))
        return False
    believe(db, now)
    return True


def believe(db: sqlite3.Connection, now: float) -> None:
    """The clock is right: a job that ran later than that did not. One statement."""
    db.execute(BELIEVE, (now + AHEAD_SECONDS,))


def clamp(db: sqlite3.Connection, now: float) -> int:
    """Shortens what a clock that was ahead has left in force for too long: how many rows. Call it in a transaction."""
    about = {"now": now, "expect": EXPECT_SECONDS, "ahead": AHEAD_SECONDS}
    return sum(db.execute(sql, about).rowcount for sql in CLAMP)


def _since(db: sqlite3.Connection, now: float) -> float:
    found = db.execute(LOOKED).fetchone()
    if found is None or not 0 <= now - found[0] < LEAP_SECONDS:  # never, or the clock has leapt once more
        return now
    return float(json.loads(found[1])["since"])
