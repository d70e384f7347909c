"""Who of ours has called a number and talked: a relationship for 180 days, and what takes it away."""

from __future__ import annotations

import pytest

from policies.decision import Action, IncomingCall
from policies.engine import decide, decide_for_callee
from policies.relations import has_relationship, per_phone_of
from reputation.facts import Facts
from reputation.model import PersonalTie, Tie, Verification
from tests.builders import (
    CALLER,
    DAY,
    HOUR,
    NOW,
    PREMIUM,
    make_call,
    make_did,
    make_facts,
    make_person,
    make_reputation,
    make_tie,
    policy_ordering,
)

REJECTING = policy_ordering("reject")


def talked(person: str = "201", group: str | None = "sales", at: float | None = NOW - DAY) -> PersonalTie:
    return make_tie(Tie.TALKED, person, group)._replace(at=at)


def to_ann(*ties: PersonalTie, one_ring_at: float | None = None) -> Facts:
    """A call for 201."""
    return make_facts(callee=make_person("201"), ties=ties)._replace(one_ring_at=one_ring_at)


CASES = [
    pytest.param(make_call(), to_ann(talked()), "talked", id="she-called-him-yesterday"),
    pytest.param(make_call(), to_ann(talked(at=NOW - 180 * DAY + 1)), "talked", id="nearly-180-days-ago"),
    pytest.param(make_call(), to_ann(talked(at=NOW - 180 * DAY)), "default", id="180-days-ago"),
    pytest.param(make_call(), to_ann(talked(at=None)), "talked", id="as-read-for-this-call"),
    pytest.param(make_call(), to_ann(talked("202")), "default", id="only-a-colleague-called-him"),
    pytest.param(make_call(), to_ann(talked(), one_ring_at=NOW - HOUR), "default", id="he-rang-once-an-hour-ago"),
    pytest.param(make_call(), to_ann(talked(), one_ring_at=NOW - DAY), "talked", id="he-rang-once-a-day-ago"),
    pytest.param(
        make_call(),
        to_ann(make_tie(Tie.CONTACT), one_ring_at=NOW - HOUR),
        "default",
        id="nor-does-a-contact-count-that-rang-once",
    ),
    pytest.param(make_call(PREMIUM), to_ann(talked()), "default", id="premium"),
    pytest.param(make_call(verification=Verification.FAILED), to_ann(talked()), "default", id="failed-signature"),
]


@pytest.mark.parametrize(("call", "facts", "rule"), CASES)
def test_decisions_of_the_relationship_step(call: IncomingCall, facts: Facts, rule: str) -> None:
    decision = decide(call, facts, REJECTING, NOW)
    assert decision.rule == rule
    assert decision.action is (Action.REJECT if rule == "default" else Action.ALLOW)
    per_phone = decide_for_callee(call, facts, REJECTING, NOW)
    assert (per_phone.rule if per_phone else "default") == rule


@pytest.mark.parametrize(("call", "facts", "rule"), CASES)
def test_the_condition_holds_where_the_step_does(call: IncomingCall, facts: Facts, rule: str) -> None:
    assert has_relationship(call, facts, NOW) is (rule == "talked")


@pytest.mark.parametrize(
    ("facts", "capped"),
    [
        pytest.param(make_facts(ties=[talked()]), True, id="anybody"),
        pytest.param(make_facts(did=make_did(group="sales"), ties=[talked()]), True, id="one-of-the-group"),
        pytest.param(make_facts(did=make_did(group="support"), ties=[talked()]), False, id="one-of-another-group"),
        pytest.param(make_facts(ties=[talked(at=NOW - 181 * DAY)]), False, id="long-ago"),
        pytest.param(make_facts(ties=[talked()])._replace(one_ring_at=NOW - HOUR), False, id="he-rang-once"),
    ],
)
def test_call_without_a_known_person_reaches_the_phones(facts: Facts, capped: bool) -> None:
    decision = decide(make_call(CALLER), facts._replace(reputation=make_reputation(3.0)), REJECTING, NOW)
    assert decision.action is (Action.WARN if capped else Action.REJECT)


def test_phone_that_called_the_caller_gets_no_warning() -> None:
    facts = make_facts(3.0, ties=[talked("201"), talked("202", "support")], did=make_did(group="sales"))
    decision = decide(make_call(), facts, REJECTING, NOW)
    assert per_phone_of(make_call(), facts, decision).known == ("PJSIP/201",)
    rang_once = facts._replace(one_ring_at=NOW - HOUR)
    assert per_phone_of(make_call(), rang_once, decision).known == ()
