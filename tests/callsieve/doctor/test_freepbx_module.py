"""The doctor with a dialplan of the FreePBX module."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor.dialplan import has_free_codes, passcode_code
from callsieve.doctor.finding import CheckContext
from callsieve.doctor.routes import are_known, are_screened
from callsieve.doctor.trunk_numbers import InboundRoutes, inbound_routes, numbers_left_out
from callsieve.health import CheckStatus
from callsieve.pbx.cli_output import dialplan_in
from callsieve.settings import Loaded, parse_settings

MODULE = "[ Context 'app-callsieve-phone' created by 'pbx_config' ]\n  's' => 1. Gosub(callsieve-phone,s,1) [x:1]\n"
CODES = "[ Context 'app-callsieve-codes' created by 'x' ]\n  '*37' => 1. GosubIf(1?callsieve-code,s,1(spam)) [x:1]\n"
TRUNK = "[ Context 'from-trunk' created by 'x' ]\n  Include => 'ext-did' [x]\n"
DIDS = "[ Context 'ext-did' created by 'x' ]\n  Include => 'ext-did-0001' [x]\n  Include => 'ext-did-0002' [x]\n"
SCREENED = 'GosubIf($["${CALLSIEVE_TAGGED}" = "1"]?app-callsieve-screened,s,1)'


def route(did: str, *steps: str) -> str:
    lines = enumerate(("Set(CDR(did)=${FROM_DID})", *steps, "Goto(from-did-direct,201,1)"), 2)
    return f"  '{did}' => 1. Set(__FROM_DID=${{EXTEN}}) [x:1]\n" + "".join(
        f"     {n}. {step} [x:1]\n" for n, step in lines
    )


def routes(*text: str) -> str:
    return "[ Context 'ext-did-0002' created by 'x' ]\n  'foo' => 1. NoOp(bar) [x:1]\n" + "".join(text)


def check_context_of(dialplan: str, context: str = "from-trunk") -> CheckContext:
    said = {
        "dialplan show": MODULE + CODES + TRUNK + DIDS + dialplan,
        "pjsip show endpoint carrier": f" context : {context}\n",
    }
    settings = parse_settings('[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"\n', "test")
    return CheckContext(
        Loaded(settings=settings, file=None, state=Path("nowhere")), lambda asked: said.get(asked, ""), 0.0
    )


def test_screened_and_other_routes_are_distinguished() -> None:
    text = routes(route("442071838750", SCREENED), route("442071838751"), route("442071838752/12015550100", SCREENED))
    assert inbound_routes(dialplan_in(text)) == InboundRoutes(
        ("442071838750", "442071838752/12015550100"), ("442071838751",)
    )


@pytest.mark.parametrize(
    ("text", "context", "status", "detail"),
    [
        (routes(route("442071838750", SCREENED)), "from-trunk", CheckStatus.OK, "1 inbound routes"),
        (routes(route("1", SCREENED), route("2")), "from-trunk", CheckStatus.OK, "not screened: 2"),
        (routes(route("2")), "from-trunk", CheckStatus.WARN, "no inbound route"),
        (routes(route("1", SCREENED)), "own", CheckStatus.FAIL, "own"),
    ],
    ids=["all", "one-left-out", "none", "trunk-without-a-route"],
)
def test_inbound_routes_are_checked(text: str, context: str, status: CheckStatus, detail: str) -> None:
    found = are_screened(check_context_of(text, context))
    assert found.status is status, found.detail
    assert detail in str(found.detail)


def test_numbers_are_not_followed_through_freepbx() -> None:
    assert are_known(check_context_of(routes(route("1", SCREENED)))).status is CheckStatus.OK


def test_feature_codes_of_the_module_do_not_clash() -> None:
    found = has_free_codes(check_context_of(""))
    assert found.status is CheckStatus.OK
    assert "Feature Codes" in str(found.detail)


PACKAGED = "[ Context 'callsieve-codes' created by 'x' ]\n  '*39' => 1. Gosub(callsieve-explain,s,1(passcode)) [x:1]\n"
OWN = "[ Context 'phones' created by 'x' ]\n  '*55' => 1. Gosub(callsieve-explain,s,1(passcode)) [x:1]\n"
OF_MODULE = (
    "[ Context 'app-callsieve-codes' created by 'x' ]\n"
    '  \'*77\' => 1. GosubIf($["${X}" = "1"]?callsieve-explain,s,1(passcode)) [x:1]\n'
)
PATTERN = "[ Context 'phones' created by 'x' ]\n  '_*5X' => 1. Gosub(callsieve-explain,s,1(passcode)) [x:1]\n"
INCLUDED = "[ Context 'phones' created by 'x' ]\n  Include => 'callsieve-codes' [x]\n"


@pytest.mark.parametrize(
    ("dialplan", "code"),
    [
        pytest.param("", "", id="none"),
        pytest.param(PACKAGED, "", id="in-a-context-that-no-phone-includes"),
        pytest.param(PACKAGED + INCLUDED, "*39", id="packaged"),
        pytest.param(PACKAGED + OWN, "*55", id="own-extension"),
        pytest.param(OF_MODULE, "*77", id="changed-in-freepbx"),
        pytest.param(PATTERN, "", id="pattern"),
    ],
)
def test_passcode_code_is_the_one_phones_can_dial(dialplan: str, code: str) -> None:
    assert passcode_code(check_context_of(dialplan)) == code


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        pytest.param("02071838750", "+442071838750", id="national"),
        pytest.param("442071838750", "+442071838750", id="without-plus"),
        pytest.param("+442071838750", "+442071838750", id="e164"),
        pytest.param("2015550123", "+12015550123", id="as-another-trunk-writes-it"),
        pytest.param("750", "750", id="extension"),
    ],
)
def test_unscreened_route_is_recognised_in_every_spelling(written: str, recorded: str) -> None:
    text = routes(route(written), route("02071838751", SCREENED))
    left_out = numbers_left_out(dialplan_in(text), ("GB", "US"))
    assert recorded in left_out
    assert "+442071838751" not in left_out
