"""Screening looks up only strangers, within the budget, and loses no decision whatever the look-up does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agi.screening import ANSWERING_SECONDS
from policies.engine import decide
from policies.loader import load_policy
from policies.situation import may_ask_again, may_ask_others
from reputation.facts import Facts
from reputation.model import Imported, Level, Tie
from tests.builders import (
    CALLER,
    LONDON,
    NOW,
    Clock,
    Memory,
    blocked,
    make_call,
    make_did,
    make_facts,
    make_identity,
    make_imported,
    make_person,
    make_request,
    make_screening,
    make_tie,
)

SAID = make_facts(level=Level.TAG, imported=[make_imported(category="scam")])._replace(
    imported=(Imported("phoneblock", "spam", "scam", looked_up=True),),
)


@dataclass
class Others:
    """A fake look-up. `say`: what it puts into the store, or None for no answer in time."""

    memory: Memory
    say: Facts | None = None
    failure: BaseException | None = None
    takes: float = 0.0
    asked: list[tuple[str, float]] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    async def ask(self, number: str, give_up_at: float) -> bool:
        self.asked.append((number, give_up_at))
        self.memory.clock.now += self.takes
        if self.failure is not None:
            raise self.failure
        if self.say is None:
            return False
        self.memory.facts_now = self.say
        return True

    def ask_again(self, number: str) -> None:
        self.again.append(number)


async def decided(
    facts: Facts, others: Others | None = None, request: str = f"did={LONDON}", **about: Any
) -> tuple[str, Others]:
    """Return the recorded action of a call, and the fake look-up."""
    memory = Memory(Clock(), facts)
    others = others or Others(memory)
    others.memory = memory
    screening = make_screening(memory, load_policy("cautious"))
    screening.look_ups = others
    await screening.answer(make_request("screen", request, **about))
    [record] = memory.decisions
    return record.action, others


async def test_an_answer_in_time_counts_for_this_call() -> None:
    action, others = await decided(make_facts(), Others(Memory(Clock()), say=SAID))
    assert action == "tag"
    assert others.asked == [(CALLER, NOW + 0.4 - ANSWERING_SECONDS)]
    assert len(others.memory.queries) == 2


async def test_a_call_that_already_waited_has_less_time() -> None:
    memory = Memory(Clock(), make_facts())
    screening = make_screening(memory)
    screening.look_ups = others = Others(memory)
    await screening.answer(replace(make_request(), accepted_at=NOW - 0.2))
    assert others.asked == [(CALLER, NOW + 0.2 - ANSWERING_SECONDS)]


async def test_without_an_answer_the_decision_stays() -> None:
    action, others = await decided(make_facts())
    assert (action, len(others.asked), len(others.memory.queries)) == ("allow", 1, 1)


@pytest.mark.parametrize("failure", [OSError("gone"), ValueError("senseless"), TimeoutError(), RuntimeError("a bug")])
async def test_a_failed_look_up_keeps_the_decision(failure: Exception) -> None:
    action, others = await decided(make_facts(), Others(Memory(Clock()), failure=failure))
    assert (action, len(others.asked)) == ("allow", 1)


async def test_a_store_failing_on_the_second_read_keeps_the_decision() -> None:
    memory = Memory(Clock(), make_facts())

    class Failing(Others):
        async def ask(self, number: str, give_up_at: float) -> bool:
            memory.failure = TimeoutError("the store was too busy to start this request in time")
            return True

    screening = make_screening(memory)
    screening.look_ups = Failing(memory)
    await screening.answer(make_request())
    assert [record.action for record in memory.decisions] == ["allow"]
    assert not screening.breaker.is_open


async def test_a_cancelled_call_is_not_recorded() -> None:
    with pytest.raises(asyncio.CancelledError):
        await decided(make_facts(), Others(Memory(Clock()), failure=asyncio.CancelledError()))


KNOWN = {
    "a contact": make_facts(ties=[make_tie(Tie.CONTACT, None)]),
    "somebody's contact": make_facts(ties=[make_tie(Tie.CONTACT, "202")]),
    "talked with": make_facts(ties=[make_tie(Tie.TALKED, "202")]),
    "blocked by somebody": make_facts(ties=[make_tie(Tie.BLOCK, "202")]),
    "expected": make_facts(ties=[make_tie(Tie.EXPECTED, "201")]),
    "said not to be spam": make_facts(ties=[make_tie(Tie.NOT_SPAM, "201")]),
    "on the blocklist": make_facts(block=blocked()),
    "one of us": make_facts(caller_person=make_person()),
    "a number of ours": make_facts(own_number=True),
    "identified": make_facts(identity=make_identity()),
    "passed a challenge": make_facts()._replace(passed_until=NOW + 3600),
    "in the emergency window": make_facts(emergency_at=NOW - 60),
    "to a line that is not screened": make_facts(did=make_did(screen=False)),
    "labelled already": make_facts(level=Level.TAG),
    "warned of": make_facts(level=Level.WARN),
}


@pytest.mark.parametrize("facts", KNOWN.values(), ids=KNOWN.keys())
async def test_known_callers_are_not_looked_up(facts: Facts) -> None:
    _, others = await decided(facts)
    assert (others.asked, others.again, len(others.memory.queries)) == ([], [], 1)


@pytest.mark.parametrize("callerid", ["anonymous", "911", "95588", "12", "x"])
async def test_callers_without_a_number_are_not_looked_up(callerid: str) -> None:
    _, others = await decided(make_facts(), callerid=callerid)
    assert others.asked == []


async def test_a_callee_request_is_not_looked_up() -> None:
    memory = Memory(Clock(), make_facts())
    screening = make_screening(memory)
    screening.look_ups = others = Others(memory)
    await screening.answer(make_request("callee", "caller=+12017421834,endpoint=PJSIP/201"))
    assert others.asked == []


async def test_an_old_answer_is_renewed_after_the_call() -> None:
    action, others = await decided(SAID)
    assert (action, others.asked, others.again) == ("tag", [], [CALLER])


def test_a_number_on_a_feed_is_not_looked_up_again() -> None:
    call, facts = make_call(), make_facts(level=Level.TAG, imported=[make_imported()])
    decision = decide(call, facts, load_policy("cautious"), NOW)
    assert not may_ask_again(call, facts, decision, NOW)
    assert not may_ask_others(call, facts, decision, NOW)
