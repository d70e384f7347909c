"""Another key for the same signer: the old key signs the new one, and that statement is published for 30 days.

rotate(state, issuer, now) -> PublicKey         the key that signs from now on
read_handover(text, old, now) -> PublicKey      what the old key says, for whoever knows that key
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Final

from callsieve.signing.keys import KEY_BYTES, KEY_FILE, MODE, KeyFileError, PublicKey, SigningKey, signing_key
from callsieve.signing.statements import Statement, StatementError, sign, verify
from callsieve.system.files import complete_file
from policies.files import open_regular
from reputation.weights import DAY_SECONDS

KIND: Final = "key-handover"
OVERLAP_DAYS: Final = 30
HANDOVER_FILE: Final = "signing.handover.json"
MOST_BYTES: Final = 4096
PUBLIC_MODE: Final = 0o644


class HandoverUnderWay(ValueError):
    """The last handover still counts: whoever has not seen it knows the key before it alone. `until`: UTC seconds."""

    def __init__(self, until: int) -> None:
        super().__init__(until)
        self.until = until


def rotate(state: Path, issuer: str, now: float) -> PublicKey:
    """Sign with a new key from now on. HandoverUnderWay, KeyFileError, OSError.

    The handover is written before the key takes its place: one that names another key than ours counts for nothing.
    """
    old = signing_key(state)
    if (last := handover_of(state, old.public_key, now)) is not None:
        assert last.valid_until is not None
        raise HandoverUnderWay(last.valid_until)
    seed = os.urandom(KEY_BYTES)
    new = SigningKey(seed).public_key
    about = {"key": new.text, "before": old.public_key.text}
    until = now + OVERLAP_DAYS * DAY_SECONDS
    text = sign(old, KIND, issuer, issued_at=now, valid_until=until, about=about)
    for name, raw, mode in (
        (HANDOVER_FILE, text.encode(), PUBLIC_MODE),
        (KEY_FILE, base64.b64encode(seed) + b"\n", MODE),
    ):
        with complete_file(state / name, mode) as file:
            file.write(raw)
    return new


def handover_of(state: Path, key: PublicKey, now: float) -> Statement | None:
    """Return the handover to our key, as long as it counts."""
    text = handover_text(state)
    if text is None:
        return None
    try:
        statement = verify(text, key_before(text))
        counts = statement.about.get("key") == key.text and not statement.is_over(now)
        return statement if counts else None
    except (StatementError, KeyFileError):
        return None


def handover_text(state: Path) -> bytes | None:
    """Return the file of the last handover; None where there is none."""
    try:
        with open_regular(state / HANDOVER_FILE) as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None


def key_before(text: bytes) -> PublicKey:
    """Return the key that says that it signed a handover. KeyFileError, StatementError."""
    try:
        return PublicKey.parse(str(json.loads(text)["statement"]["about"]["before"]))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        raise StatementError("not-a-statement", "it names no key before it") from None


def read_handover(text: bytes, old: PublicKey, now: float) -> PublicKey:
    """Return the new key, if the old one signed it and that still counts. StatementError, KeyFileError."""
    statement = verify(text, old)
    if statement.kind != KIND or statement.valid_until is None or statement.is_over(now):
        raise StatementError("not-a-statement", f"this is no {KIND} that counts")
    if statement.issued_at < statement.valid_until - OVERLAP_DAYS * DAY_SECONDS - 1:
        raise StatementError("not-a-statement", f"this {KIND} counts for longer than {OVERLAP_DAYS} days")
    return PublicKey.parse(str(statement.about.get("key")))
