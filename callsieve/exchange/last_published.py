"""What lies in the directory where we publish."""

from __future__ import annotations

from pathlib import Path

from callsieve.exchange.index import INDEX_FILE, MOST_INDEX_BYTES, SignedIndex, read_index
from callsieve.signing.keys import KeyFileError, signing_key
from callsieve.signing.statements import StatementError
from policies.files import open_regular


def last_published(folder: Path, state: Path) -> SignedIndex | None:
    """The index in the directory, if it is ours and can be read."""
    try:
        with open_regular(folder / INDEX_FILE) as file:
            return read_index(file.read(MOST_INDEX_BYTES + 1), signing_key(state).public_key)
    except (OSError, StatementError, KeyFileError):
        return None
