"""When each feed of the settings is fetched, and how that went. Pure.

    due(wanted, last, now)                       whether it is time
    came(...), failed(...)                       how it goes now, for the store

What a server says of a file (ETag, Last-Modified) is kept when that file was taken, never before: a file that was
refused is fetched again.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from callsieve.changes.operation import Refused
from callsieve.imports.feed_health import FeedFailure, failure_of
from callsieve.integration_settings import FeedTable
from callsieve.text.times import SECONDS_BY_UNIT
from reputation.backoff import wait_seconds
from reputation.store.feed_fetches import FeedFetch
from reputation.wording import Wording

# After a failure it is asked again soon, then less and less often, up to its usual time.
FIRST_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. `unchanged`: nothing, because what is in force is still the same; else `file` is a digest of it."""

    etag: str | None
    modified: str | None
    file: str | None
    signed_at: int | None
    unchanged: bool = False


class TryLater(Refused):
    """The server gave no file, and may have said for how long (seconds) it is not to be asked again."""

    def __init__(self, host: str, status: int, seconds: int = 0) -> None:
        words = Wording(FeedFailure.BAD_STATUS, {"host": host, "status": status})
        super().__init__(FeedFailure.BAD_STATUS.code, words)
        self.status = status
        self.seconds = seconds


def every_seconds(wanted: FeedTable) -> float:
    """How often it is fetched."""
    return float(int(wanted.every[:-1]) * SECONDS_BY_UNIT[wanted.every[-1]])


def due(wanted: FeedTable, last: FeedFetch | None, now: float) -> bool:
    """Whether it is time to ask: it never was, the time is over, its settings are others, or the clock was set back."""
    if last is None or last.of != kind_of(wanted):
        return True
    return now >= last.next_at or now < last.asked_at


def kind_of(wanted: FeedTable) -> str:
    """A digest of what the feed is: under another address or another reading the file must come again."""
    text = "\n".join((wanted.url, wanted.verdict, wanted.region or "", wanted.sha256, wanted.minisign))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def came(wanted: FeedTable, got: Fetched, now: float) -> FeedFetch:
    """How it goes after the file was taken, or was the same."""
    every = every_seconds(wanted)
    kept = (got.etag, got.modified, got.file, got.signed_at)
    return FeedFetch(wanted.name, kind_of(wanted), every, now, now + every, now, *kept)


def failed(wanted: FeedTable, last: FeedFetch | None, error: Exception, now: float) -> FeedFetch:
    """How it goes after it did not come, or was refused. What is known of the file in force stays known."""
    every, kind = every_seconds(wanted), kind_of(wanted)
    before = last if last is not None and last.of == kind else FeedFetch(wanted.name, kind, every, now, now)
    wait = wait_seconds(before.failures + 1, FIRST_RETRY_SECONDS, every)
    if isinstance(error, TryLater):
        wait = max(wait, error.seconds)
    return before._replace(
        asked_at=now, next_at=now + wait, failed_at=now, failure=failure_of(error), failures=before.failures + 1
    )
