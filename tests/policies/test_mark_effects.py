"""How many marks until it takes effect: the figures are those of the scorer, and marks alone never stop a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Action
from policies.loader import PRESETS, load_policy
from policies.mark_effects import (
    NOW,
    MarkedNumber,
    MarkKind,
    action_under,
    effect_of,
    evidence_of,
    least_people,
    strongest,
)
from reputation.evidence import Circumstances
from reputation.explaining import fades_of, more_marks
from reputation.model import Level
from reputation.scoring import reputation_of
from reputation.weights import DEFAULT

ALL = MarkedNumber(1, 1, listed=True, failed=True)
counts = st.integers(0, 60)


def case_by(kind: MarkKind, count: int, answered: int) -> MarkedNumber:
    marks = {MarkKind.MARKS: count, MarkKind.HANG_UPS: 0, MarkKind.BOTH: count // 2}[kind]
    return MarkedNumber(marks, count - marks, answered)


@pytest.mark.parametrize("people", [0, 3, 20, 200])
@pytest.mark.parametrize("answered", [1, 5, 10, 50])
@pytest.mark.parametrize("kind", list(MarkKind))
@pytest.mark.parametrize("level", [Level.WARN, Level.CHALLENGE, Level.ROUTE])
def test_least_number_of_marks_is_minimal(level: Level, kind: MarkKind, answered: int, people: int) -> None:
    reached = [
        count
        for count in range(1, answered + 1)
        if effect_of(case_by(kind, count, answered), DEFAULT, people).level >= level
    ]
    assert least_people(kind, answered, level, DEFAULT, people) == (reached[0] if reached else None)


@given(marks=counts, silent=counts, groups=st.integers(0, 5), people=st.integers(0, 500))
def test_marks_alone_never_do_more_than_label(marks: int, silent: int, groups: int, people: int) -> None:
    case = MarkedNumber(marks, 0, marks + silent, groups)
    assert effect_of(case, DEFAULT, people).level <= Level.WARN
    assert action_under(load_policy("strict"), case, DEFAULT, people) <= Action.WARN


@given(marks=counts, hung_up=counts, silent=counts, failed=st.booleans(), people=st.integers(0, 500))
def test_without_outside_evidence_the_action_is_a_challenge(
    marks: int, hung_up: int, silent: int, failed: bool, people: int
) -> None:
    case = MarkedNumber(marks, hung_up, marks + hung_up + silent, failed=failed)
    assert action_under(load_policy("strict"), case, DEFAULT, people) <= Action.CHALLENGE


@pytest.mark.parametrize(
    ("case", "action"),
    [
        pytest.param(ALL, Action.REJECT, id="all-of-several-groups"),
        pytest.param(ALL._replace(groups=1), Action.ROUTE, id="one-group"),
        pytest.param(ALL._replace(appealed=True), Action.CHALLENGE, id="appealed"),
        pytest.param(ALL._replace(verified=True), Action.WARN, id="verified"),
        pytest.param(ALL._replace(passed=True), Action.WARN, id="passed"),
        pytest.param(ALL._replace(listed=False), Action.CHALLENGE, id="no-source"),
        pytest.param(ALL._replace(failed=False), Action.CHALLENGE, id="not-asked"),
        pytest.param(MarkedNumber(1, at_once=True), Action.ALLOW, id="a-burst"),
    ],
)
def test_evidence_needed_for_a_reject(case: MarkedNumber, action: Action) -> None:
    assert action_under(load_policy("strict"), strongest(case, DEFAULT, 20), DEFAULT, 20) is action


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "strict"])
def test_only_strict_rejects_on_evidence(preset: str) -> None:
    assert action_under(load_policy(preset), strongest(ALL, DEFAULT, 20), DEFAULT, 20) <= Action.ROUTE


@given(marks=st.integers(1, 20), hung_up=st.integers(0, 20), listed=st.booleans(), failed=st.booleans())
def test_evidence_fades_at_the_predicted_time(marks: int, hung_up: int, listed: bool, failed: bool) -> None:
    case = MarkedNumber(marks, hung_up, marks + hung_up, listed=listed, failed=failed)
    evidence, about = evidence_of(case, DEFAULT), Circumstances(people=20)

    def level_at(at: float) -> Level:
        return reputation_of(evidence, about, DEFAULT, at).level

    before = level_at(NOW)
    fades = fades_of(evidence, about, DEFAULT, NOW)
    for at, level in fades:
        assert level_at(at - 61) > level == level_at(at)
        assert before > level
        before = level
    assert bool(fades) or level_at(NOW) is Level.NONE or listed


@pytest.mark.parametrize(
    ("case", "more"),
    [
        pytest.param(MarkedNumber(0, 0, 5), (4, Level.WARN), id="nobody-has-marked"),
        pytest.param(MarkedNumber(1, 0, 5), (3, Level.WARN), id="one-has-one-more-labels"),
        pytest.param(MarkedNumber(5, 0, 5), None, id="labelled-by-marks-alone"),
        pytest.param(MarkedNumber(1, 1, 3), (1, Level.WARN), id="and-hang-ups"),
    ],
)
def test_number_of_further_marks_needed(case: MarkedNumber, more: tuple[int, Level] | None) -> None:
    assert more_marks(evidence_of(case, DEFAULT), Circumstances(people=20), DEFAULT, NOW) == more
