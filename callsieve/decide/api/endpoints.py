"""What to do with a call, and how it ended, for other switches. Fail open: the switch hears `allow` whatever state we
are in.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from callsieve import emergency_window
from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, CallWaits, Endpoint, body_from
from callsieve.api.fields import Instant
from callsieve.api.problem import UNPROCESSABLE, ApiError
from callsieve.changes.operation import Context
from callsieve.decide import operations
from callsieve.decide.call_facts import (
    CallAnswer,
    CallFacts,
    NoDecision,
    OutboundAnswer,
    OutgoingFacts,
    fail_open,
    outbound_fail_open,
)
from callsieve.decide.daemon_client import LONGEST_SECONDS, DaemonClient
from callsieve.decide.operations import CallEnding
from callsieve.web.throttle import RateLimits
from reputation.model import Disposition
from reputation.users import Role, Scope

# A SIP message has 64 kB, and each byte of it at most six characters in JSON. One that is too long would be refused,
# and the call would go on.
MOST_BYTES = 512 * 1024
FIELD_CHARACTERS = 80
TWICE = "it is there twice: quote what callers write as JSON does, or they add fields of their own"


class EmergencyCall(ApiStruct, frozen=True):
    """An emergency call that goes out through another switch. There is nothing to say about it."""


class DecisionWindow(ApiStruct, frozen=True):
    """Whether nothing is screened now, and until when."""

    open: bool
    until: Instant | None


class EndingRecorded(ApiStruct, frozen=True):
    """Whether it is new: a call is recorded once. `signal`: what was learnt, where that is known already."""

    recorded: bool
    signal: str | None


async def decide(req: ApiRequest[None, CallFacts]) -> CallAnswer:
    """What to do with a call. Whoever has the token could else fill the store with calls that never were."""
    allowed = req.context.loaded.settings.api.recorded_per_second
    quota = req.state.service(RateLimits).ask(req.context.actor, allowed, time.monotonic())
    return await req.state.service(DaemonClient).decide(req.asked.body, record=not quota.wait_seconds)


async def decide_outbound(req: ApiRequest[None, OutgoingFacts]) -> OutboundAnswer:
    """Return whether one of our calls may go out now."""
    return await req.state.service(DaemonClient).decide_outbound(req.asked.body)


def open_window(db: sqlite3.Connection, context: Context, _asked: Asked[None, EmergencyCall]) -> DecisionWindow:
    """Nothing is screened for a while: an emergency call goes out, and whoever calls back must get through."""
    window = emergency_window.open_window(db, context)
    return DecisionWindow(open=window.is_open, until=window.until if window.is_open else None)


def record_ending(db: sqlite3.Connection, context: Context, asked: Asked[None, CallEnding]) -> EndingRecorded:
    """How a call ended."""
    done = operations.record_ending(db, context, asked.body)
    return EndingRecorded(recorded=done.new, signal=None if done.signal is None else done.signal.category.value)


def facts_from(raw: bytes, kind: Any) -> Any:
    """The facts of a call. ApiError: they were not put together as they should be.

    Text that is not UTF-8 is taken, as far as it can be read: what callers write is passed on by switches as it is.
    """
    text = raw.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):  # `body_from` says what is wrong
        json.loads(text, object_pairs_hook=_each_once)
    return body_from(text.encode(), kind)


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ApiError(UNPROCESSABLE, "bad-body", TWICE, key[:FIELD_CHARACTERS])
        seen.add(key)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/decide",
        decide,
        Scope.DECIDE,
        Role.VIEWER,
        CallAnswer,
        "What to do with an incoming call.",
        body=CallFacts,
        example=CallFacts(caller="+12015550123", did="+442071838750", trunk="carrier", call_id="a84b4c76@192.0.2.1"),
        status=HTTPStatus.OK,
        most_bytes=MOST_BYTES,
        keeps_answer=False,
        decode=facts_from,
        call_waits=CallWaits(LONGEST_SECONDS, lambda: fail_open(NoDecision.TIMED_OUT)),
    ),
    Endpoint(
        "POST",
        "/decide-outbound",
        decide_outbound,
        Scope.DECIDE,
        Role.OPERATOR,
        OutboundAnswer,
        "Ask the outbound guard whether one of our calls may go out now.",
        body=OutgoingFacts,
        example=OutgoingFacts(
            dialled="+12015550123", own_number="+442071838750", caller="201", trunk="carrier", call_id="b1@192.0.2.1"
        ),
        status=HTTPStatus.OK,
        keeps_answer=False,
        decode=facts_from,
        call_waits=CallWaits(LONGEST_SECONDS, lambda: outbound_fail_open(NoDecision.TIMED_OUT)),
    ),
    Endpoint(
        "POST",
        "/emergency-calls",
        open_window,
        Scope.DECIDE,
        Role.OPERATOR,
        DecisionWindow,
        "An emergency call goes out through another switch: open the window, in which nothing is screened.",
        body=EmergencyCall,
        example=EmergencyCall(),
        status=HTTPStatus.CREATED,
    ),
    Endpoint(
        "POST",
        "/outcomes",
        record_ending,
        Scope.DECIDE,
        Role.OPERATOR,
        EndingRecorded,
        "How a call through another switch ended: it is learnt from.",
        body=CallEnding,
        example=CallEnding(
            call_id="a84b4c76@192.0.2.1",
            disposition=Disposition.ANSWERED,
            caller="+12015550123",
            did="+442071838750",
            trunk="carrier",
            answered_by="201",
            rang=("201",),
            ring_seconds=4,
            talk_seconds=95,
            ended_by="caller",
        ),
        keeps_answer=False,
    ),
)
