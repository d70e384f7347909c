"""Parsing of callers: national forms of many countries, what SIP allows, and any text."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reputation.model import CallerKind
from reputation.numbers import (
    NumberType,
    block_of,
    caller_of,
    country_of,
    is_emergency,
    is_possible_region,
    is_valid,
    masked,
    number_of,
    number_type_of,
    service_number_of,
    supported_regions,
    time_zones_of,
)

LONDON = "+442071838750"
JERSEY_CITY = "+12017421834"
REGIONS = ["US", "GB", "DE", "CN", "FR", "IT", "AU", "IN", "BR", "AR", "JP", "LU", "FO", "ZZ", "us", ""]

NUMBERS = [
    pytest.param(JERSEY_CITY, "US", JERSEY_CITY, id="us-e164"),
    pytest.param("2017421834", "US", JERSEY_CITY, id="us-ten-digits"),
    pytest.param("12017421834", "US", JERSEY_CITY, id="us-eleven-digits"),
    pytest.param("(201) 742-1834", "US", JERSEY_CITY, id="us-brackets"),
    pytest.param("201.742.1834", "us", JERSEY_CITY, id="us-dots-and-a-lower-case-region"),
    pytest.param("1 201 742 1834", "CA", JERSEY_CITY, id="ca-spaces"),
    pytest.param("0000000000", "US", "+10000000000", id="us-possible-though-never-valid"),
    pytest.param("011442071838750", "US", LONDON, id="us-011"),
    pytest.param("00442071838750", "US", LONDON, id="us-00-though-it-is-not-its-prefix"),
    pytest.param("442071838750", "US", LONDON, id="us-e164-without-plus"),
    pytest.param("8613800138000", "US", "+8613800138000", id="us-chinese-mobile-without-plus"),
    pytest.param("+01144 2071838750", "US", LONDON, id="us-plus-before-011"),
    pytest.param(LONDON, "GB", LONDON, id="gb-e164"),
    pytest.param("02071838750", "GB", LONDON, id="gb-trunk-prefix"),
    pytest.param("020 7183 8750", "GB", LONDON, id="gb-spaces"),
    pytest.param("2071838750", "GB", LONDON, id="gb-isdn-national-without-trunk-prefix"),
    pytest.param("442071838750", "GB", LONDON, id="gb-e164-without-plus"),
    pytest.param("00442071838750", "GB", LONDON, id="gb-00"),
    pytest.param("+44 (0)20 7183 8750", "GB", LONDON, id="gb-plus-and-bracketed-zero"),
    pytest.param("+4402071838750", "GB", LONDON, id="gb-plus-and-trunk-prefix"),
    pytest.param("(+44) 20 7183 8750", "GB", LONDON, id="gb-bracketed-code"),
    pytest.param("0012017421834", "GB", JERSEY_CITY, id="gb-call-from-the-us"),
    pytest.param("07911 123456", "GB", "+447911123456", id="gb-mobile"),
    pytest.param("030 1234567", "DE", "+49301234567", id="de-trunk-prefix"),
    pytest.param("00493012345678", "DE", "+493012345678", id="de-00"),
    pytest.param("+49 30-1234 5678", "DE", "+493012345678", id="de-dashes"),
    pytest.param("442071838750", "DE", "+49442071838750", id="de-valid-national-wins-over-missing-plus"),
    pytest.param("13800138000", "CN", "+8613800138000", id="cn-mobile"),
    pytest.param("8613800138000", "CN", "+8613800138000", id="cn-mobile-without-plus"),
    pytest.param("008613800138000", "CN", "+8613800138000", id="cn-00"),
    pytest.param("010 8529 9999", "CN", "+861085299999", id="cn-beijing"),
    pytest.param("01 42 68 53 00", "FR", "+33142685300", id="fr-pairs"),
    pytest.param("01.42.68.53.00", "FR", "+33142685300", id="fr-dots"),
    pytest.param("33142685300", "FR", "+33142685300", id="fr-without-plus"),
    pytest.param("06 1234 5678", "IT", "+390612345678", id="it-leading-zero-stays"),
    pytest.param("+390612345678", "US", "+390612345678", id="it-e164-leading-zero-stays"),
    pytest.param("3471234567", "IT", "+393471234567", id="it-mobile"),
    pytest.param("0412 345 678", "AU", "+61412345678", id="au-mobile"),
    pytest.param("0011 44 20 7183 8750", "AU", LONDON, id="au-0011"),
    pytest.param("00442071838750", "AU", LONDON, id="au-00-though-it-is-not-its-prefix"),
    pytest.param("1300 123 456", "AU", "+611300123456", id="au-shared-cost"),
    pytest.param("098765 43210", "IN", "+919876543210", id="in-trunk-prefix"),
    pytest.param("919876543210", "IN", "+919876543210", id="in-without-plus"),
    pytest.param("011 15 2345 6789", "AR", "+5491123456789", id="ar-mobile-is-rewritten"),
    pytest.param("03-1234-5678", "JP", "+81312345678", id="jp-tokyo"),
    pytest.param("010442071838750", "JP", LONDON, id="jp-010"),
    pytest.param("211234", "FO", "+298211234", id="fo-six-digits-are-a-whole-number"),
    pytest.param("+800 1234 5678", "US", "+80012345678", id="international-freephone"),
    pytest.param(JERSEY_CITY, "ZZ", JERSEY_CITY, id="unknown-region-needs-the-plus"),
    pytest.param("+4400207183875", "GB", "+44207183875", id="two-trunk-prefixes-settle"),
    pytest.param("１２０１７４２１８３４", "US", JERSEY_CITY, id="full-width"),
    pytest.param("＋４４２０７１８３８７５０", "US", LONDON, id="full-width-plus"),
    pytest.param("+٤٤٢٠٧١٨٣٨٧٥٠", "US", LONDON, id="arabic-indic"),
    pytest.param("०९८७६५४३२१०", "IN", "+919876543210", id="devanagari"),
    pytest.param("\u202a+44 20 7183 8750\u202c", "US", LONDON, id="bidi-controls"),
    pytest.param("+44\u00a020\u20117183\u200b8750", "US", LONDON, id="hard-space-hard-hyphen-zero-width"),
    pytest.param(f' "{LONDON}"\r\n', "US", LONDON, id="quotes-and-line-end"),
    pytest.param(f"tel:{LONDON}", "US", LONDON, id="tel-uri"),
    pytest.param("TEL:+44-20-7183-8750;ext=12", "US", LONDON, id="tel-uri-parameters-are-cut"),
    pytest.param("tel:863-1234;phone-context=+1-914", "GB", "+19148631234", id="global-phone-context"),
    pytest.param("tel:02071838750;phone-context=+44", "US", LONDON, id="phone-context-and-trunk-prefix"),
    pytest.param("tel:2017421834;phone-context=example.com", "US", JERSEY_CITY, id="local-phone-context"),
    pytest.param(f"tel:{LONDON};phone-context=+1", "US", LONDON, id="context-of-a-global-number"),
    pytest.param(f"{LONDON};isub=12345", "US", LONDON, id="isub"),
    pytest.param("sip:+12017421834@198.51.100.7:5060;user=phone", "GB", JERSEY_CITY, id="sip-uri"),
    pytest.param("sips:%2B12017421834;npdi@carrier", "GB", JERSEY_CITY, id="sips-uri-escaped-plus"),
    pytest.param("sip:+12017421834", "GB", JERSEY_CITY, id="sip-uri-without-host"),
    pytest.param('"Bob, Inc." <sip:2017421834@pbx>;tag=7', "US", JERSEY_CITY, id="name-addr"),
]

OTHERS = [
    *(
        pytest.param(word, "US", CallerKind.WITHHELD, id=f"withheld-{word or 'empty'}")
        for word in [
            "",
            "anonymous",
            "Anonymous",
            "RESTRICTED",
            "unknown",
            "unavailable",
            "private",
            "asterisk",
        ]
    ),
    pytest.param("sip:anonymous@anonymous.invalid", "US", CallerKind.WITHHELD, id="withheld-rfc-3323"),
    pytest.param("anonymous@anonymous.invalid", "US", CallerKind.WITHHELD, id="withheld-without-scheme"),
    pytest.param("<unknown>", "US", CallerKind.WITHHELD, id="withheld-in-brackets"),
    pytest.param('""', "US", CallerKind.WITHHELD, id="withheld-quotes-only"),
    pytest.param(" \u202e\u2069\t", "US", CallerKind.WITHHELD, id="withheld-bidi-only"),
    pytest.param("Private_Number", "US", CallerKind.WITHHELD, id="withheld-two-words"),
    pytest.param("911", "US", CallerKind.EMERGENCY, id="us-911"),
    pytest.param("112", "US", CallerKind.EMERGENCY, id="us-112"),
    pytest.param("999", "GB", CallerKind.EMERGENCY, id="gb-999"),
    pytest.param("sip:112@pbx", "DE", CallerKind.EMERGENCY, id="de-112-as-uri"),
    pytest.param("110", "CN", CallerKind.EMERGENCY, id="cn-110"),
    pytest.param("15", "FR", CallerKind.EMERGENCY, id="fr-15"),
    pytest.param("000", "AU", CallerKind.EMERGENCY, id="au-000"),
    pytest.param("１１２", "IT", CallerKind.EMERGENCY, id="it-112-full-width"),
    pytest.param("+86110", "US", CallerKind.EMERGENCY, id="cn-110-with-its-country"),
    pytest.param("0086119", "CN", CallerKind.EMERGENCY, id="cn-119-dialled"),
    pytest.param("+49112", "DE", CallerKind.EMERGENCY, id="de-112-with-its-country"),
    pytest.param("+1911", "GB", CallerKind.EMERGENCY, id="us-911-with-its-country"),
    pytest.param("201", "US", CallerKind.INTERNAL, id="extension-three-digits"),
    pytest.param("2001", "US", CallerKind.INTERNAL, id="extension-in-a-block-for-sms"),
    pytest.param("72975", "US", CallerKind.INTERNAL, id="text-code-without-plus"),
    pytest.param("86110", "CN", CallerKind.INTERNAL, id="extension-that-begins-with-the-code"),
    pytest.param("22", "GB", CallerKind.INTERNAL, id="extension-two-digits"),
    pytest.param("201", "CH", CallerKind.INTERNAL, id="extension-in-a-block-for-carriers"),
    pytest.param("400123", "DE", CallerKind.INTERNAL, id="extension-six-digits"),
    pytest.param("4012", "LU", CallerKind.INTERNAL, id="extension-four-digits-in-luxembourg"),
    pytest.param("147812", "IT", CallerKind.INTERNAL, id="extension-no-whole-number"),
    pytest.param("10000", "LU", CallerKind.INTERNAL, id="extension-five-digits-not-valid"),
    pytest.param("20123", "ZZ", CallerKind.INTERNAL, id="extension-unknown-region"),
    *(
        pytest.param(text, "US", CallerKind.INVALID, id=f"invalid-{name}")
        for name, text in {
            "ampersand": "1&PJSIP/trunk",
            "ampersand-digits": "1&2",
            "slash": "PJSIP/201",
            "slash-digits": "030/1234567",
            "host-without-scheme": "2017421834@trunk",
            "two-users": "sip:1@2@host",
            "sip-host-only": "sip:10.0.0.1",
            "parameters-only-left": "1&Local/9;x=2017421834",
            "hangup": "hangup",
            "vanity": "1-800-FLOWERS",
            "extension-suffix": "2017421834 x12",
            "comma": "2017421834,12",
            "star": "*672017421834",
            "hash": "#31#2017421834",
            "dialplan": "${SHELL(id)}",
            "nul-inside": "+1201\x007421834",
            "newline-inside": "+1201\n7421834",
            "surrogate": "\ud800",
            "circled-digits": "①②③④",
            "one-digit": "0",
            "plus-only": "+",
            "two-plus": "++12017421834",
            "range": "+12015550100-+12015550199",
            "damaged-phone-context": "tel:8631234;phone-context=+",
            "plus-emergency": "+911",
            "plus-extension": "+201",
            "plus-four-digit-extension": "+12001",
            "plus-code-of-a-carrier": "+91121",
            "unknown-code": "+999123456789",
            "within-an-area-only": "5550123",
            "within-an-area-only-e164": "+15550123",
            "four-trunk-prefixes": "+490000000301234",
            "longer-than-e164": "+4930123456789012",
            "long-national": "1" * 22,
            "250-digits": "7" * 250,
            "long-uri": f"sip:{'7' * 250}@host",
        }.items()
    ),
    pytest.param("2017421834", "ZZ", CallerKind.INVALID, id="invalid-national-in-an-unknown-region"),
    pytest.param("301234567890123", "DE", CallerKind.INVALID, id="invalid-national-beyond-fifteen-digits"),
]


# Numbers without an E.164 form, as trunks write them, and the key that they have everywhere.
SERVICES = [
    pytest.param("95588", "CN", "+8695588", id="cn-bank"),
    pytest.param("+8695588", "CN", "+8695588", id="cn-bank-with-plus"),
    pytest.param("8695588", "CN", "+8695588", id="cn-bank-without-plus"),
    pytest.param("008695588", "CN", "+8695588", id="cn-bank-00"),
    pytest.param("+8695588", "US", "+8695588", id="cn-bank-in-the-us"),
    pytest.param("0118695588", "US", "+8695588", id="cn-bank-dialled-in-the-us"),
    pytest.param("sip:95588@carrier;user=phone", "CN", "+8695588", id="cn-bank-sip"),
    pytest.param("tel:95588;phone-context=+86", "US", "+8695588", id="cn-bank-phone-context"),
    pytest.param("9 55 88", "CN", "+8695588", id="cn-bank-spaces"),
    pytest.param("９５５８８", "CN", "+8695588", id="cn-bank-full-width"),
    pytest.param("955881", "CN", "+86955881", id="cn-six-digits"),
    pytest.param("96110", "CN", "+8696110", id="cn-police-against-fraud"),
    pytest.param("10086", "CN", "+8610086", id="cn-carrier"),
    pytest.param("12580", "CN", "+8612580", id="cn-carrier-that-libphonenumber-has-not"),
    pytest.param("95123456", "CN", "+8695123456", id="cn-call-centre-of-eight-digits"),
    pytest.param("+869512345", "ZZ", "+869512345", id="cn-call-centre-of-seven-digits"),
    pytest.param("+8611185", "ZZ", "+8611185", id="cn-post"),
    pytest.param("1909", "IN", "+911909", id="in-complaints"),
    pytest.param("+91139", "ZZ", "+91139", id="in-railways"),
    pytest.param("8610086", "CN", "+8610086", id="cn-carrier-without-plus"),
    pytest.param("12345", "CN", "+8612345", id="cn-city-hall"),
    pytest.param("12306", "CN", "+8612306", id="cn-railway"),
    pytest.param("1023", "FR", "+331023", id="fr-carrier"),
    pytest.param("3949", "FR", "+333949", id="fr-four-digits"),
    pytest.param("333949", "FR", "+333949", id="fr-six-digits-with-code"),
    pytest.param("+33 3949", "GB", "+333949", id="fr-from-abroad"),
    pytest.param("118218", "FR", "+33118218", id="fr-directory"),
    pytest.param("115", "DE", "+49115", id="de-authorities"),
    pytest.param("116117", "DE", "+49116117", id="de-doctor-possible-but-not-valid"),
    pytest.param("+49116117", "US", "+49116117", id="de-doctor-from-abroad"),
    pytest.param("+49 (0) 116117", "US", "+49116117", id="de-doctor-and-trunk-prefix"),
    pytest.param("101", "GB", "+44101", id="gb-police-no-emergency"),
    pytest.param("016", "ES", "+34016", id="es-leading-zero-stays"),
    pytest.param("411", "US", "+1411", id="us-411"),
    pytest.param("988", "US", "+1988", id="us-988"),
    pytest.param("611", "us", "+1611", id="us-611-which-carriers-share"),
    pytest.param("+172975", "US", "+172975", id="us-text-code-with-plus"),
    pytest.param("5050415", "IN", "+915050415", id="in-seven-digits"),
    pytest.param("1784811", "HK", "+8521784811", id="hk-seven-digits-possible-but-not-valid"),
]


@pytest.mark.parametrize(("raw", "region", "key"), SERVICES)
def test_a_service_number_has_one_key_however_it_is_written(raw: str, region: str, key: str) -> None:
    for text, of in [(raw, region), *((key, other) for other in REGIONS)]:
        caller = caller_of(text, of)
        assert (caller.key, caller.kind) == (key, CallerKind.SERVICE)
    assert number_of(raw, region) == key
    assert number_type_of(key) is NumberType.SERVICE
    assert is_valid(key)
    assert block_of(key) is None
    service = service_number_of(key)
    assert service is not None
    assert key == f"+{phonenumbers.country_code_for_region(service.country)}{service.digits}"
    assert country_of(key) == service.country
    assert time_zones_of(key)


@pytest.mark.parametrize(("raw", "region", "e164"), NUMBERS)
def test_a_number_has_one_key_however_it_is_written(raw: str, region: str, e164: str) -> None:
    caller = caller_of(raw, region, "allowed_not_screened")
    assert (caller.key, caller.kind) == (e164, CallerKind.NUMBER)
    assert number_of(raw, region) == e164
    assert caller_of(e164, region).key == e164
    assert service_number_of(e164) is None
    assert block_of(e164) == e164[:-3]


@pytest.mark.parametrize(("raw", "region", "kind"), OTHERS)
def test_a_caller_without_a_number_has_its_kind(raw: str, region: str, kind: CallerKind) -> None:
    caller = caller_of(raw, region)
    assert (caller.key, caller.kind) == (None, kind)


@pytest.mark.parametrize("presentation", ["prohib", "prohib_not_screened", "prohib_passed_screen", " PROHIB "])
@pytest.mark.parametrize("raw", [LONDON, "112", "201", ""])
def test_a_withheld_caller_leaves_no_text(raw: str, presentation: str) -> None:
    caller = caller_of(raw, "GB", presentation, "Bob")
    assert (caller.key, caller.raw, caller.kind) == (None, "", CallerKind.WITHHELD)


def test_an_unavailable_number_is_withheld() -> None:
    caller = caller_of("201\n", "GB", "unavailable")
    assert (caller.key, caller.raw, caller.kind) == (None, "201", CallerKind.WITHHELD)


@pytest.mark.parametrize(
    ("raw", "name", "kind"),
    [
        pytest.param("0", "Anonymous", CallerKind.WITHHELD, id="placeholder"),
        pytest.param("0", "Bob", CallerKind.INVALID, id="other-name"),
        pytest.param(LONDON, "Anonymous", CallerKind.NUMBER, id="a-name-never-hides-a-number"),
        pytest.param("201", "anonymous", CallerKind.INTERNAL, id="nor-an-extension"),
    ],
)
def test_the_name_only_explains_a_missing_number(raw: str, name: str, kind: CallerKind) -> None:
    assert caller_of(raw, "GB", "allowed", name).kind is kind


def test_raw_keeps_only_printable_characters() -> None:
    assert caller_of("1\u202e2\x1b[31m\n\ud800" + "x" * 300, "US").raw == "12[31m" + "x" * 58


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        pytest.param("030/1234567", "DE", "+49301234567", id="german-slash"),
        pytest.param(" (030) / 123 4567", "DE", "+49301234567", id="german-slash-and-brackets"),
        pytest.param("1234567/1234568", "DE", None, id="two-numbers"),
        pytest.param("911", "US", None, id="emergency"),
        pytest.param("201", "US", None, id="extension"),
        pytest.param("", "US", None, id="nothing"),
        pytest.param("unknown", "US", None, id="word"),
    ],
)
def test_lists_and_imports_read_numbers_the_same_way(text: str, region: str, e164: str | None) -> None:
    assert number_of(text, region) == e164


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        pytest.param("911", "us", True, id="us-911"),
        pytest.param("112", "GB", True, id="gb-112"),
        pytest.param(" 1 1 2 ", "FR", True, id="fr-spaces"),
        pytest.param("tel:999", "GB", True, id="gb-uri"),
        pytest.param("119", "JP", True, id="jp-119"),
        pytest.param("190", "BR", True, id="br-190"),
        pytest.param("10111", "ZA", True, id="za-five-digits"),
        pytest.param("112", "GN", False, id="gn-knows-none"),
        pytest.param("911", "DE", False, id="de-911"),
        pytest.param("+112", "GB", False, id="plus"),
        pytest.param("+44 999", "GB", True, id="after-its-calling-code"),
        pytest.param("+86110", "GB", True, id="of-another-country-after-its-calling-code"),
        pytest.param("+8695588", "CN", False, id="service-number"),
        pytest.param("9112", "US", False, id="exact-only"),
        pytest.param("112", "ZZ", False, id="unknown-region"),
        pytest.param("hangup", "US", False, id="word"),
        pytest.param("", "US", False, id="nothing"),
    ],
)
def test_emergency_numbers_depend_on_the_region(text: str, region: str, expected: bool) -> None:
    assert is_emergency(text, region) is expected


@pytest.mark.parametrize(
    ("e164", "country", "number_type"),
    [
        pytest.param(JERSEY_CITY, "US", NumberType.FIXED_OR_MOBILE, id="us"),
        pytest.param("+14165550123", "CA", NumberType.FIXED_OR_MOBILE, id="ca-toronto"),
        pytest.param("+18005551234", "US", NumberType.TOLL_FREE, id="us-toll-free"),
        pytest.param("+19002345678", "US", NumberType.PREMIUM, id="us-premium"),
        pytest.param(LONDON, "GB", NumberType.FIXED, id="gb-fixed"),
        pytest.param("+447400123456", "GB", NumberType.MOBILE, id="gb-mobile"),
        pytest.param("+447012345678", "GB", NumberType.PERSONAL, id="gb-personal"),
        pytest.param("+447640123456", "GB", NumberType.PAGER, id="gb-pager"),
        pytest.param("+445612345678", "GB", NumberType.VOIP, id="gb-voip"),
        pytest.param("+443001234567", "GB", NumberType.UAN, id="gb-uan"),
        pytest.param("+611300123456", "AU", NumberType.SHARED_COST, id="au-shared-cost"),
        pytest.param("+80012345678", "001", NumberType.TOLL_FREE, id="no-country"),
        pytest.param("+10000000000", "US", NumberType.UNALLOCATED, id="main-country-when-unallocated"),
        pytest.param("+999123456789", None, NumberType.UNALLOCATED, id="unknown-code"),
        pytest.param("2017421834", None, NumberType.UNALLOCATED, id="not-e164"),
        pytest.param("", None, NumberType.UNALLOCATED, id="nothing"),
    ],
)
def test_country_and_type_come_from_the_digits(e164: str, country: str | None, number_type: NumberType) -> None:
    assert country_of(e164) == country
    assert number_type_of(e164) is number_type
    assert is_valid(e164) is (number_type is not NumberType.UNALLOCATED)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(LONDON, "+4420******50", id="e164"),
        pytest.param(JERSEY_CITY, "+1201*****34", id="us"),
        pytest.param("02071838750", "020******50", id="national"),
        pytest.param("+4912345", "+4****45", id="short-number-hides-four"),
        pytest.param("211234", "****34", id="six-digits"),
        pytest.param("201", "***", id="extension"),
        pytest.param("Anonymous", "anonymous", id="word-of-ours"),
        pytest.param("1&PJSIP/trunk", "************", id="attack"),
        pytest.param("a\nb", "***", id="newline"),
        pytest.param("٤٤٢٠٧١٨", "*******", id="other-digits"),
        pytest.param("", "-", id="empty"),
        pytest.param(None, "-", id="none"),
    ],
)
def test_logs_never_hold_a_whole_number(text: str | None, shown: str) -> None:
    assert masked(text) == shown


def test_regions_are_those_with_a_numbering_plan() -> None:
    assert {"US", "GB", "DE", "CN"} <= set(supported_regions())
    assert list(supported_regions()) == sorted(supported_regions())
    assert is_possible_region("GB")
    assert is_possible_region("gb")
    assert not is_possible_region("UK")
    assert not is_possible_region("")


# Any text at all: free text, and text made of what makes number readers stumble.
PIECES = [
    "+",
    "00",
    "011",
    "1",
    "44",
    "39",
    "0",
    "(",
    ")",
    "-",
    " ",
    "/",
    "&",
    "@",
    ";",
    "<",
    ">",
    '"',
    ":",
    ".",
]
PIECES += [
    "sip:",
    "tel:",
    ";isub=",
    ";phone-context=",
    "anonymous",
    "x",
    "\x00",
    "\u202e",
    "\ud800",
    "٤",
    "\uff12",
]
TEXTS = st.one_of(
    st.text(alphabet=st.characters(), max_size=300),
    st.lists(st.one_of(st.sampled_from(PIECES), st.from_regex(r"[0-9]{1,5}", fullmatch=True))).map("".join),
    st.from_regex(r"\+?[0-9]{1,20}", fullmatch=True),
    st.sampled_from([param.values[0] for param in NUMBERS + SERVICES + OTHERS]).map(str),
)


@given(TEXTS, st.sampled_from(REGIONS), st.sampled_from(["", "allowed", "prohib", "unavailable"]), TEXTS)
def test_any_text_gives_a_consistent_caller(raw: str, region: str, presentation: str, name: str) -> None:
    caller = caller_of(raw, region, presentation, name)
    assert (caller.key is not None) == (caller.kind in (CallerKind.NUMBER, CallerKind.SERVICE))
    assert len(caller.raw) <= 64
    assert not caller.raw or caller.raw.isprintable()
    if presentation in ("prohib", "unavailable"):
        assert caller.kind is CallerKind.WITHHELD
    if caller.key is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{1,14}", caller.key)
        for other in REGIONS:
            again = caller_of(caller.key, other)
            assert (again.key, again.kind) == (caller.key, caller.kind)
        assert (caller.kind is CallerKind.SERVICE) == (service_number_of(caller.key) is not None)
        assert country_of(caller.key) is not None


@given(TEXTS, st.sampled_from(REGIONS))
def test_any_text_is_accepted_by_the_number_functions(text: str, region: str) -> None:
    number_of(text, region)
    is_emergency(text, region)
    is_valid(text)
    country_of(text)
    shown = masked(text)
    assert shown.isprintable()
    assert sum(char.isdecimal() for char in shown) <= 6


@st.composite
def plausible_numbers(draw: st.DrawFn) -> str:
    """Numbers as long as those of their country. Of random digits, few would be numbers."""
    region = draw(st.sampled_from(supported_regions()))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata
    assert metadata.general_desc
    length = draw(st.sampled_from(metadata.general_desc.possible_length))
    national = draw(st.from_regex(rf"[0-9]{{{length}}}", fullmatch=True))
    return f"+{phonenumbers.country_code_for_region(region)}{national}"


@given(plausible_numbers())
def test_the_fast_path_agrees_with_phonenumbers(text: str) -> None:
    caller = caller_of(text, "US")
    assume(caller.key == text and caller.kind is CallerKind.NUMBER)
    assert number_of(text, "GB") == text
    number = phonenumbers.parse(text, None)
    assert phonenumbers.is_possible_number(number)
    assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
    assert is_valid(text) is phonenumbers.is_valid_number(number)
    assert country_of(text) == (
        phonenumbers.region_code_for_number(number)
        or phonenumbers.region_code_for_country_code(number.country_code or 0)
    )


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        pytest.param("+442071838750", ("Europe/London",), id="a-landline"),
        pytest.param("+12015550123", ("America/New_York",), id="by-area-code"),
        pytest.param("+80012345678", (), id="of-no-country"),
        pytest.param("201", (), id="no-number"),
    ],
)
def test_a_number_has_its_time_zones(number: str, zones: tuple[str, ...]) -> None:
    assert time_zones_of(number) == zones


def test_a_mobile_number_can_be_in_all_zones_of_its_country() -> None:
    assert len(time_zones_of("+79161234567")) > 8
