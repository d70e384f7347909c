"""What the presets promise: observe never acts, cautious never routes, balanced never rejects, and strangers get in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Action, IncomingCall
from policies.engine import decide
from policies.loader import PRESETS, load_policy
from policies.policy import Policy
from reputation.facts import Facts
from reputation.model import Attestation, CallerKind, Level, Verification
from tests.builders import NOW, make_call, make_facts, make_signed_call
from tests.policies.strategies import calls, facts, instants

OBSERVE, CAUTIOUS, BALANCED, STRANGERS, STRICT = (load_policy(name) for name in PRESETS)

LEVELS = [
    # level, and what observe (would be), cautious, balanced and strict make of it
    (Level.NONE, Action.ALLOW, Action.ALLOW, Action.ALLOW, Action.ALLOW),
    (Level.TAG, Action.TAG, Action.TAG, Action.TAG, Action.TAG),
    (Level.WARN, Action.WARN, Action.WARN, Action.WARN, Action.WARN),
    (Level.CHALLENGE, Action.CHALLENGE, Action.CHALLENGE, Action.CHALLENGE, Action.CHALLENGE),
    (Level.ROUTE, Action.ROUTE, Action.CHALLENGE, Action.ROUTE, Action.ROUTE),
    (Level.REJECT, Action.ROUTE, Action.CHALLENGE, Action.ROUTE, Action.REJECT),
]


@pytest.mark.parametrize(("level", "observe", "cautious", "balanced", "strict"), LEVELS)
def test_a_preset_follows_the_level_up_to_its_own_bound(
    level: Level, observe: Action, cautious: Action, balanced: Action, strict: Action
) -> None:
    decisions = [
        decide(make_call(), make_facts(level=level), item, NOW) for item in (OBSERVE, CAUTIOUS, BALANCED, STRICT)
    ]
    assert [decision.would_be for decision in decisions] == [observe, cautious, balanced, strict]
    assert [decision.action for decision in decisions] == [Action.ALLOW, cautious, balanced, strict]


@pytest.mark.parametrize(
    ("call", "facts", "action", "rule"),
    [
        pytest.param(make_signed_call(), make_facts(), Action.ALLOW, "default", id="signed-stranger"),
        pytest.param(make_call(), make_facts(), Action.ALLOW, "default", id="stranger-no-signatures-here"),
        pytest.param(make_call(attestation=Attestation.C), make_facts(), Action.ALLOW, "default", id="by-a-gateway"),
        pytest.param(
            make_call(verification=Verification.FAILED), make_facts(), Action.TAG, "failed-signature", id="failed"
        ),
        pytest.param(make_call(None), make_facts(), Action.TAG, "withheld", id="withheld"),
        pytest.param(
            make_call(None, kind=CallerKind.INVALID), make_facts(), Action.TAG, "not-a-number", id="not-a-number"
        ),
        pytest.param(make_call(None, kind=CallerKind.INTERNAL), make_facts(), Action.ALLOW, "default", id="says-201"),
        pytest.param(make_call(), make_facts(own_number=True), Action.WARN, "own-number", id="own-number"),
        pytest.param(
            make_call(), make_facts(own_number=True, level=Level.REJECT), Action.WARN, "level-challenge", id="and-spam"
        ),
    ],
)
def test_cautious_decides_its_examples(call: IncomingCall, facts: Facts, action: Action, rule: str) -> None:
    decision = decide(call, facts, CAUTIOUS, NOW)
    assert (decision.action, decision.rule) == (action, rule)


def presets() -> st.SearchStrategy[Policy]:
    return st.sampled_from([OBSERVE, CAUTIOUS, BALANCED, STRICT])


@given(calls(), facts(lists=False, levels=False), presets())
def test_no_preset_does_more_than_tag_for_a_first_time_caller(call: IncomingCall, facts: Facts, preset: Policy) -> None:
    """Unsigned, withheld or not a number at all; one who shows our own number is warned about."""
    decision = decide(call, facts, preset, NOW)
    assert decision.would_be <= (Action.WARN if facts.own_number else Action.TAG)


@given(calls(), facts(lists=False))
def test_cautious_never_goes_beyond_a_challenge(call: IncomingCall, facts: Facts) -> None:
    assert decide(call, facts, CAUTIOUS, NOW).action <= Action.CHALLENGE


@given(calls(), facts(lists=False))
def test_balanced_never_rejects_a_call(call: IncomingCall, facts: Facts) -> None:
    assert decide(call, facts, BALANCED, NOW).action <= Action.ROUTE


@given(calls(), facts())
def test_observe_never_acts_and_decides_like_balanced(call: IncomingCall, facts: Facts) -> None:
    watched, acted = decide(call, facts, OBSERVE, NOW), decide(call, facts, BALANCED, NOW)
    assert watched.action is Action.ALLOW
    assert (watched.would_be, watched.rule, watched.capped_by) == (acted.action, acted.rule, acted.capped_by)


@given(calls(), facts(lists=False))
def test_a_stricter_preset_is_never_milder(call: IncomingCall, facts: Facts) -> None:
    actions = [decide(call, facts, preset, NOW).action for preset in (CAUTIOUS, BALANCED, STRICT)]
    assert actions == sorted(actions)


@given(calls(), facts(lists=False), instants())
def test_strangers_differs_from_balanced_only_by_challenges(call: IncomingCall, facts: Facts, at: float) -> None:
    asked, usual = decide(call, facts, STRANGERS, at), decide(call, facts, BALANCED, at)
    if asked.rule in ("stranger", "stranger-withheld"):
        assert asked.action <= Action.CHALLENGE
        assert call.caller.kind in (CallerKind.NUMBER, CallerKind.WITHHELD)
    else:
        assert asked == usual._replace(policy="strangers")


@pytest.fixture
def newfoundland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's clock is three and a half hours behind UTC."""
    monkeypatch.setenv("TZ", "America/St_Johns")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("newfoundland")
@pytest.mark.parametrize(
    ("at", "asked"),
    [
        pytest.param("2026-01-05T08:00", False, id="monday-the-office-opens"),
        pytest.param("2026-01-05T07:59", True, id="a-minute-before"),
        pytest.param("2026-01-05T17:59", False, id="last-minute"),
        pytest.param("2026-01-05T18:00", True, id="the-office-closes"),
        pytest.param("2026-01-10T12:00", True, id="saturday-noon"),
    ],
)
def test_strangers_uses_the_local_time_zone(at: str, asked: bool) -> None:
    now = datetime.fromisoformat(f"{at}-03:30").timestamp()
    for call in (make_call(), make_call(None)):
        assert (decide(call, make_facts(), STRANGERS, now).action is Action.CHALLENGE) is asked


@given(calls(), facts(lists=False), presets())
def test_a_preset_exceeds_the_level_for_unvouched_callers_only(
    call: IncomingCall, facts: Facts, preset: Policy
) -> None:
    decision = decide(call, facts, preset, NOW)
    assert decision.would_be <= max(int(facts.reputation.level), Action.TAG, Action.WARN if facts.own_number else 0)


@pytest.mark.parametrize(
    ("preset", "chain"),
    [
        (CAUTIOUS, ("cautious",)),
        (BALANCED, ("balanced", "cautious")),
        (STRANGERS, ("strangers", "balanced", "cautious")),
        (STRICT, ("strict", "balanced", "cautious")),
        (OBSERVE, ("observe", "balanced", "cautious")),
    ],
)
def test_chain_of_each_preset(preset: Policy, chain: tuple[str, ...]) -> None:
    assert preset.chain == chain
    assert preset.default is Action.ALLOW
    assert preset.observe is (preset is OBSERVE)
