"""Sign-in of people to their own page: links and passcodes that work only once, and signed-in devices.

Only hashes are stored. A link has 256 random bits, so a plain SHA-256 is enough. A passcode has eight digits, so its
hash is salted, and it is valid for five minutes and five tries. Somebody who can read the store could find out the
passcode, but they can read everything without it.
"""

import hmac
import secrets
import sqlite3
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, NamedTuple

from reputation.columns import LOCAL, Key, column_list
from reputation.encoding import Instant
from reputation.store.site import sample_salt

LINK_SECONDS = 86_400.0
PASSCODE_SECONDS = 300.0
DEVICE_SECONDS = 90 * 86_400.0
PASSCODE_DIGITS = 8
PASSCODE_TRIES = 5
AGENT_CHARACTERS = 200


class SignInKind(StrEnum):
    """The kind of credential with which a person signs in."""

    LINK = "link"
    PASSCODE = "passcode"


class SignIn(NamedTuple):
    """An unused link or passcode. `digest`: its hash. `tries`: how often a wrong passcode was entered."""

    digest: Annotated[str, Key(), LOCAL]
    person: str
    kind: SignInKind
    made_at: Instant
    expires_at: Instant
    tries: int = 0


class OpenLink(NamedTuple):
    """An unused link, without its secret (never stored). `made_at`, `expires_at`: when it was made and expires."""

    made_at: Instant
    expires_at: Instant


class Device(NamedTuple):
    """A browser in which a person is signed in to their own page.

    Attributes:
        id: Identifies the device.
        person: The extension of the person.
        began_at: When the person signed in.
        seen_at: When the page was last used, to the minute.
        expires_at: When the device is signed out.
        address: The network address from which the person signed in.
        agent: The User-Agent text of the browser.
    """

    id: int
    person: str
    began_at: Instant
    seen_at: Instant
    expires_at: Instant
    address: str
    agent: str


DEVICE = column_list(Device)
ADD_SIGN_IN = "INSERT INTO sign_in (digest, person, kind, made_at, expires_at) VALUES (?, ?, ?, ?, ?)"
LINK = "FROM sign_in WHERE digest = ? AND kind = 'link' AND expires_at > ?"
PASSCODE = "SELECT digest FROM sign_in WHERE person = ? AND kind = 'passcode' AND expires_at > ?"
WRONG = "UPDATE sign_in SET tries = tries + 1 WHERE person = ? AND kind = 'passcode'"
OPEN_LINKS = """
SELECT made_at, expires_at FROM sign_in WHERE person = ? AND kind = 'link' AND expires_at > ? ORDER BY made_at
"""
START = """
INSERT INTO device (digest, person, began_at, seen_at, expires_at, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
CURRENT = f"SELECT {DEVICE} FROM device WHERE digest = ? AND expires_at > ?"
OF_PERSON = f"SELECT {DEVICE} FROM device WHERE person = ? AND expires_at > ? ORDER BY seen_at DESC, id DESC"
END = f"DELETE FROM device WHERE person = :person AND (:id IS NULL OR id = :id) AND id <> :but RETURNING {DEVICE}"
COUNTS = "SELECT person, count(*) FROM device WHERE expires_at > ? GROUP BY person"


def new_secret() -> str:
    """Return the secret of a new link: 256 random bits."""
    return secrets.token_urlsafe(32)


def add_link(db: sqlite3.Connection, person: str, secret: str, at: float) -> float:
    """Add a link with this secret for a person, and return when the link expires."""
    db.execute(ADD_SIGN_IN, (_hash_of(secret), person, SignInKind.LINK, at, at + LINK_SECONDS))
    return at + LINK_SECONDS


def person_of_link(db: sqlite3.Connection, secret: str, now: float) -> str | None:
    """Return the person whose link has this secret, without using it up; None if the link was used or has expired."""
    return next((str(person) for (person,) in db.execute(f"SELECT person {LINK}", (_hash_of(secret), now))), None)


def use_link(db: sqlite3.Connection, secret: str, now: float) -> str | None:
    """Use up the link with this secret and return its person; None if the link was used or has expired."""
    rows = db.execute(f"DELETE {LINK} RETURNING person", (_hash_of(secret), now)).fetchall()
    return next((str(person) for (person,) in rows), None)


def links_of(db: sqlite3.Connection, person: str, now: float) -> list[OpenLink]:
    """Return the links of a person that are unused and have not expired."""
    return [OpenLink(*row) for row in db.execute(OPEN_LINKS, (person, now))]


def end_links(db: sqlite3.Connection, person: str) -> int:
    """Delete the unused links of a person, and return how many there were."""
    return db.execute("DELETE FROM sign_in WHERE person = ? AND kind = 'link'", (person,)).rowcount


def new_passcode() -> str:
    """Return a new passcode: eight random digits."""
    return f"{secrets.randbelow(10**PASSCODE_DIGITS):0{PASSCODE_DIGITS}}"


def add_passcode(db: sqlite3.Connection, person: str, passcode: str, at: float) -> None:
    """Add a passcode. It replaces an earlier passcode of the person."""
    remove_passcode(db, person)
    digest = _digest_of(db, person, passcode)
    db.execute(ADD_SIGN_IN, (digest, person, SignInKind.PASSCODE, at, at + PASSCODE_SECONDS))


def remove_passcode(db: sqlite3.Connection, person: str) -> None:
    """Remove the passcode of a person."""
    db.execute("DELETE FROM sign_in WHERE person = ? AND kind = 'passcode'", (person,))


def use_passcode(db: sqlite3.Connection, person: str, passcode: str, now: float) -> bool:
    """Return whether this is the person's valid passcode, and use it up. The fifth wrong try makes it invalid."""
    kept = db.execute(PASSCODE, (person, now)).fetchone()
    if kept is None:
        return False
    if hmac.compare_digest(str(kept[0]), _digest_of(db, person, passcode)):
        remove_passcode(db, person)
        return True
    db.execute(WRONG, (person,))
    db.execute("DELETE FROM sign_in WHERE person = ? AND tries >= ?", (person, PASSCODE_TRIES))
    return False


def start_device(db: sqlite3.Connection, digest: str, device: Device) -> None:
    """Sign a device in. `digest`: the hash of the device's cookie. The `id` in `device` is ignored."""
    _, person, began_at, seen_at, expires_at, address, agent = device
    db.execute(START, (digest, person, began_at, seen_at, expires_at, address, agent[:AGENT_CHARACTERS]))


def device_of(db: sqlite3.Connection, digest: str, now: float) -> Device | None:
    """Return the device whose cookie has this hash; None if no such device is signed in."""
    return next((Device(*row) for row in db.execute(CURRENT, (digest, now))), None)


def devices_of(db: sqlite3.Connection, person: str, now: float) -> list[Device]:
    """Return the devices of a person, the most recently used first."""
    return [Device(*row) for row in db.execute(OF_PERSON, (person, now))]


def count_devices(db: sqlite3.Connection, now: float) -> dict[str, int]:
    """Return how many devices are signed in, by person."""
    return dict(db.execute(COUNTS, (now,)).fetchall())


def end_devices(db: sqlite3.Connection, person: str, device: int | None = None, but: int = 0) -> list[Device]:
    """Sign out the person's device `device` (an id; None: all), but never the device `but` (an id; 0: no device).

    Return the devices that were signed out.
    """
    about = {"person": person, "id": device, "but": but}
    return [Device(*row) for row in db.execute(END, about).fetchall()]


def touch_device(db: sqlite3.Connection, device: int, at: float) -> None:
    """Record that the device was used at `at`."""
    db.execute("UPDATE device SET seen_at = max(seen_at, ?) WHERE id = ?", (at, device))


def _hash_of(secret: str) -> str:
    return sha256(secret.encode(errors="replace")).hexdigest()


def _digest_of(db: sqlite3.Connection, person: str, passcode: str) -> str:
    return hmac.digest(sample_salt(db), f"passcode {person} {passcode}".encode(), "sha256").hex()
