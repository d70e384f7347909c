"""Confidence intervals of shares, compared with a textbook."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reputation.formulas import difference, wilson

Z = 1.96


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_contains_its_share(hits: int, others: int) -> None:
    found = wilson(hits, hits + others, Z)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0 or hits + others == 0


def test_intervals_equal_those_of_a_textbook() -> None:
    """Newcombe 1998: 81 of 263, and 56/70 against 48/80."""
    assert [round(x, 4) for x in wilson(81, 263, Z)[1:]] == [0.2553, 0.3662]
    assert [round(x, 4) for x in difference(wilson(56, 70, Z), wilson(48, 80, Z))] == [0.2, 0.0524, 0.3339]
