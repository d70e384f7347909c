"""`POST /decide-outbound`: another switch asks the outbound guard."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from callsieve.decide.call_facts import OutboundAnswer, OutgoingFacts, linkedid_of, outbound_answer_of
from callsieve.decide.operations import DaemonClient
from lab.daemon import Daemon
from policies.decision import FAIL_OPEN_RULE
from reputation.encoding import instant_text
from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW
from tests.waiting import wait_until

SETTINGS = """\
[agi]
deadline_ms = 550
[outbound]
observe = false
local_rules = false
first_hour = 0
last_hour = 24
calls_per_person_day = 2
[[trunk]]
name = "carrier"
channels = "kamailio/*"
"""
UNWILLING, WILLING = "+12015550123", "+12015550124"
OWN = "+442071838750"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("outbound"), SETTINGS) as running:
        wait_until((running.state / "agi.sock").exists, "the socket")
        done = running.callsieve("own", "dnc", "add", UNWILLING)
        assert done.returncode == 0, done.stderr
        yield running


async def decide_outbound(daemon: Daemon, dialled: str, call_id: str) -> OutboundAnswer:
    """Return the answer, repeated if the daemon was late."""
    client = DaemonClient(daemon.state / "agi.sock", 20.0, 200)
    facts = OutgoingFacts(dialled=dialled, own_number=OWN, caller="201", trunk="carrier", call_id=call_id)
    answer = await client.decide_outbound(facts)
    for _ in range(20):
        if answer.rule != FAIL_OPEN_RULE:
            break
        await asyncio.sleep(0.1)
        answer = await client.decide_outbound(facts)
    return answer


async def test_number_on_the_do_not_call_list_is_refused(daemon: Daemon) -> None:
    answer = await decide_outbound(daemon, UNWILLING, "a1@sip.example")
    assert (answer.action, answer.rule) == ("refuse", "do-not-call")
    assert answer.id


async def test_calls_per_person_and_day_are_limited(daemon: Daemon) -> None:
    actions = [(await decide_outbound(daemon, WILLING, f"{count}@sip.example")).action for count in range(3)]
    assert actions[:2] == ["allow", "allow"]
    assert actions[2] != "allow"

    def kept() -> set[str]:
        with closing(sqlite3.connect(f"file:{daemon.store}?mode=ro", uri=True)) as db:
            return {linkedid for (linkedid,) in db.execute("SELECT linkedid FROM outbound_decision")}

    wait_until(lambda: linkedid_of("0@sip.example") in kept(), "the decision, by the key that its ending will have")


@pytest.mark.parametrize(
    "raw", [b"", b'EXEC MSet "CALLSIEVE_OUTBOUND=refuse', b'EXEC MSet "CALLSIEVE_OUTBOUND=destroy"\n']
)
def test_unusable_answer_allows_the_call(raw: bytes) -> None:
    assert outbound_answer_of(raw).action == "allow"


def test_calls_are_allowed_without_a_daemon(tmp_path: Path) -> None:
    with ApiOffice(tmp_path).api() as api:
        answer = api.program(Role.OPERATOR).done("POST", "/decide-outbound", {"dialled": UNWILLING})
        assert (answer["action"], answer["rule"]) == ("allow", FAIL_OPEN_RULE)
        assert api.program(Role.VIEWER).refused("POST", "/decide-outbound", {"dialled": UNWILLING})[0] == 403


def test_blocked_call_counts_against_the_own_number(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    ending = {"call_id": "b1@sip.example", "disposition": "rejected", "direction": "outbound", "caller": "201"}
    more = {
        "dialled": WILLING,
        "own_number": OWN,
        "trunk": "carrier",
        "sip_code": 608,
        "blocked": True,
        "ended_at": instant_text(NOW),
    }
    with office.api() as api:
        assert api.program(Role.OPERATOR).done("POST", "/outcomes", {**ending, **more})["recorded"]
    with closing(sqlite3.connect(office.store)) as db:
        row = db.execute("SELECT linkedid, own_number, dialled, blocked FROM outcome").fetchone()
    assert row == (linkedid_of("b1@sip.example"), OWN, WILLING, 1)
