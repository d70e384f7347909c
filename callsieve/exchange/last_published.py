"""What lies in the directory where we publish, signed by our key or, for a while, by the one before it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from callsieve.exchange.index import INDEX_FILE, MOST_INDEX_BYTES, SignedIndex, read_index
from callsieve.signing.keys import KeyFileError, PublicKey, signing_key
from callsieve.signing.statements import StatementError, handover_of, handover_text, key_before
from policies.files import open_regular


def last_published(folder: Path, state: Path) -> SignedIndex | None:
    """Return the index in the directory, if it is ours and can be read."""
    try:
        keys, _ = published_keys(state, signing_key(state).public_key, time.time())
        with open_regular(folder / INDEX_FILE) as file:
            return read_own_index(file.read(MOST_INDEX_BYTES + 1), keys)
    except (OSError, StatementError, KeyFileError):
        return None


def published_keys(state: Path, key: PublicKey, now: float) -> tuple[tuple[PublicKey, ...], bytes | None]:
    """Return our key, with the one before it while its handover counts, and the text of that handover."""
    text = handover_text(state)
    if text is None or handover_of(state, key, now) is None:
        return (key,), None
    return (key, key_before(text)), text


def read_own_index(text: bytes, keys: Sequence[PublicKey]) -> SignedIndex:
    """Return the index, if one of our keys signed it. StatementError."""
    for key in keys[:-1]:
        try:
            return read_index(text, key)
        except StatementError as error:
            if error.code != "other-key":
                raise
    return read_index(text, keys[-1])
