"""The health of each subscribed company's data: whether new data arrives, and why the last data was refused."""

import re
import sqlite3
from enum import StrEnum

from callsieve.changes.operation import Refused
from callsieve.exchange_settings import ExchangeTable
from callsieve.outside.errors import read_kept_failure, shortened
from callsieve.settings import Settings
from callsieve.source_health import SourceHealth, SourceStatus, every_seconds, templates_of
from callsieve.source_skill import MEASURED_SECONDS, Skill, skill_of
from callsieve.text.times import ago, span_words, when
from reputation.store.peers import PeerState, WantedPeer, compared_with_peer, key_digest, replace_peers, subscriptions
from reputation.wording import Places, Wording

# A company is late if nothing came for this many of its usual intervals, and for a day at least.
LATE_AFTER = 4.0
LEAST_LATE_SECONDS = 86_400.0
_SHORTENED = re.compile(r"([a-z]+-[0-9a-f]{8})[0-9a-f]{56}\.rows")  # a full digest in a message helps nobody


class ExchangeProblem(StrEnum):
    """The reasons for which a company's data is refused, although the server answered."""

    NO_KEY = (
        "the company's key is not in the settings. The company offers key {id}: ask over another channel "
        "whether `callsieve signing key` "
        'shows the same, then write key = "{key}"'
    )
    OUR_OWN = (
        "the company's index is signed by your own key: your own publication cannot count as another company's evidence"
    )
    OTHER_KEY = (
        "the index is not signed by key {id} of the settings: ask the company over another channel which key it uses"
    )
    BAD_SIGNATURE = "the signature of the index is wrong: ask the company, and do not use the index until then"
    NO_INDEX = "the index is not usable: {why}"
    RAN_OUT = "the index expired on {day}: the company has stopped publishing, or this is an old copy"
    TOO_NEW = "the index is dated in the future: check the clocks"
    ROLLED_BACK = "the index ({sequence}) is older than the last index ({before}): somebody serves an old copy"
    FORKED = (
        "the company's data contradicts its history: ask the company, then run `callsieve exchange "
        "fetch NAME --accept-fork`"
    )
    BAD_STATUS = "{file}: the server answered {status} instead of the file"
    BAD_CHECKSUM = "{file}: its checksum differs from the one in the index"
    TOO_LARGE = "{file}: larger than the {most:,} bytes of `megabytes` in the settings"
    DAMAGED = "{file}: it cannot be unpacked, or its size differs from the one in the index"
    BAD_ROW = "{file}: line {line} is not a valid row"
    BAD_STATEMENT = "{file}: line {line} must be a statement, signed by the company, that a number is cleared"

    @property
    def code(self) -> str:
        """Return the code for programs, such as `rolled-back`."""
        return self._name_.lower().replace("_", "-")


PROBLEMS = templates_of(ExchangeProblem)


class UnusableBundle(Refused):
    """A company's data was refused. `problem`: the reason."""

    def __init__(self, problem: ExchangeProblem, **about: str | int) -> None:
        if "file" in about:
            about["file"] = _SHORTENED.sub(r"\1….rows", str(about["file"]))
        places: Places = {name: shortened(value) for name, value in about.items()}
        super().__init__(problem.code, Wording(problem, places))


def health_of(peer: PeerState, now: float) -> SourceHealth:
    """Return the health of a subscribed company's evidence at the time `now`."""
    if peer.off_at is not None:
        return SourceHealth(SourceStatus.OFF)
    failure = None
    if peer.failure is not None and peer.failed_at is not None:
        failed: Places = {"when": ago(peer.failed_at, now), "failure": read_kept_failure(peer.failure, PROBLEMS).words}
        failure = Wording("{when}, {failure}", failed)
    if peer.came_at is None:
        return SourceHealth(SourceStatus.FAILED, failure) if failure else SourceHealth(SourceStatus.WAITING)
    if now >= peer.counts_until:
        ended = Wording(
            "the index expired on {when}: the company's evidence does not count", {"when": when(peer.counts_until)}
        )
        both = Wording("{ended}; {failure}", {"ended": ended, "failure": failure}) if failure else ended
        return SourceHealth(SourceStatus.EXPIRED, both)
    if now - peer.came_at > max(LATE_AFTER * peer.every_seconds, LEAST_LATE_SECONDS):
        late = Wording("nothing was fetched for {span}", {"span": span_words(now - peer.came_at)})
        both = Wording("{ended}; {failure}", {"ended": late, "failure": failure}) if failure else late
        return SourceHealth(SourceStatus.STALE, both)
    return SourceHealth(SourceStatus.FAILED, failure) if failure else SourceHealth(SourceStatus.OK)


def skill_of_peer(db: sqlite3.Connection, state: PeerState, now: float) -> Skill:
    """Return how accurate a company's evidence was in the last 90 days, or since the company was resumed."""
    return skill_of(compared_with_peer(db, state.id, max(state.since, now - MEASURED_SECONDS)))


def companies_of(db: sqlite3.Connection, settings: Settings) -> tuple[ExchangeTable, ...]:
    """Return all subscribed companies. A subscription is left out if the settings have its name or key."""
    names, keys = ({getattr(entry, field) for entry in settings.exchange} for field in ("name", "key"))
    added = [entry for entry in subscriptions(db) if entry.name not in names and entry.key not in keys]
    tables = [
        ExchangeTable(name=entry.name, url=entry.url, key=entry.key, weight=entry.weight, private=bool(entry.private))
        for entry in added
    ]
    return (*settings.exchange, *tables)


def register_peers(db: sqlite3.Connection, settings: Settings) -> None:
    """Replace the companies in the store with those of the settings and subscriptions. Call it in a transaction."""
    companies = companies_of(db, settings)
    replace_peers(
        db, {table.name: WantedPeer(peer_id_of(table), table.weight, every_seconds(table.every)) for table in companies}
    )


def peer_id_of(table: ExchangeTable) -> str:
    """Return the identifier of a company, which is the digest of the company's first key."""
    return key_digest(table.key)
