"""The index of what a company publishes: one signed statement that names its files by their digests. Pure.

The statement is one of callsieve.signing, of the type `exchange-index`; docs/exchange-format.md describes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from callsieve.exchange.rows import FORMAT
from callsieve.signing.keys import KeyFileError, PublicKey, SigningKey, signing_key
from callsieve.signing.statements import (
    GREATEST,
    SignedStatement,
    StatementError,
    canonical,
    handover_of,
    handover_text,
    key_before,
    sign,
    verify,
)
from policies.files import open_regular

KIND = "exchange-index"
INDEX_FILE, KEY_FILE, HANDOVER_FILE = "index.json", "key.txt", "handover.json"
MOST_INDEX_BYTES = 1 << 18
MOST_DELTAS, MOST_PREVIOUS = 30, 60
ISSUER_CHARACTERS = 200
FILE_NAME = r"^(snapshot|delta|cleared)-[0-9a-f]{64}\.rows\Z"

Count = Annotated[int, msgspec.Meta(ge=0, le=GREATEST)]
FileName = Annotated[str, msgspec.Meta(pattern=FILE_NAME)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class PublishedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file: its name with the SHA-256 of its bytes, and how many these are, packed and unpacked."""

    file: FileName
    bytes: Count
    unpacked: Count
    rows: Count

    @property
    def digest(self) -> str:
        """The SHA-256 of its bytes."""
        return self.file.partition("-")[2].partition(".")[0]


class PublishedDelta(PublishedFile, frozen=True, kw_only=True):
    """What makes the rows of one sequence number those of a later one."""

    before: Count
    sequence: Count


class PreviousIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index of before: whoever took it must find its digest here, or somebody publishes two histories."""

    sequence: Count
    digest: Digest


class IndexContents(msgspec.Struct, frozen=True, kw_only=True):
    """What the index is about. `listed_at`: when numbers were last added, in UTC seconds; withdrawn they may be later.

    `deltas`: the oldest first, each beginning where the one before ends; `previous`: the latest first.
    """

    format: Literal[1] = 1
    sequence: Count
    listed_at: Count
    least_people: Count
    snapshot: PublishedFile
    deltas: Annotated[tuple[PublishedDelta, ...], msgspec.Meta(max_length=MOST_DELTAS)] = ()
    cleared: PublishedFile | None = None
    previous: Annotated[tuple[PreviousIndex, ...], msgspec.Meta(max_length=MOST_PREVIOUS)] = ()

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """All that it names."""
        return (self.snapshot, *self.deltas, *((self.cleared,) if self.cleared else ()))


class SignedIndex(msgspec.Struct, frozen=True):
    """An index whose signature was found good. `digest` is that of its statement."""

    contents: IndexContents
    statement: SignedStatement
    digest: str


def sign_index(key: SigningKey, issuer: str, contents: IndexContents, issued_at: float, valid_until: float) -> str:
    """The text of index.json."""
    about = msgspec.to_builtins(contents)
    return sign(key, KIND, issuer, issued_at=issued_at, valid_until=valid_until, about=about)


def read_index(text: bytes, key: PublicKey) -> SignedIndex:
    """The index, if this key signed it. StatementError; whether it is over is for the caller to ask."""
    statement = verify(text, key)
    if statement.kind != KIND or len(statement.issuer) > ISSUER_CHARACTERS or not statement.issuer.isprintable():
        raise StatementError("not-a-statement", f"this is no {KIND}")
    try:
        contents = msgspec.convert(dict(statement.about), IndexContents, strict=True)
    except msgspec.ValidationError as error:
        raise StatementError("not-a-statement", f"this is no {KIND} of format {FORMAT}: {error}") from None
    follows = contents.deltas[1:]
    if any(one.sequence != after.before for one, after in zip(contents.deltas, follows, strict=False)):
        raise StatementError("not-a-statement", "its deltas are no chain")
    return SignedIndex(contents, statement, index_digest(text))


def index_digest(text: bytes | str) -> str:
    """The SHA-256 of the statement in an index, as canonical JSON."""
    found: Any = json.loads(text)
    return sha256(canonical(found["statement"])).hexdigest()


def deltas_from(contents: IndexContents, sequence: int) -> tuple[PublishedDelta, ...] | None:
    """The deltas that lead from that sequence number to this index, if they do, and are smaller than its snapshot."""
    if sequence == contents.sequence:
        return ()
    chain: list[PublishedDelta] = []
    for delta in contents.deltas:
        if delta.before == sequence or chain:
            chain.append(delta)
    if not chain or chain[-1].sequence != contents.sequence:
        return None
    return tuple(chain) if sum(one.bytes for one in chain) < contents.snapshot.bytes else None


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
