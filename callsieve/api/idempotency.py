"""Writing once, however often it is asked: `Idempotency-Key`.

What was answered is kept for a day, in the transaction that did it: either both are there or neither. The same key with
another request is an error, and so is one whose first request is still being answered. A refusal is not kept: nothing
was changed, so it is simply tried again.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus

from callsieve.api.problem import UNPROCESSABLE, ApiError
from reputation.store.users import KeptAnswer, answer_of, has_room, keep_answer

_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
BAD_KEY = "takes 1 to 200 visible ASCII characters: a UUID"
REUSED = "this key was used for another request within the last day: take a new one for a new request"
IN_FLIGHT = "the first request with this key is still being answered: ask again in a moment"
NO_ROOM = "too many keys within a day: leave the header out where a repetition does no harm"
HEADER = "Idempotency-Key"


def parse_key(text: str | None) -> str | None:
    """The key of a header, None where there is none. ApiError."""
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-idempotency-key", BAD_KEY, HEADER)
    return text


def request_digest(method: str, target: str, body: bytes) -> str:
    """Of all that makes a request another one."""
    return sha256(b"\0".join((method.encode(), target.encode(), body))).hexdigest()


class KeysInFlight:
    """Those whose request is being answered now, by token."""

    def __init__(self) -> None:
        self._keys: set[tuple[int, str]] = set()

    @contextmanager
    def one(self, token_id: int, key: str) -> Iterator[None]:
        """Nobody else has it meanwhile. ApiError where somebody has."""
        if (token_id, key) in self._keys:
            raise ApiError(HTTPStatus.CONFLICT, "key-in-flight", IN_FLIGHT, HEADER, {"Retry-After": "1"})
        self._keys.add((token_id, key))
        try:
            yield
        finally:
            self._keys.discard((token_id, key))


def earlier_answer(db: sqlite3.Connection, token_id: int, key: str, digest: str, now: float) -> KeptAnswer | None:
    """What was answered already. ApiError for another request, or where no more is kept."""
    kept = answer_of(db, token_id, key, now)
    if kept is None:
        if not has_room(db, token_id, now):
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-keys", NO_ROOM, HEADER, {"Retry-After": "3600"})
        return None
    if kept.digest != digest:
        raise ApiError(UNPROCESSABLE, "key-reused", REUSED, HEADER)
    return kept


def keep(db: sqlite3.Connection, token_id: int, key: str, answer: KeptAnswer, now: float) -> None:
    """In a transaction of its own, for what was done elsewhere than in the store."""
    if answer_of(db, token_id, key, now) is None:
        keep_answer(db, token_id, key, answer, now)


def once(
    db: sqlite3.Connection,
    token_id: int,
    key: str,
    digest: str,
    now: float,
    write: Callable[[], tuple[int, bytes]],
) -> tuple[KeptAnswer, bool]:
    """What `write` answers, status and JSON, and whether it was answered before. Call it in a transaction."""
    kept = earlier_answer(db, token_id, key, digest, now)
    if kept is not None:
        return kept, True
    status, body = write()
    answer = KeptAnswer(digest, status, body.decode())
    keep_answer(db, token_id, key, answer, now)
    return answer, False
