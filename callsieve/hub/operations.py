"""What a site does about its part in the hub, in its own store. The hub's side is in `administration` and `client`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from callsieve.changes.operation import Context, change, whole
from callsieve.hub.health import HubHealth, health_of
from callsieve.hub_settings import HubTable
from callsieve.policy.records import policy_as_json
from callsieve.settings import Loaded
from callsieve.wiring import policies_of
from policies.policy import PolicyError
from reputation.store.hub.capture import outbox_size, stop_capture
from reputation.store.hub.erasures import waiting_erasures
from reputation.store.hub.incoming import expel_some, other_sites
from reputation.store.hub.link import Link, first_try, link_of, remove_link
from reputation.store.hub.policy import PolicyInForce
from reputation.store.hub.sites import note_sites

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
    scopes = [(one.did, one.trunk, one.group, policy_as_json(one.policy)) for one in policies.scopes]
    rules = msgspec.json.encode((policy_as_json(policies.default), scopes))
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
