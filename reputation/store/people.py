"""People, DIDs and own numbers, from the settings file and from imports. The settings take precedence over imports.

A phone without a person is identified by its endpoint (`PJSIP/201`). The column `grp` has the groups of a DID.
"""

import json
import sqlite3
from collections.abc import Iterable

from reputation.model import Did, Person
from reputation.store.own_register import name_registered
from reputation.store.site import count_people, did_from_row

SETTINGS = "settings"

UPSERT_PERSON = """
INSERT INTO person (extension, endpoint, grp, language, name, source) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (extension) DO UPDATE
SET endpoint = excluded.endpoint, grp = excluded.grp, language = excluded.language, name = excluded.name,
    source = excluded.source
WHERE excluded.source = 'settings' OR person.source <> 'settings'
"""
# Whether somebody has answered a call to it in the last 90 days: then it is no trap. Calls are kept for 30 days;
# `answered_did` has the latest answered call of each DID from before.
IS_ANSWERED = """EXISTS (
    SELECT at FROM outcome WHERE did = ?1 AND direction = 'inbound' AND disposition = 'answered'
     UNION ALL SELECT at FROM answered_did WHERE number = ?1 AND at > strftime('%s', 'now') - 90 * 86400)"""
UPSERT_DID = f"""
INSERT INTO did (number, grp, callee, screen, trap, source)
VALUES (?1, ?2, ?3, ?4, ?5 AND NOT {IS_ANSWERED}, ?6)
ON CONFLICT (number) DO UPDATE
SET grp = excluded.grp, callee = excluded.callee, screen = excluded.screen, trap = excluded.trap,
    source = excluded.source
WHERE excluded.source = 'settings' OR did.source <> 'settings'
"""
ADD_OWN_NUMBER = """
INSERT INTO own_number (number, source) VALUES (?, ?)
ON CONFLICT (number) DO UPDATE SET source = excluded.source
"""
PEOPLE = "SELECT extension, endpoint, grp, language, name FROM person ORDER BY extension"
PERSON = "SELECT extension, endpoint, grp, language, name FROM person WHERE extension = ?"
PERSON_OF_ENDPOINT = """
SELECT extension, endpoint, grp, language, name FROM person WHERE endpoint = ? ORDER BY extension LIMIT 1
"""
DIDS = "SELECT number, grp, callee, screen, trap FROM did ORDER BY number"
TRAPS = "SELECT number FROM did WHERE trap = 1 ORDER BY number"
FOLD_ALL = "UPDATE folding SET after = ''"  # the daemon folds some numbers at a time
REMOVE_PERSON = "DELETE FROM person WHERE extension = ?"
REMOVE_OTHERS = "DELETE FROM person WHERE source = 'settings' AND extension NOT IN (SELECT value FROM json_each(?))"
REMOVE_DID = "DELETE FROM did WHERE number = ?"
IS_OWN_NUMBER = """
SELECT EXISTS (SELECT 1 FROM own_number WHERE number = :number) OR EXISTS (SELECT 1 FROM did WHERE number = :number)
"""
OWN_NUMBERS = "SELECT number FROM own_number UNION SELECT number FROM did ORDER BY number"


def replace_settings_people(db: sqlite3.Connection, people: Iterable[Person]) -> None:
    """Replace the people of the settings file. Those who were in it before stay signed in. Call it in a transaction."""
    people = list(people)
    db.execute(REMOVE_OTHERS, (json.dumps([person.extension for person in people]),))
    upsert_people(db, people, SETTINGS)


def replace_settings_dids(db: sqlite3.Connection, dids: Iterable[Did]) -> None:
    """Replace the stored DIDs that came from the settings file. Call it in a transaction.

    If a DID is no longer a trap, earlier calls to it remain evidence until the daemon has recomputed all standings.
    """
    before = set(trap_dids(db))
    db.execute("DELETE FROM did WHERE source = 'settings'")
    upsert_dids(db, dids, SETTINGS)
    if before != set(trap_dids(db)):
        db.execute(FOLD_ALL)


def trap_dids(db: sqlite3.Connection) -> list[str]:
    """Return the traps: DIDs that belong to nobody, so that a call to them speaks against the caller."""
    return [number for (number,) in db.execute(TRAPS)]


def replace_settings_own_numbers(db: sqlite3.Connection, numbers: Iterable[str]) -> None:
    """Replace the stored own numbers that came from the settings file. Call it in a transaction."""
    db.execute("DELETE FROM own_number WHERE source = 'settings'")
    db.executemany(ADD_OWN_NUMBER, ((number, SETTINGS) for number in numbers))
    name_registered(db)


def upsert_people(db: sqlite3.Connection, people: Iterable[Person], source: str) -> None:
    """Add or update people. Imports never change people of the settings. `source`: "settings" or an import's name."""
    rows = ((p.extension, p.endpoint, p.group, p.language, p.name, source) for p in people)
    db.executemany(UPSERT_PERSON, rows)
    count_people(db)


def upsert_dids(db: sqlite3.Connection, dids: Iterable[Did], source: str) -> None:
    """Add or update DIDs. DIDs that the settings name are not changed. `source`: the name of the import."""
    rows = ((did.number, ",".join(did.groups) or None, did.callee, did.screen, did.trap, source) for did in dids)
    db.executemany(UPSERT_DID, rows)


def all_people(db: sqlite3.Connection) -> list[Person]:
    """Return all people, ordered by extension."""
    return [Person(*row) for row in db.execute(PEOPLE)]


def person_of(db: sqlite3.Connection, extension: str) -> Person | None:
    """Return the person with this extension, or None."""
    return next((Person(*row) for row in db.execute(PERSON, (extension,))), None)


def person_of_endpoint(db: sqlite3.Connection, endpoint: str) -> Person | None:
    """Return the person with this endpoint (`PJSIP/201`), or None. Of several people, the lowest extension wins."""
    return next((Person(*row) for row in db.execute(PERSON_OF_ENDPOINT, (endpoint,))), None)


def all_dids(db: sqlite3.Connection) -> list[Did]:
    """Return all DIDs, ordered by number."""
    return [did_from_row(row) for row in db.execute(DIDS)]


def remove_person(db: sqlite3.Connection, extension: str) -> None:
    """Remove the person with this extension. Call it in a transaction."""
    db.execute(REMOVE_PERSON, (extension,))
    count_people(db)


def remove_did(db: sqlite3.Connection, number: str) -> None:
    """Remove the DID with this number. Call it in a transaction."""
    db.execute(REMOVE_DID, (number,))


def is_own_number(db: sqlite3.Connection, number: str) -> bool:
    """Return whether the number is an own number or a DID."""
    return bool(db.execute(IS_OWN_NUMBER, {"number": number}).fetchone()[0])


def own_numbers(db: sqlite3.Connection) -> list[str]:
    """Return all own numbers and DIDs, in order."""
    return [number for (number,) in db.execute(OWN_NUMBERS)]
