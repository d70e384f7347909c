"""API endpoints for other switches: decisions about calls, and outcomes. Without a decision, calls are allowed."""

import json
import time
from contextlib import suppress
from typing import Any

from callsieve import emergency_window
from callsieve.api.endpoint import ApiRequest, CallWaits, body_from, endpoint
from callsieve.api.problem import UNPROCESSABLE, ApiError
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
from callsieve.decide.operations import LONGEST_SECONDS, CallEnding, DaemonClient
from callsieve.web.throttle import RateLimits
from reputation.model import Disposition
from reputation.users import Role, Scope

# A SIP message has up to 64 kB, and JSON may write each byte with six characters. A caller whose request is too long
# would pass unscreened.
MOST_BYTES = 512 * 1024
FIELD_CHARACTERS = 80
TWICE = "this field is given twice: quote text from callers as JSON, otherwise callers can add fields"


async def decide(req: ApiRequest, call: CallFacts) -> CallAnswer:
    """Return the decision about an incoming call."""
    # Otherwise a stolen token could fill the store with invented calls.
    allowed = req.context.loaded.settings.api.recorded_per_second
    quota = req.state.service(RateLimits).ask(req.context.actor, allowed, time.monotonic())
    return await req.state.service(DaemonClient).decide(call, record=not quota.wait_seconds)


async def decide_outbound(req: ApiRequest, call: OutgoingFacts) -> OutboundAnswer:
    """Return whether an outgoing call may be made now."""
    return await req.state.service(DaemonClient).decide_outbound(call)


def facts_from(raw: bytes, kind: Any) -> Any:
    """Return the facts of a call in a JSON body. Raise ApiError if the JSON is malformed.

    Bytes that are not UTF-8 are replaced, because switches forward callers' texts unchanged.
    """
    text = raw.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):  # `body_from` reports it
        json.loads(text, object_pairs_hook=_each_once)
    return body_from(text.encode(), kind)


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ApiError(UNPROCESSABLE, "bad-body", TWICE, key[:FIELD_CHARACTERS])
        seen.add(key)


ENDPOINTS = (
    endpoint(
        "POST",
        "/decide",
        decide,
        Scope.DECIDE,
        Role.VIEWER,
        example=CallFacts(caller="+12015550123", did="+442071838750", trunk="carrier", call_id="a84b4c76@192.0.2.1"),
        most_bytes=MOST_BYTES,
        keeps_answer=False,
        decode=facts_from,
        call_waits=CallWaits(LONGEST_SECONDS, lambda: fail_open(NoDecision.TIMED_OUT)),
    ),
    endpoint(
        "POST",
        "/decide-outbound",
        decide_outbound,
        Scope.DECIDE,
        Role.OPERATOR,
        example=OutgoingFacts(
            dialled="+12015550123", own_number="+442071838750", caller="201", trunk="carrier", call_id="b1@192.0.2.1"
        ),
        keeps_answer=False,
        decode=facts_from,
        call_waits=CallWaits(LONGEST_SECONDS, lambda: outbound_fail_open(NoDecision.TIMED_OUT)),
    ),
    endpoint("POST", "/emergency-calls", emergency_window.open_window, Scope.DECIDE, Role.OPERATOR, status=201),
    endpoint(
        "POST",
        "/outcomes",
        operations.record_ending,
        Scope.DECIDE,
        Role.OPERATOR,
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
