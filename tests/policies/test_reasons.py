"""The reasons of decisions: what the engine says can be taken apart again, and what others say is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import IncomingCall
from policies.engine import decide, decide_for_callee
from policies.loader import PRESETS, load_policy
from policies.reasons import Reason, with_cap, wording_of
from reputation.model import Facts
from reputation.wording import Wording
from tests.builders import NOW
from tests.policies.strategies import calls, facts

POLICIES = [load_policy(name) for name in PRESETS]
OF_PRESETS = frozenset(rule.reason for policy in POLICIES for rule in policy.rules)


@given(call=calls(), known=facts(), policy=st.sampled_from(POLICIES))
def test_every_reason_of_the_engine_is_one_of_ours(call: IncomingCall, known: Facts, policy: object) -> None:
    for decision in (decide(call, known, policy, NOW), decide_for_callee(call, known, policy, NOW)):  # type: ignore[arg-type]
        if decision is not None:
            reason = with_cap(decision.reason, decision.capped_by)
            wording = wording_of(reason, OF_PRESETS)
            assert wording is not None, reason
            assert str(wording) == reason


@pytest.mark.parametrize(
    ("reason", "wording"),
    [
        pytest.param(
            "+1900* is on the blocklist", Wording("{entry} is on the blocklist", {"entry": "+1900*"}), id="prefix"
        ),
        pytest.param(
            "+12015550100-+12015550199 is on the allowlist",
            Wording("{entry} is on the allowlist", {"entry": "+12015550100-+12015550199"}),
            id="range",
        ),
        pytest.param(
            "they sell lamps (the caller is verified)",
            Wording("{reason} ({cap})", {"reason": "they sell lamps", "cap": Wording("the caller is verified")}),
            id="an-operators-with-our-cap",
        ),
        pytest.param(
            "they sell (LED) lamps (an appeal is in force: AP9E4100)",
            Wording(
                "{reason} ({cap})",
                {
                    "reason": "they sell (LED) lamps",
                    "cap": Wording(
                        "{cap}: {reference}", {"cap": Wording("an appeal is in force"), "reference": "AP9E4100"}
                    ),
                },
            ),
            id="with-the-reference-of-an-appeal",
        ),
    ],
)
def test_a_reason_is_taken_apart(reason: str, wording: Wording) -> None:
    assert wording_of(reason) == wording
    assert str(wording) == reason


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "blocked",
        "the caller",
        "they sell lamps",
        "Acme is on the blocklist",
        "+1900 is on the blocklist.",
        "{entry} is on the blocklist",
        "they sell lamps (cheap ones)",
        "an appeal is in force: whatever",
        " (the caller is verified)",
    ],
)
def test_what_an_operator_wrote_is_left_alone(reason: str) -> None:
    assert wording_of(reason, OF_PRESETS) is None


@given(
    st.lists(
        st.sampled_from([*Reason, *OF_PRESETS, "(", ")", " ", ": ", "AP9E4100", "+1201", "lamps"]), max_size=6
    ).map("".join)
    | st.text(max_size=60)
)
def test_whatever_it_is_the_english_stays_the_same(reason: str) -> None:
    wording = wording_of(reason, OF_PRESETS)
    assert wording is None or str(wording) == reason
