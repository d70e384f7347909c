"""The outbox: events that wait for receivers. An event is stored in the transaction of the change that it reports.

Only kinds of events that a receiver wants are stored (`use_receivers`). Events are kept for 7 days, at most 100,000.
Above that, events that all receivers have got are deleted first, and then the oldest.

A state is a text that is stored under a key, such as the last result of a check. With it, `emit_change` emits an event
only when the result changes.
"""

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
TRIM_EVERY = 1000  # events: so many may be above the limit
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
# Decisions come in batches, at the rate of calls. One statement emits a whole batch with the fields of
# `DecisionTaken`, and meanwhile no other thread of the daemon waits for this one.
ADD_DECISIONS = f"""
INSERT INTO event (id, kind, subject, at, data)
SELECT '{ID_PREFIX}' || printf('%012X', CAST(at * 1000 AS INTEGER)) || hex(randomblob(7)), ?,
       coalesce(caller, 'call/' || linkedid), at,
       json_object({", ".join(f"'{name}', {name}" for name in DECISION_FIELDS)})
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

# The order of deletion: events that everybody has, and then the oldest.
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
STREAM = ""  # the name of the stream among the receivers
STREAM_READ = "stream"  # the day on which somebody read it last
STREAM_UNREAD = "SELECT 1 FROM event_state WHERE key = ? AND at < ?"


@contextmanager
def emitting(db: sqlite3.Connection) -> Iterator[None]:
    """Run a block that writes events. Its errors are only logged, unless the store is full, locked or damaged."""
    db.execute("SAVEPOINT emitting")
    try:
        yield
    except Exception as error:
        if isinstance(error, sqlite3.Error):
            if primary_code(error) in TROUBLE:
                raise
            logger.warning("event lost: it could not be written, error=%s", error)
        else:
            logger.exception("event lost: it could not be written")
        db.execute("ROLLBACK TO emitting")
    finally:
        if db.in_transaction:  # SQLite rolls back by itself when the disk is full
            db.execute("RELEASE emitting")


def is_wanted(db: sqlite3.Connection, *kinds: EventKind) -> bool:
    """Return whether a receiver wants one of these kinds of events. If not, the event's data need not be computed."""
    return any(db.execute(WANTED_BY, (kind.value,)).fetchone() for kind in kinds)


def wanted_of(db: sqlite3.Connection, *kinds: EventKind) -> frozenset[EventKind]:
    """Return which of these kinds of events a receiver wants; an empty set if the store cannot be read."""
    wanted: frozenset[EventKind] = frozenset()
    with emitting(db):
        wanted = frozenset(kind for kind in kinds if is_wanted(db, kind))
    return wanted


def add_event(db: sqlite3.Connection, kind: EventKind, subject: str, at: float, data: EventData) -> Event | None:
    """Store an event. Return None if no receiver wants it or it cannot be stored. Call it in a transaction."""
    with emitting(db):
        if is_wanted(db, kind):
            event_id, text = new_event_id(at), msgspec.json.encode(data).decode()
            seq = db.execute(ADD, (event_id, kind.value, subject, at, text)).lastrowid or 0
            _deliver_after(db, seq - 1)
            return Event(event_id, kind, subject, at, msgspec.json.decode(text), seq)
    return None


def add_decisions(db: sqlite3.Connection, after: int) -> None:
    """Emit an event for each decision after the rowid `after`. Call it in the transaction that stored the decisions."""
    with emitting(db):
        if is_wanted(db, EventKind.DECISION_TAKEN):
            (last,) = db.execute(LAST).fetchone()
            db.execute(ADD_DECISIONS, (EventKind.DECISION_TAKEN.value, after))
            _deliver_after(db, last)


def _deliver_after(db: sqlite3.Connection, seq: int) -> None:
    db.execute(DELIVER, (seq,))
    (last,) = db.execute(LAST).fetchone()
    if seq // TRIM_EVERY != last // TRIM_EVERY:
        trim(db)


def emit_change(
    db: sqlite3.Connection, key: str, value: str, kind: EventKind, subject: str, at: float, data: EventData
) -> Event | None:
    """Store `value` as the state `key`, and emit an event if the state had another value. Call it in a transaction."""
    return add_event(db, kind, subject, at, data) if set_state(db, key, value, at) else None


def emit_bad(
    db: sqlite3.Connection, prefix: str, kind: EventKind, states: Mapping[str, tuple[str, EventData] | None], at: float
) -> None:
    """Emit an event for each name in `states` whose state has become bad. Call it in a transaction.

    `states`: a bad state and the event's data; None: the state is good. `prefix`: a state's key is the prefix and the
    name. Stored states of other names are deleted.
    """
    for name, bad in states.items():
        if bad is None:
            set_state(db, prefix + name, "ok", at)
        else:
            emit_change(db, prefix + name, bad[0], kind, prefix + name, at, bad[1])
    for key in states_of(db, prefix):
        if key.removeprefix(prefix) not in states:
            forget_state(db, key)


def set_state(db: sqlite3.Connection, key: str, value: str, at: float) -> bool:
    """Store the value of the state `key`. Return False if the value is unchanged."""
    if state_of(db, key) == value:
        return False
    db.execute(SET_STATE, (key, value, at))
    return True


def note_state(db: sqlite3.Connection, key: str, value: str, at: float) -> None:
    """Store the value of the state `key`, dated `at` even if the value is unchanged. Call it in a transaction."""
    db.execute(SET_STATE, (key, value, at))


def noted_at(db: sqlite3.Connection, key: str) -> float | None:
    """Return when the state with this key was last stored; None if never."""
    return next((at for (at,) in db.execute("SELECT at FROM event_state WHERE key = ?", (key,))), None)


def state_of(db: sqlite3.Connection, key: str) -> str | None:
    """Return the stored value of the state `key`; None if it was never stored."""
    return next((value for (value,) in db.execute(STATE, (key,))), None)


def states_of(db: sqlite3.Connection, prefix: str) -> list[str]:
    """Return the keys of stored states that begin with this prefix, sorted."""
    return [key for (key,) in db.execute(KEYS, {"prefix": prefix})]


def forget_state(db: sqlite3.Connection, key: str) -> None:
    """Delete the stored state `key`."""
    db.execute(FORGET_STATE, (key,))


def use_receivers(
    db: sqlite3.Connection, wanted: Mapping[str, Collection[EventKind]], weights: Weights = DEFAULT
) -> None:
    """Replace the receivers. `wanted`: the kinds of events that each receiver gets, by the receiver's name.

    Undelivered events of other receivers are deleted. A receiver that was switched off stays off. `weights`: the
    weights with which levels of numbers are computed for events. Only the sender calls this function, in a transaction.
    """
    names = msgspec.json.encode(list(wanted)).decode()
    for sql in FORGET:
        db.execute(sql, (names,))
    off = {name for (name,) in db.execute(OFF)}
    rows = {(kind.value, name) for name, kinds in wanted.items() if name not in off for kind in kinds}
    _want(db, rows, {(kind, name) for kind, name in db.execute(WANTED) if name != STREAM})
    db.executemany("INSERT INTO event_receiver (name) VALUES (?) ON CONFLICT DO NOTHING", ((name,) for name in wanted))
    _use_weights(db, weights)


def use_stream(db: sqlite3.Connection, kinds: Collection[EventKind], weights: Weights = DEFAULT) -> None:
    """Set the kinds of events that are stored for the event stream (`events_after`). Call it in a transaction.

    `weights`: the weights with which levels of numbers are computed for events.
    """
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
    """Return the stored weights with which `emit_level_changes` computes the level of a number."""
    row = db.execute(WEIGHTS).fetchone()
    return DEFAULT if row is None else weights_from(row[0])


def event_of(db: sqlite3.Connection, event_id: str) -> Event | None:
    """Return the event with this id; None if it is not stored."""
    return next((event_from(row) for row in db.execute(BY_ID, (event_id,))), None)


def events_after(db: sqlite3.Connection, seq: int, limit: int) -> list[Event]:
    """Return at most `limit` events with a sequence number above `seq`, in the order of these numbers."""
    return [event_from(row) for row in db.execute(AFTER, (seq, limit))]


def places(db: sqlite3.Connection) -> tuple[int, int]:
    """Return the sequence numbers of the first and the last stored event; 0 and 0 if there are no events."""
    first, last = db.execute(ENDS).fetchone()
    return first, last


def event_from(row: tuple[Any, ...]) -> Event:
    """Return the event in a database row with the columns COLUMNS."""
    event_id, kind, subject, at, data, seq = row
    return Event(event_id, EventKind(kind), subject, at, msgspec.json.decode(data), seq)


def trim(db: sqlite3.Connection, most: int = MOST_EVENTS) -> int:
    """Delete old events until `most` are left. Return how many deliveries were lost. Call it in a transaction."""
    (count,) = db.execute("SELECT count(*) FROM event").fetchone()
    if count <= most:
        return 0
    count -= db.execute(TOO_MANY_HAD, (count - most,)).rowcount
    if count <= most:
        return 0
    _, lost = _drop_before(db, db.execute(OLDEST_KEPT, (count - most,)).fetchone()[0])
    return lost


def expire_events(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Delete expired events, and stop storing events for a stream without readers. Return counts of rows by kind."""
    if db.execute(STREAM_UNREAD, (STREAM_READ, now - KEPT_SECONDS)).fetchone():
        _want(db, set(), {row for row in db.execute(WANTED) if row[1] == STREAM})
    (first,) = db.execute(FIRST_AFTER, (now - KEPT_SECONDS,)).fetchone()
    if first is None:
        return {}
    dropped, lost = _drop_before(db, first)
    return {"event": dropped, "event not delivered": lost}


def _drop_before(db: sqlite3.Connection, seq: int) -> tuple[int, int]:
    (lost,) = db.execute(LOST, (seq,)).fetchone()
    if lost:
        db.execute(LOSE, (seq,))
    return db.execute(DROP, (seq,)).rowcount, int(lost)


@lru_cache(maxsize=8)
def weights_from(text: str) -> Weights:
    """Parse stored weights. Return the default weights if the text does not fit this version of CallSieve."""
    try:
        return msgspec.json.decode(text, type=Weights)
    except msgspec.ValidationError:
        return DEFAULT
