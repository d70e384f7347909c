"""How good a source is: intervals, and when it is switched off."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lookups import KINDS, Kind, switched_off_after
from callsieve.source_skill import Judgement, judgement_of, skill_of
from reputation.store.lookups import Compared

COUNTS = st.integers(0, 400)
ANY = st.builds(Compared, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


@given(ANY)
def test_difference_lies_within_its_interval(compared: Compared) -> None:
    skill = skill_of(compared)
    assert -1.0 <= skill.gain.low <= skill.gain.value <= skill.gain.high <= 1.0
    assert skill.right <= skill.told


@given(ANY)
def test_unknown_numbers_do_not_change_the_judgement(compared: Compared) -> None:
    assert judgement_of(compared) == judgement_of(compared._replace(unknown=0))


@given(ANY, st.integers(1, 50))
def test_more_right_answers_never_switch_a_source_off(compared: Compared, more: int) -> None:
    if judgement_of(compared) in (Judgement.NO_WORSE, Judgement.BETTER):
        better = compared._replace(spam_of_spam=compared.spam_of_spam + more)
        assert judgement_of(better) is not Judgement.WORSE


@given(COUNTS, COUNTS)
def test_source_without_answers_is_not_worse_than_chance(spam: int, fine: int) -> None:
    assert judgement_of(Compared(other_of_spam=spam, other_of_fine=fine)) is not Judgement.WORSE


@given(st.integers(0, 400), st.integers(1, 10))
def test_calling_every_number_spam_is_neither_better_nor_worse(spam: int, times: int) -> None:
    """However many of our callers are spammers: its share of right answers is high, and it knows nothing."""
    found = judgement_of(Compared(spam_of_spam=times * spam, spam_of_fine=spam))
    assert found in (Judgement.TOO_FEW, Judgement.NO_WORSE)


@pytest.mark.parametrize(
    ("compared", "judgement"),
    [
        pytest.param(Compared(0, 9, 9, 0), Judgement.TOO_FEW, id="few"),
        pytest.param(Compared(0, 9, 100, 0), Judgement.TOO_FEW, id="few-honest-callers"),
        pytest.param(Compared(0, 25, 25, 0), Judgement.WORSE, id="always-wrong"),
        pytest.param(Compared(2, 30, 60, 70), Judgement.WORSE, id="mostly-wrong"),
        pytest.param(Compared(30, 2, 60, 70), Judgement.BETTER, id="mostly-right"),
        pytest.param(Compared(5, 5, 60, 70), Judgement.NO_WORSE, id="a-coin"),
        pytest.param(Compared(0, 0, 60, 58, 40, 2), Judgement.WORSE, id="calls-spammers-fine"),
    ],
)
def test_judgement_of_examples(compared: Compared, judgement: Judgement) -> None:
    assert judgement_of(compared) is judgement


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what)
def test_number_of_calls_before_a_bad_source_is_switched_off(kind: Kind) -> None:
    """As docs/contributing/decisions/look-ups.md has it, with fewer runs: the bad ones are, the good ones never."""
    random = Random(7)
    ends = [switched_off_after(kind, random, 200) for _ in range(20)]
    if kind.what == "always wrong":
        assert all(end is not None and end <= 50 for end in ends)
    elif kind.of_spam >= kind.of_fine:
        assert sum(end is not None for end in ends) <= 1
