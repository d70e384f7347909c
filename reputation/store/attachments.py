"""What is shown for an appeal: call records and statements, as files of bounded size in the store."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import NamedTuple

from reputation.appeals import ATTACHMENT_BYTES, ATTACHMENTS, LINE_CHARACTERS, AppealError
from reputation.encoding import Instant
from reputation.wording import Wording

ADD = """
INSERT INTO attachment (appeal, place, name, added_at, added_by, digest, content)
SELECT :appeal, 1 + coalesce(max(place), 0), :name, :at, :by, :digest, :content FROM attachment WHERE appeal = :appeal
"""
COLUMNS = "place, name, added_at, added_by, length(content), digest"
OF = f"SELECT {COLUMNS} FROM attachment WHERE appeal = ? ORDER BY place"
CONTENT = "SELECT content FROM attachment WHERE appeal = ? AND place = ?"
SIZE = "SELECT coalesce(sum(length(content)), 0) FROM attachment WHERE added_by = ?"
REMOVE = f"DELETE FROM attachment WHERE appeal = ? AND place = ? RETURNING {COLUMNS}"


class Attachment(NamedTuple):
    """One piece of evidence without its content. `place`: 1, 2, ... within the appeal; `digest`: SHA-256."""

    place: int
    name: str
    added_at: Instant
    added_by: str
    size: int
    digest: str


class NewAttachment(NamedTuple):
    """A piece of evidence to be added. `name`: of its file, or what it is; `added_by`: who of us."""

    name: str
    content: bytes
    added_by: str


def attach(db: sqlite3.Connection, reference: str, new: NewAttachment, at: float) -> Attachment:
    """Adds it to the appeal; what is there already is not added again. AppealError: too large, or too many."""
    name = "".join(filter(str.isprintable, new.name)).strip()[:LINE_CHARACTERS] or "unnamed"
    if not new.content:
        raise AppealError("empty-file", Wording("{file} is empty: there is nothing to attach", {"file": name}))
    if len(new.content) > ATTACHMENT_BYTES:
        words = Wording("{file} is larger than 1 MB: attach the part that matters", {"file": name})
        raise AppealError("file-too-large", words)
    there = attachments_of(db, reference)
    digest = hashlib.sha256(new.content).hexdigest()
    known = next((one for one in there if one.digest == digest), None)
    if known is not None:
        return known
    if len(there) >= ATTACHMENTS:
        words = Wording("an appeal has at most {most} attachments", {"most": ATTACHMENTS})
        raise AppealError("too-many-files", words)
    about = {"appeal": reference, "name": name, "at": at, "by": new.added_by, "digest": digest, "content": new.content}
    db.execute(ADD, about)
    return attachments_of(db, reference)[-1]


def attachments_of(db: sqlite3.Connection, reference: str) -> list[Attachment]:
    """What was attached, in the order of its coming."""
    return [Attachment(*row) for row in db.execute(OF, (reference,))]


def size_of_all(db: sqlite3.Connection, added_by: str) -> int:
    """How many bytes all together have that somebody added."""
    return int(db.execute(SIZE, (added_by,)).fetchone()[0])


def content_of(db: sqlite3.Connection, reference: str, place: int) -> bytes | None:
    """The content of one; None: there is no such."""
    row = db.execute(CONTENT, (reference, place)).fetchone()
    return None if row is None else bytes(row[0])


def detach(db: sqlite3.Connection, reference: str, place: int) -> Attachment | None:
    """Removes one for good, and returns what it was; None: there is no such."""
    return next((Attachment(*row) for row in db.execute(REMOVE, (reference, place)).fetchall()), None)
