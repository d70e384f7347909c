"""Ties, identities, and what single phones do differently."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from policies.decision import Action, IncomingCall
from policies.engine import decide
from policies.policy import Policy
from policies.relations import PerPhone, per_phone_of, ties_in_reach
from reputation.facts import Facts
from reputation.families.identity import effective_level
from reputation.model import AuthClass, Tie, Verification
from tests.builders import (
    HOUR,
    LONDON,
    NOW,
    PREMIUM,
    allowed,
    blocked,
    make_call,
    make_did,
    make_facts,
    make_identity,
    make_person,
    make_tie,
    policy_ordering,
)
from tests.policies.strategies import calls, facts

REJECTING, WARNING, ALLOWING = (policy_ordering(word) for word in ("reject", "warn", "allow"))


@pytest.mark.parametrize(
    ("level", "auth_class", "effective"),
    [
        pytest.param(2, AuthClass.AUTHENTICATED, 3, id="proven-and-signed"),
        pytest.param(1, AuthClass.AUTHENTICATED, 1, id="number-proven-and-signed"),
        pytest.param(2, AuthClass.UNKNOWN, 2, id="proven-no-signatures-here"),
        pytest.param(1, AuthClass.UNKNOWN, 1, id="number-proven-no-signatures-here"),
        pytest.param(2, AuthClass.UNAUTHENTICATED, 0, id="proven-but-not-this-call"),
        pytest.param(None, AuthClass.AUTHENTICATED, 0, id="unknown-caller"),
    ],
)
def test_the_level_of_an_identity_depends_on_the_call(level: int | None, auth_class: AuthClass, effective: int) -> None:
    identity = None if level is None else make_identity(level)
    assert effective_level(identity, auth_class) == effective


SALES, SUPPORT = make_tie(Tie.ALLOW, "201", "sales"), make_tie(Tie.BLOCK, "301", "support")
COMPANY, UNGROUPED = make_tie(Tie.CONTACT, None), make_tie(Tie.CONTACT, "401", None)
EVERYBODY = (SALES, SUPPORT, COMPANY, UNGROUPED)


@pytest.mark.parametrize(
    ("facts", "reached"),
    [
        pytest.param(make_facts(ties=EVERYBODY), EVERYBODY, id="nobody-known-anybody-may-ring"),
        pytest.param(make_facts(ties=EVERYBODY, did=make_did()), EVERYBODY, id="a-did-without-group"),
        pytest.param(make_facts(ties=EVERYBODY, did=make_did(group="sales")), (SALES, COMPANY), id="a-group"),
        pytest.param(make_facts(ties=EVERYBODY, did=make_did(group="board")), (COMPANY,), id="another-group"),
        pytest.param(make_facts(ties=EVERYBODY, did=make_did(LONDON, "board", "sales")), (SALES, COMPANY), id="two"),
        pytest.param(make_facts(ties=EVERYBODY, callee=make_person("301")), (SUPPORT, COMPANY), id="a-person"),
        pytest.param(
            make_facts(ties=EVERYBODY, callee=make_person("301"), did=make_did(group="sales")),
            (SUPPORT, COMPANY),
            id="a-person-before-the-group",
        ),
    ],
)
def test_ties_of_which_persons_count(facts: Facts, reached: tuple[object, ...]) -> None:
    assert ties_in_reach(facts) == reached


PER_PHONE = [
    pytest.param(make_call(), make_facts(), REJECTING, (), (), id="nobody-has-ties"),
    pytest.param(
        make_call(),
        make_facts(3.0, ties=[make_tie(Tie.ALLOW, "201"), make_tie(Tie.BLOCK, "202"), make_tie(Tie.CONTACT, "203")]),
        REJECTING,
        ("PJSIP/201", "PJSIP/203"),
        ("PJSIP/202",),
        id="each-their-own",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.ALLOW), make_tie(Tie.BLOCK)]),
        WARNING,
        ("PJSIP/201",),
        (),
        id="allow-before-block",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK), make_tie(Tie.EXPECTED), make_tie(Tie.CONTACT)]),
        WARNING,
        (),
        ("PJSIP/201",),
        id="block-before-expected-and-contact",
    ),
    pytest.param(make_call(None), make_facts(ties=[make_tie(Tie.EXPECTED)]), WARNING, ("PJSIP/201",), (), id="expects"),
    pytest.param(
        make_call(PREMIUM), make_facts(ties=[make_tie(Tie.CONTACT)]), WARNING, (), (), id="a-premium-contact-does-not"
    ),
    pytest.param(
        make_call(verification=Verification.FAILED),
        make_facts(ties=[make_tie(Tie.CONTACT)]),
        WARNING,
        (),
        (),
        id="nor-one-with-a-failed-signature",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.ALLOW, "201"), make_tie(Tie.CONTACT, "203")], block=blocked()),
        ALLOWING,
        ("PJSIP/201",),
        (),
        id="under-the-administrators-block-only-who-allowed-him",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK), make_tie(Tie.CONTACT, "203")]),
        ALLOWING,
        (),
        ("PJSIP/201",),
        id="where-nothing-is-shown-nobody-is-spared",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK)], allow=allowed()),
        WARNING,
        (),
        ("PJSIP/201",),
        id="allowlist",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK), make_tie(Tie.CONTACT, None)]),
        WARNING,
        (),
        ("PJSIP/201",),
        id="a-block-outranks-the-companys-contact",
    ),
    pytest.param(
        make_call(),
        make_facts(did=make_did(group="support"), ties=[make_tie(Tie.BLOCK)]),
        WARNING,
        (),
        (),
        id="out-of-reach",
    ),
    pytest.param(
        make_call(), make_facts(ties=[make_tie(Tie.BLOCK, endpoint=None)]), WARNING, (), (), id="a-phone-we-do-not-know"
    ),
    pytest.param(
        make_call(), make_facts(callee=make_person(), ties=[make_tie(Tie.BLOCK)]), WARNING, (), (), id="callee-known"
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK)], emergency_at=NOW - HOUR),
        WARNING,
        (),
        (),
        id="no-block-within-the-emergency-window",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK)], did=make_did(screen=False)),
        WARNING,
        (),
        (),
        id="no-block-on-a-line-that-is-not-screened",
    ),
    pytest.param(
        make_call(),
        make_facts(ties=[make_tie(Tie.BLOCK)]),
        policy_ordering("warn", observe=True),
        (),
        (),
        id="observe-blocks-nobody",
    ),
]


@pytest.mark.parametrize(("call", "facts", "policy", "known", "blocks"), PER_PHONE)
def test_phones_with_their_own_decision(
    call: IncomingCall, facts: Facts, policy: Policy, known: tuple[str, ...], blocks: tuple[str, ...]
) -> None:
    assert per_phone_of(call, facts, decide(call, facts, policy, NOW)) == PerPhone(known, blocks)


@given(calls(), facts())
def test_phone_follows_the_precedence_for_its_person(call: IncomingCall, facts: Facts) -> None:
    """For every person in reach: blocked where a decision for him would be his block, known where it would be allow."""
    decision = decide(call, facts, WARNING, NOW)
    phones = per_phone_of(call, facts, decision)
    assert not set(phones.known) & set(phones.blocked)
    assume(facts.callee is None)
    for tie in ties_in_reach(facts):
        if tie.person is None or tie.endpoint is None:
            continue
        alone = decide(call, facts._replace(callee=make_person(tie.person)), WARNING, NOW)
        assert (tie.endpoint in phones.blocked) == (alone.rule == "callee-blocklist")
        if tie.endpoint in phones.known:
            assert alone.action is Action.ALLOW
