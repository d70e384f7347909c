"""Takes what a company publishes: its index, and of its files those that make our copy the same.

Everything is checked before a row is written: the signature, that it is no older copy and no second history, that it
has not run out, each file's digest and size, and each row. What is refused leaves what was taken before.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol

from callsieve.exchange.health import ExchangeProblem, UnusableBundle, of_key
from callsieve.exchange.rows import (
    HANDOVER_FILE,
    INDEX_FILE,
    KEY_FILE,
    MOST_INDEX_BYTES,
    NUMBER,
    PIECE_BYTES,
    BadRow,
    DamagedFile,
    PublishedDelta,
    PublishedFile,
    SignedIndex,
    changes_in,
    delta_head,
    deltas_from,
    read_index,
    rows_in,
    snapshot_head,
    unpacked_lines,
)
from callsieve.exchange_settings import ExchangeTable
from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import OutsideClient, RequestLimits
from callsieve.signing.keys import KeyFileError, PublicKey
from callsieve.signing.statements import (
    MOST_BYTES,
    NUMBER_CLEARED,
    SignedStatement,
    StatementError,
    read_handover,
    verify,
)
from policies.files import open_regular
from reputation.formulas import week_of
from reputation.store.peers import (
    PeerNumber,
    PeerState,
    TakenIndex,
    change_numbers,
    count_numbers,
    key_now,
    replace_numbers,
)

FILE_SECONDS, INDEX_SECONDS, CONNECT_SECONDS = 300.0, 30.0, 10.0
UNPACKED_TIMES = 10  # as large as it may come, a file may be when it is unpacked
CLOCK_SECONDS = 3600.0  # so far a publisher's clock may be ahead of ours
LONGEST_VALID_SECONDS = 31 * 86_400.0
KEY_FILE_BYTES = 100
MOST_CLEARED = 100_000


class BundleSource(Protocol):
    """Where the files are."""

    async def read(self, name: str, most: int, seconds: float, into: BinaryIO) -> None:
        """Writes the file into another. NotTaken, OutsideError, OSError."""


@dataclass(frozen=True, slots=True)
class ServerSource:
    """A web server."""

    table: ExchangeTable
    client: OutsideClient

    async def read(self, name: str, most: int, seconds: float, into: BinaryIO) -> None:
        """Files are packed already: what a server packs once more would have another digest."""
        url = f"{self.table.url.rstrip('/')}/{name}"
        limits = RequestLimits(seconds, CONNECT_SECONDS, most)
        headers = {"accept-encoding": "identity"}
        private = self.table.private
        answer = await self.client.request("GET", url, headers=headers, limits=limits, allow_private=private, into=into)
        if answer.status != 200:
            raise UnusableBundle(ExchangeProblem.BAD_STATUS, file=name, status=answer.status)


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A directory of this machine, to which somebody copies the files."""

    folder: Path

    async def read(self, name: str, most: int, seconds: float, into: BinaryIO) -> None:
        """Not more than the bytes that it may have; a pipe or a device is refused at once."""
        with open_regular(self.folder / name) as file:
            while piece := file.read(PIECE_BYTES):
                if into.tell() + len(piece) > most:
                    raise UnusableBundle(ExchangeProblem.TOO_LARGE, file=name, most=most)
                into.write(piece)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken. `written`: rows; `unchanged`: it was the same index. `deltas`: so many, None: the snapshot.

    `new_key`: the company signs with it now, as the key before it says.
    """

    index: TakenIndex
    written: int = 0
    unchanged: bool = False
    deltas: int | None = None
    new_key: PublicKey | None = None


async def take(
    db: sqlite3.Connection,
    source: BundleSource,
    table: ExchangeTable,
    state: PeerState,
    own_key: PublicKey | None,
    now: float,
    *,
    accept_fork: bool = False,
) -> Taken:
    """Makes our copy what the company publishes. NotTaken, OutsideError, OSError, StoreError.

    Writes the store in many transactions; that the index was taken is for the caller to record.
    """
    known = PublicKey.parse(key_now(db, table.key)) if table.key else None
    index, key = await _index(source, known, own_key, now)
    new_key = key if key != known else None
    contents, statement = index.contents, index.statement
    _check_history(index, state, now, accept_fork=accept_fork)
    taken = TakenIndex(
        *(of_key(table), statement.issuer, contents.sequence, index.digest),
        *(float(statement.issued_at), float(statement.valid_until or 0)),
        *(contents.snapshot.rows, contents.cleared.rows if contents.cleared else 0),
    )
    if index.digest == state.digest:
        return Taken(taken, unchanged=True, new_key=new_key)
    may_be_deltas = state.sequence and not accept_fork and count_numbers(db, state.id) <= state.numbers
    chain = deltas_from(contents, state.sequence) if may_be_deltas else None
    with ExitStack() as files:
        rows = chain if chain is not None else (contents.snapshot,)
        fetched = [(one, await _file(source, one, table, files)) for one in rows]
        cleared = await _file(source, contents.cleared, table, files) if contents.cleared else None
        for one, file in fetched:
            _check_rows(one, file, contents.sequence)
        statements = list(_cleared(contents.cleared, cleared, key, now)) if cleared else []
        written = 0
        for one, file in fetched:
            file.seek(0)
            lines = unpacked_lines(file, one.unpacked)
            if isinstance(one, PublishedDelta):
                written += change_numbers(db, state.id, changes_in(lines, delta_head(one.before, one.sequence)), now)
            else:
                rows_now = rows_in(lines, snapshot_head(contents.sequence))
                written += replace_numbers(db, state.id, rows_now, now)
        written += replace_numbers(db, state.id, statements, now, cleared=True)
    return Taken(taken, written, deltas=None if chain is None else len(chain), new_key=new_key)


async def _index(
    source: BundleSource, key: PublicKey | None, own_key: PublicKey | None, now: float
) -> tuple[SignedIndex, PublicKey]:
    """Return the index and the key that signed it: the one that is known, or one that it has handed over to."""
    if key is None:
        raise UnusableBundle(ExchangeProblem.NO_KEY, **await offered(source))
    if own_key is not None and key.raw == own_key.raw:
        raise UnusableBundle(ExchangeProblem.OUR_OWN)
    with TemporaryFile(prefix="callsieve-exchange-") as file:
        await source.read(INDEX_FILE, MOST_INDEX_BYTES, INDEX_SECONDS, file)
        file.seek(0)
        raw = file.read()
    try:
        index, key = await _checked(source, raw, key, now)
    except StatementError as error:
        problem = _BY_CODE.get(error.code, ExchangeProblem.NO_INDEX)
        about = {"why": str(error)} if problem is ExchangeProblem.NO_INDEX else {"id": key.id}
        raise UnusableBundle(problem, **about) from None
    statement = index.statement
    if statement.issued_at > now + CLOCK_SECONDS:
        raise UnusableBundle(ExchangeProblem.TOO_NEW)
    until = statement.valid_until
    if until is None or until > statement.issued_at + LONGEST_VALID_SECONDS:
        raise UnusableBundle(ExchangeProblem.NO_INDEX, why="it counts for longer than a month")
    if until <= now:
        raise UnusableBundle(ExchangeProblem.RAN_OUT, day=datetime.fromtimestamp(until, UTC).date().isoformat())
    return index, key


async def _checked(source: BundleSource, raw: bytes, key: PublicKey, now: float) -> tuple[SignedIndex, PublicKey]:
    """Return the index by the key or by the one that it hands over to. StatementError: of the key that is known."""
    try:
        return read_index(raw, key), key
    except StatementError as error:
        if error.code != "other-key":
            raise
        with suppress(StatementError, KeyFileError, UnusableBundle, OutsideError, OSError):
            with TemporaryFile(prefix="callsieve-exchange-") as file:
                await source.read(HANDOVER_FILE, MOST_BYTES, INDEX_SECONDS, file)
                file.seek(0)
                new = read_handover(file.read(), key, now)
            return read_index(raw, new), new
        raise


_BY_CODE = {"other-key": ExchangeProblem.OTHER_KEY, "bad-signature": ExchangeProblem.BAD_SIGNATURE}


async def offered(source: BundleSource) -> dict[str, str]:
    """The key that lies beside the index: to be shown, never to be believed."""
    with TemporaryFile(prefix="callsieve-exchange-") as file:
        await source.read(KEY_FILE, KEY_FILE_BYTES, INDEX_SECONDS, file)
        file.seek(0)
        raw = file.read().decode("ascii", "replace")
    try:
        key = PublicKey.parse(raw)
    except KeyFileError:
        raise UnusableBundle(ExchangeProblem.NO_INDEX, why=f"{KEY_FILE} has no key") from None
    return {"id": key.id, "key": key.text}


def _check_history(index: SignedIndex, state: PeerState, now: float, *, accept_fork: bool) -> None:
    """An older copy, and one of another history, are refused: whoever has the server has both. An index must name the
    one that is in force here, else whoever has the key too would leave out what it does not follow.
    """
    contents = index.contents
    if accept_fork or not state.sequence or index.digest == state.digest:
        return
    if contents.sequence < state.sequence:
        raise UnusableBundle(ExchangeProblem.ROLLED_BACK, sequence=contents.sequence, before=state.sequence)
    before = {one.sequence: one.digest for one in contents.previous}
    if now >= state.counts_until:
        before.setdefault(state.sequence, state.digest)
    if contents.sequence == state.sequence or before.get(state.sequence) != state.digest:
        raise UnusableBundle(ExchangeProblem.FORKED)


async def _file(source: BundleSource, one: PublishedFile, table: ExchangeTable, files: ExitStack) -> BinaryIO:
    """The file with that digest, open until `files` are closed."""
    most = table.megabytes * 1_000_000
    if one.bytes > most or one.unpacked > UNPACKED_TIMES * most:
        raise UnusableBundle(ExchangeProblem.TOO_LARGE, file=one.file, most=most)
    file: BinaryIO = files.enter_context(TemporaryFile(prefix="callsieve-exchange-"))  # noqa: SIM115 it is one
    await source.read(one.file, one.bytes, FILE_SECONDS, file)
    digest = sha256()
    file.seek(0)
    while piece := file.read(1 << 20):
        digest.update(piece)
    if digest.hexdigest() != one.digest:
        raise UnusableBundle(ExchangeProblem.BAD_CHECKSUM, file=one.file)
    return file


def _check_rows(one: PublishedFile, file: BinaryIO, sequence: int) -> None:
    """Every row of it, before the first is written."""
    file.seek(0)
    lines = unpacked_lines(file, one.unpacked)
    try:
        if isinstance(one, PublishedDelta):
            count = sum(1 for _ in changes_in(lines, delta_head(one.before, one.sequence)))
        else:
            count = sum(1 for _ in rows_in(lines, snapshot_head(sequence)))
    except DamagedFile:
        raise UnusableBundle(ExchangeProblem.DAMAGED, file=one.file) from None
    except BadRow as error:
        raise UnusableBundle(ExchangeProblem.BAD_ROW, file=one.file, line=error.line) from None
    if count != one.rows:
        raise UnusableBundle(ExchangeProblem.DAMAGED, file=one.file)


def _cleared(one: PublishedFile | None, file: BinaryIO, key: PublicKey, now: float) -> Iterator[PeerNumber]:
    """A row for each statement that still counts, in the order of their numbers."""
    assert one is not None
    file.seek(0)
    before = ""
    try:
        for line, text in enumerate(unpacked_lines(file, one.unpacked), 1):
            statement = _statement(text, key)
            number = None if statement is None else str(statement.about.get("number"))
            is_good = number is not None and number > before and NUMBER.fullmatch(number) and line <= MOST_CLEARED
            if statement is None or number is None or not is_good:
                raise UnusableBundle(ExchangeProblem.BAD_STATEMENT, file=one.file, line=line)
            before = number
            if not statement.is_over(now):
                yield PeerNumber(number, "", last_week=week_of(statement.issued_at))
    except DamagedFile:
        raise UnusableBundle(ExchangeProblem.DAMAGED, file=one.file) from None


def _statement(text: bytes, key: PublicKey) -> SignedStatement | None:
    """What a line states, if the company signed it, that a number was cleared."""
    with suppress(StatementError, json.JSONDecodeError):
        statement = verify(text, key)
        return statement if statement.kind == NUMBER_CLEARED else None
    return None
