"""Builders: calls in the journal with how they ended."""

from __future__ import annotations

import json
from typing import Any

from reputation.model import AuthClass, CallerKind, DecisionRecord, Direction, Disposition
from reputation.outcome import OutcomeRecord
from reputation.store.journal import record_decisions
from reputation.store.outcomes import record_outcome
from tests.callsieve.browsing import NOW, Office

CALLER = "+12015550123"
DID = "+442071838750"
VECTOR = json.dumps(
    {
        "families": [
            {"family": "marks", "log_odds": 3.71, "counts": {"marked": 2, "answered": 3, "silent": 1}},
            {"family": "attestation", "log_odds": -0.5, "counts": {"A": 1}},
        ],
        "would_change": [{"what": "one of our people calls the number back and talks for 30 s", "level": "tag"}],
    }
)


def make_decision(decision_id: str = "7KQ2M4XA", **fields: Any) -> DecisionRecord:
    """A decision about a call of CALLER: challenged."""
    known: dict[str, Any] = {
        "id": decision_id,
        "at": NOW - 600,
        "linkedid": f"call.{decision_id}",
        "caller": CALLER,
        "caller_kind": CallerKind.NUMBER,
        "auth_class": AuthClass.UNKNOWN,
        "did": DID,
        "trunk": "carrier",
        "callee": None,
        "action": "challenge",
        "rule": "level-challenge",
        "reason": "strong evidence against this number",
        "level": "challenge",
        "log_odds": 5.0,
        "vector": VECTOR,
        "policy": "cautious",
        "elapsed_ms": 0.4,
        **fields,
    }
    return DecisionRecord(**{"would_be": known["action"], **known})


def make_ending(decision: DecisionRecord, **fields: Any) -> OutcomeRecord:
    """How that call ended: 201 talked for 12 s."""
    known: dict[str, Any] = {
        "linkedid": decision.linkedid,
        "at": decision.at,
        "direction": Direction.INBOUND,
        "disposition": Disposition.ANSWERED,
        "caller": decision.caller,
        "did": decision.did,
        "answered_by": "201",
        "ring_seconds": 5.0,
        "talk_seconds": 12.0,
        **fields,
    }
    return OutcomeRecord(**known)


def add_calls(office: Office, *calls: DecisionRecord) -> None:
    office.write(record_decisions, calls)


def add_ending(office: Office, ending: OutcomeRecord) -> None:
    office.write(record_outcome, ending, NOW)
