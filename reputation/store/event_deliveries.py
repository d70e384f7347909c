"""Deliveries of events to receivers (programs or addresses in the settings), and dead letters (given-up events)."""

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from reputation.encoding import HIDDEN, Instant
from reputation.events import Event, EventKind
from reputation.site_names import new_id
from reputation.store.identities import identity_of
from reputation.store.outbox import COLUMNS, STREAM, event_from, set_state
from reputation.store.own_register import own_of
from reputation.store.people import person_of

_OF_EVENT = ", ".join(f"event.{name}" for name in COLUMNS.split(", "))
_SELECT = f"""
SELECT {_OF_EVENT}, attempts, failing_since, next_at
  FROM event_delivery AS delivery JOIN event USING (seq)
 WHERE receiver = :receiver AND dead_at IS NULL AND seq > :seq
"""
AFTER = f"{_SELECT} ORDER BY seq LIMIT :limit"
OF_SUBJECT = f"{_SELECT} AND event.subject = :subject AND seq <= :until ORDER BY seq LIMIT :limit"

DELIVERED = "DELETE FROM event_delivery WHERE receiver = ? AND seq = ?"
FAILED = """
UPDATE event_delivery
   SET attempts = attempts + 1, failing_since = ?, next_at = ?, error = ?, dead_at = ?
 WHERE receiver = ? AND seq = ?
"""
COUNT = """
INSERT INTO event_receiver (name, delivered, failed, dead, delivered_at, failed_at, error)
VALUES (:name, :delivered, :failed, :dead, :delivered_at, :failed_at, :error)
ON CONFLICT (name) DO UPDATE
SET delivered = delivered + excluded.delivered, failed = failed + excluded.failed, dead = dead + excluded.dead,
    delivered_at = coalesce(excluded.delivered_at, delivered_at), failed_at = coalesce(excluded.failed_at, failed_at),
    error = iif(excluded.failed_at IS NULL, error, excluded.error)
"""
NO_COUNT = {"delivered": 0, "failed": 0, "dead": 0, "delivered_at": None, "failed_at": None, "error": ""}

STATES = """
SELECT name, delivered, failed, dead, lost, delivered_at, failed_at, error, off,
       (SELECT count(*) FROM event_delivery WHERE receiver = name AND dead_at IS NULL),
       (SELECT min(at) FROM event_delivery JOIN event USING (seq) WHERE receiver = name AND dead_at IS NULL),
       (SELECT count(*) FROM event_delivery WHERE receiver = name AND dead_at IS NOT NULL),
       (SELECT min(failing_since) FROM event_delivery
         WHERE receiver = name AND (dead_at IS NULL OR dead_at > coalesce(delivered_at, 0)))
  FROM event_receiver ORDER BY name
"""
KINDS = "SELECT receiver, kind FROM event_wanted WHERE receiver <> ? ORDER BY kind"
_DEAD = f"""
SELECT receiver, attempts, error, dead_at, {_OF_EVENT} FROM event_delivery JOIN event USING (seq)
 WHERE dead_at IS NOT NULL
"""
DEAD = f"{_DEAD} ORDER BY dead_at DESC, seq DESC, receiver LIMIT ?"
COUNT_DEAD = "SELECT count(*) FROM event_delivery WHERE dead_at IS NOT NULL"
REPLAY = """
UPDATE event_delivery SET attempts = 0, failing_since = NULL, next_at = NULL, error = '', dead_at = NULL
 WHERE dead_at IS NOT NULL AND (:id IS NULL OR seq = (SELECT seq FROM event WHERE id = :id))
   AND (:receiver IS NULL OR receiver = :receiver)
RETURNING receiver
"""
SWITCH_OFF = """
INSERT INTO event_receiver (name, off) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET off = excluded.off
"""
BURY = "UPDATE event_delivery SET dead_at = ?, error = ? WHERE receiver = ? AND dead_at IS NULL"
BURY_OLD = f"{BURY} AND seq IN (SELECT seq FROM event WHERE at < ?)"
UNWANT = "DELETE FROM event_wanted WHERE receiver = ?"
SWITCH_ON = "UPDATE event_receiver SET off = '', error = '' WHERE name = ? AND off <> ''"
# Another value of this state makes a running sender read everything again.
REREAD = "events/reread"
# Another value of this state: the store is a restored backup, whose events may have places that the sender knows.
RESTORED = "events/restored"


class Delivery(NamedTuple):
    """An event that waits for its delivery. `attempts`: how many attempts failed. `next_at`: when another is due."""

    event: Event
    attempts: int = 0
    failing_since: float | None = None
    next_at: float | None = None


class FailedDelivery(NamedTuple):
    """A failed attempt to deliver an event. If `next_at` is `None`, the event becomes a dead letter."""

    seq: int
    error: str
    failing_since: float
    next_at: float | None


class Progress(NamedTuple):
    """The results of deliveries to a receiver. `delivered`: the `seq` of each event that was delivered.

    `skipped`: the `seq` of each event that the receiver does not need.
    """

    delivered: Sequence[int]
    failed: Sequence[FailedDelivery]
    skipped: Sequence[int] = ()

    def __bool__(self) -> bool:
        return bool(self.delivered or self.failed or self.skipped)


class ReceiverState(NamedTuple):
    """The state of a receiver. `waiting`, `dead_letters`: how many waiting events and dead letters it has now.

    The other counts run since the receiver was added. `failed` counts attempts; `delivered`, `dead` and `lost` count
    events. Lost events were deleted, because they were too old or too many. `off`: why the receiver was switched off;
    empty if it is on. `failing_since`: the time of the first failed attempt after the last success.
    """

    name: str
    delivered: int
    failed: int
    dead: int
    lost: int
    delivered_at: float | None
    failed_at: float | None
    error: str
    off: str
    waiting: int
    waiting_since: float | None
    dead_letters: int
    failing_since: float | None = None
    kinds: tuple[EventKind, ...] = ()


class DeadLetter(NamedTuple):
    """An event that could not be delivered to a receiver, and why. `dead_at`: when the last attempt failed."""

    receiver: str
    attempts: int
    error: str
    dead_at: Instant
    event: Annotated[Event, HIDDEN]


def deliveries_after(db: sqlite3.Connection, receiver: str, seq: int, limit: int) -> list[Delivery]:
    """Return at most `limit` waiting deliveries to the receiver: events with sequence numbers above `seq`, in order."""
    return [_delivery(row) for row in db.execute(AFTER, {"receiver": receiver, "seq": seq, "limit": limit})]


def deliveries_of_subject(
    db: sqlite3.Connection, receiver: str, subject: str, seq: int, until: int, limit: int
) -> list[Delivery]:
    """Return at most `limit` deliveries about the subject, with sequence numbers above `seq` and up to `until`."""
    about = {"receiver": receiver, "seq": seq, "until": until, "subject": subject, "limit": limit}
    return [_delivery(row) for row in db.execute(OF_SUBJECT, about)]


def record_deliveries(db: sqlite3.Connection, receiver: str, progress: Progress, at: float) -> None:
    """Record the results of deliveries. If a result is recorded twice, only the counts are wrong. Use a transaction."""
    db.executemany(DELIVERED, ((receiver, seq) for seq in (*progress.delivered, *progress.skipped)))
    for failure in progress.failed:
        dead_at = at if failure.next_at is None else None
        db.execute(FAILED, (failure.failing_since, failure.next_at, failure.error, dead_at, receiver, failure.seq))
    counts = {
        "name": receiver,
        "delivered": len(progress.delivered),
        "failed": len(progress.failed),
        "dead": sum(failure.next_at is None for failure in progress.failed),
        "delivered_at": at if progress.delivered else None,
        "failed_at": at if progress.failed else None,
        "error": progress.failed[-1].error if progress.failed else "",
    }
    db.execute(COUNT, counts)


def bury_old(db: sqlite3.Connection, receiver: str, before: float, why: str, at: float) -> int:
    """Turn the receiver's waiting events from before `before` into dead letters, and count them. Use a transaction."""
    buried = db.execute(BURY_OLD, (at, why, receiver, before)).rowcount
    if buried:
        db.execute(COUNT, {**NO_COUNT, "name": receiver, "dead": buried})
    return buried


def receiver_states(db: sqlite3.Connection) -> list[ReceiverState]:
    """Return the states of all receivers, ordered by name."""
    kinds: dict[str, list[EventKind]] = {}
    for receiver, kind in db.execute(KINDS, (STREAM,)):
        kinds.setdefault(receiver, []).append(EventKind(kind))
    return [ReceiverState(*row)._replace(kinds=tuple(kinds.get(row[0], ()))) for row in db.execute(STATES)]


def dead_letters(db: sqlite3.Connection, limit: int) -> list[DeadLetter]:
    """Return dead letters, newest first."""
    return [
        DeadLetter(receiver, attempts, error, dead_at, event_from(tuple(event)))
        for receiver, attempts, error, dead_at, *event in db.execute(DEAD, (limit,))
    ]


def count_dead_letters(db: sqlite3.Connection) -> int:
    """Return how many dead letters there are."""
    return int(db.execute(COUNT_DEAD).fetchone()[0])


def replay(db: sqlite3.Connection, event_id: str | None, receiver: str | None, at: float) -> int:
    """Queue dead letters of this event and receiver (None: all) again. Return their count. Use a transaction."""
    replayed = len(db.execute(REPLAY, {"id": event_id, "receiver": receiver}).fetchall())
    if replayed:
        read_again(db, at)
    return replayed


def read_again(db: sqlite3.Connection, at: float) -> None:
    """Make the process that sends events read the stored deliveries again, because they changed. Use a transaction."""
    set_state(db, REREAD, new_id(), at)


def switch_off(db: sqlite3.Connection, receiver: str, why: str, at: float) -> None:
    """Stop storing events for a receiver, and turn its waiting events into dead letters. Call it in a transaction."""
    db.execute(SWITCH_OFF, (receiver, why))
    db.execute(BURY, (at, why, receiver))
    db.execute(UNWANT, (receiver,))


def switch_on(db: sqlite3.Connection, receiver: str, kinds: Sequence[EventKind], at: float) -> bool:
    """Store events of these kinds for the receiver again. Return False if the receiver was not switched off."""
    if not db.execute(SWITCH_ON, (receiver,)).rowcount:
        return False
    wanted = ((kind.value, receiver) for kind in kinds)
    db.executemany("INSERT INTO event_wanted (kind, receiver) VALUES (?, ?) ON CONFLICT DO NOTHING", wanted)
    read_again(db, at)
    return True


def _delivery(row: tuple[Any, ...]) -> Delivery:
    return Delivery(event_from(row[:6]), *row[6:])


PEOPLE = ("reporter", "callee", "answered_by")
NUMBERS = ("number", "caller", "dialled", "own_number", "did")


def names_of_event(db: sqlite3.Connection, event: Event) -> dict[str, str]:
    """Return the known names of the people and numbers in an event, by extension and by number."""
    names: dict[str, str] = {}
    for field in PEOPLE:
        extension = event.data.get(field)
        person = person_of(db, extension) if isinstance(extension, str) else None
        if person is not None and person.name:
            names[person.extension] = person.name
    for field in NUMBERS:
        number = event.data.get(field)
        if isinstance(number, str) and (name := name_of_number(db, number, event.at)):
            names[number] = name
    return names


def name_of_number(db: sqlite3.Connection, number: str, at: float) -> str:
    """Return the name of the number's owner, from the list of own numbers or a valid identity; empty if unknown."""
    own = own_of(db, number)
    if own is not None:
        return own.name
    identity = identity_of(db, number)
    return identity.name if identity is not None and identity.expires_at > at else ""
