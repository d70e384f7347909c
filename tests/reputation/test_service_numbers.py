"""Every service number in the metadata has one key everywhere, and no allocated number has that key."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import cache

import phonenumbers
import pytest
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from reputation.model import CallerKind
from reputation.numbers import block_of, caller_of, country_of, is_valid, service_number_of, supported_regions

MOST_DIGITS = 6


@cache
def digits_of(length: int) -> tuple[str, ...]:
    return tuple(str(number).zfill(length) for number in range(10**length))


def described(description: PhoneNumberDesc | None, lengths: Container[int] = range(MOST_DIGITS + 1)) -> Iterator[str]:
    """Return all texts of these lengths that the plan describes, and its example, which may be longer."""
    if description is None or not description.national_number_pattern:
        return
    if description.example_number:
        yield description.example_number
    pattern = re.compile(description.national_number_pattern)
    for length in description.possible_length:
        if length in lengths:
            yield from filter(pattern.fullmatch, digits_of(length))


@pytest.mark.parametrize("region", supported_regions())
def test_no_service_number_has_the_key_of_an_allocated_number(region: str) -> None:
    code = phonenumbers.country_code_for_region(region)
    metadata = PhoneMetadata.short_metadata_for_region(region)
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan
    assert plan.general_desc
    # No number of another length is allocated.
    lengths = [length for length in plan.general_desc.possible_length if length <= MOST_DIGITS]
    for digits in described(metadata.short_code if metadata else None, lengths):
        number = phonenumbers.PhoneNumber(country_code=code, national_number=int(digits))
        number.italian_leading_zero = digits.startswith("0") or None
        if phonenumbers.is_valid_number(number):
            assert caller_of(f"+{code}{digits}", region).kind is CallerKind.NUMBER
            assert caller_of(digits, region).kind is not CallerKind.SERVICE


@pytest.mark.parametrize("region", supported_regions())
def test_the_key_of_a_service_number_parses_back_to_itself(region: str) -> None:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    found = sorted(set(described(metadata.short_code if metadata else None, range(6))))
    for digits in found[:: 1 + len(found) // 500]:
        caller = caller_of(digits, region)
        if caller.key is None:
            assert caller.kind is not CallerKind.SERVICE
            continue
        again = caller_of(caller.key, "ZZ")
        assert (again.key, again.kind) == (caller.key, caller.kind)
        assert is_valid(caller.key) or caller.kind is CallerKind.NUMBER
        if caller.kind is CallerKind.SERVICE:
            service = service_number_of(caller.key)
            assert service is not None
            assert service.digits == digits
            assert country_of(caller.key) == service.country
            assert block_of(caller.key) is None
