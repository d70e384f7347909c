"""Asking for a pack: it is checked, and noted in the audit before anything leaves the store.

announce: operation (callsieve/changes/operation.py). archive.py writes it then, in no transaction: it reads for long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from callsieve.changes.fields import number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.evidence_packs.platforms import platforms
from callsieve.own_numbers.operations import registered
from callsieve.signing.keys import KeyFileError, SigningKey, signing_key
from callsieve.text.times import day
from policies.hints import nearest
from reputation.own.register import NumberState
from reputation.wording import Wording

LANGUAGES = ("en", "zh")
MOST_DAYS = 180
DEFAULT_DAYS = 90
MOST_FILES = 10
MOST_FILE_BYTES = 10 << 20
IN_MEMORY_BYTES = 1 << 20  # what is larger waits on the disk until it is sent


class AttachedFile(NamedTuple):
    """A document that goes into the pack as it is. `name` is that of its file, and one of a kind."""

    name: str
    content: bytes


class PackRequest(NamedTuple):
    """A pack as somebody typed it."""

    number: str
    platform: str
    language: str = "en"
    days: int = DEFAULT_DAYS
    files: Sequence[AttachedFile] = ()


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
    with change(db, context, "own pack", number, request.platform):
        pass
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
    if len(request.files) > MOST_FILES or len({one.name for one in request.files}) < len(request.files):
        words = Wording("takes at most {most} files, each of another name", {"most": MOST_FILES})
        raise Refused("bad-files", words, "document")
    for one in request.files:
        if len(one.content) > MOST_FILE_BYTES or not _is_plain(one.name):
            raise Refused(
                "bad-file", Wording("{file} is larger than 10 MB, or has no plain name", {"file": one.name}), "document"
            )


def _is_plain(name: str) -> bool:
    """Whether whoever unpacks the zip gets a file of this name where they expect it, on any system."""
    return name.isprintable() and not set(name) & set("/\\:") and name.strip(". ") != ""
