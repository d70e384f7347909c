"""The state of this site's exchange with the hub, read from store and settings. administration.py changes the hub."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from callsieve.changes.operation import Context, change, whole
from callsieve.integration_settings import HubTable
from callsieve.policy.views import policy_shown
from callsieve.setting_types import SECRET_IN_FILE
from callsieve.settings import Loaded
from callsieve.source_health import SourceHealth, SourceStatus
from callsieve.text.times import span_words
from callsieve.wiring import policies_of
from policies.policy import PolicyError
from reputation.encoding import encode
from reputation.store.hub.incoming import expel_some, other_sites, waiting_erasures
from reputation.store.hub.link import FirstTry, Link, RefusedRows, first_try, link_of, refused_rows, remove_link
from reputation.store.hub.outgoing import outbox_size, stop_capture
from reputation.store.hub.rows import Unfit
from reputation.store.hub.sites import PolicyInForce, note_sites
from reputation.wording import Wording

# The exchange is late after so many of its usual intervals, but not before ten minutes: a database restart is no news.
LATE_AFTER = 3.0
LEAST_LATE_SECONDS = 600.0


def health_of(link: Link | None, poll_seconds: float, now: float, first_try: FirstTry | None = None) -> SourceHealth:
    """Return the health of the exchange with the hub. `first_try`: the first failed try of a site without `link`."""
    since, failure = _last_exchange(link, first_try)
    pending = Wording("nothing has been exchanged yet") if link is None else Wording("the first exchange is running")
    if since is None:
        return SourceHealth(SourceStatus.WAITING, pending)
    late = Wording("no exchange for {span}", {"span": span_words(max(0.0, now - since))})
    if failure:
        return SourceHealth(SourceStatus.FAILED, Wording("{late}: {failure}", {"late": late, "failure": failure}))
    if is_late(link, poll_seconds, now, first_try):
        return SourceHealth(SourceStatus.STALE, late)
    return SourceHealth(SourceStatus.WAITING, pending) if link is None else SourceHealth(SourceStatus.OK)


def is_late(link: Link | None, poll_seconds: float, now: float, first_try: FirstTry | None = None) -> bool:
    """Return whether the last exchange is too long ago; without a `link`, whether the first failed attempt is."""
    since, _ = _last_exchange(link, first_try)
    return since is not None and now - since > max(LATE_AFTER * poll_seconds, LEAST_LATE_SECONDS)


def _last_exchange(link: Link | None, first_try: FirstTry | None) -> tuple[float | None, str]:
    if link is None:
        return (None, "") if first_try is None else first_try
    return link.failed_at if link.pulled_at is None else link.pulled_at, link.failure


NUMBERS_AT_ONCE = 200
DIGITS = 12  # of the digest of a policy


@dataclass(frozen=True, slots=True)
class LinkShown:
    """The state of this site's exchange with the hub. `waiting`: how many rows wait to be sent.

    `is_filling`: whether rows from before this site joined are still unsent. `refused`: unusable rows of other sites.
    """

    link: Link | None
    waiting: int
    is_filling: bool
    sites: tuple[str, ...]
    refused: tuple[RefusedRows, ...] = ()


def link_shown(db: sqlite3.Connection) -> LinkShown:
    """Return the state of this site's exchange with the hub, as the store records it."""
    link = link_of(db)
    waiting, is_filling = outbox_size(db)
    sites = tuple(other_sites(db, link.site)) if link else ()
    return LinkShown(link, waiting, is_filling, sites, tuple(refused_rows(db)))


@dataclass(frozen=True, slots=True)
class HubFigures:
    """The metrics of the exchange with the hub. `waiting`: how many rows wait to be sent.

    `erasures`: how many erasures wait for a confirmation. `refused`: how many rows of other sites were unusable.
    """

    link: Link | None
    waiting: int
    health: SourceHealth
    is_late: bool = False
    erasures: int = 0
    refused: tuple[RefusedRows, ...] = ()


def hub_figures(db: sqlite3.Connection, table: HubTable, now: float) -> HubFigures:
    """Return the metrics of the exchange with the hub, read from the store."""
    link = link_of(db)
    waiting, _ = outbox_size(db)
    state = (link, table.poll_seconds, now, first_try(db))
    erasures = len(waiting_erasures(db))
    return HubFigures(link, waiting, health_of(*state), is_late(*state), erasures, tuple(refused_rows(db)))


# Remedies for unusable rows of other sites.
UPDATE: Mapping[Unfit, Wording] = {
    Unfit.NEWER: Wording("update CallSieve here, so that it can use these rows"),
    Unfit.OLDER: Wording("update CallSieve at that site, which then sends these rows again"),
    Unfit.ODD: Wording("callsieve hub sites --json shows the version of each site"),
}


def sites_of(refused: Iterable[RefusedRows]) -> str:
    """Return the names of the sites whose rows were unusable, separated by commas."""
    return ", ".join(sorted({figure.site or "?" for figure in refused}))


def policy_in_force(loaded: Loaded) -> PolicyInForce | None:
    """Return the name and digest of the active policy, as the files define it now; None if the files are invalid."""
    try:
        policies = policies_of(loaded)
    except PolicyError:
        return None
    scopes = [(scope.did, scope.trunk, scope.group, policy_shown(scope.policy)) for scope in policies.scopes]
    rules = encode((policy_shown(policies.default), scopes))
    return PolicyInForce(policies.default.name, sha256(rules).hexdigest()[:DIGITS])


def forget_hub(db: sqlite3.Connection, context: Context, keep: bool) -> None:
    """Stop this site's exchange with the hub. Unless `keep`, delete other sites' rows, in several transactions."""
    link = link_of(db)
    for origin in () if keep or link is None else other_sites(db, link.site):
        more = True
        while more:
            with whole(db):
                assert link is not None
                more = expel_some(db, link, origin, frozenset(), NUMBERS_AT_ONCE)
    with change(db, context, "hub leave", name=link.site if link else ""):
        stop_capture(db)
        remove_link(db)
        note_sites(db, ())
        if not keep:
            db.execute("DELETE FROM hub_row")


SECRET: Final = "hub.secret"


def secret_path(loaded: Loaded) -> Path:
    """Return the path of the file to which `hub join` writes this site's login."""
    return loaded.state_path(SECRET)


def secret_source(loaded: Loaded) -> str:
    """Return where this site's login is stored: `file:/path` or `env:NAME`."""
    return loaded.settings.hub.secret or f"{SECRET_IN_FILE}{secret_path(loaded)}"
