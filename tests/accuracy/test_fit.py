"""Weights are fitted to observations, with their required signs."""

from __future__ import annotations

from collections import Counter
from math import exp
from random import Random

import pytest

from benchmarks.accuracy.fit import SIGNS, Fit, Row, fitted, literal_of, pooled

TRUE = Fit(-1.0, (2.0, -1.5, 1.0, 0.5, -0.5, -1.0, -2.0))


def rows_of(truth: Fit) -> Counter[tuple[Row, bool]]:
    """Return the expected observations for these weights, each count being 0 or 1."""
    chance, rows = Random(1), Counter[tuple[Row, bool]]()
    for _ in range(20_000):
        row = tuple(chance.choice((0.0, 1.0)) for _ in SIGNS)
        rows[row, chance.random() < 1 / (1 + exp(-truth.score(row)))] += 1
    return rows


def test_the_fit_finds_the_true_weights() -> None:
    fit = fitted(rows_of(TRUE))
    assert fit.weights == pytest.approx(TRUE.weights, abs=0.15)
    assert fit.intercept == pytest.approx(TRUE.intercept, abs=0.15)


def test_no_fitted_weight_has_the_wrong_sign() -> None:
    fit = fitted(rows_of(TRUE._replace(weights=(2.0, -1.5, -1.0, 0.5, 0.5, -1.0, -2.0))))
    assert (fit.weights[2], fit.weights[4]) == (0.0, 0.0)
    assert fit.weights[0] == pytest.approx(2.0, abs=0.2)


def test_each_office_and_kind_weighs_the_same() -> None:
    row: Row = (0.0,) * len(SIGNS)
    found = {("a", 1): Counter({(row, True): 1, (row, False): 99}), ("b", 1): Counter({(row, False): 7})}
    assert pooled(found, ["a"], [1, 1]) == {(row, True): 1000.0, (row, False): 1000.0}
    assert pooled(found, ["a", "b"], [1]) == {(row, True): 1000.0, (row, False): 2000.0}


def test_the_literal_is_written_as_code() -> None:
    assert literal_of(TRUE) == (
        "CountWeights(marked=2.00, unmarked=-1.50, hung_up=1.00, missed=0.50, messages=-0.50, talks=-1.00,"
        " wanted=-2.00)  # intercept -1.00"
    )
