"""What the page of identities shows, and an identity as JSON."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from callsieve.changes.operation import Context
from callsieve.changes.undo import Latest, latest_changes
from callsieve.identities.capability import IDENTITIES
from callsieve.lists.views import MOST_SHOWN, has_text
from reputation.model import Identity
from reputation.store.hub.origins import OURS, Origin, origin_as_json, origin_of_identity
from reputation.store.identities import all_identities


@dataclass(frozen=True, slots=True)
class IdentityShown:
    """An identity, whether it counts no longer, and which site said it."""

    identity: Identity
    is_over: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class IdentitiesShown:
    """The page. `found`: how many match what was looked for; `all`: how many there are."""

    identities: tuple[IdentityShown, ...]
    found: int
    all: int
    latest: tuple[Latest, ...]
    has_sites: bool = False


def identities_shown(db: sqlite3.Connection, text: str, context: Context) -> IdentitiesShown:
    """The identities that have the text in their number or name."""
    everything, follow = all_identities(db), context.settings.hub.follow
    found = [one for one in everything if has_text(text, one.number, one.name)]
    shown = tuple(
        IdentityShown(one, one.expires_at <= context.at, origin_of_identity(db, one, follow))
        for one in found[:MOST_SHOWN]
    )
    has_sites = any(one.origin != OURS for one in shown)
    return IdentitiesShown(shown, len(found), len(everything), latest_changes(db, IDENTITIES), has_sites)


def identity_as_json(identity: Identity, now: float) -> dict[str, Any]:
    """An identity for scripts, and whether it counts no longer."""
    return {**msgspec.to_builtins(identity), "expired": identity.expires_at <= now}


def shown_as_json(identity: Identity, origin: Origin, now: float) -> dict[str, Any]:
    """The same of one that is in the store, with where it comes from."""
    return identity_as_json(identity, now) | origin_as_json(origin)
