"""The users of the console and their sessions, the tokens of the API, and the answers that are kept for a day.

Passwords come as argon2id hashes, tokens as SHA-256 (reputation/users.py says why).

The secret of a second factor is read by `second_factor_of` alone, for the login.
"""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from reputation.users import ROLE_BY_WORD, ApiToken, ConsoleUser, Role, Scope, Session

AGENT_CHARACTERS = 200
_USER = "name, role, extension, added_at, password_at, totp_secret IS NOT NULL"
ADD = "INSERT INTO console_user (name, role, password, extension, added_at, password_at) VALUES (?, ?, ?, ?, ?, ?)"
ALL = f"SELECT {_USER} FROM console_user ORDER BY name"
ONE = f"SELECT {_USER} FROM console_user WHERE name = ?"
SET_PASSWORD = "UPDATE console_user SET password = ?, password_at = ? WHERE name = ?"
SET_SECOND_FACTOR = "UPDATE console_user SET totp_secret = ?, totp_step = ? WHERE name = ?"
ACCEPT = """
UPDATE console_user SET totp_step = :step
 WHERE name = :name AND password = :password AND totp_secret IS NOT NULL AND totp_step < :step
"""
REHASH = "UPDATE console_user SET password = ? WHERE name = ? AND password = ?"

_SESSION = "token, user, began_at, seen_at, address, agent"
START = f"INSERT INTO console_session ({_SESSION}) VALUES (?, ?, ?, ?, ?, ?)"
CURRENT = f"""
SELECT {_USER}, {_SESSION} FROM console_session JOIN console_user ON name = user
 WHERE token = :token AND seen_at > :idle_since AND began_at > :began_since
"""
OF_USER = f"SELECT {_SESSION} FROM console_session WHERE user = ? ORDER BY seen_at DESC"
TOUCH = "UPDATE console_session SET seen_at = max(seen_at, ?) WHERE token = ?"
END = "DELETE FROM console_session WHERE token = ?"
END_OTHERS = "DELETE FROM console_session WHERE user = ? AND token <> ?"
EXPIRE = "DELETE FROM console_session WHERE seen_at <= ? OR began_at <= ?"


class Lifetime(NamedTuple):
    """How long a session lasts: seconds after it was seen last, and after it began."""

    idle_seconds: float
    most_seconds: float


class SecondFactor(NamedTuple):
    """The secret that the user's app shares, and the time step of the code that was accepted last."""

    secret: str
    step: int


def add_user(db: sqlite3.Connection, user: ConsoleUser, password: str) -> None:
    """Adds somebody. sqlite3.IntegrityError when the name is taken. `password`: its hash."""
    db.execute(ADD, (user.name, user.role.word, password, user.extension, user.added_at, user.password_at))


def all_users(db: sqlite3.Connection) -> list[ConsoleUser]:
    """Everybody, by name."""
    return [_user(*row) for row in db.execute(ALL)]


def user_of(db: sqlite3.Connection, name: str) -> ConsoleUser | None:
    """The user of this name."""
    return next((_user(*row) for row in db.execute(ONE, (name,))), None)


def password_of(db: sqlite3.Connection, name: str) -> str | None:
    """The hash of the user's password, None for a name that nobody has."""
    row = db.execute("SELECT password FROM console_user WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def set_password(db: sqlite3.Connection, name: str, password: str, at: float, *, but: str = "") -> None:
    """Another password; whoever is logged in with the old one is out, but for the session `but`."""
    db.execute(SET_PASSWORD, (password, at, name))
    db.execute(END_OTHERS, (name, but))


def second_factor_of(db: sqlite3.Connection, name: str) -> SecondFactor | None:
    """The user's second factor; None for who has none."""
    row = db.execute("SELECT totp_secret, totp_step FROM console_user WHERE name = ?", (name,)).fetchone()
    return SecondFactor(*row) if row and row[0] is not None else None


def set_second_factor(db: sqlite3.Connection, name: str, factor: SecondFactor | None, *, but: str = "") -> None:
    """Another second factor, or none; who is logged in without it is out, but for the session `but`."""
    db.execute(SET_SECOND_FACTOR, (*(factor or (None, None)), name))
    db.execute(END_OTHERS, (name, but))


def accept_step(db: sqlite3.Connection, name: str, password: str, step: int) -> bool:
    """The code of a step counts, once; False when it has counted, or password or second factor changed meanwhile."""
    return db.execute(ACCEPT, {"name": name, "password": password, "step": step}).rowcount == 1


def rehash(db: sqlite3.Connection, name: str, old: str, new: str) -> None:
    """The same password, hashed with what is customary today; unless it was changed meanwhile."""
    db.execute(REHASH, (new, name, old))


def set_role(db: sqlite3.Connection, name: str, role: Role) -> None:
    """Another role; the user has to log in again."""
    db.execute("UPDATE console_user SET role = ? WHERE name = ?", (role.word, name))
    db.execute(END_OTHERS, (name, ""))


def remove_user(db: sqlite3.Connection, name: str) -> None:
    """Takes the user away, and their sessions."""
    db.execute(END_OTHERS, (name, ""))
    db.execute("DELETE FROM console_user WHERE name = ?", (name,))


def start_session(db: sqlite3.Connection, session: Session, lifetime: Lifetime) -> None:
    """Somebody has logged in. Sessions that are over go on this occasion."""
    db.execute(EXPIRE, (session.began_at - lifetime.idle_seconds, session.began_at - lifetime.most_seconds))
    row = (session.token, session.user, session.began_at, session.seen_at, session.address)
    db.execute(START, (*row, session.agent[:AGENT_CHARACTERS]))


def session_of(
    db: sqlite3.Connection, token: str, now: float, lifetime: Lifetime
) -> tuple[ConsoleUser, Session] | None:
    """Whose session it is, while it lasts."""
    since = {"idle_since": now - lifetime.idle_seconds, "began_since": now - lifetime.most_seconds}
    row = db.execute(CURRENT, {"token": token, **since}).fetchone()
    return (_user(*row[:6]), Session(*row[6:])) if row else None


def sessions_of(db: sqlite3.Connection, user: str) -> list[Session]:
    """Where the user is logged in, the one seen last first."""
    return [Session(*row) for row in db.execute(OF_USER, (user,))]


def touch_session(db: sqlite3.Connection, token: str, at: float) -> None:
    """The session was used."""
    db.execute(TOUCH, (at, token))


def end_session(db: sqlite3.Connection, token: str) -> None:
    """Logged out."""
    db.execute(END, (token,))


def end_other_sessions(db: sqlite3.Connection, user: str, token: str) -> int:
    """Logged out everywhere but here; returns how many that were."""
    return db.execute(END_OTHERS, (user, token)).rowcount


def _user(
    name: str, role: str, extension: str | None, added_at: float, password_at: float, has_second_factor: int
) -> ConsoleUser:
    return ConsoleUser(name, ROLE_BY_WORD[role], extension, added_at, password_at, bool(has_second_factor))


_TOKEN = "name, role, scopes, added_at, expires_at, per_minute"
_KEPT = f"id, digest, used_at, {_TOKEN}"
ADD_TOKEN = f"INSERT INTO api_token (digest, {_TOKEN}) VALUES (?, ?, ?, ?, ?, ?, ?)"
ALL_TOKENS = f"SELECT {_KEPT} FROM api_token ORDER BY name"
BY_NAME = f"SELECT {_KEPT} FROM api_token WHERE name = ?"
BY_DIGEST = f"SELECT {_KEPT} FROM api_token WHERE digest = ?"
TOUCH_TOKEN = "UPDATE api_token SET used_at = max(coalesce(used_at, 0), ?) WHERE id = ?"
REMOVE = "DELETE FROM api_token WHERE name = ?"

ANSWER_SECONDS = 86_400.0
MOST_ANSWERS = 10_000  # of one token: what it may have the store keep for it
ANSWER_OF = "SELECT digest, status, body FROM api_answer WHERE token = ? AND key = ? AND at > ?"
COUNT_ANSWERS = "SELECT count(*) FROM api_answer WHERE token = ? AND at > ?"
FORGET_ANSWERS = "DELETE FROM api_answer WHERE at <= ?"
KEEP_ANSWER = "INSERT INTO api_answer (token, key, digest, at, status, body) VALUES (?, ?, ?, ?, ?, ?)"


class KeptToken(NamedTuple):
    """A token as it is kept. `used_at`: to the minute, None for never."""

    id: int
    digest: str
    used_at: float | None
    token: ApiToken


class KeptAnswer(NamedTuple):
    """What was answered to a write. `digest`: of the request; `body`: JSON."""

    digest: str
    status: int
    body: str


def add_token(db: sqlite3.Connection, token: ApiToken, digest: str) -> None:
    """Adds it. sqlite3.IntegrityError when the name is taken."""
    row = (token.name, token.role.word, json.dumps(token.scopes), token.added_at, token.expires_at, token.per_minute)
    db.execute(ADD_TOKEN, (digest, *row))


def all_tokens(db: sqlite3.Connection) -> list[KeptToken]:
    """All of them, expired ones too, by name."""
    return [_kept(*row) for row in db.execute(ALL_TOKENS)]


def token_of(db: sqlite3.Connection, name: str) -> KeptToken | None:
    """The token of this name."""
    return next((_kept(*row) for row in db.execute(BY_NAME, (name,))), None)


def token_by_digest(db: sqlite3.Connection, digest: str) -> KeptToken | None:
    """The token with this SHA-256."""
    return next((_kept(*row) for row in db.execute(BY_DIGEST, (digest,))), None)


def touch_token(db: sqlite3.Connection, token_id: int, at: float) -> None:
    """The token was used."""
    db.execute(TOUCH_TOKEN, (at, token_id))


def remove_token(db: sqlite3.Connection, name: str) -> None:
    """Takes it away, and the answers that are kept for it."""
    db.execute(REMOVE, (name,))


def answer_of(db: sqlite3.Connection, token_id: int, key: str, now: float) -> KeptAnswer | None:
    """What was answered to the write that had this key."""
    return next((KeptAnswer(*row) for row in db.execute(ANSWER_OF, (token_id, key, now - ANSWER_SECONDS))), None)


def has_room(db: sqlite3.Connection, token_id: int, now: float) -> bool:
    """Whether one more answer may be kept for this token."""
    return bool(db.execute(COUNT_ANSWERS, (token_id, now - ANSWER_SECONDS)).fetchone()[0] < MOST_ANSWERS)


def keep_answer(db: sqlite3.Connection, token_id: int, key: str, answer: KeptAnswer, at: float) -> None:
    """Keeps it for a day. Call it in the transaction of the write."""
    db.execute(FORGET_ANSWERS, (at - ANSWER_SECONDS,))
    db.execute(KEEP_ANSWER, (token_id, key, answer.digest, at, answer.status, answer.body))


def _kept(
    id: int,
    digest: str,
    used_at: float | None,
    name: str,
    role: str,
    scopes: str,
    added_at: float,
    expires_at: float | None,
    per_minute: int | None,
) -> KeptToken:
    known = tuple(Scope(one) for one in json.loads(scopes) if one in tuple(Scope))
    return KeptToken(id, digest, used_at, ApiToken(name, ROLE_BY_WORD[role], known, added_at, expires_at, per_minute))
