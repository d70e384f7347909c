"""A number is found in a text in any spelling, and no other number is changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.numbers import national_digits
from reputation.store.privacy import digits_in_file, digits_in_text, masker

US, GB = "+12015550143", "+442071838750"
SEPARATORS = st.text(" .-()_*\u00a0\u2009\u2011\u202f\u3000\uff08\uff09\n", max_size=4)
COMMAS = st.text(" .-()_*,\u3001\uff0c\u060c", max_size=4)
ZEROS = st.sampled_from("0\u0660\u06f0\uff10")
PREFIXES = st.sampled_from(["+{code}", "00{code}", "011 {code}", "+{code} (0)", "({code}) ", "{code}", "0", "(0)", ""])


@st.composite
def spelled(draw: st.DrawFn, number: str) -> str:
    """The number with separators in any place."""
    national = national_digits(number)
    code = number[1:].removesuffix(national)
    prefix = draw(PREFIXES).format(code=code)
    return prefix + draw(SEPARATORS) * bool(prefix) + draw(separated(national))


def written(text: str, zero: str) -> str:
    """Return the text with its digits in another script."""
    return "".join(chr(ord(zero) + int(char)) if "0" <= char <= "9" else char for char in text)


def separated(digits: str, separators: st.SearchStrategy[str] = SEPARATORS) -> st.SearchStrategy[str]:
    gaps = st.lists(separators, min_size=len(digits) - 1, max_size=len(digits) - 1)
    return gaps.map(lambda gaps: digits[0] + "".join(gap + digit for gap, digit in zip(gaps, digits[1:], strict=True)))


def digits_of(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


@pytest.mark.parametrize("number", [US, GB])
@given(data=st.data())
def test_any_spelling_is_masked(number: str, data: st.DataObject) -> None:
    spelling = written(data.draw(spelled(number)), data.draw(ZEROS))
    note = f"see {spelling} or {'+12015550199'}, since 9:30"
    masked = masker(number, "*")(note)
    assert digits_of(masked) == "12015550199930"
    assert digits_in_text(number).search(note)
    assert digits_in_file(number).search(note.encode())


@pytest.mark.parametrize("number", [US, GB])
@given(data=st.data())
def test_digits_are_listed_with_commas(number: str, data: st.DataObject) -> None:
    spelling = written(data.draw(separated(national_digits(number), COMMAS)), data.draw(ZEROS))
    note = f"see {spelling} or x"
    assert masker(number, "*")(note) == "see * or x"
    assert digits_in_text(number).search(note)
    assert digits_in_file(number).search(note.encode())


@pytest.mark.parametrize("number", [US, GB])
@given(data=st.data())
def test_other_numbers_in_the_same_text_keep_their_digits(number: str, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from(["+12015550144", "+442071838751", "+4920155501", "+12025550143"]))
    before, after = data.draw(spelled(other)), data.draw(spelled(other))
    between = st.sampled_from([" ", ", ", " / ", "\n", " or "])
    note = before + data.draw(between) + number + data.draw(between) + after
    masked = masker(number, "*")(note)
    assert digits_of(masked) == digits_of(before) + digits_of(after)


@pytest.mark.parametrize("number", [US, GB])
@given(data=st.data(), more=st.text("2356789", min_size=1, max_size=5))
def test_a_longer_number_is_not_changed(number: str, data: st.DataObject, more: str) -> None:
    spelling = data.draw(separated(national_digits(number)))
    joint = data.draw(st.sampled_from(["", "-", ".", "_", "*"]))
    longer = data.draw(st.sampled_from([f"ref {more}{joint}{spelling}", f"ref {spelling}{joint}{more}"]))
    assert masker(number, "*")(longer) == longer


@pytest.mark.parametrize(
    ("note", "left"),
    [
        pytest.param("call (201) 555-0143 or +44 20 7183 8750", "call * or +44 20 7183 8750", id="bracketed"),
        pytest.param("Alice (2015550143)", "Alice (*)", id="in brackets"),
        pytest.param("14:30 201-555-0143.", "14:30 *.", id="after the time"),
        pytest.param("2015550143/2015550144", "*/2015550144", id="two of them"),
        pytest.param("2015550143-2015550149", "*-2015550149", id="a range"),
        pytest.param("tel:+1-201-555-0143;ext=5", "tel:*;ext=5", id="uri"),
        pytest.param("+49 201 5550143", "+49 201 5550143", id="of another country"),
        pytest.param("0049 201 555 0143", "0049 201 555 0143", id="of another country, dialled"),
        pytest.param("+44 1201 555 0143", "+44 1201 555 0143", id="its digits with 1 in another country"),
        pytest.param("312-201-555-0143", "312-201-555-0143", id="longer, with hyphens"),
        pytest.param("312(201)555-0143", "312(201)555-0143", id="longer, with brackets"),
        pytest.param("201-555-01437", "201-555-01437", id="longer at the end"),
        pytest.param("312_201_555_0143", "312_201_555_0143", id="longer, with underscores"),
        pytest.param("201, 555, 0143 and 201_555_0143", "* and *", id="commas and underscores"),
        pytest.param("201*555*0143", "*", id="as a phone writes a pause"),
        pytest.param("２０１５５５０１４３, ２０１５５５０１４４", "*, ２０１５５５０１４４", id="full-width"),
        pytest.param("٢٠١ ٥٥٥ ٠١٤٣ أو ۲۰۱۵۵۵۰۱۴۳", "* أو *", id="arabic and persian"),
    ],
)
def test_masking_keeps_the_rest_of_a_note(note: str, left: str) -> None:
    assert masker(US, "*")(note) == left


@pytest.mark.parametrize(
    ("number", "note", "left"),
    [
        pytest.param("+8695588", "95588 or +86 95588, 0086-95588", "* or *, *", id="five-digits-in-any-spelling"),
        pytest.param("+8695588", "1955881, 955880", "1955881, 955880", id="within-longer-numbers"),
        pytest.param("+333949", "+33 3949, 0033 3949 and 3949", "*, * and 3949", id="four-only-with-their-country"),
        pytest.param("+1411", "room 411, +1 411", "room 411, *", id="three-only-with-their-country"),
    ],
)
def test_a_service_number_is_masked(number: str, note: str, left: str) -> None:
    assert masker(number, "*")(note) == left
