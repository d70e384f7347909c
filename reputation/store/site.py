"""What belongs to this site: how many people work here, emergency calls, and policies told to other sites.

Emergency calls from this PBX: after one, screening is open for a while (docs/policy-reference.md).

Policies that sites tell each other through the hub: ours by their name, those of others as `site:name`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from reputation.columns import ORIGIN, Key, column_list, insert_sql
from reputation.encoding import Instant
from reputation.events import EmergencyClosed, EmergencyOpened, EventKind
from reputation.model import Did
from reputation.site_names import is_ours
from reputation.store.audit import Change, add_audit
from reputation.store.outbox import is_wanted, state_of, tell_change, telling

# Who is configured, and the phones of nobody's that rang or answered as long as outcomes are kept.
COUNT_PEOPLE = f"""
UPDATE site SET people = (SELECT count(*) FROM person WHERE {is_ours("extension")})
                       + (SELECT count(DISTINCT person) FROM reached
                           WHERE instr(person, '/') > 0 AND {is_ours("person")})
"""
PEOPLE = "SELECT people FROM site"
SALT = "SELECT salt FROM site"


def count_people(db: sqlite3.Connection) -> int:
    """Counts our people again: how many witnesses it takes depends on it. Call it in a transaction, once a day."""
    db.execute(COUNT_PEOPLE)
    return people_here(db)


def people_here(db: sqlite3.Connection) -> int:
    """How many people work here, as counted last."""
    return int(db.execute(PEOPLE).fetchone()[0])


def sample_salt(db: sqlite3.Connection) -> bytes:
    """The salt that the control sample is drawn with."""
    return bytes(db.execute(SALT).fetchone()[0])


# The clock may have been ahead. An emergency call more than two hours away is not believed; a closing that lies ahead
# is never believed, for it would keep the window closed after an emergency call that is made before that.
CLOSED_AT = "(SELECT max(at) FROM emergency_close WHERE at <= :now)"
OPENED_AT = f"(SELECT max(at) FROM emergency_call WHERE at < :now + 7200 AND at > coalesce({CLOSED_AT}, 0))"


# Whether receivers were told that the window is open; the sender looks whether its time is over.
WINDOW, OPEN, CLOSED = "emergency", "open", "closed"
BY_HAND, BY_TIME = "hand", "time"


def record_emergency(db: sqlite3.Connection, at: float, who: str = "Asterisk") -> None:
    """An emergency number was dialled. The instant is kept, and in the audit who opened the window by it.

    `who` is empty where the caller writes a row of its own.
    """
    opened = db.execute("INSERT INTO emergency_call (at) VALUES (?) ON CONFLICT DO NOTHING", (at,)).rowcount
    if opened and who:
        add_audit(db, Change("emergency call"), who, at)
    with telling(db):
        if opened and is_wanted(db, EventKind.EMERGENCY_OPENED, EventKind.EMERGENCY_CLOSED):
            data = EmergencyOpened(by=who or BY_HAND)
            tell_change(db, WINDOW, OPEN, EventKind.EMERGENCY_OPENED, WINDOW, at, data)


def close_window(db: sqlite3.Connection, at: float) -> None:
    """Emergency calls until this instant open the window no more; those of a clock that was ahead are forgotten."""
    db.execute("DELETE FROM emergency_call WHERE at > ?", (at,))
    db.execute("INSERT OR REPLACE INTO emergency_close (only_row, at) VALUES (1, ?)", (at,))
    tell_closed(db, at, BY_HAND)


def tell_closed(db: sqlite3.Connection, at: float, by: str) -> None:
    """The event that the window is closed, if it was told that it is open. Call it in a transaction."""
    with telling(db):
        if state_of(db, WINDOW) == OPEN:
            tell_change(db, WINDOW, CLOSED, EventKind.EMERGENCY_CLOSED, WINDOW, at, EmergencyClosed(by=by))


def reopen_window(db: sqlite3.Connection, at: float) -> None:
    """It was closed in error: what opened it at this instant does so again, until its window ends."""
    db.execute("DELETE FROM emergency_close")
    record_emergency(db, at, who="")


def latest_emergency(db: sqlite3.Connection) -> float | None:
    """When the latest emergency call was made."""
    (at,) = db.execute("SELECT max(at) FROM emergency_call").fetchone()
    return None if at is None else float(at)


def opened_and_closed_at(db: sqlite3.Connection, now: float) -> tuple[float | None, float | None]:
    """The latest emergency call that opens the window, as far as the store knows, and when it was closed last."""
    row: tuple[float | None, float | None] = db.execute(f"SELECT {OPENED_AT}, {CLOSED_AT}", {"now": now}).fetchone()
    return row


class PublishedPolicy(NamedTuple):
    """A policy as its site published it. `text`: TOML; `published_at`: UTC seconds."""

    name: Annotated[str, Key(), ORIGIN]
    text: str
    note: str
    published_at: Instant


COLUMNS = column_list(PublishedPolicy)
PUT = insert_sql("published_policy", PublishedPolicy, "INSERT OR REPLACE")
OF = f"SELECT {COLUMNS} FROM published_policy WHERE name = ?"
ALL = f"SELECT {COLUMNS} FROM published_policy ORDER BY name"


def put_published(db: sqlite3.Connection, policy: PublishedPolicy) -> None:
    """Publishes it, in the place of one of its name."""
    db.execute(PUT, policy)


def remove_published(db: sqlite3.Connection, name: str) -> None:
    """Publishes it no more."""
    db.execute("DELETE FROM published_policy WHERE name = ?", (name,))


def published(db: sqlite3.Connection, name: str) -> PublishedPolicy | None:
    """The one of this name."""
    return next((PublishedPolicy(*row) for row in db.execute(OF, (name,))), None)


def all_published(db: sqlite3.Connection) -> list[PublishedPolicy]:
    """All of them, ours and those of other sites, by name."""
    return [PublishedPolicy(*row) for row in db.execute(ALL)]


def did_from_row(row: Sequence[Any]) -> Did:
    """A DID from its columns `number, grp, callee, screen, trap`."""
    number, groups, callee, screen, trap = row
    return Did(number, tuple(groups.split(",")) if groups else (), callee, bool(screen), bool(trap))
