"""Quiet hours: who does not ring whom, and who does all the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.decision import Action, Decision
from policies.engine import decide, decide_for_callee
from policies.quiet_hours import RULE, phones_kept_from, resting
from policies.reasons import Why
from policies.relations import per_phone_of
from reputation.facts import Facts
from reputation.model import CallerKind, ListName, Person, Tie, Verification
from reputation.own.hours import QuietHours, hour_at
from reputation.weights import DEFAULT, QuietWeights
from tests.builders import (
    CALLER,
    NOW,
    make_call,
    make_did,
    make_entry,
    make_facts,
    make_identity,
    make_person,
    make_policy,
    make_tie,
)

ALLOW, OBSERVE = make_policy(), make_policy("observe = true")
HOUR = hour_at(NOW, DEFAULT.quiet)
NIGHT = msgspec.structs.replace(DEFAULT.quiet, first_hour=HOUR, last_hour=(HOUR + 1) % 24)
DAY = msgspec.structs.replace(DEFAULT.quiet, first_hour=(HOUR + 1) % 24, last_hour=HOUR)
ALICE, BOB, CAROL = make_person("201"), make_person("202"), make_person("203", group="support")


def for_alice(**facts: Any) -> Facts:
    """A call for Alice, who rests."""
    return make_facts(callee=ALICE, quiet=(ALICE,), **facts)


def decided(facts: Facts, policy: Any = ALLOW, **call: Any) -> tuple[str, Action]:
    decision = decide(make_call(**call), facts, policy, NOW)
    return decision.rule, decision.action


def test_stranger_goes_to_voicemail_in_quiet_hours() -> None:
    decision = decide(make_call(), for_alice(), ALLOW, NOW)
    assert (decision.rule, decision.action, decision.would_be, decision.step) == (RULE, Action.ROUTE, Action.ROUTE, 7)
    assert decision.callee == "201"


def test_withheld_number_counts_as_a_stranger() -> None:
    assert decided(for_alice(), number=None, kind=CallerKind.WITHHELD) == (RULE, Action.ROUTE)


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        pytest.param({"ties": [make_tie(Tie.ALLOW, "201")]}, "callee-allowlist", id="allowed"),
        pytest.param({"ties": [make_tie(Tie.EXPECTED, "201")]}, "expected-call", id="expecting"),
        pytest.param({"ties": [make_tie(Tie.CONTACT, "201")]}, "contact", id="contact"),
        pytest.param({"ties": [make_tie(Tie.CONTACT, None)]}, "contact", id="contact-of-the-company"),
        pytest.param({"ties": [make_tie(Tie.TALKED, "201")]}, "talked", id="talked-to"),
        pytest.param({"emergency_at": NOW - 60}, "emergency-window", id="emergency-window"),
        pytest.param({"allow": make_entry(ListName.ALLOW)}, "allowlist", id="administrators-allowlist"),
        pytest.param({"did": make_did(screen=False)}, "unscreened-did", id="unscreened"),
        pytest.param({"caller_person": BOB}, "internal", id="one-of-ours"),
    ],
)
def test_known_callers_ring_in_quiet_hours(facts: dict[str, Any], rule: str) -> None:
    assert decided(for_alice(**facts)) == (rule, Action.ALLOW)


@pytest.mark.parametrize(
    ("facts", "call"),
    [
        pytest.param({"ties": [make_tie(Tie.CONTACT, "202")]}, {}, id="known-to-a-colleague"),
        pytest.param({"ties": [make_tie(Tie.CONTACT, "201")]}, {"verification": Verification.FAILED}, id="forged"),
        pytest.param({"identity": make_identity()}, {}, id="a-verified-business"),
        pytest.param({"block": make_entry(ListName.BLOCK, action="warn")}, {}, id="on-a-list-that-only-warns"),
    ],
)
def test_unknown_callers_do_not_ring_in_quiet_hours(facts: dict[str, Any], call: dict[str, Any]) -> None:
    assert decided(for_alice(**facts), **call) == (RULE, Action.ROUTE)


def test_stronger_action_than_voicemail_is_kept() -> None:
    assert decided(for_alice(), make_policy('default = "reject"')) == ("default", Action.REJECT)
    assert decided(for_alice(block=make_entry(ListName.BLOCK))) == ("blocklist", Action.REJECT)


def test_observe_mode_lets_the_call_ring() -> None:
    decision = decide(make_call(), for_alice(), OBSERVE, NOW)
    assert (decision.rule, decision.action, decision.would_be) == (RULE, Action.ALLOW, Action.ROUTE)
    group = make_facts(quiet=(ALICE,))
    observed = decide(make_call(), group, OBSERVE, NOW)
    kept = phones_kept_from(make_call(), group, observed)
    assert (kept, per_phone_of(make_call(), group, observed, kept).blocked) == (("PJSIP/201",), ())


def test_colleague_without_quiet_hours_is_rung() -> None:
    assert decided(make_facts(callee=BOB, quiet=(ALICE,))) == ("default", Action.ALLOW)


# Whose hours it is


@pytest.mark.parametrize(
    ("usual", "own", "rests"),
    [
        pytest.param(NIGHT, {}, True, id="at-the-usual-hours"),
        pytest.param(DAY, {}, False, id="at-others"),
        pytest.param(DAY, {"201": NIGHT}, True, id="at-hours-of-ones-own"),
        pytest.param(NIGHT, {"201": DAY}, False, id="not-at-the-usual-ones-then"),
        pytest.param(NIGHT, {"202": DAY}, True, id="those-of-somebody-else"),
    ],
)
def test_personal_hours_override_the_usual_ones(usual: QuietWeights, own: dict[str, QuietWeights], rests: bool) -> None:
    assert bool(resting(for_alice(), QuietHours(usual, own), NOW).quiet) is rests


@pytest.mark.parametrize(("ago", "rings"), [(179.0, True), (181.0, False)])
def test_second_call_within_three_minutes_rings(ago: float, rings: bool) -> None:
    facts = resting(for_alice(recent_calls=(NOW - ago,)), QuietHours(NIGHT), NOW)
    assert decided(facts)[0] == ("default" if rings else RULE)


# A ring group


def phones_not_rung(*ties: Any, decision: Decision | None = None, group: str | None = "sales") -> tuple[str, ...]:
    facts = make_facts(did=make_did(group=group), ties=list(ties), quiet=(ALICE, BOB, CAROL))
    made = decision or decide(make_call(), facts, ALLOW, NOW)
    return per_phone_of(make_call(), facts, made, phones_kept_from(make_call(), facts, made)).blocked


def test_phones_in_quiet_hours_are_left_out_of_a_group() -> None:
    assert phones_not_rung() == ("PJSIP/201", "PJSIP/202")
    assert phones_not_rung(group=None) == ("PJSIP/201", "PJSIP/202", "PJSIP/203")


@pytest.mark.parametrize("tie", [Tie.ALLOW, Tie.EXPECTED, Tie.CONTACT, Tie.TALKED])
def test_group_phone_that_knows_the_caller_is_rung(tie: Tie) -> None:
    assert phones_not_rung(make_tie(tie, "201")) == ("PJSIP/202",)


def test_company_contacts_and_allowlist_ring_the_whole_group() -> None:
    assert phones_not_rung(make_tie(Tie.CONTACT, None)) == ()
    allowed = Decision(Action.ALLOW, "allowlist", Why(""), step=4)
    assert phones_not_rung(decision=allowed) == ()


def test_person_named_by_an_endpoint_has_quiet_hours_too() -> None:
    lobby = Person("PJSIP/lobby", "PJSIP/lobby", None)
    facts = make_facts(quiet=(lobby,))
    assert phones_kept_from(make_call(), facts, decide(make_call(), facts, ALLOW, NOW)) == ("PJSIP/lobby",)


# After an IVR


def test_quiet_hours_apply_to_the_person_chosen_in_an_ivr() -> None:
    decision = decide_for_callee(make_call(), for_alice(), ALLOW, NOW)
    assert decision is not None
    assert (decision.rule, decision.action) == (RULE, Action.ROUTE)
    assert decide_for_callee(make_call(), make_facts(callee=BOB, quiet=(ALICE,)), ALLOW, NOW) is None
    known = decide_for_callee(make_call(), for_alice(ties=[make_tie(Tie.CONTACT, "201")]), ALLOW, NOW)
    assert known is not None
    assert known.rule == "contact"
    assert decide_for_callee(make_call(), for_alice(emergency_at=NOW - 60), ALLOW, NOW) is None
    assert make_call().caller.key == CALLER
