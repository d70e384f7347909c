"""The variables that the dialplan gets, command by command."""

from __future__ import annotations

import pytest

from agi.answers import (
    MAX_ENDPOINTS,
    PHONE,
    SCREENED,
    WHISPER,
    answer_done,
    answer_fail_open,
    answer_status,
    answer_to_callee,
    answer_to_screen,
    whisper_of,
)
from agi.quoting import COMMAND_LIMIT
from agi.site import Site
from callsieve.prompts.catalogue import prompts_of
from policies.decision import Action, Decision, IncomingCall, fail_open
from policies.reasons import Why
from policies.relations import PerPhone
from reputation.model import Attestation, Level, Verification
from reputation.plan.rows import Purpose
from tests.agi.test_quoting import commands_in
from tests.builders import CALLER, make_call, make_reputation, make_signed_call, make_site

SITE = make_site()
NOBODY = PerPhone()


def make_decision(action: Action = Action.ALLOW, **more: object) -> Decision:
    reputation = make_reputation(3.0, Level.WARN)
    decision = Decision(
        action, "a-rule", Why("as somebody wrote"), 8, "house", action, False, reputation.level, reputation
    )
    return decision._replace(**more)  # type: ignore[arg-type]


def answer_variables(
    decision: Decision, call: IncomingCall | None = None, site: Site = SITE, per_phone: PerPhone = NOBODY
) -> dict[str, str]:
    """The variables of an answer to /screen, in order."""
    commands = commands_in(answer_to_screen(call or make_call(), decision, "4F2K9TQZ", site, per_phone))
    assert len(dict(commands)) == len(commands)
    return dict(commands)


ALWAYS = {
    "__CALLSIEVE_RULE": "a-rule",
    "__CALLSIEVE_ID": "4F2K9TQZ",
    "__CALLSIEVE_CALLER": CALLER,
    "CALLSIEVE_LEVEL": "warn",
    "CALLSIEVE_POINTS": "13",
    "CALLSIEVE_REASON": "as somebody wrote",
}


@pytest.mark.parametrize(
    ("action", "variables"),
    [
        pytest.param(Action.ALLOW, {}, id="allow"),
        pytest.param(
            Action.TAG, {"CALLSIEVE_LABEL": "SPAM?", "CALLSIEVE_DISPLAY": "SPAM?", "CALLSIEVE_DIAL": PHONE}, id="tag"
        ),
        pytest.param(
            Action.WARN,
            {
                "__CALLSIEVE_WHISPER": "spam",
                "CALLSIEVE_LABEL": "SPAM?",
                "CALLSIEVE_DISPLAY": "SPAM?",
                "CALLSIEVE_DIAL": PHONE + WHISPER,
                "CALLSIEVE_LANG": "en",
            },
            id="warn",
        ),
        pytest.param(Action.CHALLENGE, {"CALLSIEVE_ASK": "digit", "CALLSIEVE_LANG": "en"}, id="challenge"),
        pytest.param(Action.ROUTE, {"CALLSIEVE_LANG": "en"}, id="route"),
        pytest.param(Action.REJECT, {"CALLSIEVE_SIP_CODE": "603", "CALLSIEVE_LANG": "en"}, id="reject"),
    ],
)
def test_each_action_has_the_variables_of_the_dialplan(action: Action, variables: dict[str, str]) -> None:
    assert answer_variables(make_decision(action)) == ALWAYS | variables | {"__CALLSIEVE_ACTION": action.word}


@pytest.mark.parametrize("action", list(Action))
def test_the_action_is_the_last_variable(action: Action) -> None:
    """Until it arrives the call is allowed, whatever cuts the answer short."""
    assert list(answer_variables(make_decision(action)))[-1] == "__CALLSIEVE_ACTION"


def test_a_caller_without_a_number_sets_no_caller_variable() -> None:
    assert "__CALLSIEVE_CALLER" not in answer_variables(make_decision(), make_call(None))


@pytest.mark.parametrize(
    ("call", "auth"),
    [
        pytest.param(make_signed_call(), "authenticated", id="signed"),
        pytest.param(make_call(attestation=Attestation.B), "unauthenticated", id="gateway"),
        pytest.param(make_call(), None, id="no-signatures"),
        pytest.param(make_call(trusted=True, verification=Verification.FAILED), "failed", id="failed"),
    ],
)
def test_the_auth_class_is_sent_unless_unknown(call: IncomingCall, auth: str | None) -> None:
    assert answer_variables(make_decision(), call).get("__CALLSIEVE_AUTH") == auth


@pytest.mark.parametrize(
    ("decision", "whisper"),
    [
        pytest.param(make_decision(Action.WARN), "spam", id="by-level"),
        pytest.param(make_decision(Action.WARN, category="fraud"), "scam", id="by-category"),
        pytest.param(make_decision(Action.WARN, rule="own-number", level=Level.NONE), "own-number", id="own-number"),
        pytest.param(make_decision(Action.WARN, level=Level.NONE), "unknown", id="no-evidence"),
        pytest.param(make_decision(Action.WARN, rule="blocklist", level=Level.NONE), "spam", id="the-blocklist"),
        pytest.param(make_decision(Action.WARN, purpose=Purpose.UNALLOCATED), "spam", id="unallocated-number"),
        pytest.param(
            make_decision(Action.WARN, purpose=Purpose.TELEMARKETING), "telemarketing", id="telemarketing-number"
        ),
        pytest.param(
            make_decision(Action.WARN, purpose=Purpose.BANK, level=Level.NONE), "unknown", id="a-banks-number"
        ),
        pytest.param(make_decision(Action.TAG, category="scam"), "", id="a-tag-is-only-shown"),
    ],
)
def test_each_warning_selects_its_whisper(decision: Decision, whisper: str) -> None:
    assert whisper_of(decision) == whisper


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("level", [Level.NONE, Level.WARN])
def test_every_whisper_has_its_prompt(purpose: Purpose, level: Level) -> None:
    """Without one, a warned call would come without a whisper."""
    word = whisper_of(make_decision(Action.WARN, purpose=purpose, level=level))
    assert f"whisper-{word}" in prompts_of("en")


def test_label_display_and_name_are_sent_unchanged() -> None:
    """agi/display.py makes them, and tests/agi/test_display.py has the cases."""
    verified = answer_variables(make_decision(Action.TAG, name="Acme: Ltd", category="scam"))
    shown = {name: verified[f"CALLSIEVE_{name}"] for name in ("LABEL", "DISPLAY", "NAME")}
    assert shown == {"LABEL": "Scam?", "DISPLAY": "Scam? Acme: Ltd", "NAME": "Verified: Acme: Ltd"}


@pytest.mark.parametrize(
    ("trunk", "code"), [("carrier", "603"), ("backbone", "607"), ("SIP/old", "603"), (None, "603")]
)
def test_a_rejected_call_gets_the_sip_code_of_its_trunk(trunk: str | None, code: str) -> None:
    call = make_call(trunk=trunk)
    assert answer_variables(make_decision(Action.REJECT), call)["CALLSIEVE_SIP_CODE"] == code
    answer = answer_to_callee(call, make_decision(Action.REJECT), SITE)
    assert ("CALLSIEVE_SIP_CODE", code) in commands_in(answer)


@pytest.mark.parametrize(
    ("decision", "site", "route"),
    [
        pytest.param(make_decision(Action.ROUTE, callee="201"), SITE, "callsieve-voicemail,201,1", id="voicemail"),
        pytest.param(make_decision(Action.ROUTE), SITE, None, id="callee-unknown-rings-on"),
        pytest.param(make_decision(Action.ROUTE), make_site(route="desk,s,1"), "desk,s,1", id="route-of-the-settings"),
        pytest.param(make_decision(Action.CHALLENGE), make_site(route="desk,s,1"), "desk,s,1", id="challenge-failed"),
        pytest.param(make_decision(Action.WARN), make_site(route="desk,s,1"), "desk,s,1", id="key-2-at-the-warning"),
        pytest.param(make_decision(Action.TAG, callee="201"), SITE, None, id="not-for-a-tag"),
    ],
)
def test_route_is_sent_for_calls_that_can_leave_the_phones(decision: Decision, site: Site, route: str | None) -> None:
    assert answer_variables(decision, site=site).get("__CALLSIEVE_ROUTE") == route


@pytest.mark.parametrize(
    ("action", "per_phone", "options"),
    [
        pytest.param(Action.ALLOW, PerPhone(blocked=("PJSIP/202",)), PHONE, id="blocked-by-one-phone"),
        pytest.param(Action.TAG, PerPhone(known=("PJSIP/201",)), PHONE, id="known-to-one-phone"),
        pytest.param(Action.WARN, PerPhone(known=("PJSIP/201",)), PHONE + WHISPER, id="known-to-one-phone-and-warned"),
        pytest.param(Action.ALLOW, NOBODY, None, id="all-alike"),
    ],
)
def test_dial_options_follow_action_and_lists(action: Action, per_phone: PerPhone, options: str | None) -> None:
    variables = answer_variables(make_decision(action), per_phone=per_phone)
    assert variables.get("CALLSIEVE_DIAL") == options
    assert "," not in variables.get("CALLSIEVE_DIAL", "")
    assert variables.get("__CALLSIEVE_KNOWN", "") == "&".join(per_phone.known)
    assert variables.get("__CALLSIEVE_BLOCKED", "") == "&".join(per_phone.blocked)


# What a challenge asks for, and what else a caller may hear.

RECORDING = make_site(ask="name", recordings="/var/lib/callsieve/recordings")


@pytest.mark.parametrize(
    ("ask", "site", "call", "asked"),
    [
        pytest.param(None, SITE, make_call(), "digit", id="digit-by-default"),
        pytest.param(None, RECORDING, make_call(), "name", id="the-settings"),
        pytest.param("digit", RECORDING, make_call(), "digit", id="the-rule-before-the-settings"),
        pytest.param("name", SITE, make_call(), "digit", id="no-room-for-recordings"),
        pytest.param("number", SITE, make_call(None), "number", id="a-hidden-number"),
        pytest.param("number", SITE, make_call(), "digit", id="the-number-is-there"),
        pytest.param("number", RECORDING, make_call(), "name", id="the-number-is-there-and-the-settings-say-name"),
    ],
)
def test_a_challenged_caller_is_asked_for_a_digit_or_a_name(
    ask: str | None, site: Site, call: IncomingCall, asked: str
) -> None:
    variables = answer_variables(make_decision(Action.CHALLENGE, ask=ask), call, site)
    assert variables["CALLSIEVE_ASK"] == asked
    name = asked == "name"
    assert variables.get("__CALLSIEVE_RECORDING") == (f"{site.recordings}/4F2K9TQZ" if name else None)
    assert variables.get("CALLSIEVE_DIAL") == (SCREENED if name else None)


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.CHALLENGE])
def test_only_challenged_callers_are_asked(action: Action) -> None:
    variables = answer_variables(make_decision(action, ask="name"), site=RECORDING)
    assert not variables.keys() & {"CALLSIEVE_ASK", "__CALLSIEVE_RECORDING"}
    assert SCREENED not in variables.get("CALLSIEVE_DIAL", "")


@pytest.mark.parametrize(
    ("number", "site", "language"),
    [
        pytest.param("+8613800138000", SITE, "zh", id="by-country"),
        pytest.param(CALLER, make_site(language="zh"), "zh", id="the-settings"),
        pytest.param("+8613800138000", make_site(language="en"), "zh", id="the-country-before-the-settings"),
        pytest.param(None, make_site(language="zh"), "zh", id="withheld"),
        pytest.param(CALLER, SITE, "en", id="english"),
    ],
)
def test_a_challenge_has_the_language_of_the_caller(number: str | None, site: Site, language: str) -> None:
    assert answer_variables(make_decision(Action.CHALLENGE), make_call(number), site)["CALLSIEVE_LANG"] == language
    assert "CALLSIEVE_LANG" not in answer_variables(make_decision(Action.TAG), make_call(number), site)


@pytest.mark.parametrize("action", list(Action))
def test_only_stopped_callers_hear_how_to_appeal(action: Action) -> None:
    assert "CALLSIEVE_APPEAL" not in answer_variables(make_decision(action))
    sounds = answer_variables(make_decision(action), site=make_site(appeal=True)).get("CALLSIEVE_APPEAL")
    if action in (Action.CHALLENGE, Action.ROUTE, Action.REJECT):
        assert sounds is not None
        assert sounds.startswith("callsieve/appeal-how&callsieve/digit-4&callsieve/letter-f&")
        assert sounds.endswith("&callsieve/letter-z&callsieve/appeal-address")
    else:
        assert sounds is None


@pytest.mark.parametrize("action", list(Action))
def test_only_a_rejected_call_gets_the_address_of_the_public_page(action: Action) -> None:
    site = make_site(appeal_address="https://appeals.example.org")
    assert "CALLSIEVE_APPEAL_ADDRESS" not in answer_variables(make_decision(action))
    expected = "https://appeals.example.org/r/4F2K9TQZ" if action is Action.REJECT else None
    assert answer_variables(make_decision(action), site=site).get("CALLSIEVE_APPEAL_ADDRESS") == expected


def test_a_call_on_the_callees_own_list_gets_no_appeal_prompt() -> None:
    decision = make_decision(Action.REJECT, rule="callee-blocklist")
    assert "CALLSIEVE_APPEAL" not in answer_variables(decision, site=make_site(appeal=True))


@pytest.mark.parametrize(
    ("length", "fitting"),
    [
        pytest.param(8, 100, id="899-characters"),  # nine each with the & after it, which the last has not
        pytest.param(9, 90, id="899-characters-and-no-tenth-of-one"),
        pytest.param(10, 81, id="890-characters"),
        pytest.param(MAX_ENDPOINTS + 1, 0, id="none"),
    ],
)
def test_endpoints_that_do_not_fit_are_left_out(length: int, fitting: int) -> None:
    everybody = tuple(f"{n:0{length}d}" for n in range(200))
    sent = answer_variables(make_decision(), per_phone=PerPhone(known=everybody)).get("__CALLSIEVE_KNOWN", "")
    assert len(sent) <= MAX_ENDPOINTS
    assert sent == "&".join(everybody[:fitting])


def test_endpoints_that_fit_exactly_are_all_sent() -> None:
    everybody = tuple(f"{n:052d}" for n in range(17))
    assert len("&".join(everybody)) == MAX_ENDPOINTS
    assert answer_variables(make_decision(), per_phone=PerPhone(known=everybody))["__CALLSIEVE_KNOWN"] == "&".join(
        everybody
    )


def test_a_usual_answer_is_one_command() -> None:
    answer = answer_to_screen(make_call(), make_decision(), "4F2K9TQZ", SITE, NOBODY)
    assert answer.startswith(b"EXEC MSet ")
    assert answer.count(b"\n") == 1


def test_the_largest_answer_still_ends_with_its_action() -> None:
    everybody = tuple(f"PJSIP/{n:06d}" for n in range(1000))
    decision = make_decision(Action.CHALLENGE, rule="r" * 64, reason=Why("语" * 200), name='"' * 500, callee="2" * 64)
    site = make_site(route=f"{'c' * 79},{'e' * 79},9999", ask="name", appeal=True, recordings="/" + "r" * 180)
    answer = answer_to_screen(make_call(), decision, "4F2K9TQZ", site, PerPhone(everybody, everybody))
    assert len(answer) < COMMAND_LIMIT
    variables = dict(commands_in(answer))
    assert variables["__CALLSIEVE_ACTION"] == "challenge"
    assert variables["CALLSIEVE_REASON"] == "语" * 200


# The other answers.


@pytest.mark.parametrize(
    ("decision", "commands"),
    [
        pytest.param(None, [("CALLSIEVE_CALLEE", "same")], id="unchanged"),
        pytest.param(
            make_decision(Action.ALLOW, would_be=Action.REJECT, observed=True),
            [("CALLSIEVE_CALLEE", "same")],
            id="seen",
        ),
        pytest.param(
            make_decision(Action.ALLOW), [("CALLSIEVE_RULE", "a-rule"), ("CALLSIEVE_CALLEE", "allow")], id="allow"
        ),
        pytest.param(
            make_decision(Action.REJECT),
            [("CALLSIEVE_RULE", "a-rule"), ("CALLSIEVE_SIP_CODE", "603"), ("CALLSIEVE_CALLEE", "reject")],
            id="reject",
        ),
    ],
)
def test_the_callee_answer_has_its_variables(decision: Decision | None, commands: list[tuple[str, str]]) -> None:
    assert commands_in(answer_to_callee(make_call(), decision, SITE)) == commands


def test_failing_open_sets_no_action() -> None:
    commands = commands_in(answer_fail_open("timed out"))
    assert commands == [("CALLSIEVE_RULE", "fail-open"), ("CALLSIEVE_REASON", "timed out")]
    assert commands[0][1] == fail_open("timed out").rule


def test_a_report_is_acknowledged() -> None:
    assert commands_in(answer_done()) == [("CALLSIEVE_RULE", "recorded")]


def test_the_status_answer_has_the_fault() -> None:
    assert commands_in(answer_status("disk full")) == [("CALLSIEVE_RULE", "status"), ("CALLSIEVE_REASON", "disk full")]
