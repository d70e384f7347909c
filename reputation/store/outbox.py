"""The outbox: events on their way to receivers, written in the transaction that caused them.

    add_event(db, EventKind.APPEAL_OPENED, number, at, AppealOpened(...))     in that transaction
    tell_change(db, "feed/x", "stale", EventKind.FEED_STALE, ...)            once for each change of a state

Only kinds are written that somebody wants (`use_receivers`, from the settings), so that nothing is paid where nobody
does. event_deliveries.py knows who has what. Events are kept for 7 days, and 100,000 of them at most: then the oldest
go, first of all those that everybody has.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec

from reputation.events import ID_PREFIX, DecisionTaken, Event, EventData, EventKind, new_event_id
from reputation.store.errors import TROUBLE, primary_code
from reputation.weights import DEFAULT, Weights

logger = logging.getLogger(__name__)

MOST_EVENTS = 100_000
TRIM_EVERY = 1000  # events: so many may be too many
KEPT_SECONDS = 7 * 86_400.0

DECISION_FIELDS = DecisionTaken.__struct_fields__

WANTED_BY = "SELECT receiver FROM event_wanted WHERE kind = ?"
ADD = "INSERT INTO event (id, kind, subject, at, data) VALUES (?, ?, ?, ?, ?)"
# Of the events after a place, for everybody who wants their kind.
DELIVER = """
INSERT INTO event_delivery (receiver, seq)
SELECT receiver, seq FROM event JOIN event_wanted USING (kind) WHERE seq > ? AND receiver <> ''
"""
LAST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)"
# Decisions come in batches, at the rate of calls: all of a batch are told by one statement, with the fields of
# `DecisionTaken`, and no other thread of the daemon waits for ours meanwhile.
ADD_DECISIONS = f"""
INSERT INTO event (id, kind, subject, at, data)
SELECT '{ID_PREFIX}' || printf('%012X', CAST(at * 1000 AS INTEGER)) || hex(randomblob(7)), ?,
       coalesce(caller, 'call/' || linkedid), at, json_object({", ".join(f"'{one}', {one}" for one in DECISION_FIELDS)})
  FROM decision WHERE rowid > ? ORDER BY rowid
"""

COLUMNS = "id, kind, subject, at, data, seq"
BY_ID = f"SELECT {COLUMNS} FROM event WHERE id = ?"
AFTER = f"SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
ENDS = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM event"

STATE = "SELECT value FROM event_state WHERE key = ?"
SET_STATE = """
INSERT INTO event_state (key, value, at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at
"""
KEYS = "SELECT key FROM event_state WHERE substr(key, 1, length(:prefix)) = :prefix ORDER BY key"
FORGET_STATE = "DELETE FROM event_state WHERE key = ?"

# Which go first: what everybody has, and then the oldest.
TOO_MANY_HAD = """
DELETE FROM event WHERE seq IN (
    SELECT seq FROM event WHERE NOT EXISTS (SELECT 1 FROM event_delivery WHERE event_delivery.seq = event.seq)
     ORDER BY seq LIMIT ?)
"""
OLDEST_KEPT = "SELECT seq FROM event ORDER BY seq LIMIT 1 OFFSET ?"
FIRST_AFTER = "SELECT coalesce((SELECT min(seq) FROM event WHERE at >= ?), (SELECT max(seq) + 1 FROM event))"
LOSE = """
INSERT INTO event_receiver (name, lost)
SELECT receiver, count(*) FROM event_delivery WHERE seq < ? GROUP BY receiver
ON CONFLICT (name) DO UPDATE SET lost = lost + excluded.lost
"""
LOST = "SELECT count(*) FROM event_delivery WHERE seq < ?"
DROP = "DELETE FROM event WHERE seq < ?"

WANTED = "SELECT kind, receiver FROM event_wanted"
FORGET = (
    "DELETE FROM event_delivery WHERE receiver NOT IN (SELECT value FROM json_each(?))",
    "DELETE FROM event_receiver WHERE name NOT IN (SELECT value FROM json_each(?))",
)
OFF = "SELECT name FROM event_receiver WHERE off <> ''"
WEIGHTS = "SELECT weights FROM event_weights"
SET_WEIGHTS = "INSERT OR REPLACE INTO event_weights (only_row, weights) VALUES (1, ?)"
STREAM = ""  # who reads the stream, in the place of a receiver
STREAM_READ = "stream"  # the day on which somebody read it last
STREAM_UNREAD = "SELECT 1 FROM event_state WHERE key = ? AND at < ?"


@contextmanager
def telling(db: sqlite3.Connection) -> Iterator[None]:
    """Events that cannot be written are left out, and logged: what caused them is kept all the same.

    A call, a mark or an emergency call must not be lost because of who would hear of it. A store that is full, locked
    or damaged is another matter: it takes nothing at all, and whoever writes finds out.
    """
    db.execute("SAVEPOINT telling")
    try:
        yield
    except Exception as error:
        if isinstance(error, sqlite3.Error):
            if primary_code(error) in TROUBLE:
                raise
            logger.warning("an event could not be written, nobody is told of it: %s", error)
        else:
            logger.exception("an event could not be written, nobody is told of it")
        db.execute("ROLLBACK TO telling")
    finally:
        if db.in_transaction:  # SQLite rolls back by itself when the disk is full
            db.execute("RELEASE telling")


def is_wanted(db: sqlite3.Connection, *kinds: EventKind) -> bool:
    """Whether anybody wants one of these: else there is no need to find out what to tell."""
    return any(db.execute(WANTED_BY, (kind.value,)).fetchone() for kind in kinds)


def wanted_of(db: sqlite3.Connection, *kinds: EventKind) -> frozenset[EventKind]:
    """Those that somebody wants, to be asked once for many events. None where that cannot be read."""
    found: frozenset[EventKind] = frozenset()
    with telling(db):
        found = frozenset(kind for kind in kinds if is_wanted(db, kind))
    return found


def add_event(db: sqlite3.Connection, kind: EventKind, subject: str, at: float, data: EventData) -> Event | None:
    """Writes it for everybody who wants its kind; None where nobody does, or it cannot be. Call it in a transaction."""
    with telling(db):
        if is_wanted(db, kind):
            event_id, text = new_event_id(at), msgspec.json.encode(data).decode()
            seq = db.execute(ADD, (event_id, kind.value, subject, at, text)).lastrowid or 0
            _deliver_after(db, seq - 1)
            return Event(event_id, kind, subject, at, msgspec.json.decode(text), seq)
    return None


def add_decisions(db: sqlite3.Connection, after: int) -> None:
    """Tells the decisions in the journal after this row. Call it in the transaction that has written them."""
    with telling(db):
        if is_wanted(db, EventKind.DECISION_TAKEN):
            (last,) = db.execute(LAST).fetchone()
            db.execute(ADD_DECISIONS, (EventKind.DECISION_TAKEN.value, after))
            _deliver_after(db, last)


def _deliver_after(db: sqlite3.Connection, seq: int) -> None:
    db.execute(DELIVER, (seq,))
    (last,) = db.execute(LAST).fetchone()
    if seq // TRIM_EVERY != last // TRIM_EVERY:
        trim(db)


def tell_change(
    db: sqlite3.Connection, key: str, value: str, kind: EventKind, subject: str, at: float, data: EventData
) -> Event | None:
    """The event, if the state has another value than the last time. Call it in a transaction."""
    return add_event(db, kind, subject, at, data) if set_state(db, key, value, at) else None


def tell_bad(
    db: sqlite3.Connection, prefix: str, kind: EventKind, found: Mapping[str, tuple[str, EventData] | None], at: float
) -> None:
    """Tell of each name once when it goes bad, and not when it is well again. Call it in a transaction.

    `found`: by name how it is bad and what is told of it; None: it is well.
    """
    for name, bad in found.items():
        if bad is None:
            set_state(db, prefix + name, "ok", at)
        else:
            tell_change(db, prefix + name, bad[0], kind, prefix + name, at, bad[1])
    for key in states_of(db, prefix):
        if key.removeprefix(prefix) not in found:
            forget_state(db, key)


def set_state(db: sqlite3.Connection, key: str, value: str, at: float) -> bool:
    """Keeps the value of a state. False: it was that already."""
    if state_of(db, key) == value:
        return False
    db.execute(SET_STATE, (key, value, at))
    return True


def note_state(db: sqlite3.Connection, key: str, value: str, at: float) -> None:
    """Keeps the value, and that it was so at that time. Call it in a transaction."""
    db.execute(SET_STATE, (key, value, at))


def noted_at(db: sqlite3.Connection, key: str) -> float | None:
    """When the state was noted last."""
    return next((at for (at,) in db.execute("SELECT at FROM event_state WHERE key = ?", (key,))), None)


def state_of(db: sqlite3.Connection, key: str) -> str | None:
    """The value that was kept last."""
    return next((value for (value,) in db.execute(STATE, (key,))), None)


def states_of(db: sqlite3.Connection, prefix: str) -> list[str]:
    """The keys that begin so, in order."""
    return [key for (key,) in db.execute(KEYS, {"prefix": prefix})]


def forget_state(db: sqlite3.Connection, key: str) -> None:
    """As if nothing had been told of it."""
    db.execute(FORGET_STATE, (key,))


def use_receivers(
    db: sqlite3.Connection, wanted: Mapping[str, Collection[EventKind]], weights: Weights = DEFAULT
) -> None:
    """From now on these receivers, by name, get these kinds. Only the sender says so, which has the settings in force.

    What others have not got is forgotten. One that was switched off stays so. Call it in a transaction.
    """
    names = msgspec.json.encode(list(wanted)).decode()
    for sql in FORGET:
        db.execute(sql, (names,))
    off = {name for (name,) in db.execute(OFF)}
    rows = {(kind.value, name) for name, kinds in wanted.items() if name not in off for kind in kinds}
    _want(db, rows, {(kind, name) for kind, name in db.execute(WANTED) if name != STREAM})
    db.executemany("INSERT INTO event_receiver (name) VALUES (?) ON CONFLICT DO NOTHING", ((one,) for one in wanted))
    _use_weights(db, weights)


def use_stream(db: sqlite3.Connection, kinds: Collection[EventKind], weights: Weights = DEFAULT) -> None:
    """From now on these kinds are written for whoever reads along (`events_after`). Call it in a transaction."""
    _want(db, {(kind.value, STREAM) for kind in kinds}, {row for row in db.execute(WANTED) if row[1] == STREAM})
    _use_weights(db, weights)


def _want(db: sqlite3.Connection, rows: set[tuple[str, str]], before: set[tuple[str, str]]) -> None:
    db.executemany("DELETE FROM event_wanted WHERE kind = ? AND receiver = ?", before - rows)
    db.executemany("INSERT INTO event_wanted (kind, receiver) VALUES (?, ?)", rows - before)


def _use_weights(db: sqlite3.Connection, weights: Weights) -> None:
    text = msgspec.json.encode(weights).decode()
    if db.execute(WEIGHTS).fetchone() != (text,):
        db.execute(SET_WEIGHTS, (text,))


def event_weights(db: sqlite3.Connection) -> Weights:
    """With which weights levels are compared."""
    row = db.execute(WEIGHTS).fetchone()
    return DEFAULT if row is None else weights_from(row[0])


def event_of(db: sqlite3.Connection, event_id: str) -> Event | None:
    """The event with this id, if it is still kept."""
    return next((event_from(row) for row in db.execute(BY_ID, (event_id,))), None)


def events_after(db: sqlite3.Connection, seq: int, limit: int) -> list[Event]:
    """The next events after this place, in their order."""
    return [event_from(row) for row in db.execute(AFTER, (seq, limit))]


def places(db: sqlite3.Connection) -> tuple[int, int]:
    """`seq` of the first event that is kept, and of the last; 0 and 0 where there is none."""
    first, last = db.execute(ENDS).fetchone()
    return first, last


def event_from(row: tuple[Any, ...]) -> Event:
    """An event from its COLUMNS."""
    event_id, kind, subject, at, data, seq = row
    return Event(event_id, EventKind(kind), subject, at, msgspec.json.decode(data), seq)


def trim(db: sqlite3.Connection, most: int = MOST_EVENTS) -> int:
    """Drops what is more than so many, and returns what receivers have lost by it. Call it in a transaction."""
    (count,) = db.execute("SELECT count(*) FROM event").fetchone()
    if count <= most:
        return 0
    count -= db.execute(TOO_MANY_HAD, (count - most,)).rowcount
    if count <= most:
        return 0
    _, lost = _drop_before(db, db.execute(OLDEST_KEPT, (count - most,)).fetchone()[0])
    return lost


def expire_events(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Drops what is older than is kept: how many events went, and how many of a receiver's that never got it.

    Nothing more is written for a stream that nobody has read for as long.
    """
    if db.execute(STREAM_UNREAD, (STREAM_READ, now - KEPT_SECONDS)).fetchone():
        _want(db, set(), {row for row in db.execute(WANTED) if row[1] == STREAM})
    (first,) = db.execute(FIRST_AFTER, (now - KEPT_SECONDS,)).fetchone()
    if first is None:
        return {}
    dropped, lost = _drop_before(db, first)
    return {"event": dropped, "event not delivered": lost}


def _drop_before(db: sqlite3.Connection, seq: int) -> tuple[int, int]:
    """How many events went, and how many deliveries with them. The receivers are told how many they have lost."""
    (lost,) = db.execute(LOST, (seq,)).fetchone()
    if lost:
        db.execute(LOSE, (seq,))
    return db.execute(DROP, (seq,)).rowcount, int(lost)


@lru_cache(maxsize=8)
def weights_from(text: str) -> Weights:
    """Weights that were kept. Those of a CallSieve that knew other keys: the defaults, until they are replaced."""
    try:
        return msgspec.json.decode(text, type=Weights)
    except msgspec.ValidationError:
        return DEFAULT
