"""Fetches a feed of the settings from its server into a file, and checks that it is the one that was published."""

from __future__ import annotations

import re
from contextlib import suppress
from hashlib import sha256
from pathlib import PurePosixPath
from typing import BinaryIO, NoReturn
from urllib.parse import urlsplit

from callsieve.changes.operation import Refused
from callsieve.imports.feed_health import FeedFailure
from callsieve.imports.fetch_schedule import Fetched, TryLater, kind_of
from callsieve.imports.minisign import MOST_SIGNATURE_BYTES, MinisignKey, SignatureError, signed_at
from callsieve.integration_settings import SHA256, FeedTable
from callsieve.outside.http_client import Answer, OutsideClient, RequestLimits
from reputation.store.feed_fetches import FeedFetch
from reputation.wording import Places, Wording

TOTAL_SECONDS, CONNECT_SECONDS = 300.0, 10.0
CHECKSUM_BYTES = 1 << 20
LONGEST_RETRY_AFTER = 86_400
NOT_THERE = frozenset({403, 404, 410})
HEADER_CHARACTERS = 500  # of an ETag; longer ones are not kept
_SUM = re.compile(r"([0-9A-Fa-f]{64})(?:[ \t]+\*?(.*))?")


async def fetch(client: OutsideClient, wanted: FeedTable, last: FeedFetch | None, file: BinaryIO) -> Fetched:
    """Writes the feed into the file, if it is another than the last one. OutsideError, Refused, OSError.

    `last` is what is in force; None where nothing of this feed is.
    """
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
    """The sum of the file of this name, as sha256sum writes it; the only one there is counts for any name."""
    lines = raw.decode("utf-8", "replace").splitlines()
    found = [match for line in lines if (match := _SUM.fullmatch(line.strip()))]
    named = [match for match in found if match[2] and PurePosixPath(match[2].strip()).name == name]
    chosen = named or (found if len(found) == 1 else [])
    return chosen[0][1] if chosen else ""


async def _check_signature(
    client: OutsideClient, wanted: FeedTable, file: BinaryIO, last: FeedFetch | None
) -> int | None:
    """When it was signed. An older file than the one in force is refused: whoever has the server has those, too."""
    if not wanted.minisign:
        return None
    parts = urlsplit(wanted.url)
    url = parts._replace(path=f"{parts.path}.minisig").geturl()
    try:
        raw = await _small(client, wanted, url, MOST_SIGNATURE_BYTES)
    except TryLater as error:
        if error.status not in NOT_THERE:
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
    """With the seconds that the server asks for; a date in their place is not read."""
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
