"""Which companies' evidence is taken, whether it still comes, and why the last bundle was not taken."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from callsieve.changes.operation import Refused
from callsieve.exchange_settings import ExchangeTable
from callsieve.lookups.operations import Skill, skill_of
from callsieve.outside.errors import (
    KeptFailure,
    OutsideError,
    OutsideProblem,
    keep_failure,
    read_kept_failure,
    shortened,
)
from callsieve.settings import Settings
from callsieve.text.times import SECONDS_BY_UNIT, ago, span_words, when
from reputation.store.errors import StoreError
from reputation.store.peers import PeerState, WantedPeer, compared_with_peer, key_digest, replace_peers, subscriptions
from reputation.wording import Places, Wording

OVERDUE_SECONDS = 3600.0  # the timer looks every quarter of an hour
# A company is late when nothing came for so many of its usual times, and no less than a day.
LATE_AFTER = 4.0
LEAST_LATE_SECONDS = 86_400.0
_SHORTENED = re.compile(r"([a-z]+-[0-9a-f]{8})[0-9a-f]{56}\.rows")  # a name with a whole digest says no more


class ExchangeProblem(StrEnum):
    """Why a bundle was not taken, beside what may be wrong with its server."""

    NO_KEY = (
        "its key is not in the settings. It offers key {id}: ask them on another way whether `callsieve signing key` "
        'says the same, then write key = "{key}"'
    )
    OUR_OWN = "it is signed by our own key: what we publish is no evidence of others"
    OTHER_KEY = "it is signed by another key than {id}, that of the settings: ask them on another way what theirs is"
    BAD_SIGNATURE = "the signature is not of this index: do not trust it"
    NO_INDEX = "its index cannot be used: {why}"
    RAN_OUT = "its index ran out on {day}: does nobody publish there any more, or is it an old copy?"
    TOO_NEW = "its index is dated in the future: is a clock wrong?"
    ROLLED_BACK = "its index is older ({sequence}) than the one taken last ({before}): somebody serves an old copy"
    FORKED = "it has published two different histories: ask them, then `callsieve exchange fetch NAME --accept-fork`"
    BAD_STATUS = "{file}: the server answers {status} in the place of the file"
    BAD_CHECKSUM = "{file}: it is not the file that the index names"
    TOO_LARGE = "{file}: larger than the {most:,} bytes of `megabytes` in the settings"
    DAMAGED = "{file}: it cannot be unpacked, or has another size than the index says"
    BAD_ROW = "{file}: line {line} is no row"
    BAD_STATEMENT = "{file}: line {line} is no statement of theirs that a number was cleared"
    NO_FILE = "{file}: there is no such file"
    UNREADABLE = "{file}: it cannot be read ({error})"
    STORE = "the store could not be written: `callsieve doctor` says why"

    @property
    def code(self) -> str:
        """For programs: `rolled-back`."""
        return self._name_.lower().replace("_", "-")


PROBLEMS: Mapping[str, str] = {one.code: one.value for table in (OutsideProblem, ExchangeProblem) for one in table}


class UnusableBundle(Refused):
    """A bundle that cannot be used."""

    def __init__(self, problem: ExchangeProblem, **about: str | int) -> None:
        if "file" in about:
            about["file"] = _SHORTENED.sub(r"\1….rows", str(about["file"]))
        places: Places = {name: shortened(value) for name, value in about.items()}
        super().__init__(problem.code, Wording(problem, places))


class PeerStatus(StrEnum):
    """How a company is; the worst that is true of it."""

    OK = "ok"
    WAITING = "waiting"
    OFF = "off"
    FAILED = "failed"
    STALE = "stale"
    RAN_OUT = "ran out"


@dataclass(frozen=True, slots=True)
class PeerHealth:
    """How a company is.

    Attributes:
        health: How it is doing: ok, waiting, off, failed, stale or ran_out.
        detail: Why, in words; null where it is well.
    """

    health: PeerStatus
    detail: Wording | None = None

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to know: it does not come, was refused, or counts no longer."""
        return self.health not in (PeerStatus.OK, PeerStatus.WAITING)

    @property
    def said(self) -> Wording:
        """Both, for any language."""
        status = Wording(self.health.value)
        return Wording("{status}: {detail}", {"status": status, "detail": self.detail}) if self.detail else status


def health_of(peer: PeerState, now: float) -> PeerHealth:
    """How the company is at that time."""
    if peer.off_at is not None:
        return PeerHealth(PeerStatus.OFF)
    failure = None
    if peer.failure is not None and peer.failed_at is not None:
        failed: Places = {"when": ago(peer.failed_at, now), "failure": read_problem(peer.failure).words}
        failure = Wording("{when}, {failure}", failed)
    if peer.came_at is None:
        return PeerHealth(PeerStatus.FAILED, failure) if failure else PeerHealth(PeerStatus.WAITING)
    if now >= peer.counts_until:
        ended = Wording("its index ran out on {when}: nothing of it counts", {"when": when(peer.counts_until)})
        both = Wording("{ended}; {failure}", {"ended": ended, "failure": failure}) if failure else ended
        return PeerHealth(PeerStatus.RAN_OUT, both)
    if now - peer.came_at > max(LATE_AFTER * peer.every_seconds, LEAST_LATE_SECONDS):
        late = Wording("nothing came for {span}", {"span": span_words(now - peer.came_at)})
        both = Wording("{ended}; {failure}", {"ended": late, "failure": failure}) if failure else late
        return PeerHealth(PeerStatus.STALE, both)
    return PeerHealth(PeerStatus.FAILED, failure) if failure else PeerHealth(PeerStatus.OK)


def nobody_fetches(peers: Iterable[PeerState], now: float) -> bool:
    """Whether companies of the settings wait for somebody to ask for them: the timer does not run."""
    return any(peer.off_at is None and now > peer.next_at + OVERDUE_SECONDS for peer in peers)


def problem_of(error: Exception, file: str) -> str:
    """Why a bundle was not taken, as the store keeps it: `{"code": "bad-row", "file": "...", "line": 11}`."""
    return keep_failure(*_problem_of(error, file), PROBLEMS)


def _problem_of(error: Exception, file: str) -> tuple[str, Places]:
    if isinstance(error, Refused | OutsideError) and error.code in PROBLEMS:
        return error.code, error.words.places if isinstance(error.words, Wording) else {}
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ExchangeProblem.NO_FILE.code, {"file": str(error.filename or file)}
    if isinstance(error, StoreError) or not isinstance(error, OSError):
        return ExchangeProblem.STORE.code, {}
    trouble = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return ExchangeProblem.UNREADABLE.code, {"file": str(error.filename or file), "error": trouble}


def read_problem(kept: str) -> KeptFailure:
    """Return what `problem_of` made."""
    failure = read_kept_failure(kept, PROBLEMS)
    return failure if failure.code else KeptFailure("", Wording("not read: {kept}", {"kept": kept}))


MEASURED_DAYS = 90
DAY_SECONDS = 86_400.0


def skill_of_peer(db: sqlite3.Connection, state: PeerState, now: float) -> Skill:
    """How good it is, over the last 90 days or since it was switched on again."""
    return skill_of(compared_with_peer(db, state.id, max(state.since, now - MEASURED_DAYS * DAY_SECONDS)))


def companies_of(db: sqlite3.Connection, settings: Settings) -> tuple[ExchangeTable, ...]:
    """All of them. One of the settings comes before one of the same name or key that was subscribed to."""
    names, keys = ({getattr(one, field) for one in settings.exchange} for field in ("name", "key"))
    added = [one for one in subscriptions(db) if one.name not in names and one.key not in keys]
    tables = [
        ExchangeTable(name=one.name, url=one.url, key=one.key, weight=one.weight, private=bool(one.private))
        for one in added
    ]
    return (*settings.exchange, *tables)


def register_peers(db: sqlite3.Connection, settings: Settings) -> None:
    """Makes the companies in the store those. Call it in a transaction."""
    companies = companies_of(db, settings)
    replace_peers(db, {one.name: WantedPeer(of_key(one), one.weight, every_seconds(one)) for one in companies})


def of_key(table: ExchangeTable) -> str:
    """Who it is: whoever has that key, wherever the files are."""
    return key_digest(table.key)


def every_seconds(table: ExchangeTable) -> float:
    """How often it is fetched."""
    return float(int(table.every[:-1]) * SECONDS_BY_UNIT[table.every[-1]])
