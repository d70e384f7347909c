"""What is known about a number, and what people say of it, for programs."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Annotated, Any, Literal

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId
from callsieve.changes.fields import number_field
from callsieve.changes.operation import Context
from callsieve.lists.api.endpoints import ShownEntry
from callsieve.numbers import operations
from callsieve.numbers.operations import Marked, MarkRequest
from callsieve.numbers.profile import profile_as_json, profile_of
from reputation.api_tokens import Scope
from reputation.model import Mark, MarkChannel, Verdict
from reputation.outcome import OutcomeRecord, Signal
from reputation.users import Role

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
    lists: list[ShownEntry]
    personal: list[Kept]
    identity: Kept | None
    imported: list[Kept]
    peers: list[Kept]
    own_number: bool
    to_owner: str | None
    challenge_passed: list[Kept]
    challenges: list[Kept]
    calls_within_the_hour: int
    marks: list[Mark]
    appeals: list[Kept]
    tombstones: list[Kept]
    epochs: list[Kept]
    to_review: list[Kept]
    reviewed: Kept | None
    signals: list[Signal]
    outcomes: list[OutcomeRecord]
    decisions: list[Kept]
    now: Kept | None
    trouble: str | None


class NewMark(ApiStruct, frozen=True):
    """What a person says. `category`: what kind of spam; `reason`: a verified business is marked with one only."""

    verdict: Literal["spam", "ok"]
    category: Annotated[str, Meta(max_length=40, examples=["scam"])] | None = None
    reason: Annotated[str, Meta(max_length=REASON_CHARACTERS)] = ""


class NumberMarked(ApiStruct, frozen=True):
    """`mark`: what is said now; `before`: what counted until then."""

    change_id: ChangeId | None
    status: str
    number: str
    mark: Mark
    before: Mark | None


def lookup(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """All that is known about a number."""
    number = number_field(context, asked.path["number"], "number")
    return profile_as_json(profile_of(db, context.loaded, number, context.at))


def mark(db: sqlite3.Connection, context: Context, asked: Asked[None, NewMark]) -> dict[str, Any]:
    """A mark in the name of one of our people. It counts as one that is made in the console."""
    new = asked.body
    return _told(operations.mark(db, context, _request(asked, Verdict(new.verdict), new.category, new.reason)))


def unmark(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """Takes it back."""
    return _told(operations.mark(db, context, _request(asked, Verdict.RETRACTED)))


def _request(asked: Asked[Any, Any], verdict: Verdict, category: str | None = None, reason: str = "") -> MarkRequest:
    return MarkRequest(asked.path["number"], asked.path["person"], verdict, MarkChannel.WEB, category, reason)


def _told(marked: Marked) -> dict[str, Any]:
    result = asdict(marked.result)
    del result["refusal"]
    return {"change_id": marked.change_id, **result}


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
    Endpoint(
        "PUT",
        "/numbers/{number}/marks/{person}",
        mark,
        Scope.MARKS,
        Role.OPERATOR,
        NumberMarked,
        "Mark a number as spam, or as not spam, in the name of one of our people.",
        body=NewMark,
        example=NewMark(verdict="spam", category="scam"),
    ),
    Endpoint(
        "DELETE",
        "/numbers/{number}/marks/{person}",
        unmark,
        Scope.MARKS,
        Role.OPERATOR,
        NumberMarked,
        "Take back such a mark.",
    ),
)
