"""Names of callers: how they are compared, and which are carrier labels."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reputation.caller_names import MAX_NAME, SPAM_LABELS, compared, is_missing, label_of_carrier, name_matches


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  Scam\t Likely\n", "scam likely"),
        ("ＳＰＡＭ　ＲＩＳＫ", "spam risk"),
        ("sp\u200bam\u202e risk", "spam risk"),
        ("STRASSE", "strasse"),
        pytest.param("x" * 10_000, "x" * MAX_NAME, id="long"),
        pytest.param("\ud800", "", id="surrogate"),
    ],
)
def test_names_are_compared_by_their_visible_characters(raw: str, expected: str) -> None:
    assert compared(raw) == expected


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_matches_as_a_glob_does(pattern: str, name: str) -> None:
    assert name_matches(name, pattern) == fnmatchcase(name, re.sub(r"\*+", "*", pattern))


@given(st.text())
@example("\ufdfa" * 10)  # one character that becomes eighteen
@example("\u0345\u0300\u1fd2")  # marks whose order and form change with the case
@example("\u00a8x")  # a space comes out of it
def test_any_text_is_accepted_as_a_name(text: str) -> None:
    assert compared(compared(text)) == compared(text)
    assert is_missing(text) in (True, False)
    assert label_of_carrier(text) is None or label_of_carrier(text) in SPAM_LABELS


@pytest.mark.parametrize(
    "name", ["Scam Likely", "SPAM RISK", "Potential Spam", "suspected  spam", "Fraud Risk", "SPAM?"]
)
def test_a_carrier_label_is_recognised(name: str) -> None:
    assert label_of_carrier(name) == " ".join(name.lower().split())


@pytest.mark.parametrize("name", ["", "Joe", "Spam Risk Advisors Ltd", "Not Spam", "spam risk joe"])
def test_other_names_are_no_carrier_label(name: str) -> None:
    assert label_of_carrier(name) is None
