"""From a request of the dialplan to its answer, with a store in memory and a fake clock."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections import Counter
from types import FrameType
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.protocol import ProtocolError, Request
from agi.screening import PROOFS_AN_HOUR, Screening, StoreUnavailable
from policies.decision import Action
from policies.loader import load_policy
from policies.policy import PolicyScope, PolicySet
from policies.reasons import FailOpen, PresetReason
from policies.situation import ScreeningHours
from reputation.facts import FactsQuery
from reputation.model import (
    NOTHING_BEFORE,
    Attestation,
    AuthClass,
    CallerKind,
    ChallengeResult,
    Level,
    Tie,
    Verification,
)
from reputation.numbers import Number, caller_of, stored_number
from reputation.own.hours import QuietHours, hour_at
from reputation.weights import DEFAULT, QuietWeights
from tests.agi.test_quoting import commands_in
from tests.builders import (
    CALLER,
    HOUR,
    LONDON,
    MINUTE,
    NOW,
    Clock,
    Memory,
    blocked,
    make_did,
    make_facts,
    make_identity,
    make_imported,
    make_person,
    make_policy,
    make_reputation,
    make_request,
    make_screening,
    make_site,
    make_tie,
    policy_ordering,
)

NUMBERS = caller_of.__code__.co_filename


def memory_of(**facts: object) -> Memory:
    """Return a store that has these facts about every caller."""
    return Memory(Clock(), make_facts(**facts))  # type: ignore[arg-type]


async def variables(screening: Screening, request: Request | None = None) -> dict[str, str]:
    """Return the variables after the answer, without the two underscores that let phones inherit them."""
    commands = commands_in(await screening.answer(request or make_request()))
    return {name.removeprefix("__"): value for name, value in commands}


async def action_of(screening: Screening, request: Request | None = None) -> str:
    return (await variables(screening, request))["CALLSIEVE_ACTION"]


# /screen


async def test_a_screen_answer_has_the_variables_of_the_dialplan() -> None:
    memory = memory_of(level=Level.WARN, imported=[make_imported(category="scam")])
    assert await variables(make_screening(memory)) == {
        "CALLSIEVE_RULE": "level-warn",
        "CALLSIEVE_ID": "D1",
        "CALLSIEVE_CALLER": CALLER,
        "CALLSIEVE_DIAL": "b(callsieve-phone^s^1)U(callsieve-whisper)",
        "CALLSIEVE_WHISPER": "scam",
        "CALLSIEVE_LEVEL": "warn",
        "CALLSIEVE_POINTS": "0",
        "CALLSIEVE_LABEL": "Scam?",
        "CALLSIEVE_DISPLAY": "Scam?",
        "CALLSIEVE_LANG": "en",
        "CALLSIEVE_REASON": PresetReason.COMPLAINTS,
        "CALLSIEVE_ACTION": "warn",
    }


async def test_the_store_is_queried_once_per_call() -> None:
    memory = memory_of()
    arguments = "trunk=PJSIP/backbone-0000001a,verification=failed,attestation=A,did=02071838750"
    await make_screening(memory).answer(
        make_request("screen", arguments, callerid="02079460123", channel="PJSIP/backbone-0000001a")
    )
    assert memory.queries == [
        FactsQuery(
            number=Number("+442079460123", "02079460123", CallerKind.NUMBER),
            auth_class=AuthClass.UNAUTHENTICATED,
            did=LONDON,
            now=NOW,
            channel_endpoint="PJSIP/backbone",
            attestation=Attestation.A,
            verification=Verification.FAILED,
            hour=hour_at(NOW, DEFAULT.quiet),
            first_call=NOTHING_BEFORE,
            name="",
        )
    ]
    assert memory.give_up_at == [NOW + 0.4]


async def test_the_first_answer_has_the_lists_of_people() -> None:
    memory = memory_of(level=Level.WARN, ties=[make_tie(Tie.ALLOW, "201"), make_tie(Tie.BLOCK, "202")])
    answer = await variables(make_screening(memory))
    assert (answer["CALLSIEVE_KNOWN"], answer["CALLSIEVE_BLOCKED"]) == ("PJSIP/201", "PJSIP/202")


async def test_a_scope_decides_which_policy_applies() -> None:
    policies = PolicySet(policy_ordering("allow"), (PolicyScope(policy_ordering("tag"), did=LONDON),))
    screening = make_screening(memory_of(), policies)
    assert await action_of(screening) == "tag"
    assert await action_of(screening, make_request("screen", "did=200")) == "allow"


async def test_observe_allows_every_call_and_records_the_would_be() -> None:
    memory = memory_of(block=blocked())
    assert await action_of(make_screening(memory, load_policy("observe"))) == "allow"
    [record] = memory.decisions
    assert (record.action, record.would_be, record.rule) == ("allow", "reject", "blocklist")


@pytest.mark.parametrize("path", ["", "marks", "screen/x", "SCREEN", "../screen", "answer", "failed_open"])
async def test_an_unknown_path_is_a_protocol_error(path: str) -> None:
    request = Request(path, {}, {})
    with pytest.raises(ProtocolError, match=r"unknown path.*/outbound"):
        await make_screening(memory_of()).answer(request)


# The journal and the log.


async def test_a_decision_is_recorded_with_all_its_fields() -> None:
    memory = memory_of(callee=make_person("201"), recent_calls=(), passed_until=NOW + HOUR, level=Level.REJECT)
    memory.facts_now = memory.facts_now._replace(reputation=make_reputation(7.5, Level.REJECT))
    memory.reads_take = 0.0125
    await make_screening(memory).answer(make_request("screen", "attestation=B,linkedid=1767258007.11,did=02071838750"))
    [record] = memory.decisions
    assert (record.id, record.at, record.linkedid) == ("D1", NOW, "1767258007.11")
    assert (record.caller, record.caller_kind, record.auth_class) == (
        CALLER,
        CallerKind.NUMBER,
        AuthClass.UNAUTHENTICATED,
    )
    assert (record.did, record.trunk, record.callee) == ("02071838750", "carrier", "201")
    assert (record.action, record.would_be, record.rule, record.policy) == ("warn", "warn", "level-reject", "strict")
    assert record.reason == '{"code": "overwhelming-evidence", "cap": "passed-challenge"}'
    assert (record.level, record.log_odds, record.elapsed_ms) == ("reject", 7.5, 12.5)
    families = '[{"family": "marks", "log_odds": 7.5, "counts": {"reporters": 2}}]'
    assert record.vector == f'{{"families": {families}, "would_change": []}}'


async def test_a_withheld_caller_is_recorded_without_a_number() -> None:
    memory = memory_of()
    await make_screening(memory).answer(make_request("screen", "pres=prohib", callerid=CALLER))
    [record] = memory.decisions
    assert (record.caller, record.caller_kind, record.rule) == (None, CallerKind.WITHHELD, "withheld")


@pytest.mark.parametrize(
    ("callerid", "shown"),
    [
        pytest.param(CALLER, "+1201*****34", id="number"),
        pytest.param("anonymous", "withheld", id="withheld"),
        pytest.param("1&PJSIP/trunk", "invalid", id="invalid"),
    ],
)
async def test_a_call_logs_one_line_without_a_number(
    callerid: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    memory = memory_of(block=blocked())
    memory.reads_take = 0.001
    await make_screening(memory).answer(make_request("screen", "did=+442071838750", callerid=callerid))
    [line] = [record.getMessage() for record in caplog.records]
    assert f"id=D1 caller={shown} action=reject rule=blocklist" in line
    assert CALLER[2:] not in caplog.text
    assert LONDON[3:] not in caplog.text


async def test_decisions_are_counted_by_action() -> None:
    screening = make_screening(memory_of())
    for _ in range(3):
        await screening.answer(make_request())
    await screening.answer(make_request("screen", "", callerid="anonymous"))
    screening.failed_open("timed out")
    assert screening.counts.by_action == {"allow": 3, "tag": 1, "fail-open": 1}


# Velocity and redialling.


async def test_a_caller_back_within_3_minutes_is_warned_at_most() -> None:
    memory = memory_of(level=Level.REJECT)
    screening = make_screening(memory)
    actions = []
    for seconds in (0, 60, 179, 181):
        memory.clock.now += seconds
        actions.append(await action_of(screening))
    assert actions == ["reject", "warn", "warn", "reject"]


COUNTING = """
[[rule]]
name = "number"
when = { calls_within = { minutes = 10, at_least = 2 } }
action = "challenge"
reason = "calls again and again"

[[rule]]
name = "block"
when = { calls_within = { minutes = 10, at_least = 3, of = "block" } }
action = "tag"
reason = "a block that calls in turn"
"""


async def rules_of(screening: Screening, memory: Memory, *calls: tuple[str, float]) -> list[str]:
    """Return the rules that decide calls of these numbers, so many minutes apart."""
    rules = []
    for callerid, minutes in calls:
        memory.clock.now += minutes * MINUTE
        rules.append((await variables(screening, make_request("screen", "", callerid=callerid)))["CALLSIEVE_RULE"])
    return rules


async def test_earlier_calls_of_a_number_count_but_not_the_call_itself() -> None:
    memory = memory_of()
    screening = make_screening(memory, make_policy(COUNTING))
    calls = [(CALLER, minutes) for minutes in (0.0, 4.0, 4.0, 4.0, 9.5)]
    assert await rules_of(screening, memory, *calls) == ["default", "default", "number", "number", "default"]


async def test_calls_of_the_same_block_count_together() -> None:
    memory = memory_of()
    screening = make_screening(memory, make_policy(COUNTING))
    calls = [(f"+12017421{last}", 1.0) for last in ("001", "002", "003", "004")]
    assert await rules_of(screening, memory, *calls, ("+12017422005", 1.0)) == [*["default"] * 3, "block", "default"]


async def test_dids_called_by_a_caller_are_counted() -> None:
    rule = "when = { dids_called = { minutes = 10, at_least = 3 } }"
    memory = memory_of()
    policy = make_policy(f'[[rule]]\nname = "fan-out"\n{rule}\naction = "tag"\nreason = "calls many of us"')
    screening, rules = make_screening(memory, policy), []
    for did in ("+442071838750", "+442071838751", "+442071838751", "+442071838752"):
        memory.clock.now += MINUTE
        rules.append((await variables(screening, make_request("screen", f"did={did}")))["CALLSIEVE_RULE"])
    assert rules == ["default", "default", "default", "fan-out"]


async def test_withheld_callers_are_not_counted_as_one_caller() -> None:
    memory = memory_of()
    screening = make_screening(memory, make_policy(COUNTING))
    assert await rules_of(screening, memory, *[("anonymous", 0.1)] * 6) == ["default"] * 6
    assert len(screening.velocity) == 0


# Emergencies.


async def test_an_emergency_call_opens_screening() -> None:
    memory = memory_of(block=blocked())
    screening = make_screening(memory)
    assert await variables(screening, make_request("emergency", "linkedid=1")) == {"CALLSIEVE_RULE": "recorded"}
    assert memory.emergencies == [NOW]
    memory.facts_now = memory.facts_now._replace(emergency_at=memory.emergencies[-1])
    assert (await variables(screening))["CALLSIEVE_RULE"] == "emergency-window"


@pytest.mark.parametrize(
    ("astdb", "stored", "rule"),
    [
        pytest.param(f"{NOW - HOUR:.0f}", None, "emergency-window", id="only-astdb-has-it"),
        pytest.param(f"{NOW - HOUR:.0f}", NOW - 5 * HOUR, "emergency-window", id="the-later-counts"),
        pytest.param(f"{NOW - 5 * HOUR:.0f}", NOW - HOUR, "emergency-window", id="the-store-is-later"),
        pytest.param(f"{NOW - 3 * HOUR:.0f}", None, "blocklist", id="long-ago"),
        pytest.param("", None, "blocklist", id="never"),
        pytest.param("soon", None, "blocklist", id="no-instant"),
    ],
)
async def test_the_astdb_time_also_opens_the_emergency_window(astdb: str, stored: float | None, rule: str) -> None:
    memory = memory_of(block=blocked(), emergency_at=stored)
    answer = await variables(make_screening(memory), make_request("screen", f"emergency={astdb},did=200"))
    assert answer["CALLSIEVE_RULE"] == rule


@pytest.mark.parametrize(
    ("astdb", "rule"),
    [
        pytest.param(NOW - HOUR - 1, "blocklist", id="before-the-closing"),
        pytest.param(NOW - HOUR, "emergency-window", id="in-its-second"),
        pytest.param(NOW - HOUR + 60, "emergency-window", id="after-it"),
    ],
)
async def test_closing_the_window_overrides_the_astdb_time(astdb: float, rule: str) -> None:
    memory = memory_of(block=blocked(), emergency_closed_at=NOW - HOUR + 0.5)
    answer = await variables(make_screening(memory), make_request("screen", f"emergency={astdb:.0f},did=200"))
    assert answer["CALLSIEVE_RULE"] == rule


@pytest.mark.parametrize(
    ("shown", "kind", "kept"),
    [
        pytest.param("0x1A <b>", CallerKind.INVALID, "0x1A <b>", id="no-number"),
        pytest.param("x\x07" * 100, CallerKind.INVALID, "x" * 64, id="bounded-and-printable"),
        pytest.param("anonymous", CallerKind.WITHHELD, "", id="withheld"),
        pytest.param(CALLER, CallerKind.NUMBER, "", id="number"),
    ],
)
async def test_text_shown_in_place_of_a_number_is_recorded(shown: str, kind: CallerKind, kept: str) -> None:
    memory = memory_of()
    await variables(make_screening(memory), make_request(callerid=shown))
    assert (memory.decisions[-1].caller_kind, memory.decisions[-1].caller_text) == (kind, kept)


# /callee


def callee_request(arguments: str = "auth=unknown") -> Request:
    given = f"linkedid=1767258007.11,caller={CALLER},{arguments},endpoint=PJSIP/201"
    return make_request("callee", given, callerid="anonymous")


async def test_a_personal_list_counts_once_the_callee_is_known() -> None:
    memory = memory_of(callee=make_person("201"), ties=[make_tie(Tie.BLOCK)])
    answer = await variables(make_screening(memory), callee_request())
    assert answer == {
        "CALLSIEVE_RULE": "callee-blocklist",
        "CALLSIEVE_SIP_CODE": "603",
        "CALLSIEVE_CALLEE": "reject",
    }
    hour = hour_at(NOW, DEFAULT.quiet)
    query = FactsQuery(stored_number(CALLER), AuthClass.UNKNOWN, None, NOW, endpoint="PJSIP/201", hour=hour)
    assert memory.queries == [query._replace(first_call=NOTHING_BEFORE)]
    [record] = memory.decisions
    assert (record.linkedid, record.callee, record.trunk) == ("1767258007.11", "201", "carrier")
    assert (record.rule, record.action, record.auth_class) == ("callee-blocklist", "reject", AuthClass.UNKNOWN)


async def test_an_unchanged_callee_decision_is_not_recorded() -> None:
    memory = memory_of(callee=make_person("201"), level=Level.REJECT)
    assert await variables(make_screening(memory), callee_request()) == {"CALLSIEVE_CALLEE": "same"}
    assert memory.decisions == []


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        pytest.param("auth=unknown", "allow", id="a-contact"),
        pytest.param("auth=unauthenticated", "allow", id="through-a-gateway"),
        pytest.param("auth=failed", "same", id="failed-signature"),
        pytest.param(f"auth=unknown,emergency={NOW - HOUR:.0f}", "same", id="all-are-let-in-after-an-emergency-call"),
    ],
)
async def test_a_contact_of_the_callee_is_allowed(arguments: str, answer: str) -> None:
    memory = memory_of(callee=make_person("201"), ties=[make_tie(Tie.CONTACT)])
    assert (await variables(make_screening(memory), callee_request(arguments)))["CALLSIEVE_CALLEE"] == answer


async def test_an_unscreened_did_ignores_personal_lists() -> None:
    """If the dialplan sends the DID."""
    memory = memory_of(callee=make_person("201"), ties=[make_tie(Tie.BLOCK)], did=make_did(screen=False))
    answer = await variables(make_screening(memory), callee_request("auth=unknown,did=442071838750"))
    assert answer == {"CALLSIEVE_CALLEE": "same"}
    assert memory.queries[0].did == LONDON


async def test_an_observing_policy_ignores_personal_lists() -> None:
    memory = memory_of(callee=make_person("201"), ties=[make_tie(Tie.BLOCK)])
    observing = PolicyScope(load_policy("observe"), trunk="carrier")
    screening = make_screening(memory, PolicySet(load_policy("strict"), (observing,)))
    assert await variables(screening, callee_request()) == {"CALLSIEVE_CALLEE": "same"}
    assert [record.would_be for record in memory.decisions] == ["reject"]


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [
        pytest.param((0,), "route", id="the-call-itself"),
        pytest.param((0, 170), "same", id="within-three-minutes"),
        pytest.param((0, 190), "route", id="later"),
    ],
)
async def test_a_redialling_caller_rings_after_a_long_ivr(seconds: tuple[int, ...], answer: str) -> None:
    alice = make_person("201")
    memory = memory_of(callee=alice, quiet=(alice,))
    night = QuietWeights(first_hour=0, last_hour=23, time_zone="UTC")
    screening = make_screening(memory, site=make_site(hours=ScreeningHours(QuietHours(night))))
    for at in seconds:
        memory.clock.now = NOW + at
        await screening.answer(make_request())
    memory.clock.now += 60
    assert (await variables(screening, callee_request()))["CALLSIEVE_CALLEE"] == answer


async def test_a_callee_request_does_not_count_as_a_call() -> None:
    memory = memory_of(callee=make_person("201"))
    screening = make_screening(memory)
    await screening.answer(callee_request())
    assert screening.velocity.calls(stored_number(CALLER), NOW) == ()


@pytest.mark.parametrize("arguments", ["caller=+12017421834,endpoint=", "caller=+12017421834"])
async def test_an_empty_endpoint_is_no_endpoint(arguments: str) -> None:
    memory = memory_of()
    await make_screening(memory).answer(make_request("callee", arguments))
    assert memory.queries[0].endpoint is None


# /challenge and /status


@pytest.mark.parametrize(
    ("arguments", "passes"),
    [
        pytest.param(f"caller={CALLER},auth=unknown,result=passed", [(CALLER, AuthClass.UNKNOWN, NOW)], id="passed"),
        pytest.param(
            f"caller={CALLER},auth=failed,result=passed",
            [(CALLER, AuthClass.UNAUTHENTICATED, NOW)],
            id="in-the-class-of-the-call",
        ),
        pytest.param(f"caller={CALLER},auth=unknown,result=silent", [], id="pressed-nothing"),
        pytest.param("caller=,auth=unknown,result=passed", [], id="a-caller-without-a-number"),
    ],
)
async def test_a_passed_challenge_is_recorded(arguments: str, passes: list[tuple[str, AuthClass, float]]) -> None:
    memory = memory_of()
    answer = await variables(make_screening(memory), make_request("challenge", arguments))
    assert answer == {"CALLSIEVE_RULE": "recorded"}
    assert memory.passes == passes


async def test_an_unknown_auth_class_is_refused() -> None:
    memory = memory_of()
    with pytest.raises(ProtocolError, match="unknown auth class"):
        await make_screening(memory).answer(make_request("challenge", f"caller={CALLER},auth=x,result=passed"))
    assert memory.passes == []


async def test_a_status_request_gets_the_state() -> None:
    screening = make_screening(memory_of())
    assert await variables(screening, make_request("status", "")) == {
        "CALLSIEVE_RULE": "status",
        "CALLSIEVE_REASON": "",
    }
    screening.trouble = lambda: "the store is damaged"
    assert (await variables(screening, make_request("status", "")))["CALLSIEVE_REASON"] == "the store is damaged"


# Failing open, and the breaker.


def test_failing_open_is_recorded_and_counted() -> None:
    memory = memory_of()
    screening = make_screening(memory)
    commands = commands_in(screening.failed_open("timed out", make_request("screen", "linkedid=c1", callerid="")))
    assert commands == [("CALLSIEVE_RULE", "fail-open"), ("CALLSIEVE_REASON", "timed out")]
    [record] = memory.decisions
    assert (record.id, record.at, record.rule, record.reason) == ("D1", NOW, "fail-open", '{"code": "timed-out"}')
    assert (record.action, record.would_be, record.caller, record.linkedid) == ("allow", "allow", None, "c1")
    assert screening.counts.by_action == {"fail-open": 1}


@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        (FailOpen.HEADER, 0),
        (FailOpen.STRANGER, 0),
        (FailOpen.STOPPING, 0),
        (FailOpen.PROTOCOL, 1),  # a request came, and could not be parsed: somebody may have forged it to get through
    ],
)
def test_a_failure_without_a_request_is_counted(reason: FailOpen, rows: int) -> None:
    memory = memory_of()
    screening = make_screening(memory)
    screening.failed_open(reason.value)
    assert len(memory.decisions) == rows
    assert screening.counts.by_action == {"fail-open": 1}


def test_a_failure_is_recorded_with_its_call() -> None:
    memory = memory_of()
    make_screening(memory).failed_open("timed out", make_request())
    [record] = memory.decisions
    assert (record.caller, record.trunk, record.rule) == (CALLER, "carrier", "fail-open")
    assert record.linkedid


@pytest.mark.parametrize("path", ["callee", "mark", "explain", "passcode", "emergency", "challenge", "status"])
def test_only_failed_decision_requests_are_recorded(path: str) -> None:
    """A failed feature code is no call, and is not counted by `callsieve summary`."""
    memory = memory_of()
    screening = make_screening(memory)
    screening.failed_open("timed out", make_request(path, f"linkedid=c1,caller={CALLER},auth=unknown"))
    assert [(decision.linkedid, decision.caller) for decision in memory.decisions] == (
        [("c1", CALLER)] if path == "callee" else []
    )
    assert screening.counts.by_action == {"fail-open": 1}


def test_a_failure_with_an_unreadable_request_is_recorded() -> None:
    memory = memory_of()
    make_screening(memory).failed_open("failed", Request("screen", {"linkedid": "c1"}, cast("Any", None)))
    assert [record.rule for record in memory.decisions] == ["fail-open"]


@pytest.mark.parametrize("result", [ChallengeResult.PASSED, ChallengeResult.WRONG, ChallengeResult.SILENT])
async def test_the_result_of_a_challenge_is_recorded_by_call(result: ChallengeResult) -> None:
    memory = memory_of()
    arguments = f"linkedid=c1,caller={CALLER},auth=unknown,result={result}"
    await make_screening(memory).answer(make_request("challenge", arguments))
    assert memory.challenges == [("c1", result)]
    assert bool(memory.passes) is (result is ChallengeResult.PASSED)


@pytest.mark.parametrize("result", ["", "x", "PASSED", "abandoned", "message"])
async def test_an_unknown_result_of_a_challenge_is_refused(result: str) -> None:
    memory = memory_of()
    with pytest.raises(ProtocolError):
        await make_screening(memory).answer(make_request("challenge", f"caller={CALLER},result={result}"))
    assert (memory.passes, memory.challenges) == ([], [])


@pytest.mark.parametrize("code", ["spam", "ok", "expect"])
async def test_a_feature_code_counts_for_the_dialling_endpoint(code: str) -> None:
    memory = memory_of()
    answer = await make_screening(memory).answer(make_request("mark", f"endpoint=PJSIP/201,code={code}"))
    assert memory.codes == [("PJSIP/201", code, NOW)]
    assert commands_in(answer)[-1] == ("CALLSIEVE_SAY", memory.word_for_codes)


async def test_a_passcode_requested_earlier_has_less_time() -> None:
    memory = memory_of()
    await make_screening(memory).answer(make_request("passcode", "endpoint=PJSIP/201"))
    soon = memory.passcode_until
    await make_screening(memory).answer(make_request("passcode", f"endpoint=PJSIP/201,asked={1000 * (NOW - 0.5):.0f}"))
    assert memory.passcode_until < soon


@pytest.mark.parametrize("arguments", ["endpoint=,code=spam", "code=spam", "endpoint=PJSIP/201", "endpoint=x,code=rm"])
async def test_a_feature_code_without_its_endpoint_or_word_is_refused(arguments: str) -> None:
    memory = memory_of()
    with pytest.raises(ProtocolError):
        await make_screening(memory).answer(make_request("mark", arguments))
    assert memory.codes == []


async def fails(screening: Screening, with_error: type[BaseException]) -> None:
    with pytest.raises(with_error):
        await screening.answer(make_request())


async def test_a_store_failing_five_times_is_not_queried_for_two_seconds() -> None:
    memory = memory_of()
    memory.failure = OSError("locked")
    screening = make_screening(memory)
    for _ in range(5):
        await fails(screening, OSError)
    for _ in range(10):
        await fails(screening, StoreUnavailable)
    assert (len(memory.queries), screening.counts.store_refused) == (5, 10)
    memory.clock.now += 1.999
    await fails(screening, StoreUnavailable)
    memory.clock.now += 0.001
    await fails(screening, OSError)
    await fails(screening, StoreUnavailable)
    assert len(memory.queries) == 6


async def test_a_recovered_store_is_queried_again() -> None:
    memory = memory_of()
    memory.failure = OSError("locked")
    screening = make_screening(memory)
    for _ in range(5):
        await fails(screening, OSError)
    memory.failure = None
    await fails(screening, StoreUnavailable)
    memory.clock.now += 2
    assert [await action_of(screening) for _ in range(3)] == ["allow"] * 3
    assert not screening.breaker.is_open


async def test_a_store_timeout_counts_as_a_failure() -> None:
    """The server cancels the request at the deadline."""
    memory = memory_of()
    memory.failure = asyncio.CancelledError()
    screening = make_screening(memory)
    for _ in range(5):
        await fails(screening, asyncio.CancelledError)
    assert screening.breaker.is_open


async def test_failed_callee_requests_open_the_breaker() -> None:
    memory = memory_of()
    memory.failure = OSError("locked")
    screening = make_screening(memory)
    for _ in range(5):
        with pytest.raises(OSError, match="locked"):
            await screening.answer(callee_request())
    await fails(screening, StoreUnavailable)


async def test_an_unknown_request_does_not_open_the_breaker() -> None:
    screening = make_screening(memory_of())
    for _ in range(5):
        with pytest.raises(ProtocolError):
            await screening.answer(Request("x", {}, {}))
    assert not screening.breaker.is_open


# Whatever a caller writes.

# Every variable that is ever set, with all that it may hold; `None`: caller-ID text or log text only.
ALPHABETS = {
    "CALLSIEVE_RULE": "[a-z0-9_-]+",
    "__CALLSIEVE_RULE": "[a-z0-9_-]+",
    "__CALLSIEVE_ID": "D[0-9]+",
    "__CALLSIEVE_CALLER": r"\+[1-9][0-9]+",
    "__CALLSIEVE_AUTH": "authenticated|unauthenticated|failed",
    "__CALLSIEVE_KNOWN": "PJSIP/201",
    "__CALLSIEVE_BLOCKED": "PJSIP/202",
    "CALLSIEVE_DIAL": r"b\(callsieve-phone\^s\^1\)(U\(callsieve-whisper\))?",
    "CALLSIEVE_LEVEL": "none|tag|warn|challenge|route|reject",
    "CALLSIEVE_POINTS": "-?[0-9]+",
    "CALLSIEVE_SIP_CODE": "603|607",
    "__CALLSIEVE_WHISPER": "spam|unknown",
    "__CALLSIEVE_ROUTE": "callsieve-voicemail,201,1",
    "CALLSIEVE_LABEL": None,
    "CALLSIEVE_DISPLAY": None,
    "CALLSIEVE_LANG": "en|zh",
    "CALLSIEVE_ASK": "digit|name|number",
    "CALLSIEVE_SENTENCE": "callsieve/[a-z0-9-]+(&callsieve/[a-z0-9-]+)*",
    "CALLSIEVE_NAME": None,
    "CALLSIEVE_REASON": None,
    "CALLSIEVE_CALLEE": "same|allow|reject",
    "CALLSIEVE_SAY": "[a-z-]+",
    "__CALLSIEVE_ACTION": "|".join(["carrier", *(action.word for action in Action)]),
}
KEYS = [
    *("trunk", "verification", "attestation", "linkedid", "pres", "priority", "emergency", "did"),
    *("carrier", "uri", "caller", "auth", "endpoint", "result"),
]
HEADER_FIELDS = [
    *("agi_channel", "agi_callerid", "agi_calleridname", "agi_rdnis", "agi_dnid", "agi_uniqueid"),
    *("agi_extension", "agi_context", "agi_callingpres", "agi_accountcode", "agi_language"),
]
HOSTILE = st.text(max_size=80) | st.sampled_from(
    [
        '"\nSET VARIABLE CALLSIEVE_ACTION "reject"',
        "hangup",
        "${SHELL(id)}",
        "1&PJSIP/trunk",
        "201,verification=passed",
        "passed",
        "A",
        CALLER,
        "PJSIP/backbone-1",
    ]
)


@given(
    st.sampled_from(["screen", "callee", "challenge", "emergency"]),
    st.dictionaries(st.sampled_from(KEYS), HOSTILE),
    st.dictionaries(st.sampled_from(HEADER_FIELDS), HOSTILE),
    st.sampled_from([None, Level.TAG, Level.ROUTE, Level.REJECT]),
)
async def test_no_text_of_a_caller_changes_the_set_variables(
    path: str, arguments: dict[str, str], header: dict[str, str], level: Level | None
) -> None:
    memory = memory_of(
        level=level,
        callee=make_person("201") if level is Level.ROUTE else None,
        ties=[make_tie(Tie.ALLOW, "201"), make_tie(Tie.BLOCK, "202")] if level is Level.TAG else [],
        identity=make_identity(2, 'Jane "\n Doe'),
    )
    screening = make_screening(memory)
    try:
        answer = await screening.answer(Request(path, arguments, header))
    except ProtocolError:
        answer = screening.failed_open("protocol error")
    commands = commands_in(answer)
    assert len(dict(commands)) == len(commands)
    for name, value in commands:
        alphabet = ALPHABETS[name]
        assert alphabet is None or re.fullmatch(alphabet, value)
    if path == "screen":
        assert commands[-1][0] == "__CALLSIEVE_ACTION"
        action = memory.decisions[-1].action if memory.decisions else "carrier"  # the dialplan must ask again
        assert commands[-1][1] == action


@given(HOSTILE, HOSTILE)
async def test_names_do_not_change_the_decision(name: str, rdnis: str) -> None:
    """Name and diversion may contain anything."""
    request = Request("screen", {}, {"agi_callerid": CALLER, "agi_calleridname": name, "agi_rdnis": rdnis})
    plain = Request("screen", {}, {"agi_callerid": CALLER})
    answers = [await make_screening(memory_of(level=Level.REJECT)).answer(each) for each in (request, plain)]
    assert answers[0] == answers[1]


async def test_a_new_policy_decides_the_next_call() -> None:
    screening = make_screening(memory_of(), policy_ordering("tag"))
    assert await action_of(screening) == "tag"
    screening.policies = PolicySet(policy_ordering("warn"))
    assert await action_of(screening) == "warn"


# Proof of control by a call.


def keyed(code: str = "314159", auth: str = "unknown", caller: str = CALLER) -> Request:
    return make_request("prove", f"linkedid=c1,caller={caller},auth={auth},code={code}")


@pytest.mark.parametrize(
    ("request_", "proven"),
    [
        pytest.param(keyed(), "yes", id="right"),
        pytest.param(keyed(auth="authenticated"), "yes", id="the-network-vouches"),
        pytest.param(keyed("314158"), "no", id="wrong"),
        pytest.param(keyed(auth="unauthenticated"), "no", id="unauthenticated"),
        pytest.param(keyed(auth="failed"), "no", id="failed-signature"),
        pytest.param(keyed(caller=""), "no", id="no-number"),
        pytest.param(keyed("31415"), "no", id="five-digits"),
        pytest.param(keyed("\u0663\u0661\u0664\u0661\u0665\u0669"), "no", id="digits-of-another-alphabet"),
    ],
)
async def test_a_keyed_code_proves_the_number(request_: Request, proven: str) -> None:
    memory = memory_of()
    memory.right_code = "314159"
    answer = await make_screening(memory).answer(request_)
    assert f"CALLSIEVE_PROVEN={proven}" in answer.decode()


async def test_a_number_can_key_ten_codes_an_hour() -> None:
    memory = memory_of()
    screening = make_screening(memory)
    for _ in range(PROOFS_AN_HOUR):
        await screening.answer(keyed("000000"))
    memory.right_code = "314159"
    assert b"CALLSIEVE_PROVEN=no" in await screening.answer(keyed())
    assert len(memory.keyed) == PROOFS_AN_HOUR
    assert b"CALLSIEVE_PROVEN=yes" in await screening.answer(keyed(caller="+12015550199"))
    memory.clock.now += HOUR + 1
    assert b"CALLSIEVE_PROVEN=yes" in await screening.answer(keyed())


# Numbers are read where they come in.

ASKING = """
default = "warn"
[[rule]]
name = "far"
when = { country = ["FR"], number_type = ["voip"], allocated = true }
action = "tag"
reason = "from afar"
"""


@pytest.mark.parametrize("caller", ["+12025550143", "02079460961", "+8695566"], ids=["e164", "national", "service"])
async def test_a_number_is_parsed_once(caller: str) -> None:
    """All that a decision needs of the number afterwards is in its value."""
    entered: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code, back = frame.f_code, frame.f_back
        if event == "call" and code.co_filename == NUMBERS and back is not None and back.f_code.co_filename != NUMBERS:
            entered.append(code.co_qualname)

    request = make_request("screen", f"did={LONDON},trunk=PJSIP/backbone-1", callerid=caller)
    memory = memory_of(ties=[make_tie(Tie.CONTACT, "201")], first_call=NOTHING_BEFORE)
    screening = make_screening(memory, make_policy(ASKING))
    sys.setprofile(note)
    try:
        await screening.answer(request)
    finally:
        sys.setprofile(None)
    assert Counter(name for name in entered if not name.startswith("Number.")) == {
        "caller_of": 1,
        "did_number_of": 1,
        "masked": 1,
    }
