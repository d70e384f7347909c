"""Peers: other companies that share evidence with us. The store has the state of fetching it, and the evidence itself.

The settings and subscriptions name the companies. A subscription counts only if the settings have neither its name nor
its key. A company's evidence is used while the company is named and switched on, and its list has not expired.
Functions that write need a transaction. Those that write up to millions of rows make their own transactions.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Annotated, NamedTuple

from reputation.encoding import HIDDEN, Instant
from reputation.store.lookups import SPAM, Compared, counted
from reputation.store.sources import KNOWN, with_unlisted
from reputation.store.transaction import transaction

BATCH = 5_000
# Between two batches the lock is free for so long (reputation/store/imports.py).
PAUSE_SECONDS = 0.02
FAILURE_CHARACTERS = 1_000

COLUMNS = """
    name, in_settings, weight, every_seconds, issuer, sequence, digest, issued_at, counts_until, numbers, cleared,
    came_at, asked_at, next_at, failed_at, failure, failures, off_at, off_why, since, id,
    was_right, was_told
"""
STATES = f"SELECT {COLUMNS} FROM peer ORDER BY name"
PUT = """
INSERT INTO peer (name, of, in_settings, weight, every_seconds) VALUES (:name, :of, 1, :weight, :every)
ON CONFLICT (name) DO UPDATE
SET in_settings = 1, weight = :weight, every_seconds = :every, next_at = iif(in_settings, next_at, 0)
"""
FORGET = "UPDATE peer SET in_settings = 0, sequence = 0, counts_until = 0 WHERE name = ?"
JUDGED = "UPDATE peer SET was_right = ?, was_told = ? WHERE name = ?"
# With another key it is another company: the rows of the one before no longer count.
RENEW = """
UPDATE peer SET of = :of, issuer = '', sequence = 0, digest = '', issued_at = NULL, counts_until = 0, came_at = NULL,
       next_at = 0, failed_at = NULL, failure = NULL, failures = 0
 WHERE name = :name AND of <> :of
"""
TAKEN = """
UPDATE peer SET issuer = :issuer, sequence = :sequence, digest = :digest, issued_at = :issued_at,
       counts_until = :counts_until, numbers = :numbers, cleared = :cleared, came_at = :at, asked_at = :at,
       next_at = :next_at, failed_at = NULL, failure = NULL, failures = 0
 WHERE name = :name AND of = :of
"""
FAILED = """
UPDATE peer SET asked_at = :at, next_at = :next_at, failed_at = :at, failure = :failure, failures = failures + 1
 WHERE name = :name
"""
SWITCH_OFF = "UPDATE peer SET off_at = ?, off_why = ? WHERE name = ? AND off_at IS NULL"
SWITCH_ON = "UPDATE peer SET off_at = NULL, off_why = NULL, since = ? WHERE name = ? AND off_at IS NOT NULL"

ROW = "number, auth_class, level, witnesses, answered, first_week, last_week, category"
ROWS_AFTER = f"""
SELECT {ROW} FROM peer_number
 WHERE peer = :peer AND (number, auth_class) > (:number, :auth_class) AND (auth_class = '') = :cleared
 ORDER BY number, auth_class LIMIT {BATCH}
"""
PUT_ROW = f"""
INSERT INTO peer_number ({ROW}, peer, came_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, auth_class, peer) DO UPDATE
SET level = excluded.level, witnesses = excluded.witnesses, answered = excluded.answered,
    first_week = excluded.first_week, last_week = excluded.last_week, category = excluded.category
"""
DROP_ROW = "DELETE FROM peer_number WHERE number = ? AND auth_class = ? AND peer = ?"
# Above 0, so that the facts query reads the rows. Rows of an index that was stored half are not counted.
BEGIN = "UPDATE peer SET numbers = max(numbers, 1) WHERE id = ?"
COUNT = "SELECT count(*) FROM peer_number WHERE peer = ? AND auth_class <> ''"
UNNAMED = "SELECT id FROM peer WHERE in_settings = 0 AND numbers + cleared > 0"
EMPTIED = "UPDATE peer SET numbers = 0, cleared = 0 WHERE id = ? AND in_settings = 0"
# As in FACTS (reputation/store/facts.py), and as a PeerWord. For IN, SQLite makes a table each time.
PUBLISHED = """
peer.name, weight, auth_class = '', level, witnesses, answered, first_week, last_week, nullif(category, '')
"""
OF_PEERS = """
  FROM peer_number JOIN peer ON peer.id = peer_number.peer
 WHERE number = :number AND (+auth_class = '' OR +auth_class = :auth_class)
   AND in_settings = 1 AND off_at IS NULL AND counts_until > :now
"""
# Only what it listed before it was known here: a company that repeats what we publish has contributed nothing.
COMPARED = f"""
{KNOWN}
SELECT NULL, is_spam, is_fine, count(*) FROM known GROUP BY is_spam, is_fine
UNION ALL
SELECT 'spam', is_spam, is_fine, count(*) FROM known
 WHERE EXISTS (SELECT 1 FROM peer_number WHERE peer_number.number = known.number AND peer = :peer AND auth_class <> ''
                  AND came_at < CASE WHEN is_fine THEN fine_at ELSE spam_at END)
 GROUP BY is_spam, is_fine
"""


class PeerState(NamedTuple):
    """The stored state of another company that shares evidence with us.

    Attributes:
        name: The name that the company has here.
        weight: How much its rows count, from 0 to 1. With 1 they suffice for the action tag.
        every_seconds: How often its list is fetched, in seconds.
        issuer: The name that the company signs with; empty if no list was accepted yet.
        sequence: The sequence number of the latest accepted list; 0 for none.
        digest: The digest of the latest accepted list; empty for none.
        issued_at: When the latest accepted list was issued.
        counts_until: When the latest accepted list expires; 0 for none.
        numbers: How many numbers the company lists.
        cleared: How many numbers the company has cleared.
        came_at: When its list last arrived.
        asked_at: When its list was last requested.
        failed_at: When a request last failed.
        failure: Why the last of `failures` failed requests in a row failed, in JSON.
        off_at: When the company was switched off; null while it is on.
        off_why: Why the company was switched off.
        was_told: At the last comparison, how many of its numbers our own evidence could judge.
        was_right: For how many of these numbers our own evidence agreed.
    """

    name: str
    in_settings: Annotated[bool, HIDDEN]
    weight: float
    every_seconds: float
    issuer: str
    sequence: int
    digest: Annotated[str, HIDDEN]
    issued_at: Instant | None
    counts_until: Annotated[float, HIDDEN]
    numbers: int
    cleared: int
    came_at: Instant | None
    asked_at: Instant | None
    next_at: Annotated[float, HIDDEN]
    failed_at: Instant | None
    failure: Annotated[str | None, HIDDEN]
    failures: Annotated[int, HIDDEN]
    off_at: Instant | None
    off_why: Annotated[str | None, HIDDEN]
    since: Annotated[float, HIDDEN]
    id: Annotated[int, HIDDEN]
    was_right: Annotated[int, HIDDEN] = 0
    was_told: Annotated[int, HIDDEN] = 0


class WantedPeer(NamedTuple):
    """A company whose evidence is wanted. `of`: the digest of its key. `weight`: how much its rows count, up to 1."""

    of: str
    weight: float
    every_seconds: float


class PeerNumber(NamedTuple):
    """A company's statement about a number: evidence against it or, if `auth_class` is empty, that it was cleared."""

    number: str
    auth_class: str
    level: int = 0
    witnesses: int = 0
    answered: int = 0
    first_week: int = 0
    last_week: int = 0
    category: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The number and the auth class, by which the rows of a company are sorted."""
        return self.number, self.auth_class


# A key, and its new row; None: the row is deleted.
Change = tuple[tuple[str, str], PeerNumber | None]


class TakenIndex(NamedTuple):
    """A company's signed index, whose rows are all stored. `numbers`, `cleared`: how many it lists and clears."""

    of: str
    issuer: str
    sequence: int
    digest: str
    issued_at: float
    counts_until: float
    numbers: int = 0
    cleared: int = 0


def replace_peers(db: sqlite3.Connection, wanted: Mapping[str, WantedPeer]) -> None:
    """Replace the companies whose evidence is wanted. `wanted`: the companies by name."""
    known = {name: rest for name, *rest in db.execute("SELECT name, of, in_settings, weight, every_seconds FROM peer")}
    for name, peer in wanted.items():
        if known.get(name) != [peer.of, 1, peer.weight, peer.every_seconds]:
            want_peer(db, name, peer)
    for name in known.keys() - wanted.keys():
        forget_peer(db, name)


def want_peer(db: sqlite3.Connection, name: str, wanted: WantedPeer) -> None:
    """Begin to use the evidence of a company, or change its weight or interval."""
    about = {"name": name, "of": wanted.of, "weight": wanted.weight, "every": wanted.every_seconds}
    db.execute(PUT, about)
    db.execute(RENEW, about)


def forget_peer(db: sqlite3.Connection, name: str) -> None:
    """Stop using the evidence of the company."""
    db.execute(FORGET, (name,))


def key_digest(key: str) -> str:
    """Return a digest of a company's first key (base64). The digest identifies the company."""
    return sha256(key.encode()).hexdigest()[:32]


def key_now(db: sqlite3.Connection, key: str) -> str:
    """Return the key (base64) that a company signs with now. `key`: the first key that we got from the company."""
    row = db.execute("SELECT key FROM peer_key WHERE of = ?", (key_digest(key),)).fetchone()
    return str(row[0]) if row else key


def follow_key(db: sqlite3.Connection, key: str, new: str, at: float) -> None:
    """Use the key `new` from now on to check the signatures of a company. `key`: the company's first key."""
    db.execute("INSERT OR REPLACE INTO peer_key (of, key, at) VALUES (?, ?, ?)", (key_digest(key), new, at))


def peer_states(db: sqlite3.Connection) -> list[PeerState]:
    """Return the states of all companies that are named or were named before, ordered by name."""
    return [PeerState(name, bool(in_settings), *rest) for name, in_settings, *rest in db.execute(STATES)]


def peer_state(db: sqlite3.Connection, name: str) -> PeerState | None:
    """Return the state of the company with this name, or None."""
    return next((state for state in peer_states(db) if state.name == name), None)


def record_taken(db: sqlite3.Connection, name: str, index: TakenIndex, at: float, next_at: float) -> None:
    """Record that the company's index was stored or is unchanged. `next_at`: when to fetch again."""
    db.execute(TAKEN, {"name": name, "at": at, "next_at": next_at, **index._asdict()})


def record_skill(db: sqlite3.Connection, name: str, right: int, known: int) -> None:
    """Record that the company was right about `right` of the `known` callers that we can judge."""
    db.execute(JUDGED, (right, known, name))


def record_peer_failure(db: sqlite3.Connection, name: str, at: float, next_at: float, failure: str) -> None:
    """Record that the company's index could not be fetched or was refused. The old index stays."""
    db.execute(FAILED, {"name": name, "at": at, "next_at": next_at, "failure": failure[:FAILURE_CHARACTERS]})


def switch_peer_off(db: sqlite3.Connection, name: str, at: float, why: str) -> bool:
    """Stop using the company's evidence. Return False if the company was already off."""
    return db.execute(SWITCH_OFF, (at, why, name)).rowcount > 0


def switch_peer_on(db: sqlite3.Connection, name: str, at: float) -> bool:
    """Use the company's evidence again, and measure its accuracy from `at` on. Return False if the company was on."""
    return db.execute(SWITCH_ON, (at, name)).rowcount > 0


def replace_numbers(
    db: sqlite3.Connection, peer: int, rows: Iterable[PeerNumber], at: float, *, cleared: bool = False
) -> int:
    """Replace the company's rows with `rows`, which are ordered by key. Return how many rows changed.

    `cleared`: replace the rows of numbers that the company has cleared, instead of the numbers that it lists. Only rows
    that differ are written, dated `at`, in several transactions. If interrupted, call it again.
    """
    changes = _differences(_rows(db, peer, cleared=cleared), iter(rows))
    return _write(db, peer, changes, at)


def change_numbers(db: sqlite3.Connection, peer: int, changes: Iterable[Change], at: float) -> int:
    """Set or delete the row of each key in `changes`, in several transactions. Return how many. It may be repeated."""
    return _write(db, peer, changes, at)


def count_numbers(db: sqlite3.Connection, peer: int) -> int:
    """Return how many rows of the company are stored here, to compare this with the count in the company's index."""
    return int(db.execute(COUNT, (peer,)).fetchone()[0])


def drop_unnamed(db: sqlite3.Connection) -> int:
    """Delete the rows of companies that are no longer wanted, in several transactions. Return how many rows."""
    dropped = 0
    for (peer,) in db.execute(UNNAMED).fetchall():
        for cleared in (False, True):
            dropped += replace_numbers(db, peer, (), 0.0, cleared=cleared)
        with transaction(db):
            db.execute(EMPTIED, (peer,))
    return dropped


def compared_with_peer(db: sqlite3.Connection, peer: int, since: float) -> Compared:
    """Compare the company's list with our later evidence since `since`. Without a common number, all counts are 0."""
    every: list[tuple[int, int, int]] = []
    listed: list[tuple[int, int, int]] = []
    for verdict, *kind in db.execute(COMPARED, {"since": since, "peer": peer}):
        (every if verdict is None else listed).append((kind[0], kind[1], kind[2]))
    if not listed:
        return Compared()
    by_kind = {(is_spam, is_fine): count for is_spam, is_fine, count in every}
    return counted(with_unlisted([(SPAM, *kind) for kind in listed], by_kind))


def _write(db: sqlite3.Connection, peer: int, changes: Iterable[Change], at: float) -> int:
    written = 0
    batch: list[Change] = []

    def flush() -> None:
        with transaction(db):
            db.execute(BEGIN, (peer,))
            db.executemany(DROP_ROW, [(*key, peer) for key, row in batch if row is None])
            db.executemany(PUT_ROW, [(*row, peer, at) for _, row in batch if row is not None])
        batch.clear()

    for change in changes:
        batch.append(change)
        written += 1
        if len(batch) == BATCH:
            flush()
            time.sleep(PAUSE_SECONDS)
    if batch:
        flush()
    return written


def _rows(db: sqlite3.Connection, peer: int, *, cleared: bool) -> Iterator[PeerNumber]:
    after = ("", "")
    about = {"peer": peer, "cleared": cleared}
    while batch := db.execute(ROWS_AFTER, about | {"number": after[0], "auth_class": after[1]}).fetchall():
        yield from map(PeerNumber._make, batch)
        after = batch[-1][:2]


def _differences(before: Iterator[PeerNumber], after: Iterator[PeerNumber]) -> Iterator[Change]:
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.key < new.key):
            assert old is not None
            yield old.key, None
            old = next(before, None)
        elif old is None or new.key < old.key:
            yield new.key, new
            new = next(after, None)
        else:
            if old != new:
                yield new.key, new
            old, new = next(before, None), next(after, None)


EVERY_SECONDS = 6 * 3600.0
ALL = "SELECT name, url, key, weight, added_at, private FROM subscription ORDER BY name"
PUT_SUBSCRIPTION = (
    "INSERT OR REPLACE INTO subscription (name, url, key, weight, added_at, private) VALUES (?, ?, ?, ?, ?, ?)"
)
REMOVE = "DELETE FROM subscription WHERE name = ?"


class Subscription(NamedTuple):
    """A company whose evidence is fetched from a URL. `key`: the company's public key, base64.

    `weight`: the weight of its rows, from 0 to 1. `private`: 1 if its server may be in a private network.
    """

    name: str
    url: str
    key: str
    weight: float
    added_at: Instant
    private: int = 0


def subscriptions(db: sqlite3.Connection) -> list[Subscription]:
    """Return all subscriptions, ordered by name."""
    return [Subscription(*row) for row in db.execute(ALL)]


def subscription_of(db: sqlite3.Connection, name: str) -> Subscription | None:
    """Return the subscription with this name, or None."""
    return next((known for known in subscriptions(db) if known.name == name), None)


def put_subscription(db: sqlite3.Connection, subscription: Subscription) -> None:
    """Add or replace a subscription. The company's evidence comes with the next fetch."""
    db.execute(PUT_SUBSCRIPTION, subscription)
    want_peer(db, subscription.name, WantedPeer(key_digest(subscription.key), subscription.weight, EVERY_SECONDS))


def remove_subscription(db: sqlite3.Connection, name: str) -> None:
    """Remove a subscription and stop using the company's evidence, which the next fetch deletes."""
    db.execute(REMOVE, (name,))
    forget_peer(db, name)
