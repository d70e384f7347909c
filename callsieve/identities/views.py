"""Identities as pages and the API show them, and the health check that no identity expires soon."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

from callsieve.changes.describe import NumberText, number_field
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import Latest, latest_changes
from callsieve.doctor.finding import Finding, HealthCheck, check_of_store, ok, warn
from callsieve.identities.capability import IDENTITIES
from callsieve.lists.views import MOST_SHOWN, has_text
from callsieve.settings import Settings
from reputation.encoding import FLAT
from reputation.model import Identity
from reputation.store.hub.sites import OURS, Origin, origin_of_identity
from reputation.store.identities import all_identities, identities_due
from reputation.wording import Wording


@dataclass(frozen=True, slots=True)
class IdentityShown:
    """An identity as pages and the API show it. `is_over`: whether the identity has expired."""

    identity: Annotated[Identity, FLAT]
    is_over: bool
    origin: Annotated[Origin, FLAT]


class IdentitiesRequest(PageQuery, frozen=True, kw_only=True):
    """Filters for identities. `number`: only the identity of this number."""

    number: NumberText | None = None


@dataclass(frozen=True, slots=True)
class IdentitiesShown:
    """Content of the page of identities. `matching`: how many identities match the search. `all`: how many exist."""

    identities: tuple[IdentityShown, ...]
    matching: int
    all: int
    latest: tuple[Latest, ...]
    has_sites: bool = False


def identities_shown(db: sqlite3.Connection, text: str, context: Context) -> IdentitiesShown:
    """Return the identities whose number or name contains the text."""
    everything = all_identities(db)
    matching = [identity for identity in everything if has_text(text, identity.number, identity.name)]
    shown = tuple(identity_shown(db, identity, context.settings, context.at) for identity in matching[:MOST_SHOWN])
    has_sites = any(identity.origin != OURS for identity in shown)
    return IdentitiesShown(shown, len(matching), len(everything), latest_changes(db, IDENTITIES), has_sites)


def find_identities(db: sqlite3.Connection, context: Context, request: IdentitiesRequest) -> ResultPage[IdentityShown]:
    """Return the recorded owners of all numbers, or the owner of one number."""
    number = None if request.number is None else number_field(context, request.number, "number")
    rows = (identity for identity in all_identities(db) if number in (None, identity.number))
    return page_from(
        rows,
        request,
        lambda identity: (identity.number,),
        lambda identity: identity_shown(db, identity, context.settings, context.at),
    )


def identity_shown(db: sqlite3.Connection, identity: Identity, settings: Settings, now: float) -> IdentityShown:
    """Return a stored identity with its state and the site that recorded it."""
    return IdentityShown(identity, identity.expires_at <= now, origin_of_identity(db, identity, settings.hub.follow))


# An identity that ends within so long is to be proven again.
DUE_SECONDS = 14 * 86_400.0


@check_of_store
def has_no_identity_due(db: sqlite3.Connection, now: float) -> Finding:
    """Check that no identity expires in the next 14 days."""
    due = identities_due(db, now + DUE_SECONDS)
    if due:
        return warn(
            Wording("identities that expire within 14 days: {count}", {"count": len(due)}), "callsieve identity due"
        )
    return ok(Wording("no identity expires within 14 days"))


CHECKS = (HealthCheck(place=470, name="identities", find=has_no_identity_due, is_quick=True),)
