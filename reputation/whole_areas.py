"""Tell which starts of numbers have all numbers of a country, a territory or a toll-free service behind them.

    whole_area("5999")    CW, territory: all of Curaçao
    whole_area("441481")  GG, territory: all landlines of Guernsey
    whole_area("1800")    US, toll-free
    whole_area("4420")    None

From libphonenumber's patterns, which are alternatives of digits: `8(?:00|33)[2-9]\\d{6}` begins with 800 or 833.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from reputation.number_patterns import calling_code_in
from reputation.numbers import is_country_start


class AreaKind(StrEnum):
    """What is covered."""

    COUNTRY = "country"
    TERRITORY = "territory"
    TOLL_FREE = "toll-free"


class WholeArea(NamedTuple):
    """`region`: ISO alpha-2; empty where several countries are covered, or one that cannot be named."""

    kind: AreaKind
    region: str


# Regions that have the larger part of a calling code which others share: only parts of them begin with more than it.
_MAIN = frozenset({"AU", "CA", "FI", "GB", "IT", "MA", "NO", "RU", "US"})
# Kazakhstan's by ITU-T E.164, and not in use: libphonenumber has 7 alone.
_MORE_STARTS = {"KZ": ("6",)}
DIGITS = "0123456789"
# A class of so many digits is as good as any digit: the alternatives before it are the starts.
_MANY_DIGITS = 8
_TOKEN = re.compile(r"\\d|\[[^\]]*\]|\d|\(\?:|[|)]|\{\d+(?:,\d*)?\}|\?")


def whole_area(start: str) -> WholeArea | None:
    """Return what a start of numbers (digits after the +) covers as a whole; None for a part of something."""
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
    """Whether one of the starts that the region has for itself is covered, or all its landlines."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[metadata.country_code or 0]) == 1:
        return False
    own = [*(_starts(metadata.leading_digits) if metadata.leading_digits else ()), *_MORE_STARTS.get(region, ())]
    if _covers_one(national, own):
        return True
    landlines = _starts_of(metadata.fixed_line)
    return bool(landlines) and all(begin.startswith(national) for begin in landlines)


def _covers_one(national: str, starts: Iterable[str]) -> bool:
    """Whether it is one of the starts, or a digit shorter. What is shorter yet covers much besides: +8610* is Beijing,
    and +8610800* toll-free.
    """
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
    """What the numbers of a pattern begin with, up to where any digit may follow. Whole numbers are left out, but for
    those of a pattern that has nothing but digits: leading digits.
    """
    found = _read(iter(_TOKEN.findall(pattern)))
    begun = frozenset(one.removesuffix("*") for one in found if one.endswith("*"))
    return begun or frozenset(found)


def _read(tokens: Iterator[str]) -> list[str]:
    """Return the starts of the alternatives up to the closing bracket; after one with * any digit may follow."""
    done: list[str] = []
    here, last = [""], [""]  # what was read of this alternative, without and with its last part
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
    joined = (one if one.endswith("*") else one + more for one in begun for more in part)
    return list(dict.fromkeys(joined))
