"""What platforms (carriers, apps, lists) show of our own numbers: each look, who looked, and when to look again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from reputation.encoding import Instant
from reputation.events import EventKind, LabelChanged
from reputation.own.grades import Due
from reputation.store.outbox import add_event
from reputation.wording import Wording


class LookKind(StrEnum):
    """How it was seen."""

    MANUAL = "manual"  # somebody looked at a phone, or in an app
    ASKED = "asked"  # a [[lookup]] was asked
    LISTED = "listed"  # an imported list was read


class Look(NamedTuple):
    """A look at what a platform shows of a number. `label`: what it shows, "" for nothing; `marks`: how many marks it
    says that there are, null: it does not say; `person`: who looked; `proof`: a file with its SHA-256, or a text;
    `next_at`: when to look again.

    Attributes:
        number: A telephone number: E.164, or the key of a service number.
        platform: The platform that shows labels.
        at: When it happened.
        kind: Which kind it is.
    """

    number: str
    platform: str
    at: Instant
    label: str
    marks: int | None = None
    kind: LookKind = LookKind.MANUAL
    person: str = ""
    proof: str = ""
    next_at: Instant | None = None


class LabelChange(NamedTuple):
    """A platform that shows something else than before; `before` None: it was looked at for the first time.

    Attributes:
        number: A telephone number: E.164, or the key of a service number.
        platform: The platform that shows labels.
        at: When it happened.
        before: How it was before the change; null where there was nothing.
        label: The label that is shown.
        marks: The marks.
    """

    number: str
    platform: str
    at: Instant
    before: str | None
    label: str
    marks: int | None


COLUMNS = ", ".join(Look._fields)
PUT = f"INSERT OR REPLACE INTO own_label ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
OF_NUMBER = f"SELECT {COLUMNS} FROM own_label WHERE number = ? ORDER BY at DESC, platform LIMIT ?"
BEFORE = f"""
SELECT {COLUMNS} FROM own_label WHERE number = ? AND platform = ? AND at < ? ORDER BY at DESC LIMIT 1
"""
# The row of a max() is the row with the maximum: so SQLite has it.
LATEST = f"SELECT {COLUMNS.replace('at,', 'max(at),', 1)} FROM own_label GROUP BY number, platform ORDER BY 1, 2"
SINCE = f"SELECT {COLUMNS} FROM own_label WHERE at >= ? AND at < ? ORDER BY at, number, platform"
LISTS = """
SELECT import_source.name, own_number.number, imported.number IS NOT NULL, coalesce(imported.category, '')
  FROM import_source JOIN own_number
  LEFT JOIN imported ON imported.source = import_source.id AND imported.number = own_number.number
 WHERE live = 1 AND verdict = 'spam' ORDER BY 1, 2
"""


def add_look(db: sqlite3.Connection, look: Look) -> LabelChange | None:
    """Keeps it, and tells where the platform shows something else than before. Call it in a transaction."""
    before = look_before(db, look)
    put_look(db, look)
    change = _change(before, look)
    if change is not None:
        data = LabelChanged(
            number=look.number, platform=look.platform, before=change.before, label=look.label, marks=look.marks
        )
        add_event(db, EventKind.LABEL_CHANGED, look.number, look.at, data)
    return change


def put_look(db: sqlite3.Connection, look: Look) -> None:
    """Keep it, and tell nobody."""
    db.execute(PUT, look)


def look_before(db: sqlite3.Connection, look: Look) -> Look | None:
    """The look before it at the same platform."""
    return next((_look(row) for row in db.execute(BEFORE, (look.number, look.platform, look.at))), None)


def looks_of(db: sqlite3.Connection, number: str, limit: int = 100) -> list[Look]:
    """The looks at a number, the latest first."""
    return [_look(row) for row in db.execute(OF_NUMBER, (number, limit))]


def latest_looks(db: sqlite3.Connection) -> list[Look]:
    """The latest of each number and platform, in that order."""
    return [_look(row) for row in db.execute(LATEST)]


def labels_of(db: sqlite3.Connection, number: str) -> tuple[tuple[str, str], ...]:
    """Return the platforms that showed something of the number when they were looked at last, and what."""
    return tuple((look.platform, look.label) for look in latest_looks(db) if look.number == number and look.label)


def looks_due(looks: Iterable[Look], until: float) -> list[Look]:
    """Those of the latest looks that are to be repeated by then, the earliest first."""
    due = [(look.next_at, look) for look in looks if look.next_at is not None and look.next_at <= until]
    return [look for _, look in sorted(due)]


def looks_to_make(db: sqlite3.Connection, until: float) -> list[Due]:
    """The same, as what is to be done about our numbers."""
    return [
        Due(look.number, look.next_at or 0.0, Wording("check again what {platform} shows", {"platform": look.platform}))
        for look in looks_due(latest_looks(db), until)
    ]


def changed_labels(db: sqlite3.Connection, since: float, until: float) -> list[LabelChange]:
    """What platforms began or ceased to show from `since` until before `until`, in that order."""
    looks = [_look(row) for row in db.execute(SINCE, (since, until))]
    return [change for look in looks if (change := _change(look_before(db, look), look)) is not None]


def lists_about_ours(db: sqlite3.Connection) -> list[tuple[str, str, bool, str]]:
    """Of each imported list of spam and each number of ours: whether it is on it, and as what."""
    return [(name, number, bool(listed), category) for name, number, listed, category in db.execute(LISTS)]


def _change(before: Look | None, look: Look) -> LabelChange | None:
    """A first look that finds nothing is no change."""
    was = None if before is None else before.label
    if (was or "") == look.label:
        return None
    return LabelChange(look.number, look.platform, look.at, was, look.label, look.marks)


def _look(row: tuple[str, str, float, str, int | None, str, str, str, float | None]) -> Look:
    number, platform, at, label, marks, kind, person, proof, next_at = row
    return Look(number, platform, at, label, marks, LookKind(kind), person, proof, next_at)


PUT_SCREENSHOT = """
INSERT OR REPLACE INTO own_screenshot (number, platform, at, name, kind, digest, content) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SCREENSHOT_COLUMNS = "platform, at, name, kind, length(content), digest"
SCREENSHOTS_OF_NUMBER = (
    f"SELECT {SCREENSHOT_COLUMNS} FROM own_screenshot WHERE number = ? AND at >= ? ORDER BY at DESC, platform LIMIT ?"
)
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
    """A picture without its content. `platform` and `at` are those of its look.

    Attributes:
        platform: The platform that shows labels.
        at: When it happened.
        name: The name.
        kind: Which kind it is.
        size: The size in bytes.
        digest: The SHA-256 of the content, in hex.
    """

    platform: str
    at: Instant
    name: str
    kind: str
    size: int
    digest: str


def put_screenshot(db: sqlite3.Connection, look: Look, new: NewScreenshot) -> None:
    """Keeps the picture of a look. Call it in a transaction."""
    db.execute(PUT_SCREENSHOT, (look.number, look.platform, look.at, new.name, new.kind, new.digest, new.content))


def remove_screenshot(db: sqlite3.Connection, look: Look) -> None:
    """Forgets the picture of a look."""
    db.execute(REMOVE, (look.number, look.platform, look.at))


def screenshots_of(db: sqlite3.Connection, number: str, since: float = 0.0, limit: int = 100) -> list[Screenshot]:
    """Those of the number since then, the latest first."""
    return [Screenshot(*row) for row in db.execute(SCREENSHOTS_OF_NUMBER, (number, since, limit))]


def screenshot_content(db: sqlite3.Connection, number: str, digest: str) -> tuple[str, bytes] | None:
    """Its kind and its content; None: there is no such."""
    row = db.execute(CONTENT, (number, digest)).fetchone()
    return None if row is None else (str(row[0]), bytes(row[1]))


def size_of_screenshots(db: sqlite3.Connection) -> int:
    """How many bytes all together have."""
    return int(db.execute(SIZE).fetchone()[0])
