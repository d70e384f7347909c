"""Signed statements: files that anybody can verify.

A file is JSON with a `statement` and the `signature` of its canonical JSON. docs/reference/signed-statements.md
describes the format, and has code that verifies it without CallSieve.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from callsieve.signing import keys
from callsieve.system.files import complete_file
from policies.files import open_regular
from reputation.weights import DAY_SECONDS

ALGORITHM = "Ed25519"
NUMBER_CLEARED = "number-cleared"  # the type of callsieve.public_page.web.pages
MOST_BYTES = 4 << 20
GREATEST = 2**53 - 1  # the largest integer that every JSON library reads exactly
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_FIELDS = {"about", "issued_at", "issuer", "key_id", "type", "valid_until"}


class StatementError(ValueError):
    """Raised if a text is not a statement signed by the key.

    `code`: `not-a-statement`, `other-key` or `bad-signature`.
    """

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement with a valid signature. Times are whole UTC seconds. `valid_until`: None if it never expires."""

    kind: str
    issuer: str
    key_id: str
    issued_at: int
    valid_until: int | None
    about: Mapping[str, Any]

    def is_over(self, now: float) -> bool:
        """Return whether the statement has expired."""
        return self.valid_until is not None and self.valid_until <= now


def sign(
    key: keys.SigningKey,
    kind: str,
    issuer: str,
    *,
    issued_at: float,
    valid_until: float | None,
    about: Mapping[str, Any],
) -> str:
    """Return a signed statement as text. Raise ValueError for values that `canonical` cannot encode."""
    statement = {
        **{"type": kind, "issuer": issuer, "key_id": key.public_key.id, "about": about},
        **{"issued_at": _iso(issued_at), "valid_until": None if valid_until is None else _iso(valid_until)},
    }
    value = base64.b64encode(key.sign(canonical(statement))).decode()
    signature = {"algorithm": ALGORITHM, "key_id": key.public_key.id, "value": value}
    both = {"statement": statement, "signature": signature}
    return json.dumps(both, ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def verify(text: str | bytes, key: keys.PublicKey) -> SignedStatement:
    """Return the statement if this key signed it, even if it has expired. Raise StatementError for any other text."""
    fields = _parsed(text)
    statement, signature = fields.get("statement"), fields.get("signature")
    if not isinstance(statement, dict) or not isinstance(signature, dict) or statement.keys() != _FIELDS:
        raise _no_statement("the file has no `statement` and `signature`")
    if signature.get("algorithm") != ALGORITHM:
        raise _no_statement(f"the algorithm is not {ALGORITHM}")
    if statement["key_id"] != key.id:
        raise StatementError("other-key", f"it is not signed by key {key.id}")
    try:
        key.verify(base64.b64decode(str(signature.get("value")), validate=True), canonical(statement))
    except RecursionError:
        raise _no_statement("the JSON is nested too deeply") from None
    except (keys.BadSignature, binascii.Error, ValueError):
        raise StatementError("bad-signature", "the signature does not fit this text and key: do not trust it") from None
    return _statement(statement)


def canonical(value: object) -> bytes:
    """Return a value as canonical JSON (RFC 8785): sorted names, no spaces or needless escapes.

    Raises:
        ValueError: A name is not an ASCII word, a number is not whole or is beyond 2**53, or a text is invalid.
    """
    _check(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"not allowed as a name in a statement: {name!r}")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif value is not None and not isinstance(value, str | bool) and not _is_whole(value):
        raise ValueError(f"not allowed in a statement: {type(value).__name__} {value!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= GREATEST


def _parsed(text: str | bytes) -> dict[str, Any]:
    if len(text) > MOST_BYTES:
        raise _no_statement("it is too long")
    try:
        parsed = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise _no_statement("it is not JSON") from None
    if not isinstance(parsed, dict):
        raise _no_statement("it is not a JSON object")
    return parsed


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dict. A repeated name is an error, because parsers disagree on which value counts."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("repeated name")
    return values


def _statement(fields: Mapping[str, Any]) -> SignedStatement:
    try:
        until = fields["valid_until"]
        return SignedStatement(
            kind=str(fields["type"]),
            issuer=str(fields["issuer"]),
            key_id=str(fields["key_id"]),
            issued_at=_seconds(fields["issued_at"]),
            valid_until=None if until is None else _seconds(until),
            about=dict(fields["about"]),
        )
    except (TypeError, ValueError):
        raise _no_statement("fields of a statement are missing or invalid") from None


def _no_statement(why: str) -> StatementError:
    return StatementError("not-a-statement", f"this is not a signed statement: {why}")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime(_TIME)


def _seconds(text: str) -> int:
    return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())


KIND: Final = "key-handover"
OVERLAP_DAYS: Final = 30
HANDOVER_FILE: Final = "signing.handover.json"
STATE_BYTES: Final = 4096
PUBLIC_MODE: Final = 0o644


class HandoverUnderWay(ValueError):
    """Raised if the key is changed again before the last change ends at `until`: not all readers know the new key."""

    def __init__(self, until: int) -> None:
        super().__init__(until)
        self.until = until


def rotate(state: Path, issuer: str, now: float) -> keys.PublicKey:
    """Sign with a new key from now on. Raise HandoverUnderWay, KeyFileError or OSError.

    The handover (the new key, signed by the old key) is written first. It has no effect if writing the key then fails.
    """
    old = keys.signing_key(state)
    if (last := handover_of(state, old.public_key, now)) is not None:
        assert last.valid_until is not None
        raise HandoverUnderWay(last.valid_until)
    seed = os.urandom(keys.KEY_BYTES)
    new = keys.SigningKey(seed).public_key
    about = {"key": new.text, "before": old.public_key.text}
    until = now + OVERLAP_DAYS * DAY_SECONDS
    text = sign(old, KIND, issuer, issued_at=now, valid_until=until, about=about)
    for name, raw, mode in (
        (HANDOVER_FILE, text.encode(), PUBLIC_MODE),
        (keys.KEY_FILE, base64.b64encode(seed) + b"\n", keys.MODE),
    ):
        with complete_file(state / name, mode) as file:
            file.write(raw)
    return new


def handover_of(state: Path, key: keys.PublicKey, now: float) -> SignedStatement | None:
    """Return the handover from the former key to this key; None if there is no valid handover."""
    text = handover_text(state)
    if text is None:
        return None
    try:
        statement = verify(text, key_before(text))
        counts = statement.about.get("key") == key.text and not statement.is_over(now)
        return statement if counts else None
    except (StatementError, keys.KeyFileError):
        return None


def handover_text(state: Path) -> bytes | None:
    """Return the text of the last handover, or None."""
    try:
        with open_regular(state / HANDOVER_FILE) as file:
            return file.read(STATE_BYTES + 1)
    except FileNotFoundError:
        return None


def key_before(text: bytes) -> keys.PublicKey:
    """Return the former key in a handover. Raise KeyFileError or StatementError."""
    try:
        return keys.PublicKey.parse(str(json.loads(text)["statement"]["about"]["before"]))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        raise StatementError("not-a-statement", "the statement names no former key") from None


def read_handover(text: bytes, old: keys.PublicKey, now: float) -> keys.PublicKey:
    """Return the new key in a valid handover that the old key signed. Raise StatementError or KeyFileError."""
    statement = verify(text, old)
    if statement.kind != KIND or statement.valid_until is None or statement.is_over(now):
        raise StatementError("not-a-statement", f"this is not a valid {KIND}")
    if statement.issued_at < statement.valid_until - OVERLAP_DAYS * DAY_SECONDS - 1:
        raise StatementError("not-a-statement", f"this {KIND} is valid for longer than {OVERLAP_DAYS} days")
    return keys.PublicKey.parse(str(statement.about.get("key")))
