"""The rules for parsing a phone number from text: E.164, service numbers, and the text around a number.

libphonenumber's patterns (number_patterns.py) recognise most numbers and their kinds. The library phonenumbers parses
the others. Other modules call reputation/numbers.py, which uses these rules.

Time to parse (phonenumbers 9.0.43, Python 3.11, uncached): `+12017421834` takes 0.7 us. A national number takes 3 to 4
us in a list and 8 us as a caller's, or 20 to 50 us if phonenumbers must parse it. Any cached text takes 0.3 us.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from unicodedata import decimal

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from reputation.model import CallerKind
from reputation.number_patterns import (
    E164,
    MOST_SERVICE_DIGITS,
    calling_code_in,
    is_allocated,
    is_no_number,
    national_of,
    settled,
)

RAW_CHARACTERS = 64
CACHED_CALLERS = 4096
_MOST_DIGITS = 24  # E.164 has 15, the longest international prefix 8 (Australia's 14xx 0011)

# With fewer digits after a calling code without `+` it is probably an extension: 86110. But 333949 is France's 3949.
_LEAST_DIGITS_WITH_CODE = 6

# Service numbers of eight digits are in countries with two-digit calling codes. Most E.164 numbers are longer.
LONGEST_SERVICE_KEY = 11
_NUMBER_TEXT = re.compile(r"[ (\[]*\+?[0-9 .()\[\]-]*")
_NAME_ADDR = re.compile(r"[^<]*<([^<>]*)>\s*(?:;.*)?", re.DOTALL)  # "name" <number>
_SEPARATORS = str.maketrans("", "", " .()[]-")

phonenumbers.enable_pattern_cache()  # otherwise finding the plan's patterns by their text takes a quarter of the time


def _folding() -> dict[int, str | None]:
    """Return a map for str.translate: full-width forms, spaces and dashes to ASCII, invisible characters to None."""
    table: dict[int, str | None] = {0xFF01 + index: chr(0x21 + index) for index in range(94)}
    groups: Iterable[tuple[str | None, Iterable[int]]] = (
        (" ", (0x09, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)),
        ("-", (*range(0x2010, 0x2016), 0x2212, 0x30FC, 0xFE63)),
        (None, (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)),
    )
    for meaning, points in groups:
        table.update(dict.fromkeys(points, meaning))
    return table


# Without a country code a service number needs so many digits: 411 may be a room.
LEAST_SERVICE_DIGITS = 5

_FOLDING = _folding()

# Service numbers of a whole country that libphonenumber lacks, or takes for those of single carriers.
_NORTH_AMERICAN = re.compile("[2-8]11")  # FCC, "N11 codes": 211 community services to 811 before digging

_MORE_SERVICES = {
    "US": _NORTH_AMERICAN,
    "CA": _NORTH_AMERICAN,
    # 10 are carriers' and 12 public services, 11183 and 11185 take calls; 950, 951, 952 and 957 may have up to eight
    # digits (reputation/plan/cn.toml: plan-2010, 95-and-955).
    "CN": re.compile("1[02][0-9]{3}|1118[35]|95[0127][0-9]{4,5}"),
    # Railways, complaints about spam, cyber crime (reputation/plan/in.toml: railways-2020, 1909, 1930).
    "IN": re.compile("13[89]|1909|1930"),
}


class ServiceNumber(NamedTuple):
    """A national number without an E.164 form: country (ISO alpha-2) and digits. `texts_only`: it only sends texts."""

    country: str
    digits: str
    texts_only: bool


def printable(raw: str) -> str:
    """Return the text without control characters, bidi marks, surrogates and unusual spaces, cut to RAW_CHARACTERS."""
    return "".join(filter(str.isprintable, raw[: 4 * RAW_CHARACTERS]))[:RAW_CHARACTERS]


def fold(text: str) -> str:
    """Return the text with ASCII digits, spaces and dashes, and without invisible characters and outer quotes."""
    if not text.isascii():
        text = text.translate(_FOLDING)
        text = "".join(char if (digit := decimal(char, -1)) < 0 else str(int(digit)) for char in text)
    return text.replace("\t", " ").strip().strip("\"'").strip()


def user_and_context(text: str) -> tuple[str, str]:
    """Split a caller text, such as a number, a tel: or sip: URI or `"name" <number>`, into number and phone-context.

    Parameters after `;` are removed. A host is removed only from a URI: a bare `1@trunk` is an attack on a dial string.
    """
    if match := _NAME_ADDR.fullmatch(text):
        text = match[1].strip()
    scheme, colon, rest = text.partition(":")
    is_sip = bool(colon) and scheme.lower() in ("sip", "sips")
    if is_sip:
        user, at, _host = rest.rpartition("@")
        text = user if at else ("invalid" if "." in rest.partition(";")[0] else rest)
        text = text.replace("%2B", "+").replace("%2b", "+")
    elif colon and scheme.lower() == "tel":
        text = rest
    user, *parameters = text.split(";")
    contexts = [value for value in parameters if value.lower().startswith("phone-context=+")]
    return user.strip(), contexts[0].partition("=")[2] if contexts else ""


def plain_digits(user: str, context: str) -> str:
    """Return the digits of a number, with a `+` if the text has one; empty if the text is more than one number.

    `context`: the phone-context of a tel: URI, which is put before a number without `+`.
    """
    if not _NUMBER_TEXT.fullmatch(user):
        return ""
    plain = user.translate(_SEPARATORS)
    if context and not plain.startswith("+"):
        # RFC 3966: a global context goes before the local digits. Without digits of its own it is damaged.
        start = plain_digits(context, "")
        plain = start + plain if len(start) > 1 else ""
    return plain if len(plain) <= _MOST_DIGITS else ""


def kind_and_number(digits: str, region: str) -> tuple[CallerKind, str | None]:
    """Return the kind of a caller text with these digits (with or without `+`), and the number; None for no number.

    Two to six digits without `+` are a service number or an extension. From five digits on they may also be a complete
    number in a country without trunk prefix (Greenland, the Faroes, Luxembourg). Some service numbers have seven digits
    or more (India, Hong Kong, China); a valid number of the same length takes precedence.
    """
    if digits.startswith("+"):
        return international_number(digits, region)
    if len(digits) < 2:
        return CallerKind.INVALID, None
    service = None
    if len(digits) <= 6:
        if is_emergency_code(digits, region):
            return CallerKind.EMERGENCY, None
        service = _service_key(digits, region)
        is_whole = _is_whole_number(digits, region)
        if service is not None and (not is_whole or is_short_code(digits, region)):
            return international_number(service)
        if not is_whole:
            return CallerKind.INTERNAL, None
    e164, allocated = _national(digits, region)
    if allocated:
        return CallerKind.NUMBER, e164
    if service := service or _service_key(digits, region):
        return international_number(service)
    if e164 is None:
        return CallerKind.INVALID, None
    return (CallerKind.NUMBER, e164) if settled(e164) else international_number(e164)


def international_number(text: str, region: str | None = None) -> tuple[CallerKind, str | None]:
    """Return the kind and the number of a text of `+` and digits.

    An allocated number is tried first, then the country's plan of short numbers, then any number of a possible length.
    `region`: the region whose international prefix may follow the `+` by mistake (+01144...); it changes nothing else.
    """
    parsed = _parse(text, region)
    e164 = parsed[0] if parsed else text
    if parsed is None or not is_allocated(*parsed[1:]):
        kind = _kind_of_service_key(e164)
        if kind is not None:
            return kind, e164 if kind is CallerKind.SERVICE else None
    return (CallerKind.NUMBER, e164) if parsed else (CallerKind.INVALID, None)


def _kind_of_service_key(key: str) -> CallerKind | None:
    """Return EMERGENCY or SERVICE if a region of the key's calling code has the digits in its plan, otherwise None."""
    regions, digits = regions_and_digits(key)
    for region in regions:
        if is_emergency_code(digits, region):
            return CallerKind.EMERGENCY
        if is_short_code(digits, region):
            return CallerKind.SERVICE
    return CallerKind.SERVICE if service_number_in(key) else None


def service_number_in(key: str) -> ServiceNumber | None:
    """Return the service number with this key, or None. A region whose number can be called comes before others."""
    regions, digits = regions_and_digits(key)
    for texts in (False, True):
        for region in regions:
            if is_short_code(digits, region, texts=texts):
                return ServiceNumber(region, digits, texts)
    return None


def regions_and_digits(key: str) -> tuple[tuple[str, ...], str]:
    """Return the regions of a key's calling code (+1 has 25), the main region first, and the digits after the code.

    If the key has no calling code or an impossible length, there are no regions and no digits.
    """
    code = calling_code_in(key)
    digits = key[1 + len(code) :]
    if not code or len(digits) < 2 or len(key) > LONGEST_SERVICE_KEY:
        return (), ""
    return phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)], digits


def _service_key(digits: str, region: str) -> str | None:
    """Return the key of a service number, or None: `+8695588` for 95588, 8695588 and 008695588 in CN, 0118695588 in US.

    Without an international prefix the calling code must be the region's own. Codes that only send text messages are
    ignored: most US numbers of four to six digits are such codes, so every extension would be a service number.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return None
    own = str(metadata.country_code)
    if is_short_code(digits, region):
        return f"+{own}{digits}"
    if len(digits) < _LEAST_DIGITS_WITH_CODE:
        return None
    if digits.startswith(own) and _is_called(f"+{digits}"):
        return f"+{digits}"
    abroad = re.match(f"00|{metadata.international_prefix}", digits)
    if abroad and _is_called(key := f"+{digits[abroad.end() :]}"):
        return key
    return None


def _is_called(key: str) -> bool:
    """Return whether the key belongs to an emergency number, or to a service number that does more than send texts."""
    kind = _kind_of_service_key(key)
    return kind is CallerKind.EMERGENCY or ((service := service_number_in(key)) is not None and not service.texts_only)


def is_emergency_code(digits: str, region: str) -> bool:
    # The longest emergency number in the data has six digits (Eritrea, Micronesia, Niger).
    """Return whether the digits are an emergency number of the region."""
    return 2 <= len(digits) <= 6 and phonenumbers.is_emergency_number(digits, region)


def is_short_code(digits: str, region: str, texts: bool = False) -> bool:
    """Return whether the region's numbering plan gives this short code a meaning. `texts`: include SMS services.

    Blocks left to carriers and (without `texts`) SMS services are ignored. Otherwise every extension would be a short
    code: these blocks hold nine in ten US numbers of four to six digits, and all three-digit numbers in Switzerland.
    """
    if (more := _MORE_SERVICES.get(region)) is not None and more.fullmatch(digits):
        return True
    metadata = PhoneMetadata.short_metadata_for_region(region)
    if metadata is None or not 2 <= len(digits) <= MOST_SERVICE_DIGITS or not _matches(metadata.short_code, digits):
        return False
    if _matches(metadata.carrier_specific, digits):
        return False
    return texts or not _matches(metadata.sms_services, digits)


def _matches(description: PhoneNumberDesc | None, digits: str) -> bool:
    pattern = description and description.national_number_pattern
    return bool(pattern and re.fullmatch(pattern, digits))


def _is_whole_number(digits: str, region: str) -> bool:
    metadata = PhoneMetadata.metadata_for_region(region)
    if len(digits) < 5 or metadata is None or metadata.national_prefix is not None:
        return False
    parsed = _parse(digits, region)
    return parsed is not None and is_allocated(*parsed[1:])


def _national(digits: str, region: str) -> tuple[str | None, bool]:
    """Return the E.164 form of digits without `+` (national, or with calling code), and whether it is allocated.

    Carriers do send E.164 without its plus, and `00` even if it is not the region's prefix. An allocated number wins.
    If the national and the international reading are both allocated, the national one wins: `442071838750` is a German
    number in DE, the London one in US. Otherwise only a national reading of a possible length is used.
    """
    home = _parse(digits, region)
    if home and is_allocated(*home[1:]):
        return home[0], True
    international = "+" + (digits[2:] if digits.startswith("00") else digits)
    if home and (home[0] == international or not E164.fullmatch(international)):
        return home[0], False
    abroad = None if is_no_number(international) else _parse(international, None)
    if abroad and is_allocated(*abroad[1:]):
        return abroad[0], True
    return home[0] if home else None, False


def _parse(text: str, region: str | None) -> tuple[str, str, str] | None:
    """Return the E.164 form, its calling code and its national number; None if impossible, or local (`555 0123`).

    A result that would be parsed as another number (`+44 00 20 ...`) is parsed again, so that each number has one key.
    """
    if parts := settled(text) if text.startswith("+") else national_of(text, region or ""):
        return f"+{parts[0]}{parts[1]}", *parts
    for _pass in range(3):
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            return None
        if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            return None
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        if e164 == text or settled(e164):
            national = phonenumbers.national_significant_number(number)
            return (e164, str(number.country_code), national) if E164.fullmatch(e164) else None
        text = e164
    return None


@lru_cache(maxsize=CACHED_CALLERS)
def phone_number_of(e164: str) -> phonenumbers.PhoneNumber | None:
    """Return the PhoneNumber object of the library phonenumbers for an E.164 number, or None."""
    plain = settled(e164)
    if plain and not plain[1].startswith("0"):  # leading zeros count, and PhoneNumber has them in another field
        return phonenumbers.PhoneNumber(country_code=int(plain[0]), national_number=int(plain[1]))
    parsed = _parse(e164, None) if E164.fullmatch(e164) else None
    return phonenumbers.parse(parsed[0]) if parsed else None
