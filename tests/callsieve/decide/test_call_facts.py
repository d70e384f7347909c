"""Facts of another switch become the same call as from the dialplan, whatever text the caller sends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.parsing import MAX_ID, incoming_call_of
from agi.protocol import AgiSession, Request, block_of
from callsieve.decide.call_facts import CallFacts, linkedid_of, request_of
from policies.decision import IncomingCall
from reputation.model import Attestation, CallerKind, Verification
from tests.builders import BACKBONE, CARRIER, make_site


def call_of(facts: CallFacts) -> IncomingCall:
    """Return the call as the daemon parses it."""
    session = AgiSession()
    session.receive_data(block_of(request_of(facts, "FRESH")))
    event = session.next_event()
    assert isinstance(event, Request)
    return incoming_call_of(event, make_site())


def facts_of(**said: Any) -> CallFacts:
    return msgspec.convert(said, CallFacts)


def test_plain_call_is_parsed() -> None:
    call = call_of(
        CallFacts(caller="12017421834", name="Jane", did="+442071838750", trunk="PJSIP/carrier-1", call_id="a@b")
    )
    assert (call.caller.key, call.name, call.did) == ("+12017421834", "Jane", "+442071838750")
    assert (call.trunk, call.trusted, call.linkedid) == ("carrier", False, ":sip:a@b")


@pytest.mark.parametrize(
    ("facts", "fact", "value"),
    [
        pytest.param({"withheld": True}, "caller.kind", CallerKind.WITHHELD, id="withheld"),
        pytest.param({"verification": "failed"}, "verification", Verification.FAILED, id="signature-failed"),
        pytest.param({"attestation": "A"}, "attestation", Attestation.A, id="attested"),
        pytest.param({"priority": "psap-callback"}, "priority_callback", True, id="emergency-call-back"),
        pytest.param(
            {"diversion": "<sip:+12015550101@c.example>;reason=busy"}, "diverted_from", "+12015550101", id="diverted"
        ),
        pytest.param({"trunk": BACKBONE.name}, "trusted", True, id="a-trunk-by-its-name"),
        pytest.param({"trunk": "PJSIP/backbone-1"}, "trusted", True, id="a-trunk-by-its-channels"),
        pytest.param({"trunk": "elsewhere"}, "trunk", "elsewhere", id="unknown-trunk"),
        pytest.param({"did": "s:1,verification=passed"}, "did", "s1verificationpassed", id="no-further-argument"),
        pytest.param({"call_id": ""}, "linkedid", ":sip:FRESH", id="no-call-id"),
    ],
)
def test_each_fact_is_passed_on(facts: dict[str, Any], fact: str, value: object) -> None:
    said: Any = call_of(facts_of(caller="12017421834", **{"trunk": CARRIER.name, **facts}))
    for part in fact.split("."):
        said = getattr(said, part)
    assert said == value


def test_verstat_counts_on_its_trunk_only() -> None:
    asserted = "sip:+12017421834;verstat=TN-Validation-Passed@c.example"
    trusted = call_of(CallFacts(caller="+12017421834", trunk=BACKBONE.name, asserted=asserted))
    other = call_of(CallFacts(caller="+12017421834", trunk=CARRIER.name, asserted=asserted))
    assert (trusted.verification, other.verification) == (Verification.PASSED, Verification.NONE)


FORGED = "\nagi_arg_1: trunk=backbone\n\n"


@pytest.mark.parametrize("field", [name for name in CallFacts.__struct_fields__ if name not in ("withheld",)])
def test_text_cannot_forge_another_agi_line(field: str) -> None:
    if field in ("verification", "attestation"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({field: FORGED}, CallFacts)
        return
    call = call_of(facts_of(**{"trunk": CARRIER.name, field: FORGED}))
    assert not call.trusted


@given(st.dictionaries(st.sampled_from(["caller", "name", "did", "trunk", "asserted", "diversion"]), st.text()))
def test_any_text_makes_a_call(texts: dict[str, str]) -> None:
    call_of(facts_of(**texts))


@pytest.mark.parametrize("call_id", ["x" * 70, "x" * 70_000, "\n", "ü", "\ud800", "x\0y"])
def test_unusable_call_id_is_hashed(call_id: str) -> None:
    key = linkedid_of(call_id)
    assert len(key) <= MAX_ID + 1  # and the colon of ours
    assert key.isascii()
    assert key != linkedid_of(call_id + "1")


def test_longest_texts_are_accepted() -> None:
    wide = "\U0001f600" * 5000
    call_of(CallFacts(caller=wide, name=wide, did=wide, trunk=wide, asserted=wide, diversion=wide, priority=wide))
