"""Fetches a feed into a file, and checks the checksum and the signature of the file.

Signatures have the format of minisign 0.8 and later: Ed25519 over the BLAKE2b hash of the file, and a signed comment.
The four lines of a signature file:
    1. a comment that is not signed
    2. base64 of `ED`, the key's eight-byte identifier and the signature
    3. `trusted comment: ...`
    4. base64 of a signature over the first signature and the trusted comment
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import PurePosixPath
from typing import BinaryIO, NoReturn
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from callsieve.changes.operation import Refused
from callsieve.imports.feed_health import FAILURES, FeedFailure
from callsieve.integration_settings import SHA256, FeedTable
from callsieve.outside.http_client import Answer, OutsideClient, RequestLimits
from callsieve.source_health import every_seconds, failure_of
from reputation.backoff import wait_seconds
from reputation.store.sources import FeedFetch
from reputation.wording import Places, Wording

PREHASHED, PLAIN = b"ED", b"Ed"  # PLAIN: a public key, or a signature of the file itself (`minisign -l`)
MOST_SIGNATURE_BYTES = 16_384
TRUSTED = "trusted comment: "
_TIMESTAMP = re.compile(r"\btimestamp:([0-9]{1,12})\b", re.ASCII)


class SignatureError(ValueError):
    """The file is not signed by this key."""


@dataclass(frozen=True, slots=True)
class MinisignKey:
    """The public key of a publisher. `name`: the eight-byte identifier of the key."""

    name: bytes
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> MinisignKey:
        """Parse the line `RW...` of a file minisign.pub. Raise SignatureError if the line is malformed."""
        raw = _decoded(text, 42)
        if raw[:2] != PLAIN:
            raise SignatureError
        return cls(raw[2:10], Ed25519PublicKey.from_public_bytes(raw[10:]))


def signed_at(file: BinaryIO, signature: bytes, key: MinisignKey) -> int | None:
    """Return when the file was signed (UTC seconds), None if unknown. Raise SignatureError for a wrong signature."""
    digest = blake2b()
    while piece := file.read(1 << 20):
        digest.update(piece)
    try:
        _, line, comment, whole = signature[:MOST_SIGNATURE_BYTES].decode("utf-8").splitlines()[:4]
    except (UnicodeDecodeError, ValueError):
        raise SignatureError from None
    raw = _decoded(line, 74)
    if raw[:2] != PREHASHED or raw[2:10] != key.name or not comment.startswith(TRUSTED):
        raise SignatureError
    trusted = comment.removeprefix(TRUSTED)
    try:
        key.key.verify(raw[10:], digest.digest())
        key.key.verify(_decoded(whole, 64), raw[10:] + trusted.encode())
    except InvalidSignature:
        raise SignatureError from None
    timestamp = _TIMESTAMP.search(trusted)
    return int(timestamp[1]) if timestamp else None


def _decoded(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError from None
    if len(raw) != length:
        raise SignatureError
    return raw


# After a failure a feed is fetched again soon, then less and less often, up to its usual interval.
FIRST_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a download. `unchanged`: whether the file was imported already. `file`: the SHA-256 of the file."""

    etag: str | None
    modified: str | None
    file: str | None
    signed_at: int | None
    unchanged: bool = False


class TryLater(Refused):
    """The server sent no file. `seconds`: how long the server asks to wait; 0 if it does not say."""

    def __init__(self, host: str, status: int, seconds: int = 0) -> None:
        words = Wording(FeedFailure.BAD_STATUS, {"host": host, "status": status})
        super().__init__(FeedFailure.BAD_STATUS.code, words)
        self.status = status
        self.seconds = seconds


def due(wanted: FeedTable, last: FeedFetch | None, now: float) -> bool:
    """Return whether to fetch a feed: its time has come, its settings have changed, or the clock was set back."""
    if last is None or last.of != kind_of(wanted):
        return True
    return now >= last.next_at or now < last.asked_at


def kind_of(wanted: FeedTable) -> str:
    """Return a hash of the settings that determine a feed's content. If the hash changes, the file is fetched again."""
    text = "\n".join((wanted.url, wanted.verdict, wanted.region or "", wanted.sha256, wanted.minisign))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def fetch_succeeded(wanted: FeedTable, download: Fetched, now: float) -> FeedFetch:
    """Return the new state of a feed after an import, or after its server reported the file unchanged."""
    every = every_seconds(wanted.every)
    kept = (download.etag, download.modified, download.file, download.signed_at)
    return FeedFetch(wanted.name, kind_of(wanted), every, now, now + every, now, *kept)


def fetch_failed(wanted: FeedTable, last: FeedFetch | None, error: Exception, now: float) -> FeedFetch:
    """Return the new state of a feed after a failure. It keeps the data of `last` about the imported file."""
    every, kind = every_seconds(wanted.every), kind_of(wanted)
    before = last if last is not None and last.of == kind else FeedFetch(wanted.name, kind, every, now, now)
    wait = wait_seconds(before.failures + 1, FIRST_RETRY_SECONDS, every)
    if isinstance(error, TryLater):
        wait = max(wait, error.seconds)
    failure = failure_of(error, FAILURES)
    return before._replace(
        asked_at=now, next_at=now + wait, failed_at=now, failure=failure, failures=before.failures + 1
    )


TOTAL_SECONDS, CONNECT_SECONDS = 300.0, 10.0
CHECKSUM_BYTES = 1 << 20
LONGEST_RETRY_AFTER = 86_400
MISSING_FILE = frozenset({403, 404, 410})
HEADER_CHARACTERS = 500  # longer ETags are not kept
_SUM = re.compile(r"([0-9A-Fa-f]{64})(?:[ \t]+\*?(.*))?")


async def fetch(client: OutsideClient, wanted: FeedTable, last: FeedFetch | None, file: BinaryIO) -> Fetched:
    """Download the feed to `file`, unless its server reports it unchanged. `last`: the state after the last fetch."""
    same = last if last is not None and last.of == kind_of(wanted) else None
    headers = {}
    if same and same.etag:
        headers["if-none-match"] = same.etag
    if same and same.modified:
        headers["if-modified-since"] = same.modified
    limits = RequestLimits(TOTAL_SECONDS, CONNECT_SECONDS, wanted.megabytes * 1_000_000)
    answer = await client.request(
        "GET", wanted.url, headers=headers, limits=limits, allow_private=wanted.private, into=file
    )
    if same and headers and answer.status == 304:
        return Fetched(same.etag, same.modified, same.file, same.signed_at, unchanged=True)
    if answer.status != 200:
        raise _try_later(wanted.url, answer)
    digest = _sha256(file)
    if same and same.file == digest:
        signed = same.signed_at
    else:
        await _check_sum(client, wanted, digest)
        signed = await _check_signature(client, wanted, file, same)
    etag, modified = (_kept(answer.headers.get(name)) for name in ("etag", "last-modified"))
    return Fetched(etag, modified, digest, signed, unchanged=same is not None and same.file == digest)


async def _check_sum(client: OutsideClient, wanted: FeedTable, digest: str) -> None:
    if not wanted.sha256:
        return
    expected = wanted.sha256
    if not SHA256.fullmatch(expected):
        expected = _sum_in(await _small(client, wanted, expected, CHECKSUM_BYTES), _name(wanted.url))
    if not expected:
        _refuse(FeedFailure.NO_CHECKSUM, host=_host(wanted.sha256))
    if expected.lower() != digest:
        _refuse(FeedFailure.BAD_CHECKSUM, host=_host(wanted.url))


def _sum_in(raw: bytes, name: str) -> str:
    """Return a file's checksum from the output of sha256sum; empty if missing. A lone checksum needs no file name."""
    lines = raw.decode("utf-8", "replace").splitlines()
    sums = [match for line in lines if (match := _SUM.fullmatch(line.strip()))]
    named = [match for match in sums if match[2] and PurePosixPath(match[2].strip()).name == name]
    chosen = named or (sums if len(sums) == 1 else [])
    return chosen[0][1] if chosen else ""


async def _check_signature(
    client: OutsideClient, wanted: FeedTable, file: BinaryIO, last: FeedFetch | None
) -> int | None:
    """Return when the file was signed. Refuse a file signed before the imported one: somebody may be replaying it."""
    if not wanted.minisign:
        return None
    parts = urlsplit(wanted.url)
    url = parts._replace(path=f"{parts.path}.minisig").geturl()
    try:
        raw = await _small(client, wanted, url, MOST_SIGNATURE_BYTES)
    except TryLater as error:
        if error.status not in MISSING_FILE:
            raise
        _refuse(FeedFailure.NO_SIGNATURE, host=_host(url), file=_name(url), status=str(error.status))
    file.seek(0)
    try:
        at = signed_at(file, raw, MinisignKey.parse(wanted.minisign))
    except SignatureError:
        _refuse(FeedFailure.BAD_SIGNATURE, host=_host(wanted.url))
    if last and last.signed_at and (at is None or at < last.signed_at):
        _refuse(FeedFailure.OLD_SIGNATURE, host=_host(wanted.url))
    return at


async def _small(client: OutsideClient, wanted: FeedTable, url: str, most: int) -> bytes:
    answer = await client.request(
        "GET", url, limits=RequestLimits(CONNECT_SECONDS, CONNECT_SECONDS, most), allow_private=wanted.private
    )
    if answer.status != 200:
        raise _try_later(url, answer)
    return answer.body


def _try_later(url: str, answer: Answer) -> TryLater:
    # Retry-After may also be a date, which is ignored.
    text = answer.headers.get("retry-after", "")
    seconds = min(int(text), LONGEST_RETRY_AFTER) if re.fullmatch("[0-9]{1,9}", text) else 0
    return TryLater(_host(url), answer.status, seconds)


def _refuse(failure: FeedFailure, **about: str) -> NoReturn:
    places: Places = about
    raise Refused(failure.code, Wording(failure, places))


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _kept(header: str | None) -> str | None:
    return header if header and len(header) <= HEADER_CHARACTERS else None


def _host(url: str) -> str:
    with suppress(ValueError):
        return urlsplit(url).hostname or ""
    return ""


def _name(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).name
