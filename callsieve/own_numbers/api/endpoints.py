"""Our own numbers and who does not want to be called, for programs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import Done, pages_of, record_of
from callsieve.changes.describe import ChangeId, NumberText, number_field
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, page_of, place_of
from callsieve.own_numbers import do_not_call, operations
from callsieve.own_numbers.csv_file import grade_as_json, health_as_json, number_as_json
from callsieve.own_numbers.do_not_call import WishRequest
from callsieve.own_numbers.fields import CHECK_EVERY, FIELDS, TEXT_CHARACTERS, FormField
from callsieve.own_numbers.operations import SEEN_SECONDS, Changed, CheckRequest, NumberRequest, UseRequest
from reputation.api_tokens import Scope
from reputation.own.register import OwnNumber
from reputation.owner_sentence import owner_sentence
from reputation.store.do_not_call import DoNotCall, all_do_not_call
from reputation.store.own_health import own_health, recent_grade
from reputation.store.own_register import Seen, own_of, register_of, unregistered
from reputation.store.site import people_here
from reputation.users import Role

MOST_WISHES = 100_000
Line = Annotated[str, Meta(max_length=TEXT_CHARACTERS, description="One line.")]
_GRADE: dict[str, Any] = {
    "grade": str | None,
    "too_few_calls": bool,
    "reasons": list[str],
    "graded_at": float,
}


def _typed(field: FormField) -> Any:
    """What may be sent for a field of the register; null leaves it as it is."""
    text = Annotated[str, Meta(max_length=TEXT_CHARACTERS, description=f"{field.label}.")]
    return list[text] | None if field.is_list else text | None


def _typed_fields(name: str, words: str, *first: tuple[str, Any]) -> Any:
    fields: list[Any] = [*first, *((field.name, _typed(field), None) for field in FIELDS)]
    about: dict[str, Any] = {"bases": (ApiStruct,), "namespace": {"__doc__": words}, "kw_only": True, "frozen": True}
    return msgspec.defstruct(name, fields, **about)


NewOwnNumber: Any = _typed_fields("NewOwnNumber", "A number to be registered.", ("number", NumberText))
OwnNumberEdit: Any = _typed_fields("OwnNumberEdit", "What is to be changed of a number; what is not sent stays.")
OwnNumberRecord = record_of("OwnNumberRecord", OwnNumber, "A number of the register.", rests_until=float | None)
GradedOwnNumber = record_of(
    "GradedOwnNumber", OwnNumber, "A number of the register, with its grade.", rests_until=float | None, **_GRADE
)
SeenNumber = record_of("SeenNumber", Seen, "A number that calls went out from and that is not registered.", **_GRADE)
DoNotCallRecord = record_of("DoNotCallRecord", DoNotCall, "Somebody who does not want to be called.")
DoNotCallRecords = pages_of("DoNotCallRecords", DoNotCallRecord, "A page of the do-not-call list, the latest first.")


class OwnNumbers(ApiStruct, frozen=True):
    """The register, and what goes out and is not in it, as `callsieve own list --json` has it."""

    numbers: list[GradedOwnNumber]  # type: ignore[valid-type]
    unregistered: list[SeenNumber]  # type: ignore[valid-type]


class OwnNumberHealth(ApiStruct, frozen=True):
    """One number, as `callsieve own show --json` has it. `health`: its grade, reasons, figures and days."""

    number: str
    register: OwnNumberRecord | None  # type: ignore[valid-type]
    health: dict[str, Any]
    to_owner: str


class OwnNumberChanged(ApiStruct, frozen=True):
    """The number as it is now, and how it was. `change_id` null: it was so already."""

    change_id: ChangeId | None
    own_number: OwnNumberRecord  # type: ignore[valid-type]
    before: OwnNumberRecord | None  # type: ignore[valid-type]


class NextCheck(ApiStruct, frozen=True):
    """When to look again: 180d, 2026-12-31, never."""

    next_check: Annotated[str, Meta(max_length=40)] = CHECK_EVERY


class UseAgain(ApiStruct, frozen=True):
    """`early`: also before the number has rested for long enough."""

    early: bool = False


class NewWish(ApiStruct, frozen=True):
    """Who is not to be called any more. `after`: the own number that had called; `person`: who of us heard it."""

    number: NumberText
    after: NumberText | None = None
    note: Line = ""
    person: Annotated[str, Meta(max_length=64)] = ""


class WishChanged(ApiStruct, frozen=True):
    """What is on the list. `change_id` null: it was there already."""

    change_id: ChangeId | None
    wish: DoNotCallRecord  # type: ignore[valid-type]


def show(db: sqlite3.Connection, context: Context, _asked: Asked[None, None]) -> dict[str, Any]:
    """The register with each number's grade."""

    def graded(number: str) -> dict[str, Any]:
        return grade_as_json(recent_grade(db, number, context.at, context.settings.reputation))

    registered = [number_as_json(one) | graded(one.number) for one in register_of(db)]
    seen = [one._asdict() | graded(one.number) for one in unregistered(db, context.at - SEEN_SECONDS)]
    return {"numbers": registered, "unregistered": seen}


def show_one(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """One number, and how it is doing."""
    number, weights = number_field(context, asked.path["number"]), context.settings.reputation
    own, health = own_of(db, number), own_health(db, number, context.at, weights)
    if own is None and not health.facts.days:
        own = operations.registered(db, number)  # which says that it is not
    return {
        "number": number,
        "register": own and number_as_json(own),
        "health": health_as_json(health),
        "to_owner": str(owner_sentence(weights, people_here(db))),
    }


def add(db: sqlite3.Connection, context: Context, asked: Asked[None, Any]) -> dict[str, Any]:
    """Registers a number."""
    return _changed(operations.add(db, context, NumberRequest(asked.body.number, _given(asked.body))))


def edit(db: sqlite3.Connection, context: Context, asked: Asked[None, Any]) -> dict[str, Any]:
    """Changes what is sent."""
    return _changed(operations.edit(db, context, NumberRequest(asked.path["number"], _given(asked.body))))


def remove(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """Takes it out of the register."""
    return Done(change_id=operations.remove(db, context, asked.path["number"]).change_id)


def check(db: sqlite3.Connection, context: Context, asked: Asked[None, NextCheck]) -> dict[str, Any]:
    """Somebody looked, and all that is registered holds."""
    return _changed(operations.check(db, context, CheckRequest(asked.path["number"], asked.body.next_check)))


def rest(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """Nobody is to call out from it for 45 days."""
    return _changed(operations.rest(db, context, asked.path["number"]))


def use(db: sqlite3.Connection, context: Context, asked: Asked[None, UseAgain]) -> dict[str, Any]:
    """It is in use again."""
    return _changed(operations.use(db, context, UseRequest(asked.path["number"], asked.body.early)))


def retire(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """It was given back."""
    return _changed(operations.retire(db, context, asked.path["number"]))


def show_wishes(db: sqlite3.Connection, _context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """The do-not-call list."""
    after = place_of(asked.query.cursor, tuple[float, str])
    rows = [one for one in all_do_not_call(db, MOST_WISHES) if after is None or _wish_place(one) > after]
    shown, following = page_of(rows, asked.query.limit, _wish_place)
    return {"items": [one._asdict() for one in shown], "next": following}


def add_wish(db: sqlite3.Connection, context: Context, asked: Asked[None, NewWish]) -> dict[str, Any]:
    """Nobody here is to call the number again."""
    new = asked.body
    done = do_not_call.list_number(db, context, WishRequest(new.number, new.after, new.note, new.person))
    return {"change_id": done.change_id, "wish": done.wish._asdict()}


def remove_wish(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """The number may be called again."""
    return Done(change_id=do_not_call.unlist(db, context, asked.path["number"]).change_id)


def _given(body: Any) -> dict[str, Any]:
    """What was sent of a number, by the names of FIELDS."""
    return {field.name: getattr(body, field.name) for field in FIELDS}


def _changed(done: Changed) -> dict[str, Any]:
    before = done.before and number_as_json(done.before)
    return {"change_id": done.change_id, "own_number": number_as_json(done.own), "before": before}


def _wish_place(one: DoNotCall) -> tuple[float, str]:
    return -one.at, one.number


def _step(name: str, handler: Callable[..., Any], summary: str, example: ApiStruct | None = None) -> Endpoint:
    path, body = f"/own-numbers/{{number}}/{name}", None if example is None else type(example)
    return Endpoint(
        "POST", path, handler, Scope.WRITE, Role.OPERATOR, OwnNumberChanged, summary, body=body, example=example
    )


NAMED = {"name": "Example Ltd", "purpose": "appointments", "trunks": ["carrier"]}
ENDPOINTS = (
    Endpoint(
        "GET", "/own-numbers", show, Scope.READ, Role.OPERATOR, OwnNumbers, "The register, with each number's grade."
    ),
    Endpoint(
        "GET",
        "/own-numbers/{number}",
        show_one,
        Scope.READ,
        Role.OPERATOR,
        OwnNumberHealth,
        "One own number, and how it is doing.",
    ),
    Endpoint(
        "POST",
        "/own-numbers",
        add,
        Scope.WRITE,
        Role.OPERATOR,
        OwnNumberChanged,
        "Register an own number.",
        body=NewOwnNumber,
        example=NewOwnNumber(number="+442071838750", **NAMED),
        status=201,
    ),
    Endpoint(
        "PATCH",
        "/own-numbers/{number}",
        edit,
        Scope.WRITE,
        Role.OPERATOR,
        OwnNumberChanged,
        "Change what is registered of a number.",
        body=OwnNumberEdit,
        example=OwnNumberEdit(**NAMED),
    ),
    Endpoint(
        "DELETE",
        "/own-numbers/{number}",
        remove,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "Take a number out of the register.",
    ),
    _step("check", check, "Somebody looked, and what is registered of the number holds.", NextCheck()),
    _step("rest", rest, "Nobody is to call out from the number for 45 days."),
    _step("use", use, "The number is in use again.", UseAgain()),
    _step("retire", retire, "The number was given back."),
    Endpoint(
        "GET",
        "/do-not-call",
        show_wishes,
        Scope.READ,
        Role.OPERATOR,
        DoNotCallRecords,
        "Who does not want to be called.",
        query=PageQuery,
    ),
    Endpoint(
        "POST",
        "/do-not-call",
        add_wish,
        Scope.WRITE,
        Role.OPERATOR,
        WishChanged,
        "Nobody here is to call a number again.",
        body=NewWish,
        example=NewWish(number="+12015550123", note="asked on the telephone"),
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/do-not-call/{number}",
        remove_wish,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "A number may be called again.",
    ),
)
