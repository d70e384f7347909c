"""Console users and their sessions, API tokens, and answers of the API (kept for a day, for repeated requests).

Passwords are stored as argon2id hashes, tokens as SHA-256. Only `second_factor_of` reads second factors' secrets.
"""

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
    """How many seconds a session is valid after its last use (`idle_seconds`) and its beginning (`most_seconds`)."""

    idle_seconds: float
    most_seconds: float


class SecondFactor(NamedTuple):
    """The TOTP secret that a user's app has too, and the time step of the last accepted code."""

    secret: str
    step: int


def add_user(db: sqlite3.Connection, user: ConsoleUser, password: str) -> None:
    """Add a user. `password`: the hash of the password. Raise sqlite3.IntegrityError if the name is taken."""
    db.execute(ADD, (user.name, user.role.word, password, user.extension, user.added_at, user.password_at))


def all_users(db: sqlite3.Connection) -> list[ConsoleUser]:
    """Return all users, ordered by name."""
    return [_user(*row) for row in db.execute(ALL)]


def user_of(db: sqlite3.Connection, name: str) -> ConsoleUser | None:
    """Return the user with this name, or None."""
    return next((_user(*row) for row in db.execute(ONE, (name,))), None)


def password_of(db: sqlite3.Connection, name: str) -> str | None:
    """Return the hash of the user's password; None for an unknown name."""
    row = db.execute("SELECT password FROM console_user WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def set_password(db: sqlite3.Connection, name: str, password: str, at: float, *, but: str = "") -> None:
    """Change the password hash and end the user's sessions, except the session with the token `but`."""
    db.execute(SET_PASSWORD, (password, at, name))
    db.execute(END_OTHERS, (name, but))


def second_factor_of(db: sqlite3.Connection, name: str) -> SecondFactor | None:
    """Return the second factor of the user; None if none is set up."""
    row = db.execute("SELECT totp_secret, totp_step FROM console_user WHERE name = ?", (name,)).fetchone()
    return SecondFactor(*row) if row and row[0] is not None else None


def set_second_factor(db: sqlite3.Connection, name: str, factor: SecondFactor | None, *, but: str = "") -> None:
    """Change the second factor (None: remove it). End the user's sessions, except the session with the token `but`."""
    db.execute(SET_SECOND_FACTOR, (*(factor or (None, None)), name))
    db.execute(END_OTHERS, (name, but))


def accept_step(db: sqlite3.Connection, name: str, password: str, step: int) -> bool:
    """Use up the TOTP code of a time step. Return False if it was used, or password or second factor have changed."""
    return db.execute(ACCEPT, {"name": name, "password": password, "step": step}).rowcount == 1


def rehash(db: sqlite3.Connection, name: str, old: str, new: str) -> None:
    """Replace the hash `old` of a user's password by `new`, a hash with the current parameters."""
    db.execute(REHASH, (new, name, old))


def set_role(db: sqlite3.Connection, name: str, role: Role) -> None:
    """Change the user's role and end their sessions."""
    db.execute("UPDATE console_user SET role = ? WHERE name = ?", (role.word, name))
    db.execute(END_OTHERS, (name, ""))


def remove_user(db: sqlite3.Connection, name: str) -> None:
    """Remove the user and their sessions."""
    db.execute(END_OTHERS, (name, ""))
    db.execute("DELETE FROM console_user WHERE name = ?", (name,))


def start_session(db: sqlite3.Connection, session: Session, lifetime: Lifetime) -> None:
    """Add a session and delete all expired sessions."""
    db.execute(EXPIRE, (session.began_at - lifetime.idle_seconds, session.began_at - lifetime.most_seconds))
    row = (session.token, session.user, session.began_at, session.seen_at, session.address)
    db.execute(START, (*row, session.agent[:AGENT_CHARACTERS]))


def session_of(
    db: sqlite3.Connection, token: str, now: float, lifetime: Lifetime
) -> tuple[ConsoleUser, Session] | None:
    """Return the session with this token and its user; None if the session is unknown or has expired."""
    since = {"idle_since": now - lifetime.idle_seconds, "began_since": now - lifetime.most_seconds}
    row = db.execute(CURRENT, {"token": token, **since}).fetchone()
    return (_user(*row[:6]), Session(*row[6:])) if row else None


def sessions_of(db: sqlite3.Connection, user: str) -> list[Session]:
    """Return the user's sessions, the most recently used first."""
    return [Session(*row) for row in db.execute(OF_USER, (user,))]


def touch_session(db: sqlite3.Connection, token: str, at: float) -> None:
    """Record that the session was used."""
    db.execute(TOUCH, (at, token))


def end_session(db: sqlite3.Connection, token: str) -> None:
    """End the session with this token."""
    db.execute(END, (token,))


def end_other_sessions(db: sqlite3.Connection, user: str, token: str) -> int:
    """End all sessions of the user except the session with this token, and return how many ended."""
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
MOST_ANSWERS = 10_000  # stored per token
ANSWER_OF = "SELECT digest, status, body FROM api_answer WHERE token = ? AND key = ? AND at > ?"
COUNT_ANSWERS = "SELECT count(*) FROM api_answer WHERE token = ? AND at > ?"
FORGET_ANSWERS = "DELETE FROM api_answer WHERE at <= ?"
KEEP_ANSWER = "INSERT INTO api_answer (token, key, digest, at, status, body) VALUES (?, ?, ?, ?, ?, ?)"


class KeptToken(NamedTuple):
    """A stored API token. `used_at`: when the token was last used, to the minute; None for never."""

    id: int
    digest: str
    used_at: float | None
    token: ApiToken


class KeptAnswer(NamedTuple):
    """The stored answer of the API to a write request. `digest`: that of the request. `body`: the answer as JSON."""

    digest: str
    status: int
    body: str


def add_token(db: sqlite3.Connection, token: ApiToken, digest: str) -> None:
    """Add an API token. `digest`: the SHA-256 of its secret. Raise sqlite3.IntegrityError if the name is taken."""
    row = (token.name, token.role.word, json.dumps(token.scopes), token.added_at, token.expires_at, token.per_minute)
    db.execute(ADD_TOKEN, (digest, *row))


def all_tokens(db: sqlite3.Connection) -> list[KeptToken]:
    """Return all tokens, expired ones included, ordered by name."""
    return [_kept(*row) for row in db.execute(ALL_TOKENS)]


def token_of(db: sqlite3.Connection, name: str) -> KeptToken | None:
    """Return the API token with this name, or None."""
    return next((_kept(*row) for row in db.execute(BY_NAME, (name,))), None)


def token_by_digest(db: sqlite3.Connection, digest: str) -> KeptToken | None:
    """Return the API token whose secret has this SHA-256, or None."""
    return next((_kept(*row) for row in db.execute(BY_DIGEST, (digest,))), None)


def touch_token(db: sqlite3.Connection, token_id: int, at: float) -> None:
    """Record that the token was used."""
    db.execute(TOUCH_TOKEN, (at, token_id))


def remove_token(db: sqlite3.Connection, name: str) -> None:
    """Remove the API token with this name and the answers stored for it."""
    db.execute(REMOVE, (name,))


def answer_of(db: sqlite3.Connection, token_id: int, key: str, now: float) -> KeptAnswer | None:
    """Return the stored answer to the token's write request with this idempotency key, or None."""
    return next((KeptAnswer(*row) for row in db.execute(ANSWER_OF, (token_id, key, now - ANSWER_SECONDS))), None)


def has_room(db: sqlite3.Connection, token_id: int, now: float) -> bool:
    """Return whether another answer may be stored for this token."""
    return bool(db.execute(COUNT_ANSWERS, (token_id, now - ANSWER_SECONDS)).fetchone()[0] < MOST_ANSWERS)


def keep_answer(db: sqlite3.Connection, token_id: int, key: str, answer: KeptAnswer, at: float) -> None:
    """Store an answer of the API for a day. Call it in the transaction of the write request."""
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
    known = tuple(Scope(word) for word in json.loads(scopes) if word in tuple(Scope))
    return KeptToken(id, digest, used_at, ApiToken(name, ROLE_BY_WORD[role], known, added_at, expires_at, per_minute))
