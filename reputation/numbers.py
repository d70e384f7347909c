"""Read what the network calls a caller, and say what is known about a number from its digits alone.

The only module that imports phonenumbers besides its patterns, and never its geocoder; its time zones cost 0.7 MB
and are read when the first is asked for (3 ms; a look-up 5 us, cached 0.3 us), and the networks of its ranges 11 MB:
commands and processes that end may ask for one, the daemon and the console do not. Law: any text gives an answer, none
raises; text that is not plainly one number is INVALID, never guessed into one.
An E.164 number here is `+` and at most 15 digits, *possible* by the length its country allows, and reads back
as itself.

Service numbers are subjects, too: national numbers such as a bank's 95588 in China, 3949 in France or 116117 in
Germany, which cannot be dialled from abroad and so have no E.164 form. Their key is `+`, the country's calling code and
the digits (`+8695588`), which reads back as itself in every region: `caller_of` gives it the kind SERVICE,
`number_type_of` the type SERVICE, `country_of` the country, `service_number_of` the country and the digits.
docs/decisions/service-numbers.md says why no such key is a number that somebody else has.

Measured (phonenumbers 9.0.43, Python 3.11, uncached): `+12017421834` 0.7 us; a national number 3 to 4 us in a list, 8
as a caller's, 20 to 50 where the patterns leave it to phonenumbers; anything seen lately 0.3 us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from unicodedata import decimal

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from reputation.model import CallerKind
from reputation.number_patterns import (
    CALLING_CODES,
    E164,
    MOST_SERVICE_DIGITS,
    calling_code_in,
    is_allocated,
    is_no_number,
    is_settled,
    national_of,
    plan_of,
    settled,
)

phonenumbers.enable_pattern_cache()  # else the plan's patterns are looked up by their text, a quarter of a look-up

_RAW_CHARACTERS = 64
_CACHED_CHARACTERS = 128  # longer text is read anew each time, so nobody fills the cache with megabytes
_CACHED_CALLERS = 4096
_MOST_DIGITS = 24  # E.164 has 15, the longest international prefix 8 (Australia's 14xx 0011)

# Fewer digits after a calling code without `+` are rather an extension: 86110, but 333949 is France's 3949.
_LEAST_DIGITS_WITH_CODE = 6
# Those of eight digits are in countries with calling codes of two. Numbers of most countries are longer.
_LONGEST_SERVICE_KEY = 11

_NUMBER_TEXT = re.compile(r"[ (\[]*\+?[0-9 .()\[\]-]*")
_NAME_ADDR = re.compile(r"[^<]*<([^<>]*)>\s*(?:;.*)?", re.DOTALL)  # "name" <number>
_AREA_AND_SLASH = re.compile(r"\A\s*(\(?0[0-9]{1,5}\)?) ?/ ?(?=[0-9])")
_SEPARATORS = str.maketrans("", "", " .()[]-")

# What phones, carriers and Asterisk write instead of a number. `asterisk` is Asterisk's own default.
_WITHHELD_WORDS = frozenset(
    """anonymous|asterisk|blocked|caller id blocked|no caller id|not available|number withheld|out of area
    |private|private caller|private number|restricted|unavailable|unknown|unknown caller|unknown number
    |withheld""".replace("\n    ", "").split("|")
)


def _folding() -> dict[int, str | None]:
    """Full-width forms to ASCII, every space and dash to one, invisible and bidi controls to nothing."""
    table: dict[int, str | None] = {0xFF01 + index: chr(0x21 + index) for index in range(94)}
    groups: Iterable[tuple[str | None, Iterable[int]]] = (
        (" ", (0x09, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)),
        ("-", (*range(0x2010, 0x2016), 0x2212, 0x30FC, 0xFE63)),
        (None, (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)),
    )
    for meaning, points in groups:
        table.update(dict.fromkeys(points, meaning))
    return table


# Fewer digits without their country code stand in too many other things.
LEAST_NATIONAL_DIGITS = 7
# Fewer digits of a service number without its country code do: 411 may be a room.
LEAST_SERVICE_DIGITS = 5
_FOLDING = _folding()

# Service numbers of a whole country that libphonenumber does not have, or counts to those of single carriers.
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


# North American exchanges within ordinary area codes that are billed by the call: FCC, "Pay-Per-Call" (976), and
# directory assistance (555-1212). libphonenumber takes both for ordinary lines.
PAY_PER_CALL = re.compile(r"\+1[2-9][0-9]{2}(976[0-9]{4}|5551212)")


class NumberType(StrEnum):
    """What a number is used for in its country's plan. UNALLOCATED: possible by length, but in no plan.

    SERVICE: a national service number, which has no E.164 form (95588 in China).
    """

    FIXED = "fixed"
    MOBILE = "mobile"
    FIXED_OR_MOBILE = "fixed-or-mobile"
    TOLL_FREE = "toll-free"
    PREMIUM = "premium"
    SHARED_COST = "shared-cost"
    VOIP = "voip"
    PERSONAL = "personal"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    SERVICE = "service"
    UNALLOCATED = "unallocated"


# libphonenumber's types; anything else is UNALLOCATED.
_NUMBER_TYPES = {
    PhoneNumberType.FIXED_LINE: NumberType.FIXED,
    PhoneNumberType.MOBILE: NumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberType.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberType.PREMIUM,
    PhoneNumberType.SHARED_COST: NumberType.SHARED_COST,
    PhoneNumberType.VOIP: NumberType.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: NumberType.PERSONAL,
    PhoneNumberType.PAGER: NumberType.PAGER,
    PhoneNumberType.UAN: NumberType.UAN,
    PhoneNumberType.VOICEMAIL: NumberType.VOICEMAIL,
}


class ServiceNumber(NamedTuple):
    """A national number without an E.164 form: ISO alpha-2 of its country, and its digits as they are dialled there.

    `texts_only`: as far as libphonenumber knows, it sends text messages and does not call.
    """

    country: str
    digits: str
    texts_only: bool


class Number(NamedTuple):
    """A number as it was read once, where it came in, with everything that its digits say. Nothing reads it again.

    `key`: E.164, or the key of a service number; None for a caller who shows no number. `raw`: the text of the network,
    untrusted, at most 64 printable characters. What costs a look into the plan of the country is looked up when
    somebody first asks for it, once for each key.
    """

    key: str | None
    raw: str
    kind: CallerKind

    @property
    def block(self) -> str | None:
        """Return what all numbers of its block of 1000 begin with; None for a service number, which is in no block."""
        return None if self.key is None or self.kind is SERVICE else self.key[:-3]

    @property
    def service(self) -> ServiceNumber | None:
        """Return the service number of which this is the key."""
        return service_number_of(self.key) if self.key is not None and self.kind is SERVICE else None

    @property
    def dialled(self) -> str:
        """Return the number as a display shows it: a service number by its digits alone, `95588`."""
        service = self.service
        return (self.key or "") if service is None else service.digits

    @property
    def country(self) -> str | None:
        """Return its country, as `country_of`."""
        return None if self.key is None else country_of(self.key)

    @property
    def number_type(self) -> NumberType | None:
        """Return what its country's plan uses it for; None where there is no number."""
        return None if self.key is None else number_type_of(self.key)

    @property
    def time_zones(self) -> tuple[str, ...]:
        """Return the zones that it may be in, as `time_zones_of`."""
        return () if self.key is None else time_zones_of(self.key)

    @property
    def is_allocated(self) -> bool | None:
        """Return whether it lies in a block that its country has allocated; None where there is no number."""
        return None if self.key is None else is_valid(self.key)


SERVICE = CallerKind.SERVICE  # a member costs ten times as much as a global name until Python 3.12


def stored_number(key: str) -> Number:
    """Return the value of a number that was read before and is kept by its key."""
    is_service = len(key) <= _LONGEST_SERVICE_KEY and service_number_of(key) is not None
    return Number(key, key, SERVICE if is_service else CallerKind.NUMBER)


def caller_of(raw: str, region: str, presentation: str = "", name: str = "") -> Number:
    """Who the network says is calling, from the caller text and Asterisk's CALLERID(num-pres) word.

    `region` (ISO alpha-2) says how a number without `+` is read. A caller who asked not to be shown
    (`prohib*`) is withheld and leaves no text, even where the trunk passed the number on. The name is the
    caller's to choose: it can only turn an invalid number into a withheld one (`0` from "Anonymous").
    """
    if presentation:
        word = presentation.strip().lower()
        if word.startswith("prohib"):
            return Number(None, "", CallerKind.WITHHELD)
        if word == "unavailable":
            return Number(None, _printable(raw), CallerKind.WITHHELD)
    caller = _read_cached(raw, region) if len(raw) <= _CACHED_CHARACTERS else _read(raw, region)
    if caller.kind is CallerKind.INVALID and name and is_withheld_word(_fold(name)):
        return Number(None, caller.raw, CallerKind.WITHHELD)
    return caller


def whole_number_of(text: str, region: str) -> Number | None:
    """Return what `number_of` reads, as a value that travels."""
    if is_settled(text):
        return Number(text, text, CallerKind.NUMBER)
    number = caller_of(_AREA_AND_SLASH.sub(r"\1 ", text) if "/" in text else text, region)
    return None if number.key is None else number


def number_of(text: str, region: str) -> str | None:
    """E.164, or the key of a service number, of a number in an import, a list or on the command line; else None.

    Read as caller text is, and a slash after the area code (`030/1234567`, as Germans write it) is a space.
    """
    if is_settled(text):
        return text
    if plain := _plain(text, ""):  # nearly every text of a list, and far more of them than any cache holds
        return _kind_and_number(plain, region.upper())[1]
    return caller_of(_AREA_AND_SLASH.sub(r"\1 ", text) if "/" in text else text, region).key


def did_number_of(text: str, region: str) -> str | None:
    """The same of a number of ours that was called, as the trunk delivers it.

    Many deliver the last three or four digits of it, or an extension, which are no service number.
    """
    number = number_of(text, region)
    if number is None or len(number) > _LONGEST_SERVICE_KEY or _fold(text).startswith("+"):
        return number
    service = service_number_of(number)
    return None if service is not None and len(service.digits) < LEAST_SERVICE_DIGITS else number


def is_emergency(text: str, region: str) -> bool:
    """Whether the text is exactly an emergency number of the region, or one after its calling code: `+86110`.

    `+112` is not one.
    """
    user, context = _user_and_context(_fold(text))
    plain = _plain(user, context)
    if plain.startswith("+"):
        return _international(plain)[0] is CallerKind.EMERGENCY
    return _is_emergency(plain, region.upper())


@lru_cache(maxsize=_CACHED_CALLERS)
def service_number_of(e164: str) -> ServiceNumber | None:
    """The service number of which this is the key (`+8695588`); None for every other number."""
    return _service_number(e164) if not settled(e164) and _international(e164)[0] is CallerKind.SERVICE else None


def block_of(e164: str) -> str | None:
    """Return what the block of 1000 begins with that the number lies in: all but its last three digits.

    A service number is in none: 95588 and 95566 are two banks.
    """
    return stored_number(e164).block


@lru_cache(maxsize=_CACHED_CALLERS)
def country_of(e164: str) -> str | None:
    """Return ISO alpha-2 of the number; `001` for one of no country (+800, +870); None for what is no number.

    An unallocated number counts to the main country of its calling code (US for +1).
    """
    if (service := service_number_of(e164)) is not None:
        return service.country
    number = _parsed(e164)
    if number is None:
        return None
    region = phonenumbers.region_code_for_number(number)
    return region or phonenumbers.region_code_for_country_code(number.country_code or 0)


@lru_cache(maxsize=_CACHED_CALLERS)
def number_type_of(e164: str) -> NumberType:
    """Return what the country's plan uses the number for. Not together with the country: few ask for both."""
    number = _parsed(e164)
    found = None if number is None else _NUMBER_TYPES.get(phonenumbers.number_type(number))
    if found is None:
        return NumberType.UNALLOCATED if service_number_of(e164) is None else NumberType.SERVICE
    return found


@lru_cache(maxsize=_CACHED_CALLERS)
def time_zones_of(e164: str) -> tuple[str, ...]:
    """The IANA names of the zones that the number may be in, in order; empty when nobody can tell (`+800`).

    A landline is in one, a mobile number in all of its country; North American toll-free numbers are in forty.
    """
    from phonenumbers.timezone import time_zones_for_geographical_number, time_zones_for_number  # only where asked for

    number = _parsed(e164)
    zones: tuple[str, ...] = ()
    if (service := service_number_of(e164)) is not None:
        code = phonenumbers.country_code_for_region(service.country)
        zones = time_zones_for_geographical_number(phonenumbers.PhoneNumber(country_code=code, national_number=0))
    elif number is not None:
        zones = time_zones_for_number(number)
    return tuple(zone for zone in zones if zone != "Etc/Unknown")


def network_name_of(e164: str) -> str:
    """To which network the range of the number was given, "" where libphonenumber has none (all of the US, landlines).

    It may have gone to another one since. Reads 11 MB when the first is asked for.
    """
    from phonenumbers.carrier import name_for_number  # only where asked for

    number = _parsed(e164)
    return "" if number is None else name_for_number(number, "en")


def ways_to_dial(e164: str) -> tuple[str, ...]:
    """How carriers write a number of ours when they send a call to it: `+44...`, `44...`, `020...`, `20...`."""
    if (service := service_number_of(e164)) is not None:
        return (e164, e164[1:], service.digits)
    number = _parsed(e164)
    if number is None:
        return (e164,)
    national = phonenumbers.national_significant_number(number)
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    return tuple(dict.fromkeys((e164, e164[1:], prefix + national, national)))


def national_digits(e164: str) -> str:
    """What all ways to write a number end with: of +442071838750 that is 2071838750.

    All digits where too few would be left to tell a number by, or where it cannot be parsed.
    """
    if (service := service_number_of(e164)) is not None:
        return service.digits if len(service.digits) >= LEAST_SERVICE_DIGITS else e164.lstrip("+")
    parsed = _parsed(e164)
    digits = "" if parsed is None else phonenumbers.national_significant_number(parsed)
    return digits if len(digits) >= LEAST_NATIONAL_DIGITS else e164.lstrip("+")


@lru_cache(maxsize=_CACHED_CALLERS)
def is_valid(e164: str) -> bool:
    """Whether the number lies in a block its country has allocated. Spoofed numbers often do not."""
    if found := settled(e164):
        return is_allocated(*found)
    return number_type_of(e164) is not NumberType.UNALLOCATED


# What an unallocated number is filled up with, to see whether it is the start of an allocated one.
_FILLERS = ("00000000", "11111111", "23456789", "55555555", "78901234")


def is_country_start(digits: str) -> bool:
    """Whether all numbers of a country, or of several, begin with these: a calling code, or less than one.

    Under +1 an area code that is a country's own counts too: 876 is Jamaica's, 809 one of the Dominican Republic's.
    """
    return any(code.startswith(digits) for code in (*CALLING_CODES, *_countries_under_1()))


@lru_cache(maxsize=1)
def _countries_under_1() -> tuple[str, ...]:
    """`1876` and the like, from the leading digits that libphonenumber has of each region that shares +1."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    metadata = (phonenumbers.PhoneMetadata.metadata_for_region(region) for region in regions)
    own = [one.leading_digits for one in metadata if one is not None and one.leading_digits]
    return tuple(f"1{area}" for area in range(200, 1000) if any(re.fullmatch(digits, str(area)) for digits in own))


def start_of_longer(e164: str) -> str | None:
    """The start of whole numbers that was taken for a number (`+4420794617`), None for a number by itself.

    Phone numbers of 7 digits are possible in the United Kingdom, so `0207-946` passes for one, with its 0 and all.
    """
    service = service_number_of(e164)
    if service is not None:
        return e164 if service.texts_only and _begins_numbers(e164) else None
    number = _parsed(e164)
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
    return any(is_valid(one) and service_number_of(one) is None for one in longer)


class PrefixError(ValueError):
    """National digits that may be the start of several things. The text says of which; empty: of nothing."""


@lru_cache(maxsize=128)
def prefix_of(digits: str, region: str) -> str:
    """The start with its calling code for one as it is dialled in the region: `+33162` of 0162, `+8695` of 95 in CN.

    Without a national prefix 0 only starts of service numbers are read, and not where as many ordinary numbers begin
    so: 36 in FR would be 3639 as well as the landlines of 03 6x. PrefixError for all else.
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
        raise PrefixError(f"service numbers of {region} and other numbers ({start}{ordinary[0]}...) begin so")
    return start


def ordinary_beside_services(start: str) -> str | None:
    """The start of ordinary numbers that begin like service numbers do: `+86951` of `+8695`; None where not both do."""
    regions, _ = _regions_and_digits(start)
    services, ordinary = _next_digits(start, regions[0]) if regions else ("", "")
    return f"{start}{ordinary[0]}" if services and ordinary else None


def _next_digits(start: str, region: str) -> tuple[str, str]:
    """The digits that may follow in service numbers of the region, and in ordinary numbers."""
    _, digits = _regions_and_digits(start)
    if not digits or len(digits) > 6:
        return "", ""
    services = "".join(one for one in "0123456789" if _begins_services(f"{digits}{one}", region))
    if not services and not _is_short_code(digits, region):
        return "", ""
    return services or "-", "".join(one for one in "0123456789" if _begins_numbers(f"{start}{one}"))


def _begins_services(digits: str, region: str) -> bool:
    """Whether service numbers of up to six digits begin so."""
    longer = (f"{digits}{more:0{count}}" for count in range(1, 7 - len(digits)) for more in range(10**count))
    return any(_is_short_code(one, region) for one in (digits, *longer))


def spaced(number: str) -> str:
    """Return a number as people read it: `+1 201 555 0123`. Any other text stays."""
    parsed = _parsed(number) if number.startswith("+") else None
    if parsed is None:
        return number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL).replace("-", " ")


def masked(text: str | None) -> str:
    """The text as a log may show it: the start of a number and its last two digits, at least four hidden.

    `+442071838750` is `+4420******50`. Words such as `anonymous` stay; other text becomes stars, no text `-`.
    """
    if not text:
        return "-"
    if text.lower() in _WITHHELD_WORDS:
        return text.lower()
    text = text[:_RAW_CHARACTERS]
    digits = text.removeprefix("+")
    if len(text) < 6 or not (digits.isascii() and digits.isdecimal()):
        return "*" * min(len(text), 12)
    start = min(5 if text != digits else 3, len(text) - 6)
    return text[:start] + "*" * (len(text) - start - 2) + text[-2:]


def is_possible_region(region: str) -> bool:
    """Whether national numbers can be read by this region's plan."""
    return region.upper() in phonenumbers.SUPPORTED_REGIONS


def supported_regions() -> tuple[str, ...]:
    """All ISO alpha-2 regions whose plan is known, in order."""
    return tuple(sorted(phonenumbers.SUPPORTED_REGIONS))


def calling_code_of(region: str) -> int:
    """The calling code of an ISO alpha-2 region, 0 where there is none."""
    return phonenumbers.country_code_for_region(region)


def read_plans(regions: Iterable[str]) -> None:
    """Read the plans of these regions now. Each is a module of phonenumbers; else a call would wait for the disk."""
    for region in regions:
        PhoneMetadata.metadata_for_region(region)
        PhoneMetadata.short_metadata_for_region(region)
        plan_of(str(phonenumbers.country_code_for_region(region)))


# From text to digits.


def _read(raw: str, region: str) -> Number:
    if settled(raw):
        return Number(raw, raw, CallerKind.NUMBER)
    shown = _printable(raw)
    user, context = _user_and_context(_fold(raw))
    if not user or is_withheld_word(user):
        return Number(None, shown, CallerKind.WITHHELD)
    plain = _plain(user, context)
    kind, e164 = _kind_and_number(plain, region.upper())
    return Number(e164, shown, kind)


_read_cached = lru_cache(maxsize=_CACHED_CALLERS)(_read)


def _printable(raw: str) -> str:
    """Bounded, and without controls, bidi controls, surrogates and spaces other than the plain one."""
    return "".join(filter(str.isprintable, raw[: 4 * _RAW_CHARACTERS]))[:_RAW_CHARACTERS]


def _fold(text: str) -> str:
    """Digits, spaces, dashes and full-width forms in ASCII; invisible characters and outer quotes gone."""
    if not text.isascii():
        text = text.translate(_FOLDING)
        text = "".join(char if (digit := decimal(char, -1)) < 0 else str(int(digit)) for char in text)
    return text.replace("\t", " ").strip().strip("\"'").strip()


def is_withheld_word(text: str) -> bool:
    """Whether a network says by this text that there is nothing to show."""
    return text.partition("@")[0].casefold().replace("_", " ").replace("-", " ") in _WITHHELD_WORDS


def _user_and_context(text: str) -> tuple[str, str]:
    """The caller part of a number, a tel: or sip: URI or `"name" <number>`, and its phone-context.

    Parameters after `;` are cut. A host is cut in a URI only: a bare `1@trunk` is an attack on a dial string.
    """
    if match := _NAME_ADDR.fullmatch(text):
        text = match[1].strip()
    scheme, colon, rest = text.partition(":")
    is_sip = bool(colon) and scheme.lower() in ("sip", "sips")
    if is_sip:
        user, at, _host = rest.rpartition("@")
        text = user if at else _number_without_host(rest)
        text = text.replace("%2B", "+").replace("%2b", "+")
    elif colon and scheme.lower() == "tel":
        text = rest
    user, *parameters = text.split(";")
    contexts = [value for value in parameters if value.lower().startswith("phone-context=+")]
    return user.strip(), contexts[0].partition("=")[2] if contexts else ""


def _number_without_host(rest: str) -> str:
    """`sip:+12017421834` is sloppy but clear; `sip:10.0.0.1` is a host and no caller."""
    return "invalid" if "." in rest.partition(";")[0] else rest


def _plain(user: str, context: str) -> str:
    """`+` if there is one and the digits; empty for text that is anything else than one number."""
    if not _NUMBER_TEXT.fullmatch(user):
        return ""
    plain = user.translate(_SEPARATORS)
    if context and not plain.startswith("+"):
        # RFC 3966: a global context goes before the local digits. Without digits of its own it is damaged.
        start = _plain(context, "")
        plain = start + plain if len(start) > 1 else ""
    return plain if len(plain) <= _MOST_DIGITS else ""


# From digits to a number.


def _kind_and_number(digits: str, region: str) -> tuple[CallerKind, str | None]:
    """The kind, and the number if it is one, of digits with or without a `+`.

    Two to six digits without are a service number or an extension; from five digits they may also be a whole number
    of a country without trunk prefix (Greenland, the Faroes, Luxembourg). Some service numbers have seven digits and
    more (India, Hong Kong, China), where a valid number of that length wins.
    """
    if digits.startswith("+"):
        return _international(digits, region)
    if len(digits) < 2:
        return CallerKind.INVALID, None
    service = None
    if len(digits) <= 6:
        if _is_emergency(digits, region):
            return CallerKind.EMERGENCY, None
        service = _service_key(digits, region)
        is_whole = _is_whole_number(digits, region)
        if service is not None and (not is_whole or _is_short_code(digits, region)):
            return _international(service)
        if not is_whole:
            return CallerKind.INTERNAL, None
    e164, allocated = _national(digits, region)
    if allocated:
        return CallerKind.NUMBER, e164
    if service := service or _service_key(digits, region):
        return _international(service)
    if e164 is None:
        return CallerKind.INVALID, None
    return (CallerKind.NUMBER, e164) if settled(e164) else _international(e164)


def _international(text: str, region: str | None = None) -> tuple[CallerKind, str | None]:
    """The same of `+` and digits, alike in every region: the key of a service number must be one everywhere.

    A number of an allocated block is that number; then what the country's plan of short numbers knows counts; then any
    number of a possible length. `region`: whose international prefix may stand behind the `+` by mistake (+01144...).
    """
    found = _parse(text, region)
    e164 = found[0] if found else text
    if found is None or not is_allocated(*found[1:]):
        kind = _kind_of_service_key(e164)
        if kind is not None:
            return kind, e164 if kind is CallerKind.SERVICE else None
    return (CallerKind.NUMBER, e164) if found else (CallerKind.INVALID, None)


def _kind_of_service_key(key: str) -> CallerKind | None:
    """EMERGENCY or SERVICE by the first region of the calling code that knows the digits; None where none does."""
    regions, digits = _regions_and_digits(key)
    for region in regions:
        if _is_emergency(digits, region):
            return CallerKind.EMERGENCY
        if _is_short_code(digits, region):
            return CallerKind.SERVICE
    return CallerKind.SERVICE if _service_number(key) else None


def _service_number(key: str) -> ServiceNumber | None:
    """By the first region of the calling code whose plan has it: all that call come before those that text."""
    regions, digits = _regions_and_digits(key)
    for texts in (False, True):
        for region in regions:
            if _is_short_code(digits, region, texts=texts):
                return ServiceNumber(region, digits, texts)
    return None


def _regions_and_digits(key: str) -> tuple[tuple[str, ...], str]:
    """The regions of the calling code (+1 has 25), its main one first, and the digits after it; else nothing."""
    code = calling_code_in(key)
    digits = key[1 + len(code) :]
    if not code or len(digits) < 2 or len(key) > _LONGEST_SERVICE_KEY:
        return (), ""
    return phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)], digits


def _service_key(digits: str, region: str) -> str | None:
    """`+8695588` of 95588, 8695588 and 008695588 in CN, and of 0118695588 in US.

    Without an international prefix the calling code must be the region's own. Of what only sends text messages there
    is no reading without `+`: in the US these are most numbers of four to six digits, so every extension would be one.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return None
    own = str(metadata.country_code)
    if _is_short_code(digits, region):
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
    """Whether it is the key of an emergency number, or of a service number that does more than send texts."""
    kind = _kind_of_service_key(key)
    return kind is CallerKind.EMERGENCY or ((service := _service_number(key)) is not None and not service.texts_only)


def _is_emergency(digits: str, region: str) -> bool:
    # The longest emergency number in the data has six digits (Eritrea, Micronesia, Niger).
    return 2 <= len(digits) <= 6 and phonenumbers.is_emergency_number(digits, region)


def _is_short_code(digits: str, region: str, texts: bool = False) -> bool:
    """A code that a plan gives a meaning of its own; with `texts` also one of its SMS services.

    Not the blocks left to carriers and SMS services: in the US these are nine in ten of all four to six digit
    numbers, in Switzerland and New Zealand of all three-digit ones, so every extension would be a short code.
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
    found = _parse(digits, region)
    return found is not None and is_allocated(*found[1:])


def _national(digits: str, region: str) -> tuple[str | None, bool]:
    """E.164 of digits without `+`: national or with the region's international prefix, else as `+digits`. And whether
    it is allocated.

    Carriers do send E.164 without its plus, and `00` where it is not the region's prefix. A valid reading
    wins, the national one first (`442071838750` is a German number in DE, the London one in US); then a
    national reading that is only possible. `+digits` that is not valid would be a guess, and is no number.
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
    """The E.164 form, its calling code and national number; None when it is not possible, or only within an area
    (`555 0123`).

    A second pass where the first one leaves a number that reads as another (`+44 00 20 ...`): a caller must
    have one name.
    """
    if found := settled(text) if text.startswith("+") else national_of(text, region or ""):
        return f"+{found[0]}{found[1]}", *found
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


@lru_cache(maxsize=_CACHED_CALLERS)
def _parsed(e164: str) -> phonenumbers.PhoneNumber | None:
    plain = settled(e164)
    if plain and not plain[1].startswith("0"):  # leading zeros count, and are kept apart
        return phonenumbers.PhoneNumber(country_code=int(plain[0]), national_number=int(plain[1]))
    found = _parse(e164, None) if E164.fullmatch(e164) else None
    return phonenumbers.parse(found[0]) if found else None
