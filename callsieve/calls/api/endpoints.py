"""Decisions about calls, for programs: looked for, one of them, and why it was taken."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import Instant
from callsieve.calls.records import (
    LONGEST,
    Disputes,
    decided_since,
    decision_as_json,
    disputes_of,
    evidence_of,
    wanted_of,
)
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, page_of, place_of
from callsieve.decide.call_facts import linkedid_of
from policies.decision import ACTION_BY_WORD
from policies.reasons import why_of
from reputation.explaining import sentence_of_families
from reputation.model import DecisionRecord
from reputation.outcome import OutcomeRecord
from reputation.site_names import parse_id
from reputation.store.calls import ENDINGS, CallCursor, ending_of, find_calls
from reputation.store.journal import decision_of
from reputation.users import Role, Scope

NO_DECISION = "there is no decision of this id"

Asked_ = Annotated[str, Meta(max_length=LONGEST)]
Time = Annotated[str, Meta(max_length=LONGEST, description="1h, 7d, 18:00, 2026-12-31, 2026-12-31T18:00")]
# Empty: any.
ActionWord = Literal["", *ACTION_BY_WORD]  # type: ignore[valid-type]
EndingWord = Literal["", *ENDINGS]  # type: ignore[valid-type]


class DecisionQuery(PageQuery, frozen=True):
    """What is looked for, as `callsieve calls search` has it. Empty: anything.

    `call_id`: the Call-ID that another switch gave, or Asterisk's linkedid.
    """

    number: Asked_ = ""
    callee: Asked_ = ""
    did: Asked_ = ""
    action: ActionWord = ""
    rule: Asked_ = ""
    ending: EndingWord = ""
    since: Time = ""
    until: Time = ""
    site: Asked_ = ""
    call_id: Annotated[str, Meta(max_length=4096)] = ""


class LevelSource(ApiStruct, frozen=True):
    """Who a level comes from, and how much."""

    who: str
    log_odds: float


class CallDecision(ApiStruct, frozen=True):
    """A decision, as `callsieve calls show --json` has it. `vector`: the evidence by family. `first_call`: nothing was
    known of the number.
    """

    id: str
    at: Instant
    linkedid: str
    caller: str | None
    caller_kind: str
    caller_text: str
    first_call: bool
    auth_class: str
    did: str | None
    trunk: str | None
    callee: str | None
    action: str
    would_be: str
    rule: str
    reason: str
    reason_code: str
    level: str
    level_from: list[LevelSource]
    log_odds: float
    points: int
    vector: Any
    policy: str
    elapsed_ms: float
    outcome: OutcomeRecord | None
    challenge: str | None


class CallDecisions(ApiStruct, frozen=True):
    """A page of decisions, the latest first."""

    items: list[CallDecision]
    next: str | None


class CallLevelChange(ApiStruct, frozen=True):
    """What would have made the level lower, and which it would have been then."""

    what: str
    level: str


class Explanation(ApiStruct, frozen=True):
    """Why a call was decided as it was, in words. `since_then`: what people here have decided about the caller later.

    `damaged`: the evidence that was kept cannot be read.
    """

    id: str
    reason: str
    because: str
    witnesses: list[str]
    would_change: list[CallLevelChange]
    appeal: str
    since_then: list[str]
    damaged: bool


def show(db: sqlite3.Connection, context: Context, asked: Asked[DecisionQuery, None]) -> dict[str, Any]:
    """The decisions that are looked for."""
    query = asked.query
    typed: Mapping[str, str] = msgspec.structs.asdict(query)
    after = place_of(query.cursor, tuple[float, str])
    wanted = wanted_of(context, typed)
    if query.call_id:
        wanted = wanted._replace(linkedids=json.dumps([query.call_id, linkedid_of(query.call_id)]))
    rows = find_calls(db, wanted, CallCursor(*after) if after else None, query.limit + 1)
    shown, following = page_of(rows, query.limit, lambda one: one.place)
    found = (decision_of(db, one.id) for one in shown)
    return {"items": [_as_json(db, one) for one in found if one is not None], "next": following}


def show_one(db: sqlite3.Connection, _context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """One decision."""
    return _as_json(db, _decision(db, asked))


def explain(db: sqlite3.Connection, _context: Context, asked: Asked[None, None]) -> Explanation:
    """Why it was taken."""
    record = _decision(db, asked)
    evidence = evidence_of(record)
    disputes = disputes_of(db, record.caller) if record.caller else Disputes()
    return Explanation(
        id=record.id,
        reason=str(why_of(record.reason)),
        because=str(sentence_of_families(evidence.families)) if evidence else "",
        witnesses=[str(one) for one in evidence.account] if evidence else [],
        would_change=[CallLevelChange(what=what, level=level) for what, level in evidence.changes] if evidence else [],
        appeal=evidence.appeal if evidence else "",
        since_then=list(decided_since(disputes, record.at)),
        damaged=evidence is None,
    )


def _as_json(db: sqlite3.Connection, record: DecisionRecord) -> dict[str, Any]:
    return {**decision_as_json(record), **ending_of(db, record.linkedid)._asdict()}


def _decision(db: sqlite3.Connection, asked: Asked[Any, Any]) -> DecisionRecord:
    wanted = parse_id(asked.path["id"])
    record = decision_of(db, wanted) if wanted else None
    if record is None:
        raise Refused("no-such-decision", NO_DECISION, "id")
    return record


ENDPOINTS = (
    Endpoint(
        "GET",
        "/decisions",
        show,
        Scope.READ,
        Role.OPERATOR,
        CallDecisions,
        "Decisions about calls, the latest first.",
        query=DecisionQuery,
    ),
    Endpoint("GET", "/decisions/{id}", show_one, Scope.READ, Role.OPERATOR, CallDecision, "One decision."),
    Endpoint(
        "GET",
        "/decisions/{id}/explanation",
        explain,
        Scope.READ,
        Role.OPERATOR,
        Explanation,
        "Why a call was decided as it was.",
    ),
)
