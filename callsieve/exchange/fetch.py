"""Fetches what a company publishes: an index, and files that update this site's copy of the company's data.

Signature, history, expiry, digests, sizes and rows are checked first. If a check fails, the earlier data stays.
"""

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

from callsieve.exchange.health import ExchangeProblem, UnusableBundle, peer_id_of
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
UNPACKED_TIMES = 10  # an unpacked file may be this many times as large as a packed one
CLOCK_SECONDS = 3600.0  # how far a publisher's clock may be ahead
LONGEST_VALID_SECONDS = 31 * 86_400.0
KEY_FILE_BYTES = 100
MOST_CLEARED = 100_000


class BundleSource(Protocol):
    """A place from which a company's files are read."""

    async def read(self, name: str, most: int, seconds: float, into: BinaryIO) -> None:
        """Copy a file of at most `most` bytes into `into`. Raise UnusableBundle, OutsideError or OSError."""


@dataclass(frozen=True, slots=True)
class ServerSource:
    """A company's web server as the source of its files."""

    table: ExchangeTable
    client: OutsideClient

    async def read(self, name: str, most: int, seconds: float, into: BinaryIO) -> None:
        """Download a file into `into`, without content encoding: this would change the digest of the file."""
        url = f"{self.table.url.rstrip('/')}/{name}"
        limits = RequestLimits(seconds, CONNECT_SECONDS, most)
        headers = {"accept-encoding": "identity"}
        private = self.table.private
        answer = await self.client.request("GET", url, headers=headers, limits=limits, allow_private=private, into=into)
        if answer.status != 200:
            raise UnusableBundle(ExchangeProblem.BAD_STATUS, file=name, status=answer.status)


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A local directory with copies of a company's files."""

    folder: Path

    async def read(self, name: str, most: int, seconds: float, into: BinaryIO) -> None:
        """Copy a file of at most `most` bytes to `into`. Refuse a pipe or device at once."""
        with open_regular(self.folder / name) as file:
            while piece := file.read(PIECE_BYTES):
                if into.tell() + len(piece) > most:
                    raise UnusableBundle(ExchangeProblem.TOO_LARGE, file=name, most=most)
                into.write(piece)


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of a fetch. `unchanged`: whether the index is the same as at the last fetch.

    `deltas`: how many files of changes were applied; None if all rows were read (a snapshot) or nothing changed.
    `new_key`: the company's new key, signed by its former key; None if the key did not change.
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
    """Update a company's rows from its published files, in many transactions. The result is not recorded.

    `own_key`: this company's key, which no other company may use.
    """
    known = PublicKey.parse(key_now(db, table.key)) if table.key else None
    index, key = await _index(source, known, own_key, now)
    new_key = key if key != known else None
    contents, statement = index.contents, index.statement
    _check_history(index, state, now, accept_fork=accept_fork)
    taken = TakenIndex(
        *(peer_id_of(table), statement.issuer, contents.sequence, index.digest),
        *(float(statement.issued_at), float(statement.valid_until or 0)),
        *(contents.snapshot.rows, contents.cleared.rows if contents.cleared else 0),
    )
    if index.digest == state.digest:
        return Taken(taken, unchanged=True, new_key=new_key)
    may_be_deltas = state.sequence and not accept_fork and count_numbers(db, state.id) <= state.numbers
    chain = deltas_from(contents, state.sequence) if may_be_deltas else None
    with ExitStack() as files:
        rows = chain if chain is not None else (contents.snapshot,)
        fetched = [(published, await _file(source, published, table, files)) for published in rows]
        cleared = await _file(source, contents.cleared, table, files) if contents.cleared else None
        for published, file in fetched:
            _check_rows(published, file, contents.sequence)
        statements = list(_cleared(contents.cleared, cleared, key, now)) if cleared else []
        written = 0
        for published, file in fetched:
            file.seek(0)
            lines = unpacked_lines(file, published.unpacked)
            if isinstance(published, PublishedDelta):
                written += change_numbers(
                    db, state.id, changes_in(lines, delta_head(published.before, published.sequence)), now
                )
            else:
                rows_now = rows_in(lines, snapshot_head(contents.sequence))
                written += replace_numbers(db, state.id, rows_now, now)
        written += replace_numbers(db, state.id, statements, now, cleared=True)
    return Taken(taken, written, deltas=None if chain is None else len(chain), new_key=new_key)


async def _index(
    source: BundleSource, key: PublicKey | None, own_key: PublicKey | None, now: float
) -> tuple[SignedIndex, PublicKey]:
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
        raise UnusableBundle(ExchangeProblem.NO_INDEX, why="the index is valid for longer than a month")
    if until <= now:
        raise UnusableBundle(ExchangeProblem.RAN_OUT, day=datetime.fromtimestamp(until, UTC).date().isoformat())
    return index, key


async def _checked(source: BundleSource, raw: bytes, key: PublicKey, now: float) -> tuple[SignedIndex, PublicKey]:
    """Return the index and the key that signed it: `key`, or a new key that `key` has signed. Raise StatementError."""
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
    """Return the `id` and `key` beside the index. A person must check the key with the company before it is trusted."""
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
    """Refuse an index that is older than the last fetched index, or that has another history.

    An attacker on the server could publish an older index. An attacker with the key could publish a second history. So
    the new index must name the last fetched index among its previous indexes.
    """
    contents = index.contents
    if accept_fork or not state.sequence or index.digest == state.digest:
        return
    if contents.sequence < state.sequence:
        raise UnusableBundle(ExchangeProblem.ROLLED_BACK, sequence=contents.sequence, before=state.sequence)
    before = {index.sequence: index.digest for index in contents.previous}
    if now >= state.counts_until:
        before.setdefault(state.sequence, state.digest)
    if contents.sequence == state.sequence or before.get(state.sequence) != state.digest:
        raise UnusableBundle(ExchangeProblem.FORKED)


async def _file(source: BundleSource, published: PublishedFile, table: ExchangeTable, files: ExitStack) -> BinaryIO:
    most = table.megabytes * 1_000_000
    if published.bytes > most or published.unpacked > UNPACKED_TIMES * most:
        raise UnusableBundle(ExchangeProblem.TOO_LARGE, file=published.file, most=most)
    file: BinaryIO = files.enter_context(TemporaryFile(prefix="callsieve-exchange-"))  # noqa: SIM115 in an ExitStack
    await source.read(published.file, published.bytes, FILE_SECONDS, file)
    digest = sha256()
    file.seek(0)
    while piece := file.read(1 << 20):
        digest.update(piece)
    if digest.hexdigest() != published.digest:
        raise UnusableBundle(ExchangeProblem.BAD_CHECKSUM, file=published.file)
    return file


def _check_rows(published: PublishedFile, file: BinaryIO, sequence: int) -> None:
    file.seek(0)
    lines = unpacked_lines(file, published.unpacked)
    try:
        if isinstance(published, PublishedDelta):
            count = sum(1 for _ in changes_in(lines, delta_head(published.before, published.sequence)))
        else:
            count = sum(1 for _ in rows_in(lines, snapshot_head(sequence)))
    except DamagedFile:
        raise UnusableBundle(ExchangeProblem.DAMAGED, file=published.file) from None
    except BadRow as error:
        raise UnusableBundle(ExchangeProblem.BAD_ROW, file=published.file, line=error.line) from None
    if count != published.rows:
        raise UnusableBundle(ExchangeProblem.DAMAGED, file=published.file)


def _cleared(published: PublishedFile | None, file: BinaryIO, key: PublicKey, now: float) -> Iterator[PeerNumber]:
    assert published is not None
    file.seek(0)
    before = ""
    try:
        for line, text in enumerate(unpacked_lines(file, published.unpacked), 1):
            statement = _statement(text, key)
            number = None if statement is None else str(statement.about.get("number"))
            is_good = number is not None and number > before and NUMBER.fullmatch(number) and line <= MOST_CLEARED
            if statement is None or number is None or not is_good:
                raise UnusableBundle(ExchangeProblem.BAD_STATEMENT, file=published.file, line=line)
            before = number
            if not statement.is_over(now):
                yield PeerNumber(number, "", last_week=week_of(statement.issued_at))
    except DamagedFile:
        raise UnusableBundle(ExchangeProblem.DAMAGED, file=published.file) from None


def _statement(text: bytes, key: PublicKey) -> SignedStatement | None:
    with suppress(StatementError, json.JSONDecodeError):
        statement = verify(text, key)
        return statement if statement.kind == NUMBER_CLEARED else None
    return None
