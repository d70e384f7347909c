"""The written precedence, step by step and step against step; caps, observe mode, and explanations that are true."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.decision import OWN_RULES, Action, Decision, IncomingCall, fail_open
from policies.engine import CAPS, STEPS, decide, decide_by_each, decide_for_callee
from policies.explanation import ExplanationLine, explain
from policies.loader import load_policy
from policies.policy import Case, Policy, PolicyError, PolicyScope, PolicySet
from policies.quiet_hours import RULE as QUIET_RULE
from policies.reasons import Reason, Why
from reputation.facts import Facts
from reputation.model import Attestation, CallerKind, Did, Level, Reputation, Tie, Verification
from tests.builders import (
    DAY,
    HOUR,
    LONDON,
    MINUTE,
    NOW,
    PREMIUM,
    SERVICE,
    allowed,
    blocked,
    make_call,
    make_did,
    make_facts,
    make_identity,
    make_imported,
    make_person,
    make_plan_row,
    make_policy,
    make_reputation,
    make_signed_call,
    make_tie,
    policy_ordering,
)
from tests.policies.strategies import calls, facts, policy_texts

HOUSE = make_policy("""
default = "route"

[[rule]]
name = "suspicious"
when = { level_at_least = "tag" }
action = "challenge"
reason = "a rule of the house"
""")


@dataclass(frozen=True)
class StepExample:
    """A ground for a decision: what in the call and in the facts brings it about, and what is then decided."""

    rule: str
    step: int
    action: Action
    facts: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)


# The order in which docs/reference/policies.md writes them. All concern a call for 201, who is known.
GROUNDS = (
    StepExample("internal", 1, Action.ALLOW, {"caller_person": make_person("202")}),
    StepExample("emergency-number", 1, Action.ALLOW, call={"number": None, "kind": CallerKind.EMERGENCY}),
    StepExample("unscreened-did", 1, Action.ALLOW, {"did": make_did(screen=False)}),
    StepExample("emergency-window", 2, Action.ALLOW, {"emergency_at": NOW - HOUR}),
    StepExample("emergency-callback", 2, Action.ALLOW, call={"priority_callback": True, "trusted": True}),
    StepExample("trap", 2, Action.ALLOW, {"did": Did(LONDON, trap=True)}),
    StepExample("callee-allowlist", 3, Action.ALLOW, {"ties": [make_tie(Tie.ALLOW)]}),
    StepExample("callee-blocklist", 3, Action.REJECT, {"ties": [make_tie(Tie.BLOCK)]}),
    StepExample("expected-call", 3, Action.ALLOW, {"ties": [make_tie(Tie.EXPECTED)]}),
    StepExample("allowlist", 4, Action.ALLOW, {"allow": allowed()}),
    StepExample("blocklist", 4, Action.REJECT, {"block": blocked()}),
    StepExample("contact", 6, Action.ALLOW, {"ties": [make_tie(Tie.CONTACT)]}),
    StepExample("talked", 6, Action.ALLOW, {"ties": [make_tie(Tie.TALKED)]}),
    StepExample("suspicious", 8, Action.CHALLENGE, {"level": Level.TAG}),
    StepExample("default", 9, Action.ROUTE),
)


def case_of(*grounds: StepExample) -> tuple[IncomingCall, Facts]:
    """A call with all these grounds at once."""
    call: dict[str, Any] = {}
    known: dict[str, Any] = {"callee": make_person("201")}
    for ground in grounds:
        call |= ground.call
        ties = [*known.get("ties", ()), *ground.facts.get("ties", ())]
        known |= ground.facts | {"ties": ties}
    return make_call(**call), make_facts(**known)


@pytest.mark.parametrize("ground", [pytest.param(ground, id=ground.rule) for ground in GROUNDS])
def test_each_step_decides_if_no_earlier_one_does(ground: StepExample) -> None:
    decision = decide(*case_of(ground), HOUSE, NOW)
    assert (decision.rule, decision.step, decision.action) == (ground.rule, ground.step, ground.action)
    assert (decision.would_be, decision.observed, decision.capped_by) == (ground.action, False, None)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(*pair, id=f"{pair[0].rule}-before-{pair[1].rule}")
        for pair in combinations(GROUNDS, 2)
        if not ("did" in pair[0].facts and "did" in pair[1].facts)  # no number is both
    ],
)
def test_the_earlier_step_wins(earlier: StepExample, later: StepExample) -> None:
    decision = decide(*case_of(earlier, later), HOUSE, NOW)
    assert (decision.rule, decision.action) == (earlier.rule, earlier.action)


def test_first_step_wins_over_all_others() -> None:
    assert decide(*case_of(*GROUNDS), HOUSE, NOW).rule == "internal"


def test_names_of_steps_are_reserved() -> None:
    assert {ground.rule for ground in GROUNDS} - {"suspicious"} | {"fail-open", QUIET_RULE} == OWN_RULES
    assert fail_open("timed out").rule in OWN_RULES
    numbers = [step.number for step in STEPS]
    rules_of_steps = {(step.number, rule) for step in STEPS for rule in step.rules}
    assert rules_of_steps == {(ground.step, ground.rule) for ground in GROUNDS if ground.step in numbers}
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("call", "facts", "rule"),
    [
        pytest.param(make_call(None, kind=CallerKind.INTERNAL), make_facts(), "default", id="says-201-from-outside"),
        pytest.param(make_call(SERVICE), make_facts(), "default", id="service-number"),
        pytest.param(make_call(), make_facts(did=make_did(screen=True)), "default", id="screened-did"),
        pytest.param(
            make_call(), make_facts(emergency_at=NOW - 120 * MINUTE + 0.5), "emergency-window", id="window-open"
        ),
        pytest.param(make_call(), make_facts(emergency_at=NOW - 120 * MINUTE), "default", id="window-just-closed"),
        pytest.param(make_call(), make_facts(emergency_at=NOW), "emergency-window", id="emergency-this-instant"),
        pytest.param(make_call(), make_facts(emergency_at=NOW + HOUR), "emergency-window", id="the-clock-was-ahead"),
        pytest.param(make_call(), make_facts(emergency_at=NOW + 3 * HOUR), "default", id="the-clock-was-far-ahead"),
        pytest.param(make_call(priority_callback=True), make_facts(), "default", id="anybody-can-say-psap-callback"),
        pytest.param(make_call(trusted=True), make_facts(), "default", id="trusted-trunk-alone"),
        pytest.param(
            make_call(priority_callback=True),
            make_facts(emergency_at=NOW - HOUR),
            "emergency-window",
            id="psap-callback-within-the-window",
        ),
        pytest.param(
            make_call(),
            make_facts(callee=make_person("202"), ties=[make_tie(Tie.BLOCK, "201")]),
            "default",
            id="the-block-of-somebody-else",
        ),
        pytest.param(make_call(), make_facts(ties=[make_tie(Tie.BLOCK)]), "default", id="blocks-but-callee-unknown"),
        pytest.param(
            make_call(None),
            make_facts(callee=make_person(), ties=[make_tie(Tie.EXPECTED)]),
            "expected-call",
            id="whoever-calls-is-expected",
        ),
        pytest.param(
            make_call(PREMIUM),
            make_facts(callee=make_person(), ties=[make_tie(Tie.CONTACT)]),
            "default",
            id="premium-contact",
        ),
        pytest.param(
            make_call(verification=Verification.FAILED),
            make_facts(callee=make_person(), ties=[make_tie(Tie.CONTACT)]),
            "default",
            id="contact-with-a-failed-signature",
        ),
        pytest.param(
            make_call(attestation=Attestation.C),
            make_facts(callee=make_person(), ties=[make_tie(Tie.CONTACT)]),
            "contact",
            id="contact-through-a-gateway",
        ),
        pytest.param(
            make_call(), make_facts(ties=[make_tie(Tie.CONTACT, None)]), "contact", id="company-contact-callee-unknown"
        ),
        pytest.param(
            make_call(),
            make_facts(callee=make_person(), ties=[make_tie(Tie.CONTACT, None)]),
            "contact",
            id="company-contact",
        ),
        pytest.param(
            make_call(), make_facts(ties=[make_tie(Tie.CONTACT)]), "default", id="contact-of-one-callee-unknown"
        ),
    ],
)
def test_boundaries_of_each_step(call: IncomingCall, facts: Facts, rule: str) -> None:
    assert decide(call, facts, HOUSE, NOW).rule == rule


@pytest.mark.parametrize(
    ("window", "rule"),
    [pytest.param(HOUR + 1, "emergency-window", id="longer"), pytest.param(0.0, "default", id="off")],
)
def test_the_emergency_window_is_a_setting(window: float, rule: str) -> None:
    facts = make_facts(emergency_at=NOW - HOUR)._replace(emergency_window_seconds=window)
    assert decide(make_call(), facts, HOUSE, NOW).rule == rule


LISTED = Why(Reason.ON_ALLOWLIST, {"entry": "+12017421834"})


@pytest.mark.parametrize(
    ("facts", "action", "reason"),
    [
        pytest.param(make_facts(allow=allowed("tag")), Action.TAG, LISTED, id="allow-tag"),
        pytest.param(make_facts(block=blocked("challenge")), Action.CHALLENGE, None, id="block-challenge"),
        pytest.param(make_facts(block=blocked("allow")), Action.ALLOW, None, id="block-allow"),
        pytest.param(make_facts(block=blocked("nonsense")), Action.REJECT, None, id="block-unknown-word"),
        pytest.param(make_facts(allow=allowed("nonsense")), Action.ALLOW, None, id="allow-unknown-word"),
        pytest.param(make_facts(allow=allowed(), block=blocked()), Action.ALLOW, None, id="on-both"),
    ],
)
def test_an_entry_of_the_administrator_acts_as_written(facts: Facts, action: Action, reason: Why | None) -> None:
    decision = decide(make_call(), facts, HOUSE, NOW)
    assert decision.action is action
    assert reason is None or decision.reason == reason


# Caps.

REJECTING = policy_ordering("reject")
REJECTING_BY_RULE = make_policy("""
[[rule]]
name = "everything"
when = { points_between = [-1000, 1000] }
action = "reject"
reason = "nothing is let in here"
""")

CAPPED = [
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.ALLOW)]),
        Reason.SOMEBODY_INVITES,
        id="somebody-allowed-him",
    ),
    pytest.param(
        make_call(None),
        make_facts(ties=[make_tie(Tie.EXPECTED)]),
        Reason.SOMEBODY_INVITES,
        id="somebody-expects-a-call",
    ),
    pytest.param(
        make_call(),
        make_facts(did=make_did(group="sales"), ties=[make_tie(Tie.CONTACT, group="sales")]),
        Reason.SOMEBODY_KNOWS,
        id="somebody-in-the-group-knows-him",
    ),
    pytest.param(
        make_call(),
        make_facts(did=make_did(group="sales"), ties=[make_tie(Tie.TALKED, group="sales")]),
        Reason.SOMEBODY_TALKED,
        id="somebody-in-the-group-called-him",
    ),
    pytest.param(make_call(), make_facts(own_number=True), Reason.SHOWS_OWN_NUMBER, id="own-number"),
    pytest.param(make_call(), make_facts(identity=make_identity(2)), Reason.VERIFIED, id="verified"),
    pytest.param(make_signed_call(), make_facts(identity=make_identity(2)), Reason.VERIFIED, id="verified-A"),
    pytest.param(
        make_call(),
        make_facts(passed_until=NOW + 1),
        Reason.PASSED_CHALLENGE,
        id="challenge-passed-29-days-ago",
    ),
    pytest.param(
        make_call(),
        make_facts(callee=make_person(), ties=[make_tie(Tie.NOT_SPAM)]),
        Reason.NOT_SPAM_FOR_CALLEE,
        id="the-callee-said-not-spam",
    ),
    pytest.param(
        make_call(),
        make_facts(recent_calls=[NOW - HOUR, NOW - 179.9]),
        Reason.REDIALLED,
        id="redialled",
    ),
    pytest.param(
        make_call(), make_facts(plan=make_plan_row(law=True)), Reason.LAW_FORBIDS, id="a-range-that-must-ring"
    ),
]

NOT_CAPPED = [
    pytest.param(make_call(), make_facts(), id="nothing-speaks-for-him"),
    pytest.param(make_call(), make_facts(ties=[make_tie(Tie.BLOCK)]), id="somebody-blocked-him"),
    pytest.param(
        make_call(),
        make_facts(did=make_did(group="support"), ties=[make_tie(Tie.ALLOW, group="sales")]),
        id="allowed-by-somebody-this-call-does-not-reach",
    ),
    pytest.param(
        make_call(), make_facts(callee=make_person("202"), ties=[make_tie(Tie.ALLOW, "201")]), id="allowed-by-another"
    ),
    pytest.param(make_call(PREMIUM), make_facts(ties=[make_tie(Tie.CONTACT)]), id="premium-contact"),
    pytest.param(
        make_call(verification=Verification.FAILED), make_facts(ties=[make_tie(Tie.CONTACT)]), id="contact-failed"
    ),
    pytest.param(make_call(trusted=True), make_facts(own_number=True), id="own-number-on-a-trusted-trunk"),
    pytest.param(make_signed_call(), make_facts(identity=make_identity(1)), id="number-proven-but-not-the-owner"),
    pytest.param(
        make_call(attestation=Attestation.B), make_facts(identity=make_identity(2)), id="verified-but-not-signed-for"
    ),
    pytest.param(
        make_call(verification=Verification.FAILED, trusted=True),
        make_facts(identity=make_identity(2)),
        id="verified-but-failed",
    ),
    pytest.param(make_call(), make_facts(passed_until=NOW), id="challenge-passed-30-days-ago"),
    pytest.param(make_call(), make_facts(recent_calls=[NOW - 180]), id="called-three-minutes-ago"),
    pytest.param(make_call(), make_facts(recent_calls=[NOW]), id="this-very-call-is-no-redial"),
    pytest.param(
        make_call(verification=Verification.FAILED),
        make_facts(plan=make_plan_row(law=True)),
        id="a-range-that-must-ring-but-failed",
    ),
    pytest.param(make_call(), make_facts(recent_block_calls=[NOW - 10]), id="a-neighbour-called"),
]


@pytest.mark.parametrize("policy", [REJECTING, REJECTING_BY_RULE], ids=["default", "rule"])
@pytest.mark.parametrize(("call", "facts", "reason"), CAPPED)
def test_a_cap_bounds_rules_and_default(call: IncomingCall, facts: Facts, reason: Reason, policy: Policy) -> None:
    decision = decide(call, facts._replace(reputation=make_reputation(3.0)), policy, NOW)
    assert (decision.action, decision.capped_by) == (Action.WARN, Why(reason))


@pytest.mark.parametrize(("call", "facts", "reason"), CAPPED)
def test_capped_call_without_evidence_gets_no_warning(call: IncomingCall, facts: Facts, reason: Reason) -> None:
    decision = decide(call, facts, REJECTING, NOW)
    spoofed = reason is Reason.SHOWS_OWN_NUMBER
    assert decision.action is (Action.WARN if spoofed else Action.ALLOW)
    assert decision.capped_by == Why(reason)


FOR_STRANGERS = make_policy("""
[[rule]]
name = "suspicious"
when = { any = [{ level_at_least = "challenge" }, { points_between = [8, 12] }] }
action = "reject"
reason = "somebody has complained"

[[rule]]
name = "stranger"
when = { relationship = false }
action = "challenge"
reason = "nobody here knows this number"
""")


@pytest.mark.parametrize(
    ("facts", "rule", "action"),
    [
        pytest.param(make_facts(), "stranger", Action.CHALLENGE, id="rule-for-strangers"),
        pytest.param(make_facts(2.0), "suspicious", Action.WARN, id="rule-about-points"),
        pytest.param(make_facts(level=Level.ROUTE), "suspicious", Action.WARN, id="rule-about-levels"),
    ],
)
def test_calling_again_does_not_bypass_a_rule_for_strangers(facts: Facts, rule: str, action: Action) -> None:
    decision = decide(make_call(), facts._replace(recent_calls=(NOW - MINUTE,)), FOR_STRANGERS, NOW)
    assert (decision.rule, decision.action) == (rule, action)


@pytest.mark.parametrize(("call", "facts"), NOT_CAPPED)
def test_calls_without_a_cap(call: IncomingCall, facts: Facts) -> None:
    decision = decide(call, facts, REJECTING, NOW)
    assert (decision.action, decision.capped_by) == (Action.REJECT, None)


@pytest.mark.parametrize("word", ["allow", "tag", "warn"])
@pytest.mark.parametrize(("call", "facts", "reason"), CAPPED)
def test_a_cap_never_makes_stricter(call: IncomingCall, facts: Facts, reason: Reason, word: str) -> None:
    decision = decide(call, facts, policy_ordering(word), NOW)
    assert (decision.action.word, decision.capped_by) == (word, None)


def test_the_weakest_cap_comes_first() -> None:
    *others, sample = [cap.highest for cap in CAPS]
    assert others == sorted(others)
    assert sample is Action.ALLOW, "the sample takes only what nothing else has weakened"


APPEALED = make_facts()._replace(reputation=Reputation(3.0, Level.WARN, appeal="AP9E4100"))


UNDER_APPEAL = Why(Reason.APPEALED, {"reference": "AP9E4100"})


@pytest.mark.parametrize(
    ("ordered", "done", "capped"),
    [
        ("warn", "warn", None),
        ("challenge", "challenge", None),
        ("route", "challenge", UNDER_APPEAL),
        ("reject", "challenge", UNDER_APPEAL),
    ],
)
def test_an_appeal_caps_at_challenge(ordered: str, done: str, capped: Why | None) -> None:
    decision = decide(make_call(), APPEALED, policy_ordering(ordered), NOW)
    assert (decision.action.word, decision.capped_by) == (done, capped)


def test_appeal_does_not_cap_a_list() -> None:
    decision = decide(make_call(), APPEALED._replace(block=blocked()), policy_ordering("allow"), NOW)
    assert (decision.action, decision.capped_by) == (Action.REJECT, None)


def test_strongest_favourable_evidence_caps_first() -> None:
    decision = decide(make_call(), APPEALED._replace(recent_calls=(NOW - 10,)), policy_ordering("reject"), NOW)
    assert decision.action is Action.WARN


def test_the_explanation_carries_the_appeals_reference() -> None:
    looks = explain(make_call(), APPEALED, policy_ordering("reject"), NOW)
    [cap] = [look.outcome for look in looks if look.title == "cap"]
    assert cap.startswith("challenge at most: ")
    assert cap.endswith(": AP9E4100")


SPEAKS_FOR_HIM: dict[str, Any] = {
    "identity": make_identity(2),
    "passed_until": NOW + DAY,
    "recent_calls": [NOW - 10],
    "own_number": True,
}


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        pytest.param(
            make_facts(callee=make_person(), ties=[make_tie(Tie.BLOCK)], **SPEAKS_FOR_HIM), "callee-blocklist", id="3"
        ),
        pytest.param(make_facts(block=blocked(), **SPEAKS_FOR_HIM), "blocklist", id="4"),
        pytest.param(
            make_facts(block=blocked(), callee=make_person("202"), ties=[make_tie(Tie.ALLOW, "201")], **SPEAKS_FOR_HIM),
            "blocklist",
            id="4-for-a-callee-who-is-known",
        ),
    ],
)
def test_lists_act_as_written_despite_favourable_evidence(facts: Facts, rule: str) -> None:
    decision = decide(make_call(), facts, HOUSE, NOW)
    assert (decision.action, decision.rule, decision.capped_by) == (Action.REJECT, rule, None)


@pytest.mark.parametrize(
    ("ties", "did", "action"),
    [
        pytest.param([make_tie(Tie.ALLOW)], None, Action.WARN, id="allowed-by-somebody"),
        pytest.param([make_tie(Tie.EXPECTED)], None, Action.WARN, id="expected-by-somebody"),
        pytest.param([make_tie(Tie.ALLOW)], make_did(group="sales"), Action.WARN, id="allowed-by-one-of-the-group"),
        pytest.param([make_tie(Tie.ALLOW)], make_did(group="support"), Action.REJECT, id="allowed-by-one-elsewhere"),
        pytest.param(
            [make_tie(Tie.ALLOW)], make_did(LONDON, "support", "sales"), Action.WARN, id="of-one-of-the-groups"
        ),
        pytest.param([make_tie(Tie.CONTACT)], None, Action.REJECT, id="a-contact-comes-after-the-list"),
        pytest.param([make_tie(Tie.CONTACT, None)], None, Action.REJECT, id="so-does-a-contact-of-the-company"),
        pytest.param([make_tie(Tie.BLOCK)], None, Action.REJECT, id="blocked-by-somebody"),
    ],
)
def test_administrator_block_spares_a_person_who_allowed(ties: list[Any], did: Any, action: Action) -> None:
    decision = decide(make_call(), make_facts(block=blocked(), did=did, ties=ties), HOUSE, NOW)
    assert (decision.rule, decision.step, decision.action) == ("blocklist", 4, action)


# Observe mode.


@pytest.mark.parametrize("ground", [pytest.param(ground, id=ground.rule) for ground in GROUNDS])
def test_observe_mode_records_and_lets_every_call_through(ground: StepExample) -> None:
    watching = replace(HOUSE, observe=True)
    acting, observed = decide(*case_of(ground), HOUSE, NOW), decide(*case_of(ground), watching, NOW)
    assert (observed.action, observed.would_be, observed.observed) == (Action.ALLOW, acting.action, True)
    assert (observed.rule, observed.step, observed.reason) == (acting.rule, acting.step, acting.reason)


def test_observe_mode_records_the_capped_action() -> None:
    facts = make_facts(3.0, passed_until=NOW + DAY)
    decision = decide(make_call(), facts, policy_ordering("reject", observe=True), NOW)
    assert (decision.action, decision.would_be) == (Action.ALLOW, Action.WARN)
    assert decision.capped_by == Why(Reason.PASSED_CHALLENGE)


# What a decision carries.


def test_decision_names_caller_action_and_reason() -> None:
    policy = make_policy("""
[[rule]]
name = "scam"
when = { category = "scam" }
action = "tag"
label = "Scam?"
reason = "called a scam by others"
""")
    facts = make_facts(
        2.0,
        callee=make_person("201"),
        identity=make_identity(2, "Acme Bank"),
        imported=[make_imported("trusted", "ok", "bank"), make_imported("ftc", "spam", "scam")],
    )
    decision = decide(make_signed_call(), facts, policy, NOW)
    assert decision == Decision(
        action=Action.TAG,
        rule="scam",
        reason=Why("called a scam by others"),
        step=8,
        policy="house",
        would_be=Action.TAG,
        level=Level.TAG,
        reputation=facts.reputation,
        name="Acme Bank",
        label="Scam?",
        category="scam",
        callee="201",
    )


@pytest.mark.parametrize(
    ("call", "level"),
    [
        pytest.param(make_signed_call(), 1, id="only-the-number-is-proven"),
        pytest.param(make_call(attestation=Attestation.C), 2, id="nobody-vouches-for-this-call"),
    ],
)
def test_unproven_name_is_not_shown(call: IncomingCall, level: int) -> None:
    assert decide(call, make_facts(identity=make_identity(level)), HOUSE, NOW).name is None


@given(calls(), facts(), policy_texts())
def test_decision_is_deterministic_and_equals_explanation(call: IncomingCall, facts: Facts, text: str) -> None:
    try:
        policy = make_policy(text)
    except PolicyError:
        assume(False)
    decision = decide(call, facts, policy, NOW)
    assert decision == decide(call, facts, policy, NOW)
    if decision.step >= 8:
        holding = (rule.name for rule in policy.rules if rule.matches(Case(call, facts, NOW)))
        assert decision.rule == next(holding, "default")
    looks = explain(call, facts, policy, NOW)
    assert [look.step for look in looks] == sorted(look.step for look in looks)
    *_, decided, last = looks
    assert decided.step == last.step == decision.step
    assert last.title == "decision"
    assert last.outcome.startswith(decision.action.word)
    assert f"{decision.would_be.word} by {decision.rule}" in last.outcome
    assert all(look.outcome == "passes" for look in looks if look.step < decision.step and look.title != "cap")


@given(st.lists(st.tuples(calls(), facts()), min_size=2, max_size=8), policy_texts())
def test_earlier_decisions_leave_no_trace(cases: list[tuple[IncomingCall, Facts]], text: str) -> None:
    try:
        policies = make_policy(text), load_policy("balanced"), load_policy("strict")
    except PolicyError:
        assume(False)
    for call, known in cases:
        found = decide_by_each(call, known, policies, NOW)
        assert found == [decide(call, known, policy_, NOW) for policy_ in policies]
        for policy, decision in zip(policies, found, strict=True):
            holding = (rule.name for rule in policy.rules if rule.matches(Case(call, known, NOW)))
            assert decision.step < 8 or decision.rule == next(holding, "default")


def test_an_explanation_names_every_step_on_the_way() -> None:
    call, known = make_call(), make_facts(7.0, passed_until=NOW + DAY)
    assert explain(call, known, load_policy("balanced"), NOW) == (
        ExplanationLine(1, "never screened", "passes"),
        ExplanationLine(2, "emergency window", "passes"),
        ExplanationLine(3, "the callee's own lists", "passes"),
        ExplanationLine(4, "the administrator's lists", "passes"),
        ExplanationLine(6, "relationship", "passes"),
        ExplanationLine(7, "cap", "warn at most: the caller passed a challenge"),
        ExplanationLine(8, "rule level-route", "passes", ('level_at_least = "route": it is challenge',)),
        ExplanationLine(8, "rule one-source", "passes", ("one_source = true: it is false",)),
        ExplanationLine(
            8,
            "rule level-challenge",
            "challenge: strong evidence against this number, partly from how its earlier calls went",
        ),
        ExplanationLine(8, "decision", "warn by level-challenge; not stronger, because the caller passed a challenge"),
    )


def test_an_explanation_ends_with_the_step_that_decides() -> None:
    looks = explain(make_call(), make_facts(block=blocked()), policy_ordering("tag", observe=True), NOW)
    assert looks[-2:] == (
        ExplanationLine(4, "the administrator's lists", "reject: +12017421834 is on the blocklist"),
        ExplanationLine(4, "decision", "allow; without `observe` the action would be reject by blocklist"),
    )


def test_an_explanation_of_the_default() -> None:
    looks = explain(make_call(), make_facts(), HOUSE, NOW)
    assert looks[-3:] == (
        ExplanationLine(8, "rule suspicious", "passes", ('level_at_least = "tag": it is none',)),
        ExplanationLine(9, "default", "route"),
        ExplanationLine(9, "decision", "route by default"),
    )


# The callee, once known.


@pytest.mark.parametrize(
    ("call", "facts", "rule", "action"),
    [
        pytest.param(make_call(), make_facts(ties=[make_tie(Tie.ALLOW)]), "callee-allowlist", Action.ALLOW, id="allow"),
        pytest.param(
            make_call(), make_facts(ties=[make_tie(Tie.BLOCK)]), "callee-blocklist", Action.REJECT, id="block"
        ),
        pytest.param(
            make_call(), make_facts(ties=[make_tie(Tie.EXPECTED)]), "expected-call", Action.ALLOW, id="expected"
        ),
        pytest.param(make_call(), make_facts(ties=[make_tie(Tie.CONTACT)]), "contact", Action.ALLOW, id="contact"),
        pytest.param(
            make_call(),
            make_facts(block=blocked(), ties=[make_tie(Tie.ALLOW)]),
            "callee-allowlist",
            Action.ALLOW,
            id="allow-before-the-administrators-block",
        ),
    ],
)
def test_the_callees_own_ties_decide_for_their_phone(
    call: IncomingCall, facts: Facts, rule: str, action: Action
) -> None:
    facts = make_facts(callee=make_person(), ties=facts.ties, block=facts.block)
    decision = decide_for_callee(call, facts, HOUSE, NOW)
    assert decision is not None
    assert (decision.rule, decision.action, decision.callee) == (rule, action, "201")


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        pytest.param(make_call(), make_facts(9.0, callee=make_person()), id="reputation-was-judged-at-the-trunk"),
        pytest.param(make_call(), make_facts(callee=make_person(), block=blocked()), id="so-was-the-blocklist"),
        pytest.param(
            make_call(),
            make_facts(callee=make_person(), block=blocked(), ties=[make_tie(Tie.CONTACT)]),
            id="a-contact-does-not-lift-the-administrators-block",
        ),
        pytest.param(
            make_call(),
            make_facts(callee=make_person("202"), ties=[make_tie(Tie.BLOCK, "201")]),
            id="somebody-elses-block",
        ),
        pytest.param(
            make_call(),
            make_facts(callee=make_person(), ties=[make_tie(Tie.BLOCK)], emergency_at=NOW - HOUR),
            id="no-block-outranks-the-emergency-window",
        ),
        pytest.param(
            make_call(),
            make_facts(callee=make_person(), ties=[make_tie(Tie.BLOCK)], did=make_did(screen=False)),
            id="nor-a-number-that-is-not-screened",
        ),
        pytest.param(
            make_call(verification=Verification.FAILED),
            make_facts(callee=make_person(), ties=[make_tie(Tie.CONTACT)]),
            id="a-contact-with-a-failed-signature",
        ),
    ],
)
def test_callee_without_own_ties_gets_no_own_decision(call: IncomingCall, facts: Facts) -> None:
    assert decide_for_callee(call, facts, HOUSE, NOW) is None


def test_configured_emergency_window_applies_to_the_callee() -> None:
    known = make_facts(callee=make_person(), ties=[make_tie(Tie.BLOCK)], emergency_at=NOW - HOUR)
    decision = decide_for_callee(make_call(), known._replace(emergency_window_seconds=30 * MINUTE), HOUSE, NOW)
    assert decision is not None
    assert decision.rule == "callee-blocklist"


def test_a_callees_block_does_not_act_in_observe_mode() -> None:
    known = make_facts(callee=make_person(), ties=[make_tie(Tie.BLOCK)])
    decision = decide_for_callee(make_call(), known, policy_ordering("allow", observe=True), NOW)
    assert decision is not None
    assert (decision.action, decision.would_be, decision.observed) == (Action.ALLOW, Action.REJECT, True)


@given(calls(), facts(), policy_texts())
def test_both_decisions_agree_for_a_callee_known_at_once(call: IncomingCall, facts: Facts, text: str) -> None:
    try:
        policy = make_policy(text)
    except PolicyError:
        assume(False)
    assume(facts.callee is not None)
    decision = decide(call, facts, policy, NOW)
    assert decide_for_callee(call, facts, policy, NOW) == (decision if decision.step in (3, 6) else None)


# Scopes.

SALES, CARRIER, MAIN, FIRST = (policy_ordering(word) for word in ("tag", "warn", "allow", "challenge"))
SCOPES = PolicySet(
    MAIN,
    (PolicyScope(FIRST, did="+442071830000"), PolicyScope(SALES, group="sales"), PolicyScope(CARRIER, trunk="carrier")),
)


@pytest.mark.parametrize(
    ("call", "facts", "policy"),
    [
        pytest.param(make_call(trunk="other"), make_facts(), MAIN, id="in-none"),
        pytest.param(make_call(), make_facts(), CARRIER, id="by-trunk"),
        pytest.param(make_call(trunk=None), make_facts(did=make_did(group="sales")), SALES, id="by-group-of-the-did"),
        pytest.param(make_call(trunk=None), make_facts(callee=make_person()), SALES, id="by-group-of-the-callee"),
        pytest.param(
            make_call(trunk=None),
            make_facts(callee=make_person(group="support"), did=make_did(group="sales")),
            MAIN,
            id="the-callees-group-comes-first",
        ),
        pytest.param(
            make_call(trunk=None),
            make_facts(callee=make_person(group=None), did=make_did(group="sales")),
            SALES,
            id="a-callee-without-group-is-in-that-of-the-did",
        ),
        pytest.param(make_call(), make_facts(did=make_did(group="sales")), SALES, id="two-match-the-first-wins"),
        pytest.param(
            make_call(trunk=None), make_facts(did=make_did(LONDON, "support", "sales")), SALES, id="one-of-two"
        ),
        pytest.param(
            make_call(trunk=None),
            make_facts(callee=make_person(group="support"), did=make_did(LONDON, "support", "sales")),
            MAIN,
            id="the-callee-is-in-one-of-two",
        ),
        pytest.param(make_call(did="+442071830000"), make_facts(callee=make_person()), FIRST, id="three-match"),
        pytest.param(make_call(did=None, trunk=None), make_facts(), MAIN, id="nothing-known"),
    ],
)
def test_the_first_scope_that_covers_a_call_gives_its_policy(call: IncomingCall, facts: Facts, policy: Policy) -> None:
    assert SCOPES.policy_of(call, facts) is policy


@given(st.sampled_from([LONDON, "s", None]), st.sampled_from(["carrier", None]), facts())
def test_scope_covers_calls_that_match_all_its_keys(did: str | None, trunk: str | None, facts: Facts) -> None:
    call = make_call(did=LONDON, trunk="carrier")
    assert PolicyScope(MAIN, did, trunk).covers(call, facts) is (did in (LONDON, None))
