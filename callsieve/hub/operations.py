"""What a site does about its part in the hub, in its own store. The hub's side is in `administration` and `client`.

Where the secret of this site is, for who looks at it without PostgreSQL.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from callsieve.changes.operation import Context, change, whole
from callsieve.integration_settings import HubTable
from callsieve.policy.views import policy_shown
from callsieve.setting_types import SECRET_IN_FILE
from callsieve.settings import Loaded
from callsieve.text.times import span_words
from callsieve.wiring import policies_of
from policies.policy import PolicyError
from reputation.encoding import encode
from reputation.store.hub.incoming import expel_some, other_sites, waiting_erasures
from reputation.store.hub.link import FirstTry, Link, first_try, link_of, remove_link
from reputation.store.hub.outgoing import outbox_size, stop_capture
from reputation.store.hub.sites import PolicyInForce, note_sites
from reputation.wording import Wording

# An exchange is late after so many of its usual times, and no less than ten minutes: a database that is restarted is
# no news.
LATE_AFTER = 3.0
LEAST_LATE_SECONDS = 600.0


class HubStatus(StrEnum):
    """`waiting`: the first exchange is not complete; `failed`: the last try had no success; `stale`: nobody tries."""

    OK = "ok"
    WAITING = "waiting"
    FAILED = "failed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class HubHealth:
    """How it is, and why; no words where it is well. `is_late`: the last exchange is too long ago."""

    status: HubStatus
    detail: Wording | None = None
    is_late: bool = False


def health_of(link: Link | None, poll_seconds: float, now: float, first_try: FirstTry | None = None) -> HubHealth:
    """How it is at that time. No `link`: it has not taken part yet, and tries to since `first_try`."""
    if link is None:
        since, failure = (None, "") if first_try is None else first_try
        going_on = Wording("nothing was exchanged yet")
    else:
        since, failure = link.failed_at if link.pulled_at is None else link.pulled_at, link.failure
        going_on = Wording("the first exchange goes on")
    if since is None:
        return HubHealth(HubStatus.WAITING, going_on)
    age = max(0.0, now - since)
    is_late = age > max(LATE_AFTER * poll_seconds, LEAST_LATE_SECONDS)
    late = Wording("nothing was exchanged for {span}", {"span": span_words(age)})
    if failure:
        return HubHealth(HubStatus.FAILED, Wording("{late}: {failure}", {"late": late, "failure": failure}), is_late)
    if is_late:
        return HubHealth(HubStatus.STALE, late, is_late)
    return HubHealth(HubStatus.WAITING, going_on) if link is None else HubHealth(HubStatus.OK)


NUMBERS_AT_ONCE = 200
DIGITS = 12  # of the digest of a policy


@dataclass(frozen=True, slots=True)
class LinkShown:
    """How this site takes part. `waiting`: rows on their way; `is_filling`: more that were there before it joined."""

    link: Link | None
    waiting: int
    is_filling: bool
    sites: tuple[str, ...]


def link_shown(db: sqlite3.Connection) -> LinkShown:
    """As the store knows it."""
    link = link_of(db)
    waiting, is_filling = outbox_size(db)
    return LinkShown(link, waiting, is_filling, tuple(other_sites(db, link.site)) if link else ())


@dataclass(frozen=True, slots=True)
class HubFigures:
    """How this site's part is, how many rows are on their way, and how many erasures wait for a yes."""

    link: Link | None
    waiting: int
    health: HubHealth
    erasures: int = 0


def hub_figures(db: sqlite3.Connection, table: HubTable, now: float) -> HubFigures:
    """As the store knows it, for those who watch."""
    link = link_of(db)
    waiting, _ = outbox_size(db)
    return HubFigures(link, waiting, health_of(link, table.poll_seconds, now, first_try(db)), len(waiting_erasures(db)))


def policy_in_force(loaded: Loaded) -> PolicyInForce | None:
    """Return the policy by which this PBX decides as its files are now; None where it cannot be used."""
    try:
        policies = policies_of(loaded)
    except PolicyError:
        return None
    scopes = [(one.did, one.trunk, one.group, policy_shown(one.policy)) for one in policies.scopes]
    rules = encode((policy_shown(policies.default), scopes))
    return PolicyInForce(policies.default.name, sha256(rules).hexdigest()[:DIGITS])


def forget_hub(db: sqlite3.Connection, context: Context, keep: bool) -> None:
    """Nothing is shared any more. Unless `keep`, what other sites told is taken out, some at a time."""
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
    """Where `hub join` writes it."""
    return loaded.state_path(SECRET)


def secret_source(loaded: Loaded) -> str:
    """`file:/path` or `env:NAME`, as the settings say."""
    return loaded.settings.hub.secret or f"{SECRET_IN_FILE}{secret_path(loaded)}"
