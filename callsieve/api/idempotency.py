"""`Idempotency-Key`: a request that is sent twice is carried out once.

The answer is stored for a day, in the transaction of the change. Refusals are not stored, because they change nothing.
A key must not be used for a different request, nor while the first request is still running.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus

from callsieve.api.problem import UNPROCESSABLE, ApiError
from reputation.store.users import KeptAnswer, answer_of, has_room, keep_answer

_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
BAD_KEY = "must be 1 to 200 visible ASCII characters, such as a UUID"
REUSED = "this key was used for another request within the last day: use a new key for each request"
IN_FLIGHT = "the first request with this key is still running: try again in a second"
NO_ROOM = (
    "too many idempotency keys within a day: leave the header Idempotency-Key out if repeating the request does no harm"
)
HEADER = "Idempotency-Key"


def parse_key(text: str | None) -> str | None:
    """Return the value of the header `Idempotency-Key`; None without this header. Raise ApiError if it is malformed."""
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad-idempotency-key", BAD_KEY, HEADER)
    return text


def request_digest(method: str, target: str, body: bytes) -> str:
    """Return a hash of a request. Two requests have the same hash only if they are identical."""
    return sha256(b"\0".join((method.encode(), target.encode(), body))).hexdigest()


class KeysInFlight:
    """The Idempotency-Keys of the requests that are running now, each with the id of the token that sent the key."""

    def __init__(self) -> None:
        self._keys: set[tuple[int, str]] = set()

    @contextmanager
    def reserve(self, token_id: int, key: str) -> Iterator[None]:
        """Reserve a key while its request runs. Raise ApiError if another request with the same key is running."""
        if (token_id, key) in self._keys:
            raise ApiError(HTTPStatus.CONFLICT, "key-in-flight", IN_FLIGHT, HEADER, {"Retry-After": "1"})
        self._keys.add((token_id, key))
        try:
            yield
        finally:
            self._keys.discard((token_id, key))


def earlier_answer(db: sqlite3.Connection, token_id: int, key: str, digest: str, now: float) -> KeptAnswer | None:
    """Return the answer that is stored for a key; None if the key is new.

    Raise ApiError if the key was used for a different request, or if the token has stored too many answers.
    """
    kept = answer_of(db, token_id, key, now)
    if kept is None:
        if not has_room(db, token_id, now):
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-keys", NO_ROOM, HEADER, {"Retry-After": "3600"})
        return None
    if kept.digest != digest:
        raise ApiError(UNPROCESSABLE, "key-reused", REUSED, HEADER)
    return kept


def keep(db: sqlite3.Connection, token_id: int, key: str, answer: KeptAnswer, now: float) -> None:
    """Store an answer for a key if none is stored. Used by endpoints that do more than write to the store."""
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
    """Return the stored answer for the key. If no answer is stored, call `write` and store its result.

    Must run in a transaction. The second value says whether an earlier request had stored the answer.
    """
    kept = earlier_answer(db, token_id, key, digest, now)
    if kept is not None:
        return kept, True
    status, body = write()
    answer = KeptAnswer(digest, status, body.decode())
    keep_answer(db, token_id, key, answer, now)
    return answer, False
