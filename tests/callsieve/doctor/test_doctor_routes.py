"""The doctor follows numbers through the dialplan. With calls: tests/integration/test_routes.py."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from callsieve.doctor.call_route import RouteReason, RouteScreening, verdict_on
from callsieve.doctor.dialplan import RELOAD
from callsieve.doctor.finding import MOST_QUESTIONS, CheckContext
from callsieve.doctor.routes import are_known, are_screened, survey_of
from callsieve.doctor.trunk_numbers import dahdi_contexts, trunks_of
from callsieve.health import CheckStatus
from callsieve.install.freepbx import TRUNK_CONTEXT, TRUNK_FILES
from callsieve.pbx.cli_output import Match, iax_users_in, identified_in, matches_in
from callsieve.pbx.dialplan_text import branches, example_of, is_true, substituted
from callsieve.settings import Loaded, parse_settings
from reputation.numbers import ways_to_dial
from reputation.store.database import open_store
from tests.callsieve.route_cases import (
    CARRIER,
    CASES,
    FAX,
    FRONT,
    GLOBALLY,
    NOWHERE,
    OWN,
    Case,
    check_context_of,
    recorded,
    verdict,
)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_call_is_followed_through_the_dialplan(case: Case) -> None:
    found = verdict(check_context_of(recorded), case)
    assert (found.screening, found.why) == (case.screening, case.why)


def test_last_step_of_an_unscreened_call_is_named() -> None:
    found = verdict(check_context_of(recorded), CASES["an explicit number wins over the pattern"])
    assert found.where == "from-carrier,2071838750,2 Dial(Local/1@rings,1)"


def test_number_without_a_destination_is_named() -> None:
    found = verdict(check_context_of(recorded), Case("2071838799", "globally", RouteScreening.SCREENED))
    assert (found.screening, found.nowhere) == (RouteScreening.SCREENED, "office,2071838799,1")


# Single steps


def follow(*applications: str, **others: str) -> tuple[RouteScreening, RouteReason | None]:
    """Follow a call to 5550100 through these steps. A keyword is the only step of s in another context."""

    @cache
    def lookup(extension: str, context: str) -> list[Match]:
        steps = applications if (extension, context) == ("5550100", "from-carrier") else ()
        if extension == "s" and context in others:
            steps = (others[context],)
        found = Match(context, extension)
        found.applications.update(enumerate(steps, 1))
        return [found] if steps else []

    found = verdict_on(lookup, "5550100", "from-carrier", {"OFFICE": "office"})
    return found.screening, found.why


US = "Gosub(callsieve,s,1(x))"


@pytest.mark.parametrize(
    ("applications", "screening", "why"),
    [
        pytest.param(["Answer()", "Playback(welcome)", US], RouteScreening.SCREENED, None, id="after-an-announcement"),
        pytest.param(["AGI(lookup.php)", US], RouteScreening.CANNOT_TELL, RouteReason.COMPUTED, id="a-script-may-jump"),
        pytest.param(["Macro(screen)", US], RouteScreening.CANNOT_TELL, RouteReason.COMPUTED, id="macro"),
        pytest.param(["Return()"], RouteScreening.NOT_SCREENED, RouteReason.ENDS, id="return-without-gosub"),
        pytest.param(["TryExec(Gosub(callsieve,s,1(x)))"], RouteScreening.SCREENED, None, id="tryexec"),
        pytest.param(
            ["TryExec(Dial(PJSIP/201))", US], RouteScreening.NOT_SCREENED, RouteReason.TAKEN, id="tryexec-dial"
        ),
        pytest.param(
            ["Gosub(callsieve-outbound,s,1(x))"], RouteScreening.NOT_SCREENED, RouteReason.MISSING, id="own-context"
        ),
        pytest.param(["Gosub(callsieve,s,1)"], RouteScreening.SCREENED, None, id="without-arguments"),
        pytest.param(["gosub( callsieve , s , 1 (x))"], RouteScreening.SCREENED, None, id="spaces-are-ignored"),
        pytest.param(["Goto(${OFFICE},s,1)"], RouteScreening.SCREENED, None, id="a-global"),
        pytest.param(["Set(OFFICE=${CALLERID(num)})", "Goto(${OFFICE},s,1)"],
                     RouteScreening.CANNOT_TELL, RouteReason.COMPUTED, id="a-global-that-the-call-changes"),
        pytest.param(["Goto(+2)"], RouteScreening.CANNOT_TELL, RouteReason.COMPUTED, id="relative"),
        pytest.param(["GotoIfTime(9:00-17:00,mon-fri,*,*?office,s,1:office,s,1)"], RouteScreening.SCREENED, None,
                     id="by-the-hour"),
        pytest.param([f'ExecIf($["${{X{n}}}" = "a?b:c"]?Set(X{n}=1))' for n in range(60)] + [US],
                     RouteScreening.SCREENED, None, id="many-conditions"),
        pytest.param([f"GotoIf($[${{X}} = {n}]?office,s,1)" for n in range(60)] + [US], RouteScreening.SCREENED, None,
                     id="many-branches"),
        pytest.param(["NoOp()"] * 1100 + [US], RouteScreening.CANNOT_TELL, RouteReason.LONG, id="without-end"),
    ],
)  # fmt: skip
def test_steps_are_followed(applications: list[str], screening: RouteScreening, why: RouteReason | None) -> None:
    assert follow(*applications, office=US) == (screening, why)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("${EXTEN}", "+12015550100"),
        ("${EXTEN:1}", "12015550100"),
        ("${EXTEN:-4}", "0100"),
        ("${EXTEN:1:4}", "1201"),
        ("${EXTEN:0:-4}", "+1201555"),
        ("${FILTER(0-9A-Za-z+*#,${EXTEN})}", "+12015550100"),
        ("${FILTER(0-9,${EXTEN})}", "12015550100"),
        ("${FILTER(\\x2b5,${EXTEN})}", "+555"),
        ("${DIALPLAN_EXISTS(office,s,1)}", "1"),
        ("a-${UNSET}", None),
        ("${LEN(${EXTEN})}", None),
        ("$[1 + 1]", None),
        ("plain", "plain"),
    ],
)
def test_variables_are_substituted(text: str, known: str | None) -> None:
    assert substituted(text, {"EXTEN": "+12015550100"}, lambda *where: where == ("office", "s", "1")) == known


def test_branches_of_a_condition_are_split() -> None:
    condition = '$["${IF($[1]?a:b)}" = "a"]'
    assert branches(f"{condition}?yes,s,1:no,s,1") == (condition, "yes,s,1", "no,s,1")
    assert branches("9:00-17:00,*,*,*?:later") == ("9:00-17:00,*,*,*", "", "later")
    assert branches("condition?only") == ("condition", "only", "")


@pytest.mark.parametrize(
    ("condition", "known"),
    [
        ('$["${DIALPLAN_EXISTS(office,${FILTER(0-9+._\\x2d,${EXTEN})},1)}" = "0"]', False),
        ('$["${DIALPLAN_EXISTS(nowhere,s,1)}" != "0"]', False),
        ("$[${DIALPLAN_EXISTS(office,s,1)} = 1]", None),
        ('$["${EXTEN}" = "+12015550100"]', True),
        ('$["${EXTEN}" = "s" | "${EXTEN}" = "+12015550100"]', None),
        ('$["${CALLERID(num)}" = "0"]', None),
        ("1", True),
        ("0", False),
        ("$[1 < 2]", None),
        ("", None),
        pytest.param(f"$[{' ' * 10_000}=x", None, id="many-spaces"),
    ],
)
def test_conditions_are_evaluated(condition: str, known: bool | None) -> None:
    found = {("office", "+12015550100", "1"): True, ("office", "s", "1"): None}
    assert is_true(condition, {"EXTEN": "+12015550100"}, lambda *where: found.get(where, False)) is known


@pytest.mark.parametrize(
    ("pattern", "example"),
    [("_X.", "55550100"), ("_+44207183875X", "+442071838755"), ("_[5-7]N!", "55"), ("_9-X", "95"), ("201", None)],
)
def test_pattern_has_an_example(pattern: str, example: str | None) -> None:
    assert example_of(pattern) == example


@pytest.mark.parametrize(
    ("e164", "forms"),
    [
        ("+442071838750", ("+442071838750", "442071838750", "02071838750", "2071838750")),
        ("+12015550100", ("+12015550100", "12015550100", "2015550100")),
    ],
)
def test_number_has_all_forms_that_carriers_send(e164: str, forms: tuple[str, ...]) -> None:
    assert ways_to_dial(e164) == forms


# Findings

ASKS = f"[ Context 'from-carrier' created by 'pbx_config' ]\n  'late' =>  1. {US} [x:1]\n"


def test_unscreened_numbers_are_named() -> None:
    found = are_screened(check_context_of(recorded, CARRIER))
    assert found.status is CheckStatus.FAIL
    assert "2071838750 from carrier: from-carrier,2071838750,2 Dial(" in str(found.detail)
    assert "and 8 more" in str(found.detail)


def test_undecidable_numbers_are_named() -> None:
    found = are_known(check_context_of(recorded, CARRIER))
    assert found.status is CheckStatus.UNKNOWN
    assert "from-carrier,2071838753,1 Goto(" in str(found.detail)


def test_front_context_screens_all_numbers() -> None:
    context = check_context_of(recorded, FRONT + OWN)
    assert are_screened(context).status is CheckStatus.OK
    assert are_known(context).status is CheckStatus.OK


def test_number_without_a_destination_behind_the_front_is_named() -> None:
    context = check_context_of(recorded, FRONT + OWN + NOWHERE)
    assert are_screened(context).status is CheckStatus.OK
    assert "+442071838799" in str(are_known(context).detail)


def test_number_without_a_destination_in_own_contexts_is_named() -> None:
    context = check_context_of(recorded, GLOBALLY + OWN + NOWHERE)
    assert are_screened(context).status is CheckStatus.OK
    found = are_known(context)
    assert found.status is CheckStatus.WARN
    assert "+442071838799" in str(found.detail)


def test_number_with_screen_false_is_skipped() -> None:
    context = check_context_of(recorded, CARRIER + FAX)
    survey = survey_of(context, trunks_of(context))
    assert not any("2071838750 from" in str(said) for said in survey.unscreened)


def test_number_of_queries_is_limited() -> None:
    asked = []

    def ask(command: str) -> str:
        asked.append(command)
        return recorded(command)

    context = replace(check_context_of(ask, FRONT + OWN), most_questions=8)
    survey = survey_of(context, trunks_of(context))
    assert len([command for command in asked if "@" in command]) == 8
    assert survey.left_out > 0
    assert f"{survey.left_out} more were not checked" in str(are_screened(context).detail)


def test_trunk_unknown_to_asterisk_is_named() -> None:
    context = check_context_of(recorded, FRONT.replace("PJSIP/", "SIP/"))
    found = are_known(context)
    assert found.status is CheckStatus.UNKNOWN
    assert "carrier" in str(found.detail)


def test_numbers_of_recorded_calls_are_followed(tmp_path: Path) -> None:
    loaded = Loaded(settings=parse_settings(GLOBALLY, "test"), file=None, state=tmp_path)
    with open_store(loaded.store_path) as db:
        outcome(db, at=99.0, did="+442071838799")
    context = CheckContext(loaded, check_context_of(recorded, GLOBALLY).console, 100.0)
    assert "+442071838799" in str(are_known(context).detail)


def outcome(db: sqlite3.Connection, *, at: float, did: str) -> None:
    db.execute(
        "INSERT INTO outcome (linkedid, at, direction, disposition, caller_kind, did, rung, forked, ring_seconds,"
        " talk_seconds, voicemail_left, transferred, parked, conference, complete, source, auth_class)"
        " VALUES ('1', ?, 'inbound', 'answered', 'number', ?, '[]', 0, 1, 1, 0, 0, 0, 0, 1, 'ami', 'none')",
        (at, did),
    )
    db.commit()


def test_trunk_with_a_missing_context_fails() -> None:
    found = are_screened(check_context_of(recorded, CARRIER.replace("from-carrier", "callsieve-not-reloaded")))
    assert found.status is CheckStatus.FAIL
    assert found.remedy == RELOAD


def test_dialplan_without_numbers_is_unknown() -> None:
    answers = {"dialplan show": ASKS, "dialplan show globals": "", "pjsip show endpoint from-carrier": ""}
    found = are_screened(check_context_of(answers.__getitem__, CARRIER))
    assert found.status is CheckStatus.UNKNOWN


def test_thousands_of_numbers_stay_within_the_query_limit() -> None:
    """FreePBX's own dialplan is not followed, or a few numbers would use up all queries."""
    numbers = "".join(f"  '20718{n:05}' =>  1. Goto(ext-group,{n},1) [x:1]\n" for n in range(2000))
    front = (
        f"[ Context '{TRUNK_CONTEXT}' created by 'pbx_config' ]\n"
        f"  '_[0-9A-Za-z+*#].' => 1. {US} [x:1]\n"
        "                    2. Gosub(callsieve-freepbx,s,1) [x:2]\n"
        "                    3. Goto(from-trunk,${FILTER(0-9A-Za-z+*#,${EXTEN})},1) [x:3]\n"
    )
    ours = "[ Context 'callsieve-freepbx' created by 'pbx_config' ]\n  's' => 1. Return() [x:4]\n"
    behind = "[ Context 'from-trunk' created by 'pbx_config' ]\n"
    asked = []

    def ask(command: str) -> str:
        asked.append(command)
        question, _, dialplan_context = command.partition("@")
        if not dialplan_context:
            return "" if "globals" in command else front + ours + behind + numbers
        number = question.removeprefix("dialplan show ")
        there = f"{behind}  '{number}' =>  1. Goto(ext-group,1,1) [x:1]\n"
        return {TRUNK_CONTEXT: front, "from-trunk": there}.get(dialplan_context, ours)

    context = check_context_of(ask, CARRIER.replace("from-carrier", TRUNK_CONTEXT))
    survey = survey_of(context, trunks_of(context))
    assert (survey.unscreened, survey.unclear, survey.nowhere) == ([], [], [])
    assert survey.followed == (MOST_QUESTIONS - 1) // 2
    assert survey.followed + survey.left_out == 2001
    assert len(asked) < MOST_QUESTIONS + 5


# Trunks that the settings do not name

ENDPOINTS = """\
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
    I/OAuth:  <AuthId/UserName...........................................................>
   Identify:  <Identify/Endpoint.........................................................>
        Match:  <criteria.........................>
==========================================================================================

 Endpoint:  201/201                                              Not in use    0 of inf
 Endpoint:  front                                                Not in use    0 of inf
   Identify:  front-ip/front
        Match: 192.0.2.1/32
        Match: 192.0.2.2/32
   Identify:  front-more/front
 Endpoint:  desk                                                 Not in use    0 of inf
   Identify:  desk/desk
"""
IAX_USERS = """\
Username         Secret                Authen           Def.Context      A/C    Codec Pref
guest            -no secret-           000000000000002  public           No     Host
acme             do not show           000000000000002  from-iax         No     Host
"""


def test_trunks_are_parsed() -> None:
    assert identified_in(ENDPOINTS) == ["front", "desk"]
    assert iax_users_in(IAX_USERS) == {"guest": "public", "acme": "from-iax"}


@pytest.mark.parametrize(
    ("loaded", "context"),
    [
        pytest.param(["callsieve-from-trunk", "callsieve-"], "callsieve-from-trunk", id="cut"),
        pytest.param(["callsieve-from-"], "callsieve-from-", id="exact-width"),
        pytest.param(["callsieve-from-trunk", "callsieve-from-isdn"], None, id="either-of-two"),
        pytest.param(["default"], "callsieve-from-", id="not-loaded"),
    ],
)
def test_truncated_iax2_context_is_completed(loaded: list[str], context: str | None) -> None:
    """Asterisk 22 shows 15 characters of it."""
    answers = {
        "pjsip show endpoints": "No objects found.\n",
        "iax2 show users": IAX_USERS.replace("acme    ", "carrier ").replace("from-iax       ", "callsieve-from-"),
        "module show": "chan_iax2.so x 0 Running core\n",
        "dialplan show": "".join(f"[ Context '{name}' created by 'pbx_config' ]\n" for name in loaded),
        "dialplan show globals": "",
    }
    assert {trunk.name: trunk.context for trunk in trunks_of(check_context_of(answers.__getitem__))}[
        "carrier"
    ] == context


def test_trunks_are_found_without_settings(tmp_path: Path) -> None:
    (tmp_path / "chan_dahdi.conf").write_text(
        "[channels]\nsignalling=fxo_ks\ncontext=from-internal\nchannel => 1\nsignalling=fxs_ks\ncontext=from-pstn\n"
        "channel => 2-4\n"
    )
    answers = {
        "pjsip show endpoints": ENDPOINTS,
        "iax2 show users": IAX_USERS,
        "module show": "chan_iax2.so x 0 Running core\nchan_dahdi.so x 0 Running core\n",
        "core show settings": f"  Configuration directory:     {tmp_path}\n",
    }
    context = check_context_of(answers.__getitem__, '[[person]]\nextension = "7"\nendpoint = "PJSIP/desk"\n')
    found = [(trunk.name, trunk.context) for trunk in trunks_of(context)]
    assert found == [("front", "front"), ("acme", "from-iax"), ("DAHDI", "from-pstn")]
    assert dahdi_contexts(tmp_path) == ["from-pstn"]


@pytest.mark.parametrize("name", TRUNK_FILES)
def test_trunk_of_any_kind_is_recognised_on_freepbx(tmp_path: Path, name: str) -> None:
    shown = f"[ Context '{TRUNK_CONTEXT}' created by 'pbx_config' ]\n  '_X.' =>          1. {US} [extensions.conf:1]\n"
    answers = {
        "pjsip show endpoints": "No objects found.\n",
        "module show": "",
        "core show settings": f"  Configuration directory:     {tmp_path}\n",
        "dialplan show": shown,
        "dialplan show globals": "",
        f"dialplan show 55550100@{TRUNK_CONTEXT}": shown,
    }
    assert are_screened(check_context_of(answers.__getitem__)).status is CheckStatus.WARN
    (tmp_path / name).write_text(f"[trunk]\ncontext={TRUNK_CONTEXT}\n")
    assert are_screened(check_context_of(answers.__getitem__)).status is CheckStatus.OK


def test_dialplan_without_screening_fails() -> None:
    answers = {
        "dialplan show": ASKS.replace("callsieve", "office"),
        "pjsip show endpoint from-carrier": "context : from-carrier\n",
    }
    assert are_screened(check_context_of(answers.__getitem__, CARRIER)).status is CheckStatus.FAIL


def test_matches_of_a_number_are_parsed() -> None:
    said = (
        "[ Context 'a' created by 'pbx_config' ]\n"
        "  '5550100' (CID match '12015550199') =>  1. NoOp(x)                            [extensions.conf:1]\n"
        "  '_555.' =>        2. Goto(b,${EXTEN},1)                         [extensions.conf:2]\n"
        "     [end]          3. Hangup()                                   [extensions.conf:3]\n"
        "[ Included context 'b' created by 'pbx_config' ]\n"
        "  '5550100' =>      hint: PJSIP/201                               [extensions.conf:4]\n"
        "-= 3 extensions (4 priorities) in 2 contexts. =-\n"
    )
    caller, pattern, hint = matches_in(said)
    assert (caller.sometimes, caller.applications) == (True, {1: "NoOp(x)"})
    assert (pattern.context, pattern.applications) == ("a", {2: "Goto(b,${EXTEN},1)", 3: "Hangup()"})
    assert pattern.labels == {"end": 3}
    assert (hint.context, hint.applications) == ("b", {})
