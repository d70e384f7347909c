"""The reasons of decisions: kept by their codes, and said in any language; what others wrote is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import IncomingCall
from policies.engine import CAPS, decide, decide_for_callee
from policies.loader import PRESETS, load_policy
from policies.policy import Policy
from policies.reasons import (
    BY_CODE,
    CODED,
    CODES,
    CodedReason,
    FailOpen,
    OutboundReason,
    PresetReason,
    Reason,
    Why,
    capped,
    why_of,
    why_of_failure,
)
from reputation.facts import Facts
from reputation.wording import Wording
from tests.builders import NOW
from tests.policies.strategies import calls, facts

POLICIES = [load_policy(name) for name in PRESETS]
VERIFIED = Why(Reason.VERIFIED)
APPEALED = Why(Reason.APPEALED, {"reference": "AP9E4100"})


def test_each_reason_has_a_code_of_its_own() -> None:
    """Two of one name in different tables would leave the first without a code: its calls would fail open."""
    tables = (Reason, PresetReason, FailOpen, OutboundReason)
    assert len(BY_CODE) == sum(map(len, tables))
    assert {item.value for table in tables for item in table} == CODES.keys()


@given(call=calls(), known=facts(), policy=st.sampled_from(POLICIES))
def test_engine_returns_reason_codes_not_texts(call: IncomingCall, known: Facts, policy: Policy) -> None:
    for decision in (decide(call, known, policy, NOW), decide_for_callee(call, known, policy, NOW)):
        if decision is not None:
            why = capped(decision.reason, decision.capped_by)
            assert why.code in BY_CODE
            assert why.kept.startswith(CODED)
            assert why_of(why.kept) == why
            assert (why.cap is None) == (decision.capped_by is None)


def test_every_rule_of_a_preset_has_a_code() -> None:
    told = {rule.reason.reason for policy in POLICIES for rule in policy.rules}
    assert told == set(PresetReason)


def test_every_failure_has_a_code() -> None:
    assert [why_of_failure(open_.value).reason for open_ in FailOpen] == list(FailOpen)


def test_every_cap_has_a_code() -> None:
    for cap in CAPS:
        why = capped(Why(Reason.DEFAULT), Why(cap.reason))
        assert why_of(why.kept) == why


@pytest.mark.parametrize(
    ("why", "kept", "words"),
    [
        pytest.param(
            Why(Reason.ON_BLOCKLIST, {"entry": "+1900*"}),
            '{"code": "on-blocklist", "entry": "+1900*"}',
            Wording("{entry} is on the blocklist", {"entry": "+1900*"}),
            id="a-list",
        ),
        pytest.param(Why("they sell lamps"), "they sell lamps", "they sell lamps", id="an-operators"),
        pytest.param(
            capped(Why("they sell lamps"), VERIFIED),
            '{"code": "", "text": "they sell lamps", "cap": "verified"}',
            Wording("{reason} ({cap})", {"reason": "they sell lamps", "cap": Wording("the caller is verified")}),
            id="an-operators-with-our-cap",
        ),
        pytest.param(
            capped(Why(PresetReason.COMPLAINTS), APPEALED),
            '{"code": "complaints", "reference": "AP9E4100", "cap": "appealed"}',
            Wording(
                "{reason} ({cap})",
                {
                    "reason": Wording("other people have complained about this number"),
                    "cap": Wording(
                        "{cap}: {reference}",
                        {"cap": Wording("an appeal is in force"), "reference": "AP9E4100"},
                    ),
                },
            ),
            id="with-the-reference-of-an-appeal",
        ),
    ],
)
def test_reason_is_stored_and_shown_as_text(why: Why, kept: str, words: str | Wording) -> None:
    assert why.kept == kept
    assert why_of(kept) == why
    assert why.words == words
    assert str(why) == str(words)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "no rule of the policy matches the call",
        '{"code"',
        '{"code": 7}',
        '{"code": []}',
        '{"code": ""}',
        '{"code": "of-a-later-version", "entry": "+1"}',
        '{"code": "default", "cap": "timed-out"}',
        '{"code": "default", "cap": "nothing"}',
        '{"code"}',
    ],
)
def test_unknown_reason_is_shown_unchanged(kept: str) -> None:
    why = why_of(kept)
    assert (why.code, str(why), why.kept) == ("", kept, kept)


@pytest.mark.parametrize("kept", ['{"code": "on-blocklist"}', '{"code": "on-blocklist", "entry": 7}'])
def test_missing_values_of_a_reason_raise_nothing(kept: str) -> None:
    assert str(why_of(kept)).endswith(" is on the blocklist")


@given(
    reason=st.sampled_from(list(BY_CODE.values())) | st.text(max_size=60),
    about=st.dictionaries(st.sampled_from(["entry", "day", "reference"]), st.text(max_size=20)),
    cap=st.none() | st.sampled_from(list(Reason)),
)
def test_any_stored_reason_is_read_back(reason: CodedReason | str, about: dict[str, str], cap: Reason | None) -> None:
    why = Why(reason, about if isinstance(reason, CodedReason) or cap else {}, cap)
    assert str(why_of(why.kept)) == str(why)
