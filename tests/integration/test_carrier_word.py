"""The carrier's check of a caller, in each form that SIP has for it, through a real Asterisk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callsieve.telemetry import read_telemetry
from lab import CallSpec, Phone
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.model import AuthClass, DecisionRecord
from tests.integration.office import decision_on
from tests.waiting import wait_until

# The second trunk's carrier checks callers; it is not one that calls in the place of our own people.
CHECKS = SETTINGS.replace('region = "GB"\ntrusted = true\n', 'region = "GB"\nverstat = true\n').replace(
    '[policy]\nname = "cautious"', '[policy]\nname = "carriers"'
)
POLICY = """\
[[rule]]
name = "forged"
when = { verification = "failed" }
action = "tag"
reason = "the carrier found the signature false"
""" + "".join(
    f"""
[[rule]]
name = "passed-{level.lower()}"
when = {{ attestation = "{level}", verification = "passed" }}
action = "allow"
reason = "so the carrier says"
"""
    for level in ("A", "B", "C", "none")
)
POLICY += """
[[rule]]
name = "labelled"
when = { carrier_warns = true }
action = "tag"
reason = "the carrier warns"

[[rule]]
name = "named"
when = { name_matches = "*sale*" }
action = "tag"
reason = "the name says so"
"""
POLICY += """
[[rule]]
name = "diverted"
when = { diverted = true }
action = "allow"
reason = "somebody sent it on"
"""
CALLERS = iter(f"+120155504{n:02d}" for n in range(100))


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(settings=CHECKS, start_daemon=False) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "carriers.toml").write_text(POLICY)
        office.daemon.start()
        yield office


def decide(pbx: ScreenedPbx, spec: CallSpec, caller: str, trunk: str = "checks") -> DecisionRecord:
    """Return the decision on a call, which must reach the phone."""
    with Phone(pbx.asterisk, "201") as phone:
        carrier = pbx.trusted if trunk == "checks" else pbx.carrier
        assert carrier.call(spec).code == 200
        assert phone.invites() != []
    return decision_on(pbx.daemon.store, caller)


def from_user(number: str, word: str) -> CallSpec:
    return CallSpec(raw_from=f'"Joe" <sip:{number};verstat={word}@127.0.0.1;user=phone>', did=ALICE)


def from_uri(number: str, word: str) -> CallSpec:
    return CallSpec(raw_from=f"<sip:{number}@127.0.0.1;user=phone;verstat={word}>", did=ALICE)


def from_tel(number: str, word: str) -> CallSpec:
    return CallSpec(raw_from=f"<tel:{number};verstat={word}>", did=ALICE)


def asserted(value: str, caller: str | None) -> CallSpec:
    return CallSpec(caller=caller, did=ALICE, headers={"P-Asserted-Identity": value})


def asserted_user(number: str, word: str) -> CallSpec:
    return asserted(f'"Doe, John <x>" <sip:{number};verstat={word}@carrier.example>', number)


def asserted_uri(number: str, word: str) -> CallSpec:
    """As Telnyx documents it."""
    return asserted(f'"John Doe" <sip:{number}@carrier.example;verstat={word}>', number)


def asserted_tel(number: str, word: str) -> CallSpec:
    return asserted(f"<tel:{number};verstat={word}>", number)


FORMS = [from_user, from_uri, from_tel, asserted_user, asserted_uri, asserted_tel]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("TN-Validation-Passed-A", "passed-a"),
        ("TN-Validation-Passed", "passed-none"),
        ("TN-Validation-Failed", "forged"),
        ("No-TN-Validation", "default"),
    ],
)
def test_verstat_is_read_in_each_sip_form(pbx: ScreenedPbx, form: object, word: str, rule: str) -> None:
    caller = next(CALLERS)
    assert callable(form)
    assert decide(pbx, form(caller, word), caller).rule == rule


def test_verstat_counts_only_if_the_settings_trust_it(pbx: ScreenedPbx) -> None:
    caller = next(CALLERS)
    assert decide(pbx, from_user(caller, "TN-Validation-Failed"), caller, "carrier").rule == "default"


PASSED = "verstat=TN-Validation-Passed-A"


@pytest.mark.parametrize(
    "value",
    [
        '"<sip:{number};{passed}@h>" <sip:{number}@h>',
        '"\\"<sip:{number};{passed}@h>" <sip:{number}@h>',
        '"{passed}, uri=sip:{number};{passed}" <sip:{number}@h>',
        '<sip:{number}@h>;x="<sip:{number};{passed}@h>"',
        "<sip:+12015550999;{passed}@h>",
        '"${{SHELL(id)}}" <sip:{number}@h>',
    ],
)
def test_verstat_forged_by_the_caller_is_ignored(pbx: ScreenedPbx, value: str) -> None:
    """In a display name, in a parameter, or for another number than that of From."""
    caller = next(CALLERS)
    asserted_number = "+12015550999" if "+12015550999" in value else caller
    spec = asserted(value.format(number=caller, passed=PASSED), caller)
    decision = decide(pbx, spec, asserted_number)
    assert decision.rule == ("passed-a" if asserted_number != caller else "default")


@pytest.mark.parametrize("name", ["x):9", "):0:0", "(", "<", "a,b;c"])
def test_no_display_name_hides_verstat(pbx: ScreenedPbx, name: str) -> None:
    """As `):9` would inside the brackets of a dialplan function."""
    caller = next(CALLERS)
    spec = asserted(f'"{name}" <sip:{caller};verstat=TN-Validation-Failed@carrier.example>', caller)
    assert decide(pbx, spec, caller).rule == "forged"


@pytest.fixture(scope="module")
def other_carriers() -> Iterator[ScreenedPbx]:
    """One carrier with its own header, and one whose P-Asserted-Identity Asterisk ignores."""
    both = CHECKS.replace('channels = "PJSIP/carrier-*"\n', 'channels = "PJSIP/carrier-*"\nverstat = true\n')
    pjsip = "[carrier2](+)\nset_var = CALLSIEVE_VERSTAT_HEADER=X-Twilio-VerStat\n"
    pjsip += "[carrier](+)\ntrust_id_inbound = no\n"
    settings = both.replace('name = "carriers"', 'name = "observe"')
    with ScreenedPbx(settings=settings, config={"pjsip.conf": pjsip}) as office:
        yield office


@pytest.mark.parametrize(
    ("headers", "auth_class"),
    [
        ({"X-Twilio-VerStat": "TN-Validation-Passed-A"}, AuthClass.AUTHENTICATED),
        ({"X-Twilio-VerStat": "TN-Validation-Failed-B"}, AuthClass.UNAUTHENTICATED),
        ({"X-Twilio-VerStat": "anything, else"}, AuthClass.UNKNOWN),
        ({}, AuthClass.UNKNOWN),
    ],
)
def test_a_carriers_own_header_sets_the_auth_class(
    other_carriers: ScreenedPbx, headers: dict[str, str], auth_class: AuthClass
) -> None:
    caller = next(CALLERS)
    assert decide(other_carriers, CallSpec(caller=caller, did=ALICE, headers=headers), caller).auth_class is auth_class


@pytest.mark.parametrize(("is_same", "auth_class"), [(True, AuthClass.AUTHENTICATED), (False, AuthClass.UNKNOWN)])
def test_verstat_of_another_number_than_the_shown_one_is_ignored(
    other_carriers: ScreenedPbx, is_same: bool, auth_class: AuthClass
) -> None:
    """If the number comes from From, a check of the asserted number does not count."""
    caller = next(CALLERS)
    told = f"<sip:{caller if is_same else next(CALLERS)};{PASSED}@carrier.example>"
    assert decide(other_carriers, asserted(told, caller), caller, "carrier").auth_class is auth_class


@pytest.mark.parametrize(
    ("name", "trunk", "rule"),
    [
        ("SPAM RISK", "checks", "labelled"),
        ("Scam Likely", "checks", "labelled"),
        ("Scam Likely", "carrier", "default"),
        ("Spam Risk Advisors", "checks", "default"),
        ("Big SALE today", "carrier", "named"),
    ],
)
def test_the_display_name_selects_a_rule(pbx: ScreenedPbx, name: str, trunk: str, rule: str) -> None:
    caller = next(CALLERS)
    assert decide(pbx, CallSpec(caller=caller, name=name, did=ALICE), caller, trunk).rule == rule


ONE, TWO = "<sip:+442071838751@h>;reason=unconditional", '"Desk <2>" <sip:+442071838752@h>;reason=no-answer'


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Diversion": ONE}, id="one"),
        pytest.param({"Diversion": ONE, "diversion": TWO}, id="two-headers"),
        pytest.param({"Diversion": f"{ONE}, {TWO}"}, id="one-header"),
        pytest.param({"Diversion": f"{TWO},{ONE}"}, id="with-a-name-first"),
    ],
)
def test_a_diverted_call_is_recognised(pbx: ScreenedPbx, headers: dict[str, str]) -> None:
    caller = next(CALLERS)
    assert decide(pbx, CallSpec(caller=caller, did=ALICE, headers=headers), caller).rule == "diverted"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Remote-Party-ID": "<sip:{number}@h>;party=calling;privacy=off"}, True, id="remote-party-id"),
        pytest.param({"P-Preferred-Identity": "<sip:{number}@h>"}, False, id="preferred-identity-is-ignored"),
    ],
)
def test_the_callers_number_comes_from_the_expected_header(
    pbx: ScreenedPbx, headers: dict[str, str], expected: bool
) -> None:
    caller = next(CALLERS)
    filled = {name: value.format(number=caller) for name, value in headers.items()}
    with Phone(pbx.asterisk, "201"):
        pbx.carrier.call(CallSpec(caller=None, did=ALICE, headers=filled))
    shown = decision_on(pbx.daemon.store, caller if expected else None)
    assert (shown.caller == caller) is expected


def test_the_doctor_counts_calls_with_verstat(pbx: ScreenedPbx) -> None:
    """Only on the trunk that checks."""
    for word in ("No-TN-Validation", "TN-Validation-Passed-A"):
        caller = next(CALLERS)
        decide(pbx, from_user(caller, word), caller)
    decide(pbx, CallSpec(caller=(plain := next(CALLERS)), did=ALICE), plain)

    def heard() -> dict[str, tuple[int, int]]:
        telemetry = read_telemetry(pbx.daemon.state)
        return telemetry.by_carrier if telemetry else {}

    def counted() -> bool:
        calls, said = heard().get("trusted", (0, 0))
        return calls > said >= 2

    wait_until(counted, "what the daemon counts")
    assert list(heard()) == ["trusted"]
