r"""Recognise prefixes that cover all numbers of a country, a territory or a toll-free service.

    whole_area("5999")    CW, territory: all of Curaçao
    whole_area("441481")  GG, territory: all landlines of Guernsey
    whole_area("1800")    US, toll-free
    whole_area("4420")    None

The prefixes come from libphonenumber's patterns: numbers of `8(?:00|33)[2-9]\d{6}` begin with 800 or 833.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from reputation.number_parsing import (
    is_short_code,
    phone_number_of,
    regions_and_digits,
)
from reputation.number_patterns import (
    CALLING_CODES,
    calling_code_in,
)
from reputation.numbers import is_valid, service_number_of
from reputation.wording import Places, Wording


class AreaKind(StrEnum):
    """The kind of area that a prefix covers."""

    COUNTRY = "country"
    TERRITORY = "territory"
    TOLL_FREE = "toll-free"


class WholeArea(NamedTuple):
    """An area that a prefix covers. `region`: ISO alpha-2; empty for several countries or an unknown country."""

    kind: AreaKind
    region: str


# Regions with the larger part of a calling code that others share. A longer prefix covers only a part of them.
_MAIN = frozenset({"AU", "CA", "FI", "GB", "IT", "MA", "NO", "RU", "US"})
# Assigned to Kazakhstan by ITU-T E.164, but unused: libphonenumber has only 7.
_MORE_STARTS = {"KZ": ("6",)}
DIGITS = "0123456789"
# A class of so many digits counts as any digit: the alternatives before it are the prefixes.
_MANY_DIGITS = 8
_TOKEN = re.compile(r"\\d|\[[^\]]*\]|\d|\(\?:|[|)]|\{\d+(?:,\d*)?\}|\?")


def whole_area(start: str) -> WholeArea | None:
    """Return the area whose numbers a prefix (digits after the +) covers completely; None if there is no such area."""
    if is_country_start(start):
        code = calling_code_in(f"+{start}")
        return WholeArea(
            AreaKind.COUNTRY, phonenumbers.region_code_for_country_code(int(code)) if code == start else ""
        )
    code = calling_code_in(f"+{start}")
    national = start.removeprefix(code)
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ()):
        if _covers_one(national, _toll_free_starts(region)):
            return WholeArea(AreaKind.TOLL_FREE, region)
        if region not in _MAIN and _covers_territory(region, national):
            return WholeArea(AreaKind.TERRITORY, region)
    return None


def _covers_territory(region: str, national: str) -> bool:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[metadata.country_code or 0]) == 1:
        return False
    own = [*(_starts(metadata.leading_digits) if metadata.leading_digits else ()), *_MORE_STARTS.get(region, ())]
    if _covers_one(national, own):
        return True
    landlines = _starts_of(metadata.fixed_line)
    return bool(landlines) and all(begin.startswith(national) for begin in landlines)


def _covers_one(national: str, starts: Iterable[str]) -> bool:
    return any(begin.startswith(national) and len(begin) <= len(national) + 1 for begin in starts)


@lru_cache(maxsize=512)
def _toll_free_starts(region: str) -> frozenset[str]:
    metadata = PhoneMetadata.metadata_for_region(region)
    return _starts_of(None if metadata is None else metadata.toll_free)


def _starts_of(description: PhoneNumberDesc | None) -> frozenset[str]:
    return _starts(description.national_number_pattern) if description and description.national_number_pattern else _NO


_NO: frozenset[str] = frozenset()


@lru_cache(maxsize=512)
def _starts(pattern: str) -> frozenset[str]:
    """Return the prefixes of a pattern's numbers, up to the first position at which any digit may follow.

    Complete numbers are left out, except in a pattern that has only digits.
    """
    starts = _read(iter(_TOKEN.findall(pattern)))
    begun = frozenset(start.removesuffix("*") for start in starts if start.endswith("*"))
    return begun or frozenset(starts)


def _read(tokens: Iterator[str]) -> list[str]:
    """Return the prefixes of a pattern's alternatives up to the closing bracket. A final `*` stands for any digit."""
    done: list[str] = []
    here, last = [""], [""]  # this alternative so far, without and with its last part
    part: list[str] = [""]
    for token in tokens:
        if token == "?":
            last = list(dict.fromkeys([*here, *last]))
            continue
        if token.startswith("{"):
            least = int(token[1:-1].split(",")[0])
            last = list(here) if least == 0 else here
            for _ in range(max(1, least)):
                last = _joined(last, part)
            continue
        here = last
        if token in "|)":
            done += here
            here, last, part = [""], [""], [""]
            if token == ")":
                return done
            continue
        part = _read(tokens) if token == "(?:" else _digits_in(token)
        last = _joined(here, part)
    return [*done, *last]


def _digits_in(token: str) -> list[str]:
    digits = [digit for digit in DIGITS if re.fullmatch(token, digit)]
    return ["*"] if len(digits) >= _MANY_DIGITS else digits


def _joined(begun: list[str], part: list[str]) -> list[str]:
    joined = (left if left.endswith("*") else left + right for left in begun for right in part)
    return list(dict.fromkeys(joined))


# Digits appended to an unallocated number, to check whether it is the prefix of an allocated one.
_FILLERS = ("00000000", "11111111", "23456789", "55555555", "78901234")


def is_country_start(digits: str) -> bool:
    """Return whether the digits are a calling code or its beginning: all numbers of a country start with them.

    Under +1 the digits may also be an area code of a single country: 876 is Jamaica, 809 the Dominican Republic.
    """
    return any(code.startswith(digits) for code in (*CALLING_CODES, *_countries_under_1()))


@lru_cache(maxsize=1)
def _countries_under_1() -> tuple[str, ...]:
    """Return prefixes such as `1876`, from libphonenumber's leading digits of each region that shares +1."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    metadata = (phonenumbers.PhoneMetadata.metadata_for_region(region) for region in regions)
    own = [region.leading_digits for region in metadata if region is not None and region.leading_digits]
    return tuple(f"1{area}" for area in range(200, 1000) if any(re.fullmatch(digits, str(area)) for digits in own))


def start_of_longer(e164: str) -> str | None:
    """Return the prefix that was mistaken for a number, such as `+44207946` for `+440207946`; None for a real number.

    `0207-946` is parsed to `+440207946`, with its 0, because the United Kingdom has numbers of 7 digits.
    """
    service = service_number_of(e164)
    if service is not None:
        return e164 if service.texts_only and _begins_numbers(e164) else None
    number = phone_number_of(e164)
    if number is None or is_valid(e164):
        return None
    country_code = f"+{number.country_code}"
    national = e164.removeprefix(country_code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(
        phonenumbers.region_code_for_country_code(number.country_code or 0)
    )
    if metadata is not None and metadata.national_prefix == "0" and national.startswith("0"):
        return country_code + national.lstrip("0")
    return e164 if _begins_numbers(e164) else None


def _begins_numbers(digits: str) -> bool:
    longer = (f"{digits}{filler[:count]}" for count in range(1, 8) for filler in _FILLERS)
    return any(is_valid(number) and service_number_of(number) is None for number in longer)


class PrefixError(ValueError):
    """The error for national digits that are no clear prefix. `words`: the kinds of numbers they may begin, or None."""

    def __init__(self, words: Wording | None = None) -> None:
        super().__init__(str(words or ""))
        self.words = words


@lru_cache(maxsize=128)
def prefix_of(digits: str, region: str) -> str:
    """Return a prefix, as people dial it in the region, with the calling code: `+33162` for 0162, `+8695` for 95 in CN.

    Raise PrefixError unless the digits begin with the national prefix 0, or begin more service numbers than other
    numbers. In FR, 36 is refused, because it may mean service numbers such as 3639 or the landlines of 03 6x.
    """
    region = region.upper()
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise PrefixError
    if metadata.national_prefix == "0" and digits.startswith("0"):
        if not digits[1:] or digits.startswith("00"):
            raise PrefixError
        return f"+{metadata.country_code}{digits[1:]}"
    start = f"+{metadata.country_code}{digits}"
    services, ordinary = _next_digits(start, region)
    if not services:
        raise PrefixError
    if len(ordinary) >= len(services):
        places: Places = {"region": region, "start": f"{start}{ordinary[0]}"}
        raise PrefixError(
            Wording(
                "both service numbers of {region} and other numbers ({start}...) begin with these digits: enter "
                "more digits",
                places,
            )
        )
    return start


def ordinary_beside_services(start: str) -> str | None:
    """Return a prefix of ordinary numbers if `start` also begins service numbers (`+86951` for `+8695`), or None."""
    regions, _ = regions_and_digits(start)
    services, ordinary = _next_digits(start, regions[0]) if regions else ("", "")
    return f"{start}{ordinary[0]}" if services and ordinary else None


def _next_digits(start: str, region: str) -> tuple[str, str]:
    _, digits = regions_and_digits(start)
    if not digits or len(digits) > 6:
        return "", ""
    services = "".join(digit for digit in "0123456789" if _begins_services(f"{digits}{digit}", region))
    if not services and not is_short_code(digits, region):
        return "", ""
    return services or "-", "".join(digit for digit in "0123456789" if _begins_numbers(f"{start}{digit}"))


def _begins_services(digits: str, region: str) -> bool:
    longer = (f"{digits}{more:0{count}}" for count in range(1, 7 - len(digits)) for more in range(10**count))
    return any(is_short_code(code, region) for code in (digits, *longer))
