"""Asking for a pack: it is checked, and noted in the audit before anything leaves the store.

announce: operation (callsieve/changes/operation.py). archive.py writes it then, in no transaction: it reads for long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import NumberText, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.evidence_packs.contents import platforms
from callsieve.own_numbers.operations import registered
from callsieve.signing.keys import KeyFileError, SigningKey, signing_key
from callsieve.text.file_kinds import document_kind_of
from callsieve.text.times import day
from policies.files import nearest
from reputation.own.register import NumberState
from reputation.wording import Wording

LANGUAGES = ("en", "zh")
ROLES = ("", "authorisation", "assignment")
RECIPIENT_CHARACTERS = 100
MOST_DAYS = 180
DEFAULT_DAYS = 90
MOST_FILES = 10
MOST_FILE_BYTES = 10 << 20
IN_MEMORY_BYTES = 1 << 20  # what is larger waits on the disk until it is sent


def _one_of(*words: str) -> Meta:
    return Meta(pattern=f"^({'|'.join(words)})$", extra_json_schema={"enum": list(words)})


KIND_BY_ENDING = {"pdf": "pdf", "png": "png", "jpg": "jpg", "jpeg": "jpg"}


class AttachedFile(msgspec.Struct, frozen=True):
    """A document that goes into the pack as it is.

    Attributes:
        name: The name of the file, another one for each.
        content: The content, in Base64.
        role: What it proves: authorisation, assignment, or empty.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    content: bytes
    role: Annotated[str, _one_of(*ROLES)] = ""


class PackRequest(msgspec.Struct, frozen=True):
    """A pack that is to be made.

    Attributes:
        platform: Who gets it, as `GET /evidence-packs/platforms` names it.
        language: Its language.
        days: How many days back.
        files: Documents that go into the pack.
        unmasked_for: A carrier that gets the called numbers whole, with Call-IDs; empty for nobody.
    """

    number: NumberText
    platform: Annotated[str, Meta(max_length=40)]
    language: Annotated[str, _one_of(*LANGUAGES)] = "en"
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = DEFAULT_DAYS
    files: Annotated[Sequence[AttachedFile], Meta(max_length=MOST_FILES)] = ()
    unmasked_for: Annotated[str, Meta(max_length=RECIPIENT_CHARACTERS)] = ""


class Pack(NamedTuple):
    """A pack that may be made, and with which key. `file_name`: what it is called."""

    request: PackRequest
    number: str
    file_name: str
    key: SigningKey


def announce(db: sqlite3.Connection, context: Context, request: PackRequest) -> Pack:
    """Checks the request, and notes it. Refused, OSError. Without the row in the audit there is no pack."""
    number = number_field(context, request.number)
    _check(request)
    own = registered(db, number)
    if own.state is NumberState.RETIRED:
        raise Refused("retired", Wording("{number} was given back: it is not ours to speak for", {"number": number}))
    if not own.name:
        raise Refused("no-name", Wording("nobody knows in whose name: register it with a name first"))
    try:
        key = signing_key(context.loaded.state)
    except KeyFileError as error:
        raise Refused("bad-key", str(error)) from None
    with change(db, context, "own pack", number, request.platform) as changed:
        if request.unmasked_for:
            changed.after = {"unmasked_for": request.unmasked_for}
    name = f"{number.removeprefix('+')}-{request.platform}-{request.language}-{day(context.at)}.zip"
    return Pack(request, number, name, key)


def _check(request: PackRequest) -> None:
    if request.platform not in platforms():
        asked = request.platform[:30]
        hint = nearest(asked, platforms()) or f"; there are {', '.join(platforms())}"
        places = {"asked": repr(asked), "hint": hint}
        raise Refused("unknown-platform", Wording("does not know {asked}{hint}", places), "for")
    if request.language not in LANGUAGES:
        raise Refused("unknown-language", Wording("takes en or zh"), "language")
    if not 1 <= request.days <= MOST_DAYS:
        raise Refused("bad-days", Wording("takes 1 to {most}", {"most": MOST_DAYS}), "days")
    recipient = request.unmasked_for
    if recipient and platforms()[request.platform].kind != "carrier":
        words = Wording("whole numbers are for a carrier only, which carried the calls")
        raise Refused("not-a-carrier", words, "unmasked-for")
    if recipient != recipient.strip() or not recipient.isprintable() or len(recipient) > RECIPIENT_CHARACTERS:
        words = Wording(
            "takes one line of at most {most} characters: who gets the pack", {"most": RECIPIENT_CHARACTERS}
        )
        raise Refused("bad-recipient", words, "unmasked-for")
    if len(request.files) > MOST_FILES or len({one.name for one in request.files}) < len(request.files):
        words = Wording("takes at most {most} files, each of another name", {"most": MOST_FILES})
        raise Refused("bad-files", words, "document")
    for one in request.files:
        if len(one.content) > MOST_FILE_BYTES or not _is_plain(one.name):
            raise Refused(
                "bad-file", Wording("{file} is larger than 10 MB, or has no plain name", {"file": one.name}), "document"
            )
        if one.role not in ROLES:
            raise Refused("unknown-role", Wording("takes authorisation or assignment"), "document")
        ending = one.name.rpartition(".")[2].lower()
        if KIND_BY_ENDING.get(ending, "") not in ("", kind := document_kind_of(one.content)):
            places = {"file": one.name, "kind": kind or "?"}
            words = Wording("{file} is not what its name says: its content is of the kind {kind}", places)
            raise Refused("other-kind", words, "document")


def _is_plain(name: str) -> bool:
    """Whether whoever unpacks the zip gets a file of this name where they expect it, on any system."""
    return name.isprintable() and not set(name) & set("/\\:") and name.strip(". ") != ""
