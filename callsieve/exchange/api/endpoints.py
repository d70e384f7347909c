"""Other companies' evidence and ours for them, for programs."""

from __future__ import annotations

import json
import sqlite3
from itertools import islice
from typing import Annotated, Any

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import Done, Instant, pages_of
from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, page_of, place_of
from callsieve.exchange import operations
from callsieve.exchange.candidates import cleared_lines
from callsieve.exchange.operations import SubscribeRequest
from callsieve.exchange.publish import signer_of
from callsieve.exchange.views import company_shown, exchange_shown, peer_as_json, published_as_json
from callsieve.lookups.operations import SwitchRequest
from reputation.users import Role, Scope

URL_CHARACTERS, NAME_CHARACTERS, KEY_CHARACTERS = 500, 64, 100


class PeerCompany(ApiStruct, frozen=True):
    """A company whose evidence is taken, as `callsieve exchange show --json` has it.

    `health`: ok, waiting, off, failed, stale or ran-out. `of_settings`: it is taken out there. `right` of `told`:
    callers that your people judged after it had listed them.
    """

    name: str
    where: str
    key_id: str | None
    of_settings: bool
    issuer: str | None
    on: bool
    off_at: Instant | None
    off_why: str | None
    health: str
    detail: str | None
    weight: float
    numbers: int
    cleared: int
    sequence: int | None
    issued_at: Instant | None
    counts_until: Instant | None
    came_at: Instant | None
    next_at: Instant | None
    failure: str | None
    failure_code: str | None
    measured_since: Instant | None
    right: int
    told: int
    right_low: float
    right_high: float
    gain: float
    gain_low: float
    gain_high: float
    judgement: str


class PublishedState(ApiStruct, frozen=True):
    """What we publish: how many numbers are listed and cleared; `late`: nobody has published for two days."""

    directory: str
    issuer: str | None
    key_id: str | None
    numbers: int
    cleared: int
    issued_at: Instant | None
    valid_until: Instant | None
    late: bool


class ExchangeState(ApiStruct, frozen=True):
    """What is taken, and what we publish; null where the settings publish nothing."""

    published: PublishedState | None
    companies: list[PeerCompany]


class NewCompany(ApiStruct, frozen=True):
    """A company at an https address on the internet. `key`: as they told it on another way. `weight`: of a tag."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS)]
    url: Annotated[str, Meta(min_length=1, max_length=URL_CHARACTERS)]
    key: Annotated[str, Meta(min_length=1, max_length=KEY_CHARACTERS)]
    weight: Annotated[float, Meta(ge=0, le=1)] = 1.0


class CompanyAdded(ApiStruct, frozen=True):
    """Its evidence is taken from the next fetch on. Compare `key_id` with theirs once more."""

    change_id: ChangeId
    company: PeerCompany


class ClearedStatement(ApiStruct, frozen=True):
    """A number that was cleared here. `statement`: the signed text, as it stands in what we publish."""

    number: str
    appeal: str
    issued_at: str
    valid_until: str
    statement: str


ClearedStatements = pages_of("ClearedStatements", ClearedStatement, "A page of statements, by number.")


def show(db: sqlite3.Connection, context: Context, _asked: Asked[None, None]) -> dict[str, Any]:
    """All of it."""
    shown = exchange_shown(db, context.loaded, context.at)
    published = shown.published and published_as_json(shown.published)
    return {"published": published, "companies": [peer_as_json(one) for one in shown.peers]}


def show_one(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """One company."""
    return peer_as_json(company_shown(db, context.loaded, asked.path["name"], context.at))


def add(db: sqlite3.Connection, context: Context, asked: Asked[None, NewCompany]) -> dict[str, Any]:
    """Takes one's evidence."""
    new = asked.body
    change_id = operations.subscribe(db, context, SubscribeRequest(new.name, new.url, new.key, new.weight))
    company = company_shown(db, context.loaded, new.name.strip(), context.at)
    return {"change_id": change_id, "company": peer_as_json(company)}


def remove(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """Takes it no more."""
    return Done(change_id=operations.unsubscribe(db, context, asked.path["name"]))


def pause(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """Lets nothing count that it says."""
    return Done(change_id=operations.disable(db, context, SwitchRequest(asked.path["name"])))


def heed(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """Lets it count again."""
    return Done(change_id=operations.enable(db, context, SwitchRequest(asked.path["name"])))


def cleared(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """What we state of numbers that were cleared. Nothing where nobody publishes."""
    after = place_of(asked.query.cursor, tuple[str])
    if not context.settings.publish.directory:
        return {"items": [], "next": None}
    try:
        issuer, key = signer_of(context)
    except Refused:
        return {"items": [], "next": None}
    lines = cleared_lines(db, context, key, issuer, after=after[0] if after else "")
    items = [_statement(line) for line in islice(lines, asked.query.limit + 1)]
    shown, following = page_of(items, asked.query.limit, lambda one: (one["number"],))
    return {"items": list(shown), "next": following}


def _statement(line: str) -> dict[str, Any]:
    statement = json.loads(line)["statement"]
    times = {name: statement[name] for name in ("issued_at", "valid_until")}
    about = {name: statement["about"][name] for name in ("number", "appeal")}
    return {**about, **times, "statement": line}


EXAMPLE = NewCompany(
    name="partner", url="https://example.com/callsieve/", key="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
)
ENDPOINTS = (
    Endpoint(
        "GET", "/exchange", show, Scope.READ, Role.VIEWER, ExchangeState, "What is exchanged with other companies."
    ),
    Endpoint(
        "GET",
        "/exchange/cleared",
        cleared,
        Scope.READ,
        Role.OPERATOR,
        ClearedStatements,
        "Signed statements of numbers that were cleared here.",
        query=PageQuery,
    ),
    Endpoint(
        "POST",
        "/exchange/companies",
        add,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        CompanyAdded,
        "Take a company's evidence, or change where it is, its key or its weight.",
        body=NewCompany,
        example=EXAMPLE,
        status=201,
    ),
    Endpoint("GET", "/exchange/companies/{name}", show_one, Scope.READ, Role.VIEWER, PeerCompany, "One company."),
    Endpoint(
        "DELETE",
        "/exchange/companies/{name}",
        remove,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        Done,
        "Take a company's evidence no more; one of the settings is taken out there.",
    ),
    Endpoint(
        "POST",
        "/exchange/companies/{name}/pause",
        pause,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        Done,
        "Let nothing count that a company says, and fetch it no more.",
    ),
    Endpoint(
        "POST",
        "/exchange/companies/{name}/heed",
        heed,
        Scope.ADMIN,
        Role.ADMINISTRATOR,
        Done,
        "Let a company count again; it is measured anew.",
    ),
)
