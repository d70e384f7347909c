"""The tokens of the API, as SHA-256 (reputation/api_tokens.py says why), and the answers that are kept for a day."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from reputation.api_tokens import ApiToken, Scope
from reputation.users import ROLE_BY_WORD

_TOKEN = "name, role, scopes, added_at, expires_at, per_minute"
_KEPT = f"id, digest, used_at, {_TOKEN}"
ADD = f"INSERT INTO api_token (digest, {_TOKEN}) VALUES (?, ?, ?, ?, ?, ?, ?)"
ALL = f"SELECT {_KEPT} FROM api_token ORDER BY name"
BY_NAME = f"SELECT {_KEPT} FROM api_token WHERE name = ?"
BY_DIGEST = f"SELECT {_KEPT} FROM api_token WHERE digest = ?"
TOUCH = "UPDATE api_token SET used_at = max(coalesce(used_at, 0), ?) WHERE id = ?"
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
    db.execute(ADD, (digest, *row))


def all_tokens(db: sqlite3.Connection) -> list[KeptToken]:
    """All of them, expired ones too, by name."""
    return [_kept(*row) for row in db.execute(ALL)]


def token_of(db: sqlite3.Connection, name: str) -> KeptToken | None:
    """The token of this name."""
    return next((_kept(*row) for row in db.execute(BY_NAME, (name,))), None)


def token_by_digest(db: sqlite3.Connection, digest: str) -> KeptToken | None:
    """The token with this SHA-256."""
    return next((_kept(*row) for row in db.execute(BY_DIGEST, (digest,))), None)


def touch_token(db: sqlite3.Connection, token_id: int, at: float) -> None:
    """The token was used."""
    db.execute(TOUCH, (at, token_id))


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
