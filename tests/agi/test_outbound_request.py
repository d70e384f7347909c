"""`/outbound`: from the request of the dialplan to the answer and its record."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.parsing import outgoing_call_of
from agi.protocol import Request
from agi.screening import Screening
from agi.site import Site
from policies.outbound import OutboundRules
from reputation.own.outbound_types import OutboundFacts
from reputation.own.register import NumberState
from reputation.store.errors import StoreError
from tests.agi.test_quoting import commands_in
from tests.agi.test_screening import HOSTILE
from tests.builders import Clock, Memory, make_screening, make_site
from tests.policies.world_clock import utc

ALPHABETS = {
    "CALLSIEVE_OUTBOUND": "allow|hold|refuse",
    "CALLSIEVE_OUTBOUND_RULE": "[a-z-]+",
    "CALLSIEVE_OUTBOUND_ID": "D[0-9]+",
    "CALLSIEVE_OUTBOUND_UNTIL": "[0-9]+",
    "CALLSIEVE_OUTBOUND_REASON": "[ -~]+",
}
LONDON, OWN = "+442071838799", "+442071838750"
NOON, NIGHT, MORNING = utc("2026-06-10 11:00"), utc("2026-06-10 22:00"), utc("2026-06-11 07:00")
ACTING = OutboundRules(observe=False, calls_per_person_day=3)


def make_guard(
    now: float, rules: OutboundRules = ACTING, facts: OutboundFacts | None = None
) -> tuple[Screening, Memory]:
    memory = Memory(Clock(now))
    memory.outbound_now = facts or OutboundFacts()
    return make_screening(memory, site=make_site(outbound=rules)), memory


def make_request(did: str = LONDON, **arguments: str) -> Request:
    about = {"linkedid": "1.1", "endpoint": "PJSIP/201", "own": OWN, "trunk": "carrier", "did": did}
    return Request("outbound", about | arguments, {"agi_channel": "PJSIP/201-00000001"})


async def answer(screening: Screening, request: Request) -> dict[str, str]:
    return dict(commands_in(await screening.answer(request)))


async def test_an_allowed_call_goes_out_and_is_recorded() -> None:
    screening, memory = make_guard(NOON)
    said = await answer(screening, make_request())
    assert said["CALLSIEVE_OUTBOUND"] == "allow"
    assert "CALLSIEVE_OUTBOUND_UNTIL" not in said
    [record] = memory.outbound
    assert (record.callee, record.own_number, record.person) == (LONDON, OWN, "PJSIP/201")
    assert (record.action, record.rule, record.day) == ("allow", "default", NOON // 86_400)
    assert memory.decisions == []


async def test_a_held_call_gets_its_time_before_the_action() -> None:
    screening, memory = make_guard(NIGHT)
    commands = commands_in(await screening.answer(make_request()))
    assert commands[-1] == ("CALLSIEVE_OUTBOUND", "hold")
    assert dict(commands)["CALLSIEVE_OUTBOUND_UNTIL"] == str(MORNING)
    assert (memory.outbound[0].until, memory.outbound[0].would_be) == (MORNING, "hold")


async def test_an_observing_guard_sends_no_time() -> None:
    screening, memory = make_guard(NIGHT, OutboundRules())
    said = await answer(screening, make_request())
    assert said["CALLSIEVE_OUTBOUND"] == "allow"
    assert "CALLSIEVE_OUTBOUND_UNTIL" not in said
    assert (memory.outbound[0].action, memory.outbound[0].would_be) == ("allow", "hold")


@pytest.mark.parametrize("trunk", ["backbone", pytest.param("PJSIP/backbone-00000000", id="a-channel-of-it")])
async def test_numbers_are_parsed_as_the_trunk_writes_them(trunk: str) -> None:
    screening, memory = make_guard(NOON)
    await answer(screening, make_request("020 7183 8799", trunk=trunk, own="02071838750"))
    assert (memory.outbound[0].callee, memory.outbound[0].own_number) == (LONDON, OWN)
    [query] = memory.outbound_queries
    assert (query.callee, query.own_number, query.linkedid) == (LONDON, OWN, "1.1")


@pytest.mark.parametrize(
    ("region", "dialled", "sent", "callee"),
    [
        pytest.param("US", "12015550123", "9912015550123", "+12015550123", id="a-carriers-code"),
        pytest.param("DE", "015123456789", "0015123456789", "+4915123456789", id="an-outside-line"),
        pytest.param("US", "6567890123", "+6567890123", "+6567890123", id="a-plus"),
        pytest.param("US", "6567890123", "0116567890123", "+6567890123", id="an-exit-code"),
        pytest.param("US", "5550123", "12015550123", "+12015550123", id="an-area-code"),
        pytest.param("US", "12015550123", "", "+12015550123", id="nothing"),
        pytest.param("US", "555", "01070555", None, id="no-number"),
    ],
)
def test_a_prefix_of_the_trunk_counts(region: str, dialled: str, sent: str, callee: str | None) -> None:
    number = outgoing_call_of(make_request(dialled, sent=sent), Site(region)).callee
    assert (number and number.key) == callee


@pytest.mark.parametrize(("dialled", "sent"), [("112", "01070112"), ("4112", "112")])
async def test_an_emergency_number_with_a_trunk_prefix_goes_out(dialled: str, sent: str) -> None:
    screening, memory = make_guard(NIGHT)
    assert (await answer(screening, make_request(dialled, sent=sent)))["CALLSIEVE_OUTBOUND"] == "allow"
    assert memory.outbound[0].rule == "emergency"


@pytest.mark.parametrize("dialled", ["911", "112"])
async def test_an_emergency_call_queries_no_facts(dialled: str) -> None:
    screening, memory = make_guard(NIGHT, facts=OutboundFacts(unwanted_at=1.0, state=NumberState.RESTING))
    memory.failure = StoreError("gone")
    assert (await answer(screening, make_request(dialled)))["CALLSIEVE_OUTBOUND"] == "allow"
    assert memory.outbound_queries == []
    assert memory.outbound[0].rule == "emergency"


async def test_a_failure_lets_the_call_go_out() -> None:
    screening, memory = make_guard(NIGHT)
    memory.failure = StoreError("gone")
    with pytest.raises(StoreError):
        await screening.answer(make_request())
    said = dict(commands_in(screening.failed_open("failed", make_request())))
    assert "CALLSIEVE_OUTBOUND" not in said
    assert said["CALLSIEVE_OUTBOUND_RULE"] == "fail-open"
    assert (memory.outbound[0].rule, memory.outbound[0].callee) == ("fail-open", LONDON)
    assert memory.decisions == []


async def test_a_store_that_times_out_is_not_queried_again() -> None:
    screening, memory = make_guard(NOON)
    memory.failure = TimeoutError()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await screening.answer(make_request())
    asked = len(memory.outbound_queries)
    with pytest.raises(Exception, match="did not answer recent requests"):
        await screening.answer(make_request())
    assert len(memory.outbound_queries) == asked


@given(st.dictionaries(st.sampled_from(["did", "sent", "own", "trunk", "endpoint", "linkedid"]), HOSTILE))
async def test_no_dialled_text_changes_the_set_variables(arguments: dict[str, str]) -> None:
    screening, _ = make_guard(NIGHT)
    commands = commands_in(await screening.answer(Request("outbound", arguments, {})))
    assert commands[-1][0] == "CALLSIEVE_OUTBOUND"
    for name, value in commands:
        assert re.fullmatch(ALPHABETS[name], value)
