"""verstat: on which trunks and for which number it counts, and that no caller can forge it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.parsing import NO_CARRIER_CHECK, carrier_reports, incoming_call_of, parse_verstat, parse_verstat_uri
from agi.quoting import variables_in
from agi.site import Site, Trunk
from policies.decision import IncomingCall
from policies.policy import PolicyScope, PolicySet
from reputation.model import Attestation, AuthClass, Verification
from tests.builders import CALLER, Clock, Memory, make_policy, make_request, make_screening, policy_ordering

A, B, C, NONE = Attestation.A, Attestation.B, Attestation.C, Attestation.NONE
PASSED, FAILED, UNKNOWN = Verification.PASSED, Verification.FAILED, Verification.NONE
SITE = Site(
    "US",
    (
        Trunk("checks", "PJSIP/checks-*", "US", verstat=True),
        Trunk("trusted", "PJSIP/trusted-*", "US", trusted=True),
        Trunk("any", "PJSIP/any-*", "US"),
    ),
)
BESIDE = f"sip:{CALLER};verstat=TN-Validation-Passed-A@carrier.example;user=phone;tag=1"


def call_of(arguments: str, trunk: str = "checks", caller: str = CALLER) -> IncomingCall:
    arguments = f"trunk=PJSIP/{trunk}-0000001a,{arguments}"
    return incoming_call_of(make_request("screen", arguments, callerid=caller), SITE)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        pytest.param(BESIDE, (A, PASSED), id="in-the-user-part"),
        pytest.param(f"sip:{CALLER}@h;verstat=TN-Validation-Passed-B", (B, PASSED), id="in-the-uri"),
        pytest.param(f"tel:{CALLER};verstat=TN-Validation-Passed-C;tag=1", (C, PASSED), id="tel"),
        pytest.param("sip:2017421834@h;verstat=TN-Validation-Passed", (NONE, PASSED), id="a-national-number"),
        pytest.param(f"sips:{CALLER}@h;verstat=tn-validation-failed", (NONE, FAILED), id="failed"),
        pytest.param(f"sip:{CALLER}@h;verstat=TN-Validation-Failed-A", (A, FAILED), id="failed-with-its-level"),
        pytest.param(f"sip:{CALLER}@h;verstat=No-TN-Validation", NO_CARRIER_CHECK, id="not-signed"),
        pytest.param(f"sip:{CALLER}@h", NO_CARRIER_CHECK, id="nothing"),
        pytest.param("", NO_CARRIER_CHECK, id="no-header"),
        pytest.param("sip:+12015550199@h;verstat=TN-Validation-Passed-A", NO_CARRIER_CHECK, id="of-another-number"),
        pytest.param("sip:anonymous@h;verstat=TN-Validation-Passed-A", NO_CARRIER_CHECK, id="anonymous"),
        pytest.param(
            f"sip:{CALLER};verstat=TN-Validation-Passed-A@h;verstat=No-TN-Validation", NO_CARRIER_CHECK, id="twice"
        ),
        pytest.param(f"{CALLER};verstat=TN-Validation-Passed-A", NO_CARRIER_CHECK, id="no-uri"),
        pytest.param(f"sip:{CALLER}@h;xverstat=TN-Validation-Passed-A", NO_CARRIER_CHECK, id="another-parameter"),
        pytest.param(f"sip:{CALLER}@h;verstat=TN-Validation-Passed-AA", NO_CARRIER_CHECK, id="another-word"),
    ],
)
def test_verstat_is_parsed_from_the_uri_of_the_caller(uri: str, said: tuple[Attestation, Verification]) -> None:
    assert parse_verstat_uri(uri, CALLER, "US") == said


@pytest.mark.parametrize(
    ("arguments", "trunk", "said", "auth_class"),
    [
        pytest.param(f"uri={BESIDE}", "checks", (A, PASSED), AuthClass.AUTHENTICATED, id="passed"),
        pytest.param(f"uri={BESIDE}", "trusted", (A, PASSED), AuthClass.AUTHENTICATED, id="passed-trusted"),
        pytest.param(f"uri={BESIDE}", "any", NO_CARRIER_CHECK, AuthClass.UNKNOWN, id="of-any-trunk"),
        pytest.param("header=TN-Validation-Passed-A", "checks", (A, PASSED), AuthClass.AUTHENTICATED, id="header"),
        pytest.param(
            "header=TN-Validation-Passed-A", "any", NO_CARRIER_CHECK, AuthClass.UNKNOWN, id="header-of-any-trunk"
        ),
        pytest.param("header=B", "checks", (B, UNKNOWN), AuthClass.UNAUTHENTICATED, id="the-level-alone"),
        pytest.param(f"header={BESIDE}", "checks", (A, PASSED), AuthClass.AUTHENTICATED, id="from-in-its-place"),
        pytest.param(
            "uri=TN-Validation-Passed-A", "checks", NO_CARRIER_CHECK, AuthClass.UNKNOWN, id="a-word-in-place-of-a-uri"
        ),
        pytest.param(
            f"uri=sip:{CALLER}@h;verstat=TN-Validation-Failed",
            "trusted",
            (NONE, FAILED),
            AuthClass.UNAUTHENTICATED,
            id="failed-outweighs-trust",
        ),
        pytest.param(
            f"verification=failed,attestation=A,uri={BESIDE}",
            "checks",
            (A, FAILED),
            AuthClass.UNAUTHENTICATED,
            id="asterisk-verified-itself",
        ),
        pytest.param(
            f"verification=cert_retrieval_failure,attestation=C,uri={BESIDE}",
            "checks",
            (A, PASSED),
            AuthClass.AUTHENTICATED,
            id="asterisk-could-not",
        ),
    ],
)
def test_verstat_counts_only_on_trusted_trunks(
    arguments: str, trunk: str, said: tuple[Attestation, Verification], auth_class: AuthClass
) -> None:
    call = call_of(arguments, trunk)
    assert ((call.attestation, call.verification), call.auth_class) == (said, auth_class)


@pytest.mark.parametrize("key", ["uri", "header"])
def test_verstat_is_ignored_for_a_caller_without_a_number(key: str) -> None:
    call = call_of(f"{key}=TN-Validation-Passed-A", caller="anonymous")
    assert (call.attestation, call.verification) == NO_CARRIER_CHECK


@pytest.mark.parametrize(
    ("arguments", "trunk", "is_asked"),
    [
        pytest.param("carrier=ask", "checks", True, id="not-read"),
        pytest.param("carrier=ask", "trusted", True, id="not-read-trusted"),
        pytest.param("carrier=ask", "any", False, id="of-an-untrusted-trunk"),
        pytest.param(f"uri={BESIDE},carrier=ask", "checks", False, id="read"),
        pytest.param("header=,carrier=ask", "checks", False, id="a-header-that-was-not-there"),
        pytest.param("pres=allowed", "checks", False, id="an-older-dialplan"),
    ],
)
def test_the_dialplan_is_asked_for_verstat(arguments: str, trunk: str, is_asked: bool) -> None:
    memory = Memory(Clock())
    request = make_request("screen", f"{arguments},did=+442071838750", channel=f"PJSIP/{trunk}-0000001a")
    answer = asyncio.run(make_screening(memory, site=SITE).screen(request))
    assert (variables_in(answer).get("__CALLSIEVE_ACTION") == "carrier") is is_asked
    assert len(memory.decisions) == (0 if is_asked else 1)


@pytest.mark.parametrize(
    ("arguments", "when", "is_asked"),
    [
        pytest.param("carrier=ask", "diverted = true", True, id="a-policy-asks"),
        pytest.param(
            "carrier=ask", "not = { any = [{ country = 'GB' }, { diverted = true }] }", True, id="within-others"
        ),
        pytest.param("carrier=ask", "first_call = true", False, id="no-policy-asks"),
        pytest.param("uri=,diversion=,carrier=ask", "diverted = true", False, id="read"),
        pytest.param("diversion=", "diverted = true", False, id="an-older-dialplan"),
    ],
)
def test_the_dialplan_is_asked_for_diversions(arguments: str, when: str, is_asked: bool) -> None:
    asking = make_policy(f'[[rule]]\nname = "own"\nwhen = {{ {when} }}\naction = "tag"\nreason = "Ours"')
    policies = PolicySet(policy_ordering("allow"), (PolicyScope(asking, group="sales"),))
    request = make_request("screen", f"{arguments},did=+442071838750", channel="PJSIP/any-0000001a")
    answer = asyncio.run(make_screening(Memory(Clock()), policies, site=SITE).screen(request))
    assert (variables_in(answer).get("__CALLSIEVE_ACTION") == "carrier") is is_asked


@given(st.text() | st.text("sip:tel+12@;=verstatTNValidation-Passed"))
def test_any_text_is_parsed_as_verstat(text: str) -> None:
    assert parse_verstat_uri(text, CALLER, "US")[1] in Verification
    assert parse_verstat(text)[0] in Attestation


@pytest.mark.parametrize(
    ("uri", "header", "expected"),
    [
        pytest.param("", "", False, id="no-header"),
        pytest.param("sip:+12015550123@h", "", False, id="a-number-alone"),
        pytest.param("sip:+12015550123;verstat=No-TN-Validation@h", "", True, id="not-checked"),
        pytest.param("sip:+12015550123@h;Verstat=TN-Validation-Passed", "", True, id="any-case"),
        pytest.param("", "TN-Validation-Passed-A", True, id="a-header-of-its-own"),
        pytest.param("", "B", True, id="a-level"),
        pytest.param("", "sip:+12015550123@h", False, id="from-where-the-header-is-missing"),
        pytest.param("", "sip:+12015550123;verstat=TN-Validation-Failed@h", True, id="verstat-in-it"),
    ],
)
def test_calls_with_a_carrier_check_are_recognised(uri: str, header: str, expected: bool) -> None:
    assert carrier_reports(uri, header) is expected
