"""Parse the network's caller text, and derive facts from the digits of a number.

Every text gives a result, and no text raises an error. Text that is not plainly a single number is INVALID: no number
is guessed. An E.164 number here is `+` and at most 15 digits, *possible* by the length that its country allows. Parsing
an E.164 number again gives the same number.

Service numbers are national numbers that cannot be dialled from abroad and so have no E.164 form, such as a bank's
95588 in China. Their key is `+`, the country's calling code and the digits (`+8695588`). In every region the key is
parsed to itself. docs/contributing/decisions/service-numbers.md explains why no other number can have this key.

Only reputation/number*.py and whole_areas.py import phonenumbers, without its geocoder. Its data of time zones take 0.7
MB and are read at the first use (3 ms; then 5 us a number, 0.3 us if cached). Its names of telephone networks take 11
MB: commands and short-lived processes may use them, the daemon and the console do not.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonemetadata import PhoneMetadata

from reputation import number_parsing
from reputation.model import CallerKind
from reputation.number_patterns import is_allocated, is_settled, plan_of, settled

_CACHED_CHARACTERS = 128  # longer text is not cached, so nobody fills the cache with megabytes
_AREA_AND_SLASH = re.compile(r"\A\s*(\(?0[0-9]{1,5}\)?) ?/ ?(?=[0-9])")

# Words that phones, carriers and Asterisk write instead of a number. `asterisk` is Asterisk's own default.
_WITHHELD_WORDS = frozenset(
    (
        *("anonymous", "asterisk", "blocked", "caller id blocked", "no caller id", "not available", "number withheld"),
        *("out of area", "private", "private caller", "private number", "restricted", "unavailable", "unknown"),
        *("unknown caller", "unknown number", "withheld"),
    )
)
# Fewer digits without their country code occur in too many other texts.
LEAST_NATIONAL_DIGITS = 7
# North American exchanges within ordinary area codes that are billed by the call: FCC, "Pay-Per-Call" (976), and
# directory assistance (555-1212). libphonenumber takes both for ordinary lines.
PAY_PER_CALL = re.compile(r"\+1[2-9][0-9]{2}(976[0-9]{4}|5551212)")


class NumberType(StrEnum):
    """The type of a number in its country's plan. UNALLOCATED: a possible length, but in no plan.

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

    @property
    def words(self) -> str:
        """The type as text for people: `fixed or mobile`. The enum's value is for policies and programs."""
        return self.value.replace("-or-", " or ")


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


class Number(NamedTuple):
    """A telephone number, parsed once. Its properties give all other facts, so no other code parses the number again.

    `key`: E.164, or the key of a service number; None for a caller who shows no number. `raw`: the network's text,
    untrusted, at most 64 printable characters. Properties are computed when they are read.
    """

    key: str | None
    raw: str
    kind: CallerKind

    @property
    def block(self) -> str | None:
        """The common prefix of the number's block of 1000 numbers; None for a service number, which has no block."""
        return None if self.key is None or self.kind is SERVICE else self.key[:-3]

    @property
    def service(self) -> number_parsing.ServiceNumber | None:
        """The number as a ServiceNumber; None if the number is not a service number."""
        return service_number_of(self.key) if self.key is not None and self.kind is SERVICE else None

    @property
    def dialled(self) -> str:
        """The number as people dial it: a service number without calling code (`95588`), any other number as E.164."""
        service = self.service
        return (self.key or "") if service is None else service.digits

    @property
    def country(self) -> str | None:
        """The country of the number (see `country_of`)."""
        return None if self.key is None else country_of(self.key)

    @property
    def number_type(self) -> NumberType | None:
        """The type of the number (see `number_type_of`); None if the caller shows no number."""
        return None if self.key is None else number_type_of(self.key)

    @property
    def time_zones(self) -> tuple[str, ...]:
        """The time zones in which the number may be (see `time_zones_of`)."""
        return () if self.key is None else time_zones_of(self.key)

    @property
    def is_allocated(self) -> bool | None:
        """Whether the number's country has allocated the number's block; None if the caller shows no number."""
        return None if self.key is None else is_valid(self.key)


SERVICE = CallerKind.SERVICE  # a member costs ten times as much as a global name until Python 3.12


def stored_number(key: str) -> Number:
    """Return the Number for a key that was already parsed."""
    is_service = len(key) <= number_parsing.LONGEST_SERVICE_KEY and service_number_of(key) is not None
    return Number(key, key, SERVICE if is_service else CallerKind.NUMBER)


def caller_of(raw: str, region: str, presentation: str = "", name: str = "") -> Number:
    """Parse the caller from the network's caller text and Asterisk's CALLERID(num-pres) word.

    `region` (ISO alpha-2) decides how a number without `+` is parsed. A caller who asked not to be shown (`prohib*`) is
    withheld, and the caller text is dropped, even if it has the number. The caller chooses the name, so the name can
    only turn an invalid number into a withheld number (`0` from "Anonymous").
    """
    if presentation:
        word = presentation.strip().lower()
        if word.startswith("prohib"):
            return Number(None, "", CallerKind.WITHHELD)
        if word == "unavailable":
            return Number(None, number_parsing.printable(raw), CallerKind.WITHHELD)
    caller = _read_cached(raw, region) if len(raw) <= _CACHED_CHARACTERS else _read(raw, region)
    if caller.kind is CallerKind.INVALID and name and is_withheld_word(number_parsing.fold(name)):
        return Number(None, caller.raw, CallerKind.WITHHELD)
    return caller


def whole_number_of(text: str, region: str) -> Number | None:
    """Parse a text as `number_of` does, but return a Number instead of a key."""
    if is_settled(text):
        return Number(text, text, CallerKind.NUMBER)
    number = caller_of(_AREA_AND_SLASH.sub(r"\1 ", text) if "/" in text else text, region)
    return None if number.key is None else number


def number_of(text: str, region: str) -> str | None:
    """Parse a number in an import, a list or on the command line. Return E.164, the key of a service number, or None.

    The text is parsed like caller text, but a slash after the area code (`030/1234567`, as in Germany) is a space.
    """
    if is_settled(text):
        return text
    if plain := number_parsing.plain_digits(
        text, ""
    ):  # nearly every text of a list, and more texts than any cache holds
        return number_parsing.kind_and_number(plain, region.upper())[1]
    return caller_of(_AREA_AND_SLASH.sub(r"\1 ", text) if "/" in text else text, region).key


def did_number_of(text: str, region: str) -> str | None:
    """Parse a DID as the trunk delivers it, perhaps only its last digits. These are not read as a service number."""
    number = number_of(text, region)
    if number is None or len(number) > number_parsing.LONGEST_SERVICE_KEY or number_parsing.fold(text).startswith("+"):
        return number
    service = service_number_of(number)
    return None if service is not None and len(service.digits) < number_parsing.LEAST_SERVICE_DIGITS else number


def is_emergency(text: str, region: str) -> bool:
    """Return whether the text is an emergency number of the region, with or without its calling code (`+86110`)."""
    user, context = number_parsing.user_and_context(number_parsing.fold(text))
    plain = number_parsing.plain_digits(user, context)
    if plain.startswith("+"):
        return number_parsing.international_number(plain)[0] is CallerKind.EMERGENCY
    return number_parsing.is_emergency_code(plain, region.upper())


@lru_cache(maxsize=number_parsing.CACHED_CALLERS)
def service_number_of(e164: str) -> number_parsing.ServiceNumber | None:
    """Return the service number with this key (`+8695588`); None for all other numbers."""
    return (
        number_parsing.service_number_in(e164)
        if not settled(e164) and number_parsing.international_number(e164)[0] is CallerKind.SERVICE
        else None
    )


def block_of(e164: str) -> str | None:
    """Return the prefix of a number's block of 1000 (all but the last three digits); None for a service number."""
    return stored_number(e164).block


@lru_cache(maxsize=number_parsing.CACHED_CALLERS)
def country_of(e164: str) -> str | None:
    """Return the number's country (ISO alpha-2); `001` for international services (+800, +870); None for no number.

    An unallocated number belongs to the main country of its calling code (US for +1).
    """
    if (service := service_number_of(e164)) is not None:
        return service.country
    number = number_parsing.phone_number_of(e164)
    if number is None:
        return None
    region = phonenumbers.region_code_for_number(number)
    return region or phonenumbers.region_code_for_country_code(number.country_code or 0)


@lru_cache(maxsize=number_parsing.CACHED_CALLERS)
def number_type_of(e164: str) -> NumberType:
    """Return the type of the number in its country's plan."""
    number = number_parsing.phone_number_of(e164)
    number_type = None if number is None else _NUMBER_TYPES.get(phonenumbers.number_type(number))
    if number_type is None:
        return NumberType.UNALLOCATED if service_number_of(e164) is None else NumberType.SERVICE
    return number_type


@lru_cache(maxsize=number_parsing.CACHED_CALLERS)
def time_zones_of(e164: str) -> tuple[str, ...]:
    """Return the IANA names of the time zones in which the number may be, in order; empty if unknown (`+800`).

    A landline has one zone, a mobile number perhaps all zones of its country, a North American toll-free number forty.
    """
    from phonenumbers.timezone import time_zones_for_geographical_number, time_zones_for_number  # only where asked for

    number = number_parsing.phone_number_of(e164)
    zones: tuple[str, ...] = ()
    if (service := service_number_of(e164)) is not None:
        code = phonenumbers.country_code_for_region(service.country)
        zones = time_zones_for_geographical_number(phonenumbers.PhoneNumber(country_code=code, national_number=0))
    elif number is not None:
        zones = time_zones_for_number(number)
    return tuple(zone for zone in zones if zone != "Etc/Unknown")


def network_name_of(e164: str) -> str:
    """Return the telephone network that first had the number's range; empty if unknown. The first use reads 11 MB."""
    from phonenumbers.carrier import name_for_number  # only where asked for

    number = number_parsing.phone_number_of(e164)
    return "" if number is None else name_for_number(number, "en")


def ways_to_dial(e164: str) -> tuple[str, ...]:
    """Return the forms in which carriers send a call to an own number: `+44...`, `44...`, `020...`, `20...`."""
    if (service := service_number_of(e164)) is not None:
        return (e164, e164[1:], service.digits)
    number = number_parsing.phone_number_of(e164)
    if number is None:
        return (e164,)
    national = phonenumbers.national_significant_number(number)
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    return tuple(dict.fromkeys((e164, e164[1:], prefix + national, national)))


def national_digits(e164: str) -> str:
    """Return the final digits that all notations of a number share: 2071838750 for +442071838750.

    Return all digits if the shared digits are too few to recognise the number, or if the number cannot be parsed.
    """
    if (service := service_number_of(e164)) is not None:
        return service.digits if len(service.digits) >= number_parsing.LEAST_SERVICE_DIGITS else e164.lstrip("+")
    parsed = number_parsing.phone_number_of(e164)
    digits = "" if parsed is None else phonenumbers.national_significant_number(parsed)
    return digits if len(digits) >= LEAST_NATIONAL_DIGITS else e164.lstrip("+")


@lru_cache(maxsize=number_parsing.CACHED_CALLERS)
def is_valid(e164: str) -> bool:
    """Return whether the number lies in a block that its country has allocated. Many spoofed numbers do not."""
    if parts := settled(e164):
        return is_allocated(*parts)
    return number_type_of(e164) is not NumberType.UNALLOCATED


def spaced(number: str) -> str:
    """Return a number in groups of digits: `+1 201 555 0123`. Any other text is returned unchanged."""
    return _spaced(number) if number.startswith("+") and len(number) <= _CACHED_CHARACTERS else number


@lru_cache(maxsize=number_parsing.CACHED_CALLERS)
def _spaced(number: str) -> str:
    parsed = number_parsing.phone_number_of(number)
    if parsed is None:
        return number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL).replace("-", " ")


def masked(text: str | None) -> str:
    """Return the text with digits hidden, for logs: only the start of a number and its last two digits are shown.

    At least four digits are hidden: `+442071838750` becomes `+4420******50`. Words such as `anonymous` are kept. Any
    other text becomes stars. An empty text becomes `-`.
    """
    if not text:
        return "-"
    if text.lower() in _WITHHELD_WORDS:
        return text.lower()
    text = text[: number_parsing.RAW_CHARACTERS]
    digits = text.removeprefix("+")
    if len(text) < 6 or not (digits.isascii() and digits.isdecimal()):
        return "*" * min(len(text), 12)
    start = min(5 if text != digits else 3, len(text) - 6)
    return text[:start] + "*" * (len(text) - start - 2) + text[-2:]


def is_possible_region(region: str) -> bool:
    """Return whether the numbering plan of this region is known."""
    return region.upper() in phonenumbers.SUPPORTED_REGIONS


def supported_regions() -> tuple[str, ...]:
    """Return the ISO alpha-2 codes of all regions whose numbering plan is known, in order."""
    return tuple(sorted(phonenumbers.SUPPORTED_REGIONS))


def calling_code_of(region: str) -> int:
    """Return the calling code of a region (ISO alpha-2); 0 if the region has none."""
    return phonenumbers.country_code_for_region(region)


def read_plans(regions: Iterable[str]) -> None:
    """Load the numbering plans of these regions (modules of phonenumbers) now, so that no call waits for the disk."""
    for region in regions:
        PhoneMetadata.metadata_for_region(region)
        PhoneMetadata.short_metadata_for_region(region)
        plan_of(str(phonenumbers.country_code_for_region(region)))


# From text to digits.


def _read(raw: str, region: str) -> Number:
    if settled(raw):
        return Number(raw, raw, CallerKind.NUMBER)
    shown = number_parsing.printable(raw)
    user, context = number_parsing.user_and_context(number_parsing.fold(raw))
    if not user or is_withheld_word(user):
        return Number(None, shown, CallerKind.WITHHELD)
    plain = number_parsing.plain_digits(user, context)
    kind, e164 = number_parsing.kind_and_number(plain, region.upper())
    return Number(e164, shown, kind)


_read_cached = lru_cache(maxsize=number_parsing.CACHED_CALLERS)(_read)


def is_withheld_word(text: str) -> bool:
    """Return whether the text is a word that networks send in the place of a withheld number."""
    return text.partition("@")[0].casefold().replace("_", " ").replace("-", " ") in _WITHHELD_WORDS


# From digits to a number.
