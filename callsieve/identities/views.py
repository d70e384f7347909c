"""What the page of identities shows, and an identity as JSON."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from callsieve.changes.names import IDENTITIES
from callsieve.changes.undo import Latest, latest_changes
from callsieve.lists.views import MOST_SHOWN, has_text
from reputation.model import Identity
from reputation.store.identities import all_identities


@dataclass(frozen=True, slots=True)
class IdentityShown:
    """An identity, and whether it counts no longer."""

    identity: Identity
    is_over: bool


@dataclass(frozen=True, slots=True)
class IdentitiesShown:
    """The page. `found`: how many match what was looked for; `all`: how many there are."""

    identities: tuple[IdentityShown, ...]
    found: int
    all: int
    latest: tuple[Latest, ...]


def identities_shown(db: sqlite3.Connection, text: str, now: float) -> IdentitiesShown:
    """The identities that have the text in their number or name."""
    everything = all_identities(db)
    found = [one for one in everything if has_text(text, one.number, one.name)]
    shown = (IdentityShown(one, one.expires_at <= now) for one in found[:MOST_SHOWN])
    return IdentitiesShown(tuple(shown), len(found), len(everything), latest_changes(db, IDENTITIES))


def identity_as_json(identity: Identity, now: float) -> dict[str, Any]:
    """An identity for scripts, and whether it counts no longer."""
    return {**msgspec.to_builtins(identity), "expired": identity.expires_at <= now}
