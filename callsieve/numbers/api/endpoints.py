"""What is known about a number, and what people say of it, for programs."""

from __future__ import annotations

import sqlite3
from typing import Any

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint, endpoint
from callsieve.changes.describe import number_field
from callsieve.changes.operation import Context
from callsieve.numbers import operations
from callsieve.numbers.operations import PersonMark
from callsieve.numbers.profile import profile_as_json, profile_of
from reputation.users import Role, Scope

REASON_CHARACTERS = 200
Kept = dict[str, Any]


class NumberProfile(ApiStruct, frozen=True):
    """All that is known about a number, as `callsieve lookup --json` has it. `now`: what a call of it would meet."""

    number: str
    country: str | None
    number_type: str
    valid: bool
    plan: Kept | None
    sentence: str
    reputation: Kept
    lower_in: Kept | None
    history: list[Kept]
    lists: list[Kept]
    personal: list[Kept]
    identity: Kept | None
    imported: list[Kept]
    peers: list[Kept]
    own_number: bool
    to_owner: str | None
    challenge_passed: list[Kept]
    challenges: list[Kept]
    calls_within_the_hour: int
    marks: list[Kept]
    appeals: list[Kept]
    tombstones: list[Kept]
    epochs: list[Kept]
    to_review: list[Kept]
    reviewed: Kept | None
    signals: list[Kept]
    outcomes: list[Kept]
    decisions: list[Kept]
    now: Kept | None
    trouble: str | None


def lookup(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """All that is known about a number."""
    number = number_field(context, asked.path["number"], "number")
    return profile_as_json(profile_of(db, context.loaded, number, context.at))


MARK = "/numbers/{number}/marks/{person}"
SPAM = PersonMark("+12015550123", "201", "spam", "scam")
ENDPOINTS = (
    Endpoint(
        "GET",
        "/numbers/{number}",
        lookup,
        Scope.READ,
        Role.OPERATOR,
        NumberProfile,
        "All that is known about a number.",
    ),
    endpoint("PUT", MARK, operations.mark_for, Scope.MARKS, Role.OPERATOR, example=SPAM),
    endpoint("DELETE", MARK, operations.unmark_for, Scope.MARKS, Role.OPERATOR),
)
