"""Label checks: what platforms (carriers, apps, spam lists) show when own numbers call, and when to check again."""

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


class LabelCheckKind(StrEnum):
    """How a label was checked."""

    MANUAL = "manual"  # somebody checked on a phone or in an app
    ASKED = "asked"  # a [[lookup]] service answered
    LISTED = "listed"  # it is on an imported list, or not


class LabelCheck(NamedTuple):
    """A check of the label that a platform shows for an own number.

    Attributes:
        number: The own number, E.164.
        platform: The platform that shows labels.
        at: When the label was checked.
        label: The label shown; empty if no label is shown.
        marks: How many spam reports of the number the platform shows; null if unknown.
        kind: How the label was checked.
        person: The person who checked.
        proof: The proof of the check: a text, or the name and SHA-256 of a file.
        next_at: When to check again.
    """

    number: str
    platform: str
    at: Instant
    label: str
    marks: int | None = None
    kind: LabelCheckKind = LabelCheckKind.MANUAL
    person: str = ""
    proof: str = ""
    next_at: Instant | None = None


class LabelChange(NamedTuple):
    """A change of the label that a platform shows for an own number. The first label seen counts as a change.

    Attributes:
        number: The own number, E.164.
        platform: The platform that shows labels.
        at: When the new label was first seen.
        before: The label at the previous check; null at the first check.
        label: The label that is shown; empty if no label is shown.
        marks: How many spam reports of the number the platform shows; null if unknown.
    """

    number: str
    platform: str
    at: Instant
    before: str | None
    label: str
    marks: int | None


COLUMNS = ", ".join(LabelCheck._fields)
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


def record_label_check(db: sqlite3.Connection, check: LabelCheck) -> LabelChange | None:
    """Store a check. If the platform's label has changed, emit an event and return the change. Use a transaction."""
    before = label_check_before(db, check)
    put_label_check(db, check)
    change = _change(before, check)
    if change is not None:
        data = LabelChanged(
            number=check.number, platform=check.platform, before=change.before, label=check.label, marks=check.marks
        )
        add_event(db, EventKind.LABEL_CHANGED, check.number, check.at, data)
    return change


def put_label_check(db: sqlite3.Connection, check: LabelCheck) -> None:
    """Store a check without emitting an event."""
    db.execute(PUT, check)


def label_check_before(db: sqlite3.Connection, check: LabelCheck) -> LabelCheck | None:
    """Return the check of the same number and platform that came before `check`, or None."""
    return next((_check(row) for row in db.execute(BEFORE, (check.number, check.platform, check.at))), None)


def label_checks_of(db: sqlite3.Connection, number: str, limit: int = 100) -> list[LabelCheck]:
    """Return the label checks of a number, newest first."""
    return [_check(row) for row in db.execute(OF_NUMBER, (number, limit))]


def latest_label_checks(db: sqlite3.Connection) -> list[LabelCheck]:
    """Return the latest check of each number and platform, ordered by number and platform."""
    return [_check(row) for row in db.execute(LATEST)]


def labels_of(db: sqlite3.Connection, number: str) -> tuple[tuple[str, str], ...]:
    """Return each platform that showed a label for the number at its latest check, with the label."""
    return tuple(
        (check.platform, check.label) for check in latest_label_checks(db) if check.number == number and check.label
    )


def label_checks_due(checks: Iterable[LabelCheck], until: float) -> list[LabelCheck]:
    """Return the checks that must be repeated by `until`, the earliest first."""
    due = [(check.next_at, check) for check in checks if check.next_at is not None and check.next_at <= until]
    return [check for _, check in sorted(due)]


def label_checks_to_make(db: sqlite3.Connection, until: float) -> list[Due]:
    """Return a task for each label check that is due by `until`."""
    return [
        Due(
            check.number,
            check.next_at or 0.0,
            Wording("check again what {platform} shows", {"platform": check.platform}),
        )
        for check in label_checks_due(latest_label_checks(db), until)
    ]


def changed_labels(db: sqlite3.Connection, since: float, until: float) -> list[LabelChange]:
    """Return changes of labels that were seen between `since` and `until` (exclusive), oldest first."""
    checks = [_check(row) for row in db.execute(SINCE, (since, until))]
    return [change for check in checks if (change := _change(label_check_before(db, check), check)) is not None]


def spam_lists_and_own_numbers(db: sqlite3.Connection) -> list[tuple[str, str, bool, str]]:
    """Return a row per spam list and own number: list, number, whether the number is listed, and its category."""
    return [(name, number, bool(listed), category) for name, number, listed, category in db.execute(LISTS)]


def _change(before: LabelCheck | None, check: LabelCheck) -> LabelChange | None:
    was = None if before is None else before.label
    if (was or "") == check.label:
        return None
    return LabelChange(check.number, check.platform, check.at, was, check.label, check.marks)


def _check(row: tuple[str, str, float, str, int | None, str, str, str, float | None]) -> LabelCheck:
    number, platform, at, label, marks, kind, person, proof, next_at = row
    return LabelCheck(number, platform, at, label, marks, LabelCheckKind(kind), person, proof, next_at)


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
    """A screenshot to store with a label check. `kind`: png, jpg or webp, recognised from the content."""

    name: str
    kind: str
    content: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 of the screenshot's content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


class Screenshot(NamedTuple):
    """A stored screenshot of a label check, without its content.

    Attributes:
        platform: The platform that shows labels.
        at: When the label was checked.
        name: The name of the file.
        kind: The format of the file: png, jpg or webp.
        size: The size in bytes.
        digest: The SHA-256 of the content, in hex.
    """

    platform: str
    at: Instant
    name: str
    kind: str
    size: int
    digest: str


def put_screenshot(db: sqlite3.Connection, check: LabelCheck, new: NewScreenshot) -> None:
    """Store the screenshot of a check. Call it in a transaction."""
    db.execute(PUT_SCREENSHOT, (check.number, check.platform, check.at, new.name, new.kind, new.digest, new.content))


def remove_screenshot(db: sqlite3.Connection, check: LabelCheck) -> None:
    """Delete the screenshot of a check."""
    db.execute(REMOVE, (check.number, check.platform, check.at))


def screenshots_of(db: sqlite3.Connection, number: str, since: float = 0.0, limit: int = 100) -> list[Screenshot]:
    """Return the screenshots of label checks of the number since `since`, newest first."""
    return [Screenshot(*row) for row in db.execute(SCREENSHOTS_OF_NUMBER, (number, since, limit))]


def screenshot_content(db: sqlite3.Connection, number: str, digest: str) -> tuple[str, bytes] | None:
    """Return the kind and the content of the screenshot with this digest, or None if no such screenshot is stored."""
    row = db.execute(CONTENT, (number, digest)).fetchone()
    return None if row is None else (str(row[0]), bytes(row[1]))


def size_of_screenshots(db: sqlite3.Connection) -> int:
    """Return the total size of all screenshots in bytes."""
    return int(db.execute(SIZE).fetchone()[0])
