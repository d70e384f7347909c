"""Conditions on somebody else's JSON: what holds, what does not, and what is no condition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.lookup_settings import MISSING, ConditionError, parse_condition, parse_path, value_at

DOCUMENT: dict[str, Any] = {
    "data": {"score": 75, "spam": True, "type": "voip", "none": None, "results": [{"votes": 3}, {"votes": 9.5}]},
    "line-type": "x",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("data.score >= 75", True),
        ("data.score>75", False),
        ("data.score <= 75.0", True),
        ("data.score < 75", False),
        ("data.score == 75", True),
        ("data.score != 75", False),
        ("data.score == true", False),
        ("data.spam == true", True),
        ("data.spam == 1", False),
        ("data.spam >= 1", False),
        ('data.type == "voip"', True),
        ('data.type != "mobile"', True),
        ("data.none == null", True),
        ("data.score == null", False),
        ("data.score != null", True),
        ("data.gone == null", False),
        ("data.gone != 1", False),
        ("data.results[1].votes > 9", True),
        ("data.results[2].votes > 0", False),
        ("data[0] == 1", False),
        ('line-type == "x"', True),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert parse_condition(text).holds(DOCUMENT) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data.score",
        "data.score >=",
        "data.score => 75",
        "data..score > 1",
        "data[x] > 1",
        "data[-1] > 1",
        "*.score > 1",
        "data.score > high",
        'data.score > "75"',
        "data.score > true",
        "data == []",
        "data == {}",
        "a.b.c.d.e.f.g.h.i.j.k > 1",
        "a" * 300 + " > 1",
        "data.score > " + "9" * 5000,
        "data.score == " + "[" * 5000,
    ],
)
def test_malformed_condition_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        parse_condition(text)


@given(ANYTHING, st.sampled_from(["a", "a.b", "a[0].b", "b[1][0]"]), st.sampled_from(["==", "!=", ">=", "<"]))
def test_condition_never_raises_on_any_document(document: object, path: str, how: str) -> None:
    assert parse_condition(f"{path} {how} 1").holds(document) in (True, False)


@given(ANYTHING)
def test_value_is_found_by_its_path(value: object) -> None:
    path = parse_path("a.b[1]")
    assert value_at({"a": {"b": [0, value]}}, path) is value
    assert value_at({"a": {"b": [0]}}, path) is MISSING
