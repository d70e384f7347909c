"""From a request of Asterisk to a call: callers, DIDs, trunks and signatures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.answers import answer_to_screen
from agi.parsing import AUTH, did_of, incoming_call_of, instant_of, known_call_of
from agi.protocol import ProtocolError, Request
from agi.site import SIP_CODE_BY_REJECT, Site, Trunk
from policies.decision import IncomingCall, fail_open
from policies.relations import PerPhone
from reputation.channels import endpoint_of
from reputation.facts import EMERGENCY_WINDOW_SECONDS
from reputation.model import Attestation, AuthClass, CallerKind, Verification
from reputation.numbers import Number
from tests.agi.test_quoting import commands_in
from tests.builders import BACKBONE, CALLER, CARRIER, LONDON, make_call, make_request, make_site

SITE = make_site()


def call_of(arguments: str = "did=+442071838750", **header: str) -> IncomingCall:
    return incoming_call_of(make_request("screen", arguments, **header), SITE)


def test_a_usual_request_is_parsed() -> None:
    arguments = (
        "trunk=PJSIP/backbone-0000001a,verification=passed,attestation=A,linkedid=1767258007.11,"
        "pres=allowed_passed_screen,priority=,emergency=,did=02071838750"
    )
    assert call_of(arguments, callerid="02079460123", channel="PJSIP/backbone-0000001a") == IncomingCall(
        linkedid="1767258007.11",
        caller=Number("+442079460123", "02079460123", CallerKind.NUMBER),
        did=LONDON,
        trunk="backbone",
        trusted=True,
        attestation=Attestation.A,
        verification=Verification.PASSED,
        carrier_counts=True,
    )


def test_a_request_without_arguments_is_a_withheld_call() -> None:
    call = incoming_call_of(Request("screen", {}, {}), SITE)
    assert (call.linkedid, call.did, call.trunk, call.trusted) == ("", None, "", False)
    assert (call.caller.kind, call.auth_class) == (CallerKind.WITHHELD, AuthClass.UNKNOWN)


@pytest.mark.parametrize(
    ("arguments", "header", "kind", "e164"),
    [
        pytest.param("", {"callerid": CALLER}, CallerKind.NUMBER, CALLER, id="e164"),
        pytest.param("", {"callerid": "2017421834"}, CallerKind.NUMBER, CALLER, id="national-by-the-trunks-region"),
        pytest.param("", {"callerid": "unknown"}, CallerKind.WITHHELD, None, id="asterisk-has-none"),
        pytest.param("", {"callerid": "Anonymous"}, CallerKind.WITHHELD, None, id="anonymous"),
        pytest.param(
            "pres=prohib_passed_screen", {"callerid": CALLER}, CallerKind.WITHHELD, None, id="not-to-be-shown"
        ),
        pytest.param("pres=unavailable", {"callerid": CALLER}, CallerKind.WITHHELD, None, id="unavailable"),
        pytest.param("", {"callerid": "0"}, CallerKind.INVALID, None, id="no-number-and-no-name"),
        pytest.param(
            "", {"callerid": "0", "calleridname": "Anonymous"}, CallerKind.WITHHELD, None, id="anonymous-by-name"
        ),
        pytest.param(
            "", {"callerid": "0", "calleridname": "Jane: Doe"}, CallerKind.INVALID, None, id="a-name-is-no-number"
        ),
        pytest.param(
            "", {"callerid": CALLER, "calleridname": "Anonymous"}, CallerKind.NUMBER, CALLER, id="a-name-hides-nothing"
        ),
        pytest.param("caller=+12015550123", {"callerid": CALLER}, CallerKind.NUMBER, CALLER, id="never-from-arguments"),
        pytest.param("", {"callerid": "911"}, CallerKind.EMERGENCY, None, id="emergency"),
        pytest.param("", {"callerid": "201"}, CallerKind.INTERNAL, None, id="three-digits"),
    ],
)
def test_the_caller_is_parsed_from_the_header(
    arguments: str, header: dict[str, str], kind: CallerKind, e164: str | None
) -> None:
    caller = call_of(arguments, **header).caller
    assert (caller.kind, caller.key) == (kind, e164)


@pytest.mark.parametrize(
    ("arguments", "header", "trunk", "trusted"),
    [
        pytest.param("trunk=PJSIP/carrier-0000001a", {}, "carrier", False, id="as-the-dialplan-says"),
        pytest.param("", {"channel": "PJSIP/backbone-00000001"}, "backbone", True, id="by-the-channel"),
        pytest.param(
            "trunk=PJSIP/carrier-0000001a", {"channel": "PJSIP/backbone-00000001"}, "carrier", False, id="both"
        ),
        pytest.param("trunk=SIP/old-0000001a", {}, "SIP/old", False, id="undescribed-trunk"),
        pytest.param("trunk=PJSIP/backbone", {}, "PJSIP/backbone", False, id="the-endpoint-alone-is-no-channel"),
        pytest.param("trunk=xPJSIP/backbone-1", {}, "xPJSIP/backbone", False, id="the-whole-name-must-fit"),
    ],
)
def test_the_trunk_and_its_trust_are_found(arguments: str, header: dict[str, str], trunk: str, trusted: bool) -> None:
    call = call_of(arguments, **header)
    assert (call.trunk, call.trusted) == (trunk, trusted)


@pytest.mark.parametrize(
    ("text", "verification"),
    [
        *[(text, Verification.PASSED) for text in ("passed", "success", "Verificationpassed")],
        *[
            (text, Verification.FAILED)
            for text in ("failed", "signature_validation", "cid_orig_tn_mismatch", "cert_not_trusted")
        ],
        *[(text, Verification.FAILED) for text in ("Signaturefailed", "Verificationmismatch")],
        *[(text, Verification.NONE) for text in ("", "cert_retrieval", "iat_not_valid", "PASSED", "passed,trunk=x")],
    ],
)
def test_verification_is_parsed_from_its_text(text: str, verification: Verification) -> None:
    request = Request("screen", {"verification": text}, {})
    assert incoming_call_of(request, SITE).verification is verification


@pytest.mark.parametrize(
    ("arguments", "attestation", "auth_class"),
    [
        ("attestation=A,verification=passed", Attestation.A, AuthClass.AUTHENTICATED),
        ("attestation=A", Attestation.A, AuthClass.UNAUTHENTICATED),
        ("attestation=B,verification=passed", Attestation.B, AuthClass.UNAUTHENTICATED),
        ("attestation=C", Attestation.C, AuthClass.UNAUTHENTICATED),
        ("attestation=", Attestation.NONE, AuthClass.UNKNOWN),
        ("attestation=AA,verification=passed", Attestation.NONE, AuthClass.UNKNOWN),
        ("attestation=A,verification=failed", Attestation.A, AuthClass.UNAUTHENTICATED),
        ("trunk=PJSIP/backbone-1", Attestation.NONE, AuthClass.AUTHENTICATED),
        ("trunk=PJSIP/backbone-1,verification=failed", Attestation.NONE, AuthClass.UNAUTHENTICATED),
    ],
)
def test_attestation_gives_the_auth_class(arguments: str, attestation: Attestation, auth_class: AuthClass) -> None:
    call = call_of(arguments)
    assert (call.attestation, call.auth_class) == (attestation, auth_class)


@pytest.mark.parametrize(("text", "so"), [("psap-callback", True), ("PSAP-Callback", True), ("urgent", False)])
def test_an_emergency_call_back_is_recognised(text: str, so: bool) -> None:
    assert call_of(f"priority={text}").priority_callback is so
    assert call_of("").priority_callback is False


@pytest.mark.parametrize(
    ("rdnis", "diverted_from"),
    [
        pytest.param("unknown", None, id="asterisk-has-none"),
        pytest.param("", None, id="empty"),
        pytest.param("2015550123", "+12015550123", id="a-number"),
        pytest.param("sales", "sales", id="a-name"),
        pytest.param("x" * 100, "x" * 64, id="bounded"),
    ],
)
def test_the_diverting_number_is_parsed(rdnis: str, diverted_from: str | None) -> None:
    assert call_of("", rdnis=rdnis).diverted_from == diverted_from


@pytest.mark.parametrize(
    ("header", "rdnis", "diverted_from"),
    [
        pytest.param("sip:+442071838751@h;reason=unconditional", "", "+442071838751", id="asterisk-read-none"),
        pytest.param("Joesip:+442071838751@h;reason", "unknown", "+442071838751", id="behind-a-name"),
        pytest.param("tel:+442071838751;reason=user-busysip:+442071838752@h", "", "+442071838751", id="a-chain"),
        pytest.param("sip:+442071838751@h", "+442071838759", "+442071838759", id="asterisk-read-one"),
        pytest.param("sip:desk@h", "", "desk", id="no-number"),
        pytest.param("nothing", "", None, id="no-uri"),
        pytest.param("", "", None, id="no-header"),
    ],
)
def test_a_chain_of_diversions_gives_the_first_number(header: str, rdnis: str, diverted_from: str | None) -> None:
    assert call_of(f"diversion={header}", rdnis=rdnis).diverted_from == diverted_from


@pytest.mark.parametrize(
    ("text", "region", "did"),
    [
        pytest.param("", "US", None, id="none"),
        pytest.param("020 7183 8750", "GB", LONDON, id="national"),
        pytest.param("442071838750", "US", LONDON, id="without-plus"),
        pytest.param("s", "US", "s", id="no-number"),
        pytest.param("200", "US", "200", id="an-extension"),
        pytest.param("95599", "CN", "+8695599", id="a-service-number-of-ours"),
        pytest.param("3012", "FR", "3012", id="the-last-four-digits"),
        pytest.param("+333949", "FR", "+333949", id="four-digits-with-their-country"),
        pytest.param("411", "US", "411", id="an-extension-like-a-service-number"),
        pytest.param("9" * 100, "US", "9" * 64, id="bounded"),
    ],
)
def test_the_did_is_parsed_in_its_region(text: str, region: str, did: str | None) -> None:
    assert did_of(text, region) == did


@pytest.mark.parametrize(
    ("arguments", "linkedid"),
    [
        pytest.param("linkedid=1767258007.11", "1767258007.11", id="given"),
        pytest.param("", "1767258007.12", id="the-channels-own"),
        pytest.param(f"linkedid={'1' * 100}", "1" * 64, id="bounded"),
    ],
)
def test_the_linkedid_is_checked(arguments: str, linkedid: str) -> None:
    assert call_of(arguments).linkedid == linkedid


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1767258007", 1767258007.0),
        ("0", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("inf", None),
        ("١٢", None),
        ("²", None),
        ("9" * 12, 999999999999.0),
        ("9" * 13, None),
    ],
)
def test_an_astdb_time_is_parsed(text: str, instant: float | None) -> None:
    assert instant_of(text) == instant


# /callee and /challenge: what /screen said comes back.


def known(arguments: str, **header: str) -> IncomingCall:
    return known_call_of(make_request("callee", arguments, **header), SITE)


@pytest.mark.parametrize(
    ("arguments", "e164", "auth_class", "verification"),
    [
        pytest.param(f"caller={CALLER},auth=authenticated", CALLER, AuthClass.AUTHENTICATED, "passed", id="signed"),
        pytest.param(f"caller={CALLER},auth=unauthenticated", CALLER, AuthClass.UNAUTHENTICATED, "none", id="gateway"),
        pytest.param(f"caller={CALLER},auth=unknown", CALLER, AuthClass.UNKNOWN, "none", id="no-signatures"),
        pytest.param(f"caller={CALLER},auth=failed", CALLER, AuthClass.UNAUTHENTICATED, "failed", id="failed"),
        pytest.param(f"caller={CALLER}", CALLER, AuthClass.UNKNOWN, "none", id="an-older-dialplan"),
        pytest.param("caller=,auth=unknown", None, AuthClass.UNKNOWN, "none", id="no-number"),
        pytest.param("caller=2017421834", None, AuthClass.UNKNOWN, "none", id="never-a-national-number"),
    ],
)
def test_a_callee_request_returns_the_caller_of_the_first_answer(
    arguments: str, e164: str | None, auth_class: AuthClass, verification: str
) -> None:
    call = known(arguments)
    assert (call.caller.key, call.auth_class, call.verification) == (e164, auth_class, verification)
    assert call.caller.kind is (CallerKind.NUMBER if e164 else CallerKind.INVALID)
    assert call.caller.raw == (e164 or "")


def test_an_unknown_auth_class_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="unknown auth class"):
        known(f"caller={CALLER},auth=trusted")


def test_a_callee_request_has_the_trunk_of_its_channel() -> None:
    call = known("did=02071838750", channel="PJSIP/backbone-00000001")
    assert (call.trunk, call.trusted, call.did) == ("backbone", True, LONDON)


@given(
    st.sampled_from(Attestation),
    st.sampled_from(Verification),
    st.sampled_from(["PJSIP/carrier-00000001", "PJSIP/backbone-00000001", "SIP/x-1"]),
)
def test_the_auth_class_round_trips(attestation: Attestation, verification: Verification, channel: str) -> None:
    trunk = SITE.trunk_of(channel)
    call = make_call(trusted=trunk.trusted, attestation=attestation, verification=verification)
    sent = dict(commands_in(answer_to_screen(call, fail_open(""), "D1", SITE, PerPhone())))
    auth = sent.get("__CALLSIEVE_AUTH", "")
    assert auth in ("", *AUTH)
    back = known(f"caller={sent['__CALLSIEVE_CALLER']},auth={auth}", channel=channel)
    assert back.auth_class == call.auth_class
    assert (back.verification is Verification.FAILED) == (call.verification is Verification.FAILED)


@given(st.dictionaries(st.sampled_from(["trunk", "verification", "attestation", "pres", "priority", "did"]), st.text()))
def test_any_text_is_parsed_as_a_call(arguments: dict[str, str]) -> None:
    variables = {"agi_callerid": arguments.get("did", ""), "agi_rdnis": arguments.get("pres", "")}
    call = incoming_call_of(Request("screen", arguments, variables), SITE)
    assert call.trusted is (call.trunk == "backbone")
    assert (call.caller.key is None) == (call.caller.kind is not CallerKind.NUMBER)
    bounded: list[Any] = [call.linkedid, call.did, call.diverted_from, call.trunk]
    assert all(text is None or len(text) <= 80 for text in bounded)


# The PBX.


@pytest.mark.parametrize(
    ("channel", "endpoint"),
    [
        ("PJSIP/carrier-0000001a", "PJSIP/carrier"),
        ("PJSIP/my-carrier-0000001a", "PJSIP/my-carrier"),
        ("Local/201@office-0000001a;1", "Local/201@office"),
        ("PJSIP/carrier", "PJSIP/carrier"),
        ("", ""),
    ],
)
def test_a_channel_gives_its_endpoint(channel: str, endpoint: str) -> None:
    assert endpoint_of(channel) == endpoint


def test_the_first_matching_trunk_counts() -> None:
    rest = Trunk("rest", "PJSIP/*", "FR")
    site = Site("DE", (CARRIER, rest))
    assert site.trunk_of("PJSIP/carrier-1") is CARRIER
    assert site.trunk_of("PJSIP/carry-1") is rest
    assert site.trunk_of("SIP/x-1") == Trunk("SIP/x", "", "DE")
    assert len(site.trunk_of("x" * 500).name) == 80


def test_an_undescribed_trunk_rejects_like_the_others() -> None:
    """Another switch may name no trunk, or an unknown one."""
    trunks = tuple(Trunk(name, f"PJSIP/{name}-*", "GB", reject="608") for name in ("a", "b"))
    assert [Site(region="GB", trunks=trunks).reject_on(name) for name in ("a", "kamailio", None)] == ["608"] * 3


def test_each_trunk_has_its_reject_code() -> None:
    assert [SITE.reject_on(name) for name in (CARRIER.name, BACKBONE.name, "SIP/x", None)] == [
        "603",
        "607",
        "603",
        "603",
    ]
    assert SIP_CODE_BY_REJECT == {"603": 603, "607": 607, "608": 608, "busy": 486, "not-in-service": 404}


def test_the_default_emergency_window_is_that_of_the_policy() -> None:
    assert Site().hours.emergency_window_seconds == EMERGENCY_WINDOW_SECONDS
