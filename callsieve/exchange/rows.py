"""The rows of a published file: gzipped text lines, sorted by number and authentication class; and the index of files.

    callsieve-exchange,1,snapshot,29405310
    +12017421834,u,warn,5,10,2948,2960,scam
    +12017421899,u                              only in a delta: this row was removed

A snapshot has all rows, and a delta has the changes since an earlier snapshot. exchange-format.md describes the fields.
Input may be hostile: every line must match exactly, and a file must unpack to the size in its index.
"""

import json
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import msgspec

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
from reputation.model import AuthClass, Level
from reputation.store.peers import Change, PeerNumber

FORMAT = 1
PIECE_BYTES = 1 << 16
MOST_LINE = 1 << 13  # bytes; a statement is the longest
GZIP = zlib.MAX_WBITS | 16
# Letters make files a third smaller. Their order is that of the words.
LETTER_BY_CLASS = {AuthClass.AUTHENTICATED: "a", AuthClass.UNAUTHENTICATED: "n", AuthClass.UNKNOWN: "u"}
CLASS_BY_LETTER = {letter: auth_class.value for auth_class, letter in LETTER_BY_CLASS.items()}
_LETTERS = {auth_class.value: letter for auth_class, letter in LETTER_BY_CLASS.items()}
# The evidence of a company justifies no higher level. Its receiver decides what to do with a call.
LEVELS = {Level.WARN.word: int(Level.WARN), Level.CHALLENGE.word: int(Level.CHALLENGE)}
_WORDS = {level: word for word, level in LEVELS.items()}
# Counts are rounded down to a step, so that a single further person hardly ever shows.
PEOPLE_STEPS = (3, 5, 10, 20, 50)
ANSWERED_STEPS = (0, 5, 10, 20, 50, 100)
NUMBER = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)
CATEGORY = re.compile(r"[a-z][a-z-]{0,19}")
_LINE = re.compile(
    rb"(\+[1-9][0-9]{5,14}),([anu])"
    rb"(?:,(warn|challenge),(0|[1-9][0-9]{0,4}),(0|[1-9][0-9]{0,4}),([1-9][0-9]{0,4}),([1-9][0-9]{0,4}),([a-z][a-z-]{0,19})?)?"
)


class DamagedFile(Exception):
    """The file cannot be unpacked, or its unpacked size differs from the size in its index."""


class BadRow(Exception):
    """A line is not a valid row, or not in order. `line`: the position of the line in the file, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not a valid row")
        self.line = line


def snapshot_head(sequence: int) -> str:
    """Return the first line of a snapshot file. `sequence`: the sequence number of the publication."""
    return f"callsieve-exchange,{FORMAT},snapshot,{sequence}"


def delta_head(before: int, sequence: int) -> str:
    """Return the first line of a delta file. `before`, `sequence`: the numbers of the old and the new publication."""
    return f"callsieve-exchange,{FORMAT},delta,{before},{sequence}"


def step_of(count: int, steps: tuple[int, ...]) -> int:
    """Round a count down to the highest of `steps` that is not above it, so that published counts reveal less."""
    return max(step for step in steps if step <= count)


def row_line(row: PeerNumber) -> str:
    """Return the text line of a row."""
    counts = f"{row.witnesses},{row.answered},{row.first_week},{row.last_week}"
    return f"{row.number},{_LETTERS[row.auth_class]},{_WORDS[row.level]},{counts},{row.category}"


def removal_line(key: tuple[str, str]) -> str:
    """Return the line of a delta that removes the row with this key."""
    return f"{key[0]},{_LETTERS[key[1]]}"


class PackedLines:
    """A gzipped file that is written line by line. With the same version of zlib, equal lines give equal bytes."""

    def __init__(self, file: BinaryIO, head: str) -> None:
        self._file, self._packer = file, zlib.compressobj(9, zlib.DEFLATED, GZIP)
        self._lines: list[str] = []
        self.rows = self.unpacked = 0
        if head:
            self._add(head)

    def write(self, line: str) -> None:
        """Write one line."""
        self.rows += 1
        self._add(line)

    def close(self) -> None:
        """Write the remaining bytes. The file stays open."""
        self._pack()
        self._file.write(self._packer.flush())

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= 4096:
            self._pack()

    def _pack(self) -> None:
        raw = "".join([f"{line}\n" for line in self._lines]).encode()
        self.unpacked += len(raw)
        self._file.write(self._packer.compress(raw))
        self._lines.clear()


def unpacked_lines(file: BinaryIO, unpacked: int) -> Iterator[bytes]:
    """Yield the lines of a gzipped file, in little memory. Raise DamagedFile unless `unpacked` is its unpacked size."""
    packer, arrived, rest = zlib.decompressobj(GZIP), 0, b""
    while piece := file.read(PIECE_BYTES):
        while piece:
            try:
                part = packer.decompress(piece, PIECE_BYTES)
            except zlib.error:
                raise DamagedFile from None
            piece = packer.unconsumed_tail
            arrived += len(part)
            lines = (rest + part).split(b"\n")
            rest = lines.pop()
            if arrived > unpacked or packer.unused_data or len(rest) > MOST_LINE:
                raise DamagedFile
            yield from lines
            if not part and packer.eof:
                break
    if rest or not packer.eof or arrived != unpacked:
        raise DamagedFile


def changes_in(lines: Iterable[bytes], head: str) -> Iterator[Change]:
    """Yield the key and new row (None: removed) of each change. Raise DamagedFile, or BadRow for an invalid line."""
    before = ("", "")
    for number, line in enumerate(lines, 1):
        if number == 1:
            if line != head.encode():
                raise BadRow(1)
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadRow(number)
        e164, letter, word, *counts, category = match.groups()
        key = e164.decode(), CLASS_BY_LETTER[letter.decode()]
        if key <= before:
            raise BadRow(number)
        before = key
        if word is None:
            yield key, None
        else:
            witnesses, answered, first, last = map(int, counts)
            word, category = word.decode(), (category or b"").decode()
            yield key, PeerNumber(*key, LEVELS[word], witnesses, answered, first, last, category)


def rows_in(lines: Iterable[bytes], head: str) -> Iterator[PeerNumber]:
    """Yield the rows of a snapshot that begins with `head`. Raise DamagedFile, or BadRow for an invalid line."""
    for number, (_, row) in enumerate(changes_in(lines, head), 2):
        if row is None:
            raise BadRow(number)
        yield row


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
    """A published file. Its name contains its SHA-256. `bytes`, `unpacked`: its size in bytes, packed and unpacked."""

    file: FileName
    bytes: Count
    unpacked: Count
    rows: Count

    @property
    def digest(self) -> str:
        """Return the SHA-256 that the file's name contains."""
        return self.file.partition("-")[2].partition(".")[0]


class PublishedDelta(PublishedFile, frozen=True, kw_only=True):
    """A file with the changes since an earlier publication, whose sequence number is `before`."""

    before: Count
    sequence: Count


class PreviousIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier index that the current index names.

    A reader looks for the last index that it fetched among these. If it is missing, the publisher has two histories.
    """

    sequence: Count
    digest: Digest


class IndexContents(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of index.json. `listed_at`: when numbers were last added, UTC seconds; withdrawals may be later.

    `deltas`: the oldest first; each begins where the previous delta ends. `previous`: earlier indexes, latest first.
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
        """Return all files that the index names."""
        return (self.snapshot, *self.deltas, *((self.cleared,) if self.cleared else ()))


class SignedIndex(msgspec.Struct, frozen=True):
    """An index whose signature is valid. `digest`: the SHA-256 of the signed statement."""

    contents: IndexContents
    statement: SignedStatement
    digest: str


def sign_index(key: SigningKey, issuer: str, contents: IndexContents, issued_at: float, valid_until: float) -> str:
    """Return the text of index.json, which contains the contents and the signature of `key`."""
    about = msgspec.to_builtins(contents)
    return sign(key, KIND, issuer, issued_at=issued_at, valid_until=valid_until, about=about)


def read_index(text: bytes, key: PublicKey) -> SignedIndex:
    """Parse the text of index.json. Raise StatementError if this key did not sign it. The expiry is not checked."""
    statement = verify(text, key)
    if statement.kind != KIND or len(statement.issuer) > ISSUER_CHARACTERS or not statement.issuer.isprintable():
        raise StatementError("not-a-statement", f"this is not a statement of kind {KIND}")
    try:
        contents = msgspec.convert(dict(statement.about), IndexContents, strict=True)
    except msgspec.ValidationError as error:
        raise StatementError(
            "not-a-statement", f"this is not a statement of kind {KIND}, format {FORMAT}: {error}"
        ) from None
    follows = contents.deltas[1:]
    if any(delta.sequence != after.before for delta, after in zip(contents.deltas, follows, strict=False)):
        raise StatementError("not-a-statement", "the deltas of the index are not consecutive")
    return SignedIndex(contents, statement, index_digest(text))


def index_digest(text: bytes | str) -> str:
    """Return the SHA-256 of the statement in the text of an index. The statement is hashed as canonical JSON."""
    index: Any = json.loads(text)
    return sha256(canonical(index["statement"])).hexdigest()


def deltas_from(contents: IndexContents, sequence: int) -> tuple[PublishedDelta, ...] | None:
    """Return the deltas from a sequence number to this index; None if one is missing or the snapshot is smaller."""
    if sequence == contents.sequence:
        return ()
    chain: list[PublishedDelta] = []
    for delta in contents.deltas:
        if delta.before == sequence or chain:
            chain.append(delta)
    if not chain or chain[-1].sequence != contents.sequence:
        return None
    return tuple(chain) if sum(delta.bytes for delta in chain) < contents.snapshot.bytes else None


def last_published(folder: Path, state: Path) -> SignedIndex | None:
    """Return the index in the directory; None if it cannot be read or was not signed by this company."""
    try:
        keys, _ = published_keys(state, signing_key(state).public_key, time.time())
        with open_regular(folder / INDEX_FILE) as file:
            return read_own_index(file.read(MOST_INDEX_BYTES + 1), keys)
    except (OSError, StatementError, KeyFileError):
        return None


def published_keys(state: Path, key: PublicKey, now: float) -> tuple[tuple[PublicKey, ...], bytes | None]:
    """Return this company's key, and its former key while the handover is valid; then the handover's text, or None."""
    text = handover_text(state)
    if text is None or handover_of(state, key, now) is None:
        return (key,), None
    return (key, key_before(text)), text


def read_own_index(text: bytes, keys: Sequence[PublicKey]) -> SignedIndex:
    """Parse the text of this company's index.json. Raise StatementError if none of these keys signed it."""
    for key in keys[:-1]:
        try:
            return read_index(text, key)
        except StatementError as error:
            if error.code != "other-key":
                raise
    return read_index(text, keys[-1])
