"""Data of this site: how many people it has, emergency calls, the emergency window, and published policies.

An emergency call opens the window: for some time, no call is screened.
"""

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from reputation.columns import ORIGIN, Key, column_list, insert_sql
from reputation.encoding import Instant
from reputation.events import EmergencyClosed, EmergencyOpened, EventKind
from reputation.model import Did
from reputation.site_names import is_ours
from reputation.store.audit import Change, add_audit
from reputation.store.outbox import emit_change, emitting, is_wanted, state_of

# Configured people, and phones without a person that rang or answered while outcomes are kept.
COUNT_PEOPLE = f"""
UPDATE site SET people = (SELECT count(*) FROM person WHERE {is_ours("extension")})
                       + (SELECT count(DISTINCT person) FROM reached
                           WHERE instr(person, '/') > 0 AND {is_ours("person")})
"""
PEOPLE = "SELECT people FROM site"
SALT = "SELECT salt FROM site"


def count_people(db: sqlite3.Connection) -> int:
    """Count and store this site's people. The count decides how many witnesses a tag needs. Use a transaction."""
    db.execute(COUNT_PEOPLE)
    return people_here(db)


def people_here(db: sqlite3.Connection) -> int:
    """Return how many people work at this site, as last counted by `count_people`."""
    return int(db.execute(PEOPLE).fetchone()[0])


def sample_salt(db: sqlite3.Connection) -> bytes:
    """Return the secret salt of the hash that selects calls for the control sample."""
    return bytes(db.execute(SALT).fetchone()[0])


# The clock may have been ahead. An emergency call more than two hours in the future is ignored. A closing in the future
# is always ignored, because it would keep the window closed after an emergency call that is made before it.
CLOSED_AT = "(SELECT max(at) FROM emergency_close WHERE at <= :now)"
OPENED_AT = f"(SELECT max(at) FROM emergency_call WHERE at < :now + 7200 AND at > coalesce({CLOSED_AT}, 0))"


# Whether receivers got the event that the window is open. The sender checks whether its time is over.
WINDOW, OPEN, CLOSED = "emergency", "open", "closed"
BY_HAND, BY_TIME = "hand", "time"


def record_emergency(db: sqlite3.Connection, at: float, who: str = "Asterisk") -> None:
    """Record an emergency call, which opens the window. `who`: for the audit; if empty, no audit row is written."""
    opened = db.execute("INSERT INTO emergency_call (at) VALUES (?) ON CONFLICT DO NOTHING", (at,)).rowcount
    if opened and who:
        add_audit(db, Change("emergency call"), who, at)
    with emitting(db):
        if opened and is_wanted(db, EventKind.EMERGENCY_OPENED, EventKind.EMERGENCY_CLOSED):
            data = EmergencyOpened(by=who or BY_HAND)
            emit_change(db, WINDOW, OPEN, EventKind.EMERGENCY_OPENED, WINDOW, at, data)


def close_window(db: sqlite3.Connection, at: float) -> None:
    """Close the window that emergency calls up to `at` have opened. Delete emergency calls with a later date."""
    db.execute("DELETE FROM emergency_call WHERE at > ?", (at,))
    db.execute("INSERT OR REPLACE INTO emergency_close (only_row, at) VALUES (1, ?)", (at,))
    emit_window_closed(db, at, BY_HAND)


def emit_window_closed(db: sqlite3.Connection, at: float, by: str) -> None:
    """Emit the event that the window is closed, if its opening was reported. Call it in a transaction.

    `by`: BY_HAND if somebody closed the window, BY_TIME if its time was over.
    """
    with emitting(db):
        if state_of(db, WINDOW) == OPEN:
            emit_change(db, WINDOW, CLOSED, EventKind.EMERGENCY_CLOSED, WINDOW, at, EmergencyClosed(by=by))


def reopen_window(db: sqlite3.Connection, at: float) -> None:
    """Undo `close_window`: the emergency call at `at` opens the window again, until its time is over."""
    db.execute("DELETE FROM emergency_close")
    record_emergency(db, at, who="")


def latest_emergency(db: sqlite3.Connection) -> float | None:
    """Return the time of the latest emergency call, or None."""
    (at,) = db.execute("SELECT max(at) FROM emergency_call").fetchone()
    return None if at is None else float(at)


def opened_and_closed_at(db: sqlite3.Connection, now: float) -> tuple[float | None, float | None]:
    """Return when the latest emergency call opened the window, and when somebody last closed it; None for never."""
    row: tuple[float | None, float | None] = db.execute(f"SELECT {OPENED_AT}, {CLOSED_AT}", {"now": now}).fetchone()
    return row


class PublishedPolicy(NamedTuple):
    """A policy that a site has published, in TOML.

    `name`: the plain name at this site, or `site:name` for another site's policy. `published_at`: UTC seconds.
    """

    name: Annotated[str, Key(), ORIGIN]
    text: str
    note: str
    published_at: Instant


COLUMNS = column_list(PublishedPolicy)
PUT = insert_sql("published_policy", PublishedPolicy, "INSERT OR REPLACE")
OF = f"SELECT {COLUMNS} FROM published_policy WHERE name = ?"
ALL = f"SELECT {COLUMNS} FROM published_policy ORDER BY name"


def put_published(db: sqlite3.Connection, policy: PublishedPolicy) -> None:
    """Store a published policy. An earlier policy of the same name is replaced."""
    db.execute(PUT, policy)


def remove_published(db: sqlite3.Connection, name: str) -> None:
    """Remove the published policy with this name."""
    db.execute("DELETE FROM published_policy WHERE name = ?", (name,))


def published(db: sqlite3.Connection, name: str) -> PublishedPolicy | None:
    """Return the published policy with this name, or None."""
    return next((PublishedPolicy(*row) for row in db.execute(OF, (name,))), None)


def all_published(db: sqlite3.Connection) -> list[PublishedPolicy]:
    """Return the published policies of all sites, ordered by name."""
    return [PublishedPolicy(*row) for row in db.execute(ALL)]


def did_from_row(row: Sequence[Any]) -> Did:
    """Return the DID in a database row with the columns `number, grp, callee, screen, trap`."""
    number, groups, callee, screen, trap = row
    return Did(number, tuple(groups.split(",")) if groups else (), callee, bool(screen), bool(trap))
