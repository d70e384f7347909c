"""Publishes evidence for other companies, as static files for any web server (docs/how-to/exchange.md).

Somebody who compares two publications could infer single marks or calls. To prevent this, numbers are added at most
once a day, and the row of a number changes at most once a week. But a number is withdrawn at once if fewer than three
people still speak against it.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

import msgspec

from callsieve.changes.operation import Context, Refused, change
from callsieve.exchange.candidates import LEAST_PEOPLE, Candidate, cleared_lines, listed_numbers
from callsieve.exchange.rows import (
    FILE_NAME,
    HANDOVER_FILE,
    INDEX_FILE,
    KEY_FILE,
    MOST_DELTAS,
    MOST_INDEX_BYTES,
    MOST_PREVIOUS,
    BadRow,
    DamagedFile,
    IndexContents,
    PackedLines,
    PreviousIndex,
    PublishedDelta,
    PublishedFile,
    SignedIndex,
    delta_head,
    published_keys,
    read_index,
    read_own_index,
    removal_line,
    row_line,
    rows_in,
    sign_index,
    snapshot_head,
    unpacked_lines,
)
from callsieve.signing.keys import KeyFileError, PublicKey, SigningKey, signing_key
from callsieve.signing.statements import StatementError
from callsieve.system.files import complete_file
from policies.files import open_regular
from reputation.formulas import week_of
from reputation.store.peers import PeerNumber
from reputation.wording import Wording

DAY_SECONDS = 86_400.0
# Minimum time between two publications that add numbers. The timer may be some hours late without losing a day.
LEAST_GAP_SECONDS = 20 * 3600.0
# Validity of an index: it ends the use of an old copy, and of what was erased here since.
VALID_SECONDS = 7 * DAY_SECONDS
DELTA_SECONDS = 14 * DAY_SECONDS
# Files that the index no longer names stay for this long, for readers of the former index.
KEPT_SECONDS = 2 * DAY_SECONDS
MODE = 0o644
LOCK_FILE = ".lock"
# In the state directory: a copy of the index of the settings' directory, which keeps its history if that is lost.
COPY_FILE = "exchange-index.json"
_OUR_FILE = re.compile(FILE_NAME)


class PublishBundleRequest(NamedTuple):
    """A request to publish to a directory. `purge`: remove earlier files and publish no deltas, as after an erasure."""

    directory: Path
    purge: bool = False


class PublishedBundle(NamedTuple):
    """The result of a publication. `is_full`: whether numbers could be added; if not, they were only withdrawn.

    `delta`: the file with the changes; None for the first publication, after a purge, or if earlier rows were lost.
    """

    sequence: int
    numbers: int
    added: int
    changed: int
    withdrawn: int
    cleared: int
    is_full: bool
    snapshot: PublishedFile
    delta: PublishedDelta | None


class _Before(NamedTuple):
    """The previous publication: its index, or None for the first; and its rows (to be read once), or None if lost."""

    signed: SignedIndex | None = None
    rows: Iterator[PeerNumber] | None = None


def publish(db: sqlite3.Connection, context: Context, request: PublishBundleRequest) -> PublishedBundle:
    """Write the files, then the index that names them. Call it outside a transaction. Raise Refused or OSError."""
    issuer, key = signer_of(context)
    request.directory.mkdir(parents=True, exist_ok=True)
    with _alone(request.directory):
        return _publish(db, context, request, issuer, key)


def signer_of(context: Context) -> tuple[str, SigningKey]:
    """Return this company's name and signing key for its publication. Raise Refused or OSError."""
    settings = context.settings
    issuer = settings.publish.name.strip() or settings.public.name.strip()
    if not issuer:
        words = Wording("the publisher's name is missing: set `name` in [publish]")
        raise Refused("no-name", words)
    try:
        return issuer, signing_key(context.loaded.state)
    except KeyFileError as error:
        raise Refused("bad-key", str(error)) from None


def _publish(
    db: sqlite3.Connection, context: Context, request: PublishBundleRequest, issuer: str, key: SigningKey
) -> PublishedBundle:
    folder, now, copy = request.directory, context.at, _copy(context, request.directory)
    keys, handover = published_keys(context.loaded.state, key.public_key, now)
    with _published_before(folder, copy, keys) as before:
        last = before.signed.contents if before.signed else None
        listed_at = last.listed_at if last else 0
        is_full = before.rows is None or not 0 <= now - listed_at < LEAST_GAP_SECONDS
        # Minutes since 1970: it still grows after the directory was lost.
        sequence = max(int(now // 60), last.sequence + 1 if last else 1)
        with (
            _Writer(folder, "snapshot", snapshot_head(sequence)) as snapshot,
            _Writer(Path(), "delta", delta_head(last.sequence if last else 0, sequence)) as delta,
        ):
            may_change = is_full and week_of(listed_at) != week_of(now)
            merge = _Merge(snapshot, delta, may_add=is_full, may_change=may_change, week=week_of(now))
            merge.run(iter(()) if before.rows is None else before.rows, listed_numbers(db, context))
            snapshot_file = snapshot.place()
            has_delta = last is not None and before.rows is not None and not request.purge
            delta_file = delta.place_in(folder, last.sequence, sequence) if last and has_delta else None
    with _Writer(folder, "cleared", "") as cleared:
        for line in cleared_lines(db, context, key, issuer):
            cleared.lines.write(line)
        cleared_file = cleared.place() if cleared.lines.rows else None
    contents = IndexContents(
        sequence=sequence,
        listed_at=int(now) if is_full else listed_at,
        least_people=LEAST_PEOPLE,
        snapshot=snapshot_file,
        deltas=_chain(last, delta_file, snapshot_file, now, purge=request.purge),
        cleared=cleared_file,
        previous=_previous(before.signed),
    )
    text = sign_index(key, issuer, contents, now, now + VALID_SECONDS).encode()
    assert len(text) <= MOST_INDEX_BYTES
    read_index(text, key.public_key)  # as readers will
    _write(folder / KEY_FILE, f"{key.public_key.text}\n".encode())
    if handover is not None:
        _write(folder / HANDOVER_FILE, handover)  # before the index: readers who know only the old key look here
    else:
        (folder / HANDOVER_FILE).unlink(missing_ok=True)
    _write(folder / INDEX_FILE, text)
    if copy is not None:
        _write(copy, text)
    _clean(folder, contents, last, now, purge=request.purge)
    published = PublishedBundle(
        *(sequence, merge.numbers, merge.added, merge.changed, merge.withdrawn),
        *(cleared_file.rows if cleared_file else 0, is_full, snapshot_file, delta_file),
    )
    with change(db, context, "exchange publish", name=str(sequence)) as changed:
        changed.after = {"numbers": published.numbers, "added": published.added, "withdrawn": published.withdrawn}
    return published


class _Merge:
    """Merges the rows of the last publication with the candidates, into the next snapshot and a delta (the changes)."""

    def __init__(self, snapshot: _Writer, delta: _Writer, *, may_add: bool, may_change: bool, week: int) -> None:
        self._snapshot, self._delta = snapshot.lines, delta.lines
        self._may_add, self._may_change, self._week = may_add, may_change, week
        self.numbers = self.added = self.changed = self.withdrawn = 0

    def run(self, before: Iterator[PeerNumber], after: Iterator[Candidate]) -> None:
        old, new = next(before, None), next(after, None)
        while old is not None or new is not None:
            if new is None or (old is not None and old.key < new.row.key):
                assert old is not None
                self.withdrawn += 1
                self._delta.write(removal_line(old.key))
                old = next(before, None)
            elif old is None or new.row.key < old.key:
                self._add(new)
                new = next(after, None)
            else:
                self._update(old, new.row)
                old, new = next(before, None), next(after, None)

    def _add(self, new: Candidate) -> None:
        if self._may_add and new.may_begin:
            self.added += 1
            self._keep(new.row)
            self._delta.write(row_line(new.row))

    def _update(self, old: PeerNumber, new: PeerNumber) -> None:
        # Rows change on the first day of a week. A latest witness of this week would reveal the day.
        new = new._replace(last_week=max(old.last_week, min(new.last_week, self._week - 1)))
        if new == old or not self._may_change:
            self._keep(old)
            return
        self.changed += 1
        self._keep(new)
        self._delta.write(row_line(new))

    def _keep(self, row: PeerNumber) -> None:
        self.numbers += 1
        self._snapshot.write(row_line(row))


class _Writer:
    """A published file that is being written. When it is complete, it gets a name that contains its digest."""

    def __init__(self, folder: Path, kind: str, head: str) -> None:
        self._folder, self._kind = folder, kind
        self._file: BinaryIO = TemporaryFile(prefix="callsieve-exchange-")  # noqa: SIM115 closed at __exit__
        self.lines = PackedLines(self._file, head)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def place(self) -> PublishedFile:
        self.lines.close()
        size, digest = self._file.tell(), sha256()
        self._file.seek(0)
        while piece := self._file.read(1 << 20):
            digest.update(piece)
        name = f"{self._kind}-{digest.hexdigest()}.rows"
        self._file.seek(0)
        with complete_file(self._folder / name, MODE) as file:
            while piece := self._file.read(1 << 20):
                file.write(piece)
        return PublishedFile(file=name, bytes=size, unpacked=self.lines.unpacked, rows=self.lines.rows)

    def place_in(self, folder: Path, before: int, sequence: int) -> PublishedDelta:
        self._folder = folder
        return PublishedDelta(before=before, sequence=sequence, **msgspec.structs.asdict(self.place()))


def _copy(context: Context, folder: Path) -> Path | None:
    loaded, ours = context.loaded, context.settings.publish.directory
    return loaded.state / COPY_FILE if ours and loaded.state_path(ours) == folder else None


def _index_in(path: Path, keys: Sequence[PublicKey]) -> SignedIndex:
    with open_regular(path) as file:
        return read_own_index(file.read(MOST_INDEX_BYTES + 1), keys)


@contextmanager
def _published_before(folder: Path, copy: Path | None, keys: Sequence[PublicKey]) -> Iterator[_Before]:
    """Yield the last publication in the directory, without rows if a file is damaged, outdated or wrongly signed."""
    last = None
    with suppress(OSError, StatementError):
        last = None if copy is None else _index_in(copy, keys)
    try:
        index = _index_in(folder / INDEX_FILE, keys)
        if last is not None and last.contents.sequence > index.contents.sequence:
            raise DamagedFile
        last = index
        snapshot = index.contents.snapshot
        head = snapshot_head(index.contents.sequence)
        with open_regular(folder / snapshot.file) as file:  # read it once in full: half a delta would be wrong
            for _ in rows_in(unpacked_lines(file, snapshot.unpacked), head):
                pass
        rows = open_regular(folder / snapshot.file)
    except (OSError, StatementError, DamagedFile, BadRow):
        yield _Before(last)
        return
    with rows:
        yield _Before(index, rows_in(unpacked_lines(rows, snapshot.unpacked), head))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Refused(
            "busy",
            Wording("{folder}: another process is publishing there: wait until it has ended", {"folder": str(folder)}),
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def _chain(
    last: IndexContents | None, new: PublishedDelta | None, snapshot: PublishedFile, now: float, *, purge: bool
) -> tuple[PublishedDelta, ...]:
    """Return the latest deltas up to `new`, the oldest first: as many as together are smaller than the snapshot."""
    if purge or last is None or new is None:
        return ()
    chain: list[PublishedDelta] = []
    size = 0
    for delta in reversed((*last.deltas, new)):
        size += delta.bytes
        is_old = now - 60 * delta.sequence > DELTA_SECONDS
        if chain and (size > snapshot.bytes or len(chain) >= MOST_DELTAS or is_old):
            break
        chain.append(delta)
    return tuple(reversed(chain))


def _previous(before: SignedIndex | None) -> tuple[PreviousIndex, ...]:
    if before is None:
        return ()
    latest = PreviousIndex(sequence=before.contents.sequence, digest=before.digest)
    return (latest, *before.contents.previous)[:MOST_PREVIOUS]


def _write(path: Path, raw: bytes) -> None:
    with complete_file(path, MODE) as file:
        file.write(raw)


def _clean(folder: Path, contents: IndexContents, last: IndexContents | None, now: float, *, purge: bool) -> None:
    """Remove files unnamed by any index for KEPT_SECONDS. `purge`: remove all files that `contents` does not name."""
    named = {file.file for file in contents.files}
    dropped = {file.file for file in last.files} - named if last else set()
    for path in folder.iterdir():
        if not _OUR_FILE.match(path.name) or path.name in named:
            continue
        with suppress(FileNotFoundError):
            if purge or (path.name not in dropped and now - path.stat().st_mtime > KEPT_SECONDS):
                path.unlink()
            elif path.name in dropped:
                os.utime(path, (now, now))
