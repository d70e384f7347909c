"""Who numbers belong to, for programs."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any, Literal

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, Done, NumberText, pages_of, record_of
from callsieve.api.paging import PageQuery, page_of, place_of
from callsieve.changes.operation import Context, Refused
from callsieve.identities import operations
from callsieve.identities.operations import TEXT_CHARACTERS, CodeRequest, IdentityRequest, ProofRequest
from callsieve.identities.views import identity_as_json, shown_as_json
from reputation.api_tokens import Scope
from reputation.model import Identity
from reputation.store.hub.origins import origin_of_identity
from reputation.store.identities import all_identities
from reputation.users import Role

Line = Annotated[str, Meta(max_length=TEXT_CHARACTERS, description="One line.")]

IdentityRecord = record_of("IdentityRecord", Identity, "Who a number belongs to.", expired=bool)
ShownIdentity = record_of(
    "ShownIdentity",
    Identity,
    "An identity that is there, as `callsieve identity show --json` has it. `site`: the other site that said it, empty "
    "for ours; `overrules`: sites that are followed and say otherwise.",
    expired=bool,
    site=str,
    overrules=list[str],
)
IdentityRecords = pages_of("IdentityRecords", ShownIdentity, "A page of identities, by number.")


class NewIdentity(ApiStruct, frozen=True):
    """Whose a number is. `level` 2 needs a note on how it was proven. `expires`: 180d; 12 months at most."""

    number: NumberText
    name: Line
    level: Literal[1, 2]
    note: Line = ""
    expires: Annotated[str, Meta(max_length=40)] = ""


class IdentityChanged(ApiStruct, frozen=True):
    """The identity that is recorded now; `replaced`: the one that was there."""

    change_id: ChangeId | None
    identity: IdentityRecord  # type: ignore[valid-type]
    replaced: IdentityRecord | None  # type: ignore[valid-type]


class WantedCode(ApiStruct, frozen=True):
    """`name`: who is recorded when the code is keyed in a call from the number."""

    name: Line = ""


class ProofCode(ApiStruct, frozen=True):
    """A code that proves control of the number: said in a call to it, or keyed in one from it. It counts for a day."""

    number: str
    code: str


class GivenCode(ApiStruct, frozen=True):
    """The code as it was given back, by somebody who says to be `name`."""

    code: Annotated[str, Meta(max_length=20)]
    name: Line


def show(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """All identities."""
    after = place_of(asked.query.cursor, tuple[str])
    rows = [one for one in sorted(all_identities(db), key=_place) if after is None or _place(one) > after]
    shown, following = page_of(rows, asked.query.limit, _place)
    follow = context.settings.hub.follow
    items = [shown_as_json(one, origin_of_identity(db, one, follow), context.at) for one in shown]
    return {"items": items, "next": following}


def add(db: sqlite3.Connection, context: Context, asked: Asked[None, NewIdentity]) -> dict[str, Any]:
    """Records one."""
    new = asked.body
    done = operations.add(db, context, IdentityRequest(new.number, new.name, new.level, new.note, new.expires))
    return {
        "change_id": done.change_id,
        "identity": identity_as_json(done.identity, context.at),
        "replaced": done.replaced and identity_as_json(done.replaced, context.at),
    }


def remove(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """Forgets one."""
    return Done(change_id=operations.remove(db, context, asked.path["number"]).change_id)


def make_code(db: sqlite3.Connection, context: Context, asked: Asked[None, WantedCode]) -> ProofCode:
    """Makes a code."""
    made = operations.make_code(db, context, CodeRequest(asked.path["number"], asked.body.name))
    return ProofCode(number=made.number, code=made.code)


async def prove(req: ApiRequest[None, GivenCode]) -> dict[str, Any]:
    """Takes the code that was given back. A wrong one is counted, so it is refused once that is written."""
    given = req.asked.body
    proven = await req.perform(operations.prove, ProofRequest(req.asked.path["number"], given.code, given.name))
    if isinstance(proven, Refused):
        raise proven
    return identity_as_json(proven, req.context.at)


def _place(one: Identity) -> tuple[str]:
    return (one.number,)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/identities",
        show,
        Scope.READ,
        Role.OPERATOR,
        IdentityRecords,
        "Who numbers belong to.",
        query=PageQuery,
    ),
    Endpoint(
        "POST",
        "/identities",
        add,
        Scope.WRITE,
        Role.OPERATOR,
        IdentityChanged,
        "Record who a number belongs to.",
        body=NewIdentity,
        example=NewIdentity(number="+12015550123", name="City Hospital", level=2, note="documents seen"),
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/identities/{number}",
        remove,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "Forget who a number belongs to.",
    ),
    Endpoint(
        "POST",
        "/identities/{number}/code",
        make_code,
        Scope.WRITE,
        Role.OPERATOR,
        ProofCode,
        "Make a code that proves control of a number.",
        body=WantedCode,
        example=WantedCode(name="City Hospital"),
        status=201,
    ),
    Endpoint(
        "POST",
        "/identities/{number}/prove",
        prove,
        Scope.WRITE,
        Role.OPERATOR,
        IdentityRecord,
        "Take the code that was given back.",
        body=GivenCode,
        example=GivenCode(code="123456", name="City Hospital"),
    ),
)
