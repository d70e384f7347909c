"""The patterns agree with phonenumbers, for numbers at the edges of all plans and for random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber

from reputation.number_patterns import is_allocated, national_of, settled
from reputation.numbers import caller_of, number_of, supported_regions

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
DIGITS = "0123456789"
# Service numbers there are as long as telephone numbers.
LEFT_TO_PHONENUMBERS = ("PG", "SH", "TA")
USES = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "uan")


def plans_of(code: int) -> list[PhoneMetadata]:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    found = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
    return [item for item in found if item is not None]


def examples_of(plan: PhoneMetadata) -> list[str]:
    found = (getattr(plan, use) for use in USES)
    return [item.example_number for item in found if item is not None and item.example_number]


def number_with(code: int, national: str) -> PhoneNumber:
    zeros = min(len(national) - len(national.lstrip("0")), len(national) - 1)
    return PhoneNumber(
        country_code=code,
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


def edges_of(code: int) -> Iterator[str]:
    """Yield each example with one digit changed, and each start of three digits in a random length."""
    chance = random.Random(code)
    for plan in plans_of(code):
        for example in examples_of(plan):
            yield from (
                example[:place] + digit + example[place + 1 :] for place in range(len(example)) for digit in DIGITS
            )
    lengths = sorted(
        {length for plan in plans_of(code) if (all_ := plan.general_desc) for length in all_.possible_length}
    )
    for start in range(1000):
        length = max(chance.choice(lengths), 3)
        yield f"{start:03}" + "".join(chance.choices(DIGITS, k=length - 3))


@pytest.mark.parametrize("code", CODES)
def test_a_number_is_allocated_where_phonenumbers_finds_it_valid(code: int) -> None:
    wrong = [
        national
        for national in edges_of(code)
        if is_allocated(str(code), national) != phonenumbers.is_valid_number(number_with(code, national))
    ]
    assert not wrong


def dialled_in(region: str) -> Iterator[str]:
    """Yield numbers of the region and others, with all prefixes, and texts that only resemble numbers."""
    chance = random.Random(region)
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan is not None
    code, trunk = str(plan.country_code), plan.national_prefix or ""
    for _ in range(250):
        number = chance.choice(examples_of(plan))
        kept = chance.randrange(len(number) + 1)
        longer = chance.choice((0, 0, 0, 0, 1, -1))
        number = number[:kept] + "".join(chance.choices(DIGITS, k=max(len(number) - kept + longer, 0)))
        other = str(chance.choice(CODES))
        before = (*("", trunk) * 4, code, code + trunk, f"00{code}", f"011{code}", "0", "1", "8", "06", "00", other)
        yield chance.choice(before) + number


@pytest.mark.parametrize("region", supported_regions())
def test_dialled_digits_are_parsed_as_phonenumbers_does(region: str) -> None:
    told = {digits: found for digits in dialled_in(region) if (found := national_of(digits, region))}
    assert {digits: parsed(digits, region) for digits in told} == told
    assert len(told) > 25 or region in LEFT_TO_PHONENUMBERS


def parsed(text: str, region: str | None) -> tuple[str, str] | None:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return str(number.country_code), phonenumbers.national_significant_number(number)


@given(st.sampled_from(CODES), st.from_regex(r"[0-9]{3,13}", fullmatch=True))
def test_a_settled_number_parses_back_to_itself(code: int, national: str) -> None:
    text = f"+{code}{national}"
    if found := settled(text):
        assert parsed(text, None) == found
        assert "".join(("+", *found)) == text


@given(st.text("+0123456789 ()-.", max_size=26) | st.text(max_size=20), st.sampled_from(("US", "GB", "DE", "cn", "")))
def test_a_number_in_a_list_is_parsed_like_a_caller(text: str, region: str) -> None:
    assert "/" in text or number_of(text, region) == caller_of(text, region).key


@pytest.mark.parametrize(
    ("digits", "region"),
    [
        pytest.param("5491123456789", "AR", id="rewritten-by-its-prefix-or-not"),
        pytest.param("01123456789", "BR", id="a-carrier-may-stand-before-it"),
        pytest.param("1", "US", id="nothing"),
        pytest.param("", "US", id="empty"),
        pytest.param("2017421834", "ZZ", id="no-region"),
    ],
)
def test_ambiguous_digits_are_left_to_phonenumbers(digits: str, region: str) -> None:
    found = national_of(digits, region)
    assert found is None or found == parsed(digits, region)
