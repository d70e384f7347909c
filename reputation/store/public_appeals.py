"""Appeals from the public page, codes that prove control of a number, and files attached to appeals."""

import hashlib
import sqlite3
from typing import NamedTuple

from reputation import appeals
from reputation.encoding import Instant
from reputation.wording import Wording

ADD = "INSERT INTO public_appeal (reference, link, filed_at) VALUES (?, ?, ?)"
OF_LINK = "SELECT reference FROM public_appeal WHERE link = ?"
ALL = "SELECT reference FROM public_appeal"
OPEN = "SELECT count(*) FROM public_appeal JOIN appeal USING (reference) WHERE state = 'open'"
CALLED = "UPDATE public_appeal SET called_at = ? WHERE reference = ?"
CALLED_AT = "SELECT called_at FROM public_appeal WHERE reference = ?"
IS_PUBLIC = "SELECT EXISTS (SELECT 1 FROM public_appeal WHERE reference = ?)"
CLEARED = "SELECT cleared, cleared_key FROM public_appeal WHERE reference = ? AND cleared IS NOT NULL"
KEEP_CLEARED = "UPDATE public_appeal SET cleared = ?, cleared_key = ? WHERE reference = ?"
SINCE = "SELECT count(*) FROM public_appeal WHERE filed_at > ?"


def shown_code(reference: str) -> str:
    """Return the key of the code that the status page of an appeal shows. `keep_code` stores codes by key."""
    return f"shown {reference}"


def called_code(reference: str) -> str:
    """Return the key of the code that CallSieve speaks when it calls the number of an appeal."""
    return f"called {reference}"


def record_called_in(db: sqlite3.Connection, reference: str, at: float) -> None:
    """Record that somebody called from the number of the appeal and keyed in the code."""
    db.execute(CALLED, (at, reference))


def called_in_at(db: sqlite3.Connection, reference: str) -> float | None:
    """Return when somebody last called from the number of the appeal and keyed in the code; None if never."""
    return next((at for (at,) in db.execute(CALLED_AT, (reference,))), None)


def add_public_appeal(db: sqlite3.Connection, reference: str, link: str, at: float) -> None:
    """Record that the appeal was filed on the public page. `link`: the SHA-256 of its secret link, in hex."""
    db.execute(ADD, (reference, link, at))


def reference_of_link(db: sqlite3.Connection, link: str) -> str | None:
    """Return the reference of the appeal whose secret link has this SHA-256 (hex), or None."""
    return next((reference for (reference,) in db.execute(OF_LINK, (link,))), None)


def public_appeals(db: sqlite3.Connection) -> frozenset[str]:
    """Return the references of all appeals from the public page."""
    return frozenset(reference for (reference,) in db.execute(ALL))


def is_public(db: sqlite3.Connection, reference: str) -> bool:
    """Return whether the appeal was filed on the public page."""
    return bool(db.execute(IS_PUBLIC, (reference,)).fetchone()[0])


def keep_cleared(db: sqlite3.Connection, reference: str, text: str, key: str) -> None:
    """Store the signed statement that the appeal's number was cleared, and the public key (base64) of the signature."""
    db.execute(KEEP_CLEARED, (text, key, reference))


def cleared_of(db: sqlite3.Connection, reference: str) -> tuple[str, str] | None:
    """Return the signed statement that the appeal's number was cleared, and the public key for it, or None."""
    return next(((str(text), str(key)) for text, key in db.execute(CLEARED, (reference,))), None)


def count_open_public(db: sqlite3.Connection) -> int:
    """Return how many public appeals are open: filed, but neither in force nor closed."""
    return int(db.execute(OPEN).fetchone()[0])


def count_filed_since(db: sqlite3.Connection, at: float) -> int:
    """Return how many public appeals were filed after `at`."""
    return int(db.execute(SINCE, (at,)).fetchone()[0])


MAKE = """
INSERT INTO call_back_code (about, number, digest, made_at, tries, name) VALUES (?, ?, ?, ?, 0, ?)
ON CONFLICT (about) DO UPDATE SET digest = excluded.digest, made_at = excluded.made_at, tries = 0, name = excluded.name
"""
NAME = "SELECT name FROM call_back_code WHERE about = ?"
OF = "SELECT digest, made_at, tries FROM call_back_code WHERE about = ?"
TRIED = "UPDATE call_back_code SET tries = tries + 1 WHERE about = ?"
SPENT = "DELETE FROM call_back_code WHERE about = ?"


def keep_code(db: sqlite3.Connection, about: str, number: str, code: str, at: float, name: str = "") -> None:
    """Store a code, valid for a day and five tries, under the key `about`. It replaces an earlier code of this key."""
    db.execute(MAKE, (about, number, appeals.digest_of(code, about), at, name))


def name_for(db: sqlite3.Connection, about: str) -> str:
    """Return the owner's name that was given when the code was requested, or "". A right code confirms the name."""
    return next((name for (name,) in db.execute(NAME, (about,))), "")


def code_of(db: sqlite3.Connection, about: str) -> appeals.Code | None:
    """Return the code that is stored under the key `about`, or None."""
    return next((appeals.Code(*row) for row in db.execute(OF, (about,))), None)


def try_code(db: sqlite3.Connection, about: str, text: str, at: float) -> appeals.ProofAnswer:
    """Compare the text with the code stored under `about`. Count a wrong try, or delete the used code.

    Commit in any case, because the number of tries is limited.
    """
    answer = appeals.answer_of(code_of(db, about), text, about, at)
    if answer is appeals.ProofAnswer.RIGHT:
        db.execute(SPENT, (about,))
    elif answer is appeals.ProofAnswer.WRONG:
        db.execute(TRIED, (about,))
    return answer


ADD_ATTACHMENT = """
INSERT INTO attachment (appeal, place, name, added_at, added_by, digest, content)
SELECT :appeal, 1 + coalesce(max(place), 0), :name, :at, :by, :digest, :content FROM attachment WHERE appeal = :appeal
"""
ATTACHMENT_COLUMNS = "place, name, added_at, added_by, length(content), digest"
ATTACHMENTS_OF = f"SELECT {ATTACHMENT_COLUMNS} FROM attachment WHERE appeal = ? ORDER BY place"
CONTENT = "SELECT content FROM attachment WHERE appeal = ? AND place = ?"
SIZE = "SELECT coalesce(sum(length(content)), 0) FROM attachment WHERE added_by = ?"
REMOVE = f"DELETE FROM attachment WHERE appeal = ? AND place = ? RETURNING {ATTACHMENT_COLUMNS}"


class Attachment(NamedTuple):
    """A file attached to an appeal, without its content. `place`: its position, from 1. `digest`: its SHA-256.

    Attributes:
        name: The name of the file, or a description.
        added_at: When the attachment was added.
        added_by: The user who added the attachment.
        size: The size in bytes.
    """

    place: int
    name: str
    added_at: Instant
    added_by: str
    size: int
    digest: str


class NewAttachment(NamedTuple):
    """An attachment to add. `name`: the file's name or a description; `added_by`: the user who adds it."""

    name: str
    content: bytes
    added_by: str


def attach(db: sqlite3.Connection, reference: str, new: NewAttachment, at: float) -> Attachment:
    """Add an attachment to the appeal. If the same content is already attached, return that attachment.

    Raise AppealError if the new attachment is empty or too large, or if the appeal has too many attachments.
    """
    name = "".join(filter(str.isprintable, new.name)).strip()[: appeals.LINE_CHARACTERS] or "unnamed"
    if not new.content:
        raise appeals.AppealError("empty-file", Wording("{file} is empty: there is nothing to attach", {"file": name}))
    if len(new.content) > appeals.ATTACHMENT_BYTES:
        words = Wording("{file} is larger than 1 MB: attach the part that matters", {"file": name})
        raise appeals.AppealError("file-too-large", words)
    attached = attachments_of(db, reference)
    digest = hashlib.sha256(new.content).hexdigest()
    known = next((attachment for attachment in attached if attachment.digest == digest), None)
    if known is not None:
        return known
    if len(attached) >= appeals.ATTACHMENTS:
        words = Wording("an appeal has at most {most} attachments", {"most": appeals.ATTACHMENTS})
        raise appeals.AppealError("too-many-files", words)
    about = {"appeal": reference, "name": name, "at": at, "by": new.added_by, "digest": digest, "content": new.content}
    db.execute(ADD_ATTACHMENT, about)
    return attachments_of(db, reference)[-1]


def attachments_of(db: sqlite3.Connection, reference: str) -> list[Attachment]:
    """Return the attachments of an appeal, the oldest first."""
    return [Attachment(*row) for row in db.execute(ATTACHMENTS_OF, (reference,))]


def size_of_all(db: sqlite3.Connection, added_by: str) -> int:
    """Return the total size in bytes of all attachments that this user has added."""
    return int(db.execute(SIZE, (added_by,)).fetchone()[0])


def content_of(db: sqlite3.Connection, reference: str, place: int) -> bytes | None:
    """Return the content of an attachment, or None if there is no attachment at `place`."""
    row = db.execute(CONTENT, (reference, place)).fetchone()
    return None if row is None else bytes(row[0])


def detach(db: sqlite3.Connection, reference: str, place: int) -> Attachment | None:
    """Delete an attachment permanently. Return its description, or None if there is no attachment at `place`."""
    return next((Attachment(*row) for row in db.execute(REMOVE, (reference, place)).fetchall()), None)
