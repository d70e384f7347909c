"""Starts of numbers that cover a whole country, territory or toll-free service, and starts that cover a part."""

from __future__ import annotations

import phonenumbers
import pytest

from reputation.whole_areas import AreaKind, WholeArea, whole_area

COUNTRY, TERRITORY, TOLL_FREE = AreaKind.COUNTRY, AreaKind.TERRITORY, AreaKind.TOLL_FREE


@pytest.mark.parametrize(
    ("start", "area"),
    [
        ("33", WholeArea(COUNTRY, "FR")),
        ("1876", WholeArea(COUNTRY, "")),
        ("18", WholeArea(COUNTRY, "")),
        ("5999", WholeArea(TERRITORY, "CW")),
        ("3906698", WholeArea(TERRITORY, "VA")),
        ("76", WholeArea(TERRITORY, "KZ")),
        ("77", WholeArea(TERRITORY, "KZ")),
        ("441481", WholeArea(TERRITORY, "GG")),
        ("441534", WholeArea(TERRITORY, "JE")),
        ("441624", WholeArea(TERRITORY, "IM")),
        ("35818", WholeArea(TERRITORY, "AX")),
        ("4779", WholeArea(TERRITORY, "SJ")),
        ("1800", WholeArea(TOLL_FREE, "US")),
        ("1888", WholeArea(TOLL_FREE, "US")),
        ("4480", WholeArea(TOLL_FREE, "GB")),
        ("49800", WholeArea(TOLL_FREE, "DE")),
        ("861080", WholeArea(TOLL_FREE, "CN")),
    ],
)
def test_a_start_covers_a_whole_area(start: str, area: WholeArea) -> None:
    assert whole_area(start) == area


@pytest.mark.parametrize(
    "start", ["1212", "1204", "18760", "18002", "4420", "447", "7495", "7727", "8610", "861", "1900", "331"]
)
def test_a_start_covers_only_a_part(start: str) -> None:
    assert whole_area(start) is None


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_toll_free_number_lies_in_a_whole_service(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.TOLL_FREE)
    if number is None:
        return
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    areas = [whole_area(digits[:length]) for length in range(len(str(number.country_code)) + 1, len(digits))]
    assert any(area is not None for area in areas)
