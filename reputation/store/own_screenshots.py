"""Pictures of what platforms show of our own numbers, each with the look that it is of. Their own table: an attachment
belongs to an appeal, goes with it, and is never shown.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import NamedTuple

from reputation.encoding import Instant
from reputation.store.own_labels import Look

PUT = """
INSERT OR REPLACE INTO own_screenshot (number, platform, at, name, kind, digest, content) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
COLUMNS = "platform, at, name, kind, length(content), digest"
OF_NUMBER = f"SELECT {COLUMNS} FROM own_screenshot WHERE number = ? AND at >= ? ORDER BY at DESC, platform LIMIT ?"
CONTENT = "SELECT kind, content FROM own_screenshot WHERE number = ? AND digest = ? LIMIT 1"
REMOVE = "DELETE FROM own_screenshot WHERE number = ? AND platform = ? AND at = ?"
SIZE = "SELECT coalesce(sum(length(content)), 0) FROM own_screenshot"


class NewScreenshot(NamedTuple):
    """A picture to be kept. `kind`: png, jpg or webp, by its content."""

    name: str
    kind: str
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256, in hex."""
        return hashlib.sha256(self.content).hexdigest()


class Screenshot(NamedTuple):
    """A picture without its content. `platform` and `at` are those of its look."""

    platform: str
    at: Instant
    name: str
    kind: str
    size: int
    digest: str


def put_screenshot(db: sqlite3.Connection, look: Look, new: NewScreenshot) -> None:
    """Keeps the picture of a look. Call it in a transaction."""
    db.execute(PUT, (look.number, look.platform, look.at, new.name, new.kind, new.digest, new.content))


def remove_screenshot(db: sqlite3.Connection, look: Look) -> None:
    """Forgets the picture of a look."""
    db.execute(REMOVE, (look.number, look.platform, look.at))


def screenshots_of(db: sqlite3.Connection, number: str, since: float = 0.0, limit: int = 100) -> list[Screenshot]:
    """Those of the number since then, the latest first."""
    return [Screenshot(*row) for row in db.execute(OF_NUMBER, (number, since, limit))]


def screenshot_content(db: sqlite3.Connection, number: str, digest: str) -> tuple[str, bytes] | None:
    """Its kind and its content; None: there is no such."""
    row = db.execute(CONTENT, (number, digest)).fetchone()
    return None if row is None else (str(row[0]), bytes(row[1]))


def size_of_screenshots(db: sqlite3.Connection) -> int:
    """How many bytes all together have."""
    return int(db.execute(SIZE).fetchone()[0])
