"""The sentence for the owner of a number follows the weights and holds in the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace as with_changes

from reputation.evidence import Circumstances, Evidence
from reputation.families.caller import passed_until
from reputation.families.counts import counts_of
from reputation.model import ChallengeHistory, Level, SignalCategory
from reputation.owner_sentence import MOST_MARKS, figures_of, owner_sentence
from reputation.scoring import reputation_of
from reputation.standing import Standing
from reputation.weights import (
    DAY_SECONDS,
    DEFAULT,
    CallerWeights,
    CountWeights,
    Thresholds,
    Weights,
    WitnessWeights,
    problems_of,
)
from tests.reputation.store_builders import NOW

ROOT = Path(__file__).resolve().parents[2]

weights_of_all_kinds = st.builds(
    lambda counts, witnesses: Weights(counts=counts, witnesses=witnesses, levels=Thresholds(warn_unspoken=100.0)),
    st.builds(
        CountWeights,
        marked=st.floats(2, 9),
        unmarked=st.floats(-4, -0.5),
        hung_up=st.floats(0.5, 5),
        missed=st.floats(0.5, 5),
        marks_half_life_days=st.floats(1, 365),
    ),
    st.builds(
        WitnessWeights,
        label_share=st.floats(0.001, 0.1),
        label_least=st.integers(1, 4),
        label_most=st.integers(4, 9),
        challenge_share=st.floats(0.1, 0.4),
        challenge_least=st.integers(4, 9),
        challenge_most=st.integers(9, 20),
    ),
).filter(lambda weights: not problems_of(weights))
offices = st.integers(0, 1000)


def marked(people: int, answered: int) -> Standing:
    """Make a standing with so many marks among those who answered, and nothing else."""
    return Standing(
        at=NOW, marks=people, answers=answered, reporters=people, answered=answered,
        silent=answered - people, witnessed=(NOW,) * people, adverse=(NOW,) * min(8, people),
    )  # fmt: skip


def level_of(standing: Standing, weights: Weights, people: int) -> Level:
    return reputation_of(Evidence(standing=standing), Circumstances(people=people), weights, NOW).level


@given(weights_of_all_kinds, offices, st.integers(0, 20), st.floats(0, 30), st.floats(0, 30), st.data())
def test_fewer_people_neither_label_nor_challenge(
    weights: Weights, office: int, seen: int, marks: float, hung_up: float, data: st.DataObject
) -> None:
    figures = figures_of(weights, office)
    failures = data.draw(st.integers(0, 3))
    standing = Standing(
        at=NOW, marks=marks, answers=marks, hung_up=hung_up, reporters=round(marks), answered=round(marks),
        signals=((SignalCategory.HUNG_UP_ON, 1),), witnessed=(NOW,) * seen, adverse=(NOW,) * min(8, seen),
        challenges=ChallengeHistory(failures=failures, failed_at=NOW if failures else None),
    )  # fmt: skip
    level = level_of(standing, weights, office)
    assert level <= Level.CHALLENGE  # no outside source: no call is rejected
    if seen < figures.challenge:
        assert level < Level.CHALLENGE
    if seen < figures.label:
        assert level is Level.NONE


@given(weights_of_all_kinds, offices, st.integers(0, 500), st.integers(0, 5000))
def test_marks_alone_never_stop_a_call(weights: Weights, office: int, people: int, silent: int) -> None:
    assert level_of(marked(people, people + silent), weights, office) <= Level.WARN


@given(weights_of_all_kinds, offices)
def test_the_stated_number_of_marks_is_the_least_that_labels(weights: Weights, office: int) -> None:
    least = figures_of(weights, office).marks
    assume(least < MOST_MARKS)
    assert level_of(marked(least, least), weights, office) is Level.WARN
    assert level_of(marked(least - 1, least - 1), weights, office) is Level.NONE


@given(weights_of_all_kinds, offices)
def test_the_stated_shares_of_answerers_hold(weights: Weights, office: int) -> None:
    figures = figures_of(weights, office)
    assume(figures.marks < MOST_MARKS)
    shares = figures.answered_few, figures.answered_many
    assert level_of(marked(figures.marks, figures.marks * min(shares)), weights, office) is Level.WARN
    assert level_of(marked(figures.marks, figures.marks * (max(shares) + 1)), weights, office) is Level.NONE


@given(weights_of_all_kinds)
def test_marks_halve_in_the_stated_time(weights: Weights) -> None:
    then = NOW + weights.counts.marks_half_life_days * DAY_SECONDS
    assert counts_of(marked(8, 8), weights, then).marked == pytest.approx(4)


@given(st.floats(1, 90), st.floats(0, 24), st.integers(1, 5), st.integers(0, 9))
def test_a_pass_lasts_as_long_as_stated(days: float, hours: float, enough: int, people: int) -> None:
    caller = CallerWeights(pass_days=days, pass_hours=hours, pass_marks=enough)
    until = passed_until(ChallengeHistory(passes=(NOW,), of_number=(NOW,), marked=people), caller)
    assert until == NOW + (days * DAY_SECONDS if people < enough else hours * 3600.0)
    said = str(owner_sentence(with_changes(DEFAULT, caller=caller), 200))
    assert f"not asked again for {days:g} days" in said
    assert (f"within {hours:g} hours" in said) == (hours > 0)


def test_the_model_page_has_the_sentence() -> None:
    page = (ROOT / "docs" / "explanation" / "model.md").read_text()
    assert str(owner_sentence(DEFAULT, 200)) in " ".join(page.replace("\n> ", "\n").split())


def test_the_sentence_for_200_people_has_its_figures() -> None:
    figures = figures_of(DEFAULT, 200)
    assert (figures.label, figures.challenge, figures.marks, figures.events) == (5, 14, 5, 6)
    said = str(owner_sentence(DEFAULT, 200))
    for text in (" 5 different people", " 14 different people", "for 30 days, unless 2 people"):
        assert text in said


@pytest.mark.parametrize(
    ("changed", "says", "says_not"),
    [
        pytest.param({"label_least": 1, "label_share": 0.001}, "", "One mark changes nothing", id="one"),
        pytest.param({"challenge_least": 9, "challenge_share": 0.001}, "after 9 different", "after 5", id="more"),
    ],
)  # fmt: skip
def test_the_sentence_follows_the_weights(changed: dict[str, float], says: str, says_not: str) -> None:
    weights = with_changes(DEFAULT, witnesses=with_changes(DEFAULT.witnesses, **changed))
    said = str(owner_sentence(weights, 20))
    assert says in said
    assert says_not not in said
    assert said != str(owner_sentence(DEFAULT, 20))
