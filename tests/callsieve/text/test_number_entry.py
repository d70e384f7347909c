"""What list entries are written as, what they match, and what speaks against them."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callsieve.text.number_entry import (
    EntryError,
    coverage,
    covers,
    number_from,
    objection_to_part,
    objections_to,
    parse_entry,
)
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.lists import covering_prefixes

OWN = ("+12025550100", "+442071838750")


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        pytest.param("+12015550123", EntryKind.EXACT, "+12015550123", id="e164"),
        pytest.param(" 201-555-0123 ", EntryKind.EXACT, "+12015550123", id="as-dialled"),
        pytest.param("(201) 555 0123", EntryKind.EXACT, "+12015550123", id="parentheses"),
        pytest.param("+1900*", EntryKind.PREFIX, "+1900*", id="prefix"),
        pytest.param("+1 900 *", EntryKind.PREFIX, "+1900*", id="prefix-with-spaces"),
        pytest.param("+12015550100-+12015550199", EntryKind.RANGE, "+12015550100-+12015550199", id="range"),
        pytest.param(
            "+1 201-555-0100 - +1 201-555-0199", EntryKind.RANGE, "+12015550100-+12015550199", id="range-as-written"
        ),
        pytest.param("+12015550100..+12015550199", EntryKind.RANGE, "+12015550100-+12015550199", id="range-of-dots"),
        pytest.param("+12015550100–+12015550199", EntryKind.RANGE, "+12015550100-+12015550199", id="range-of-a-dash"),
    ],
)
def test_entry_is_written_as_it_was_read(text: str, kind: EntryKind, shown: str) -> None:
    entry = parse_entry(text, ListName.BLOCK, "US")
    assert (entry.kind, entry.text) == (kind, shown)
    assert parse_entry(entry.text, ListName.BLOCK, "DE") == entry


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "not a telephone number", id="nothing"),
        pytest.param("abc", "not a telephone number", id="word"),
        pytest.param("*", "not a prefix", id="star"),
        pytest.param("+1876[0-9]*", "pattern", id="pattern"),
        pytest.param("+1876555012?", "pattern", id="wildcard"),
        pytest.param("+*", "not a prefix", id="plus-star"),
        pytest.param("1900*", "country's code", id="national-prefix"),
        pytest.param("+1*900", "not a prefix", id="star-in-the-middle"),
        pytest.param("+1900**", "not a prefix", id="two-stars"),
        pytest.param("+123456789012345*", "1 to 14 digits", id="prefix-too-long"),
        pytest.param("+12015550199-+12015550100", "swap them", id="range-backwards"),
        pytest.param("+12015550100-+442071838750", "same number of digits", id="range-of-two-lengths"),
        pytest.param("+12015550100-+12015550110-+12015550120", "+12015550100-+12015550199", id="three-ends"),
        pytest.param("+1-+9", "+12015550100-+12015550199", id="range-of-everything"),
        pytest.param("911", "emergency number", id="emergency"),
        pytest.param("911*", "emergency number", id="emergency-prefix"),
        pytest.param("201", "too short", id="extension"),
        pytest.param("95588", "+8695588", id="service-number-of-another-country"),
        pytest.param("+1911", "emergency number", id="emergency-number-with-its-country"),
        pytest.param("anonymous", "caller_kind", id="withheld"),
        pytest.param("+12015550123\n+12015550124", "not a telephone number", id="two-lines"),
    ],
)
def test_bad_entry_names_the_allowed_forms(text: str, says: str) -> None:
    with pytest.raises(EntryError, match=re.escape(says)) as caught:
        parse_entry(text, ListName.BLOCK, "US")
    assert str(caught.value).isprintable()


@given(st.text(max_size=60))
def test_any_text_is_an_entry_or_an_error(text: str) -> None:
    try:
        entry = parse_entry(text, ListName.BLOCK, "US")
    except EntryError:
        return
    assert parse_entry(entry.text, ListName.BLOCK, "US") == entry


@given(st.integers(10**9, 10**10 - 1), st.integers(0, 500), st.integers(-600, 1100))
def test_a_range_covers_what_the_store_matches_by_prefixes(first: int, width: int, offset: int) -> None:
    entry = ListEntry(ListName.BLOCK, EntryKind.RANGE, f"+{first}", f"+{first + width}")
    assume(entry.last is not None and len(entry.last) == len(entry.first))
    assert entry.last is not None
    number = f"+{first + offset}"
    by_prefix = any(number.startswith(prefix) for prefix in covering_prefixes(entry.first, entry.last))
    assert covers(entry, number) == (by_prefix and len(number) == len(entry.first))


@pytest.mark.parametrize(
    ("text", "number", "does"),
    [
        ("+1900*", "+19005550123", True),
        ("+1900*", "+19015550123", False),
        ("+12015550123", "+12015550123", True),
        ("+12015550123", "+120155501234", False),
        ("+12015550100-+12015550199", "+12015550150", True),
        ("+12015550100-+12015550199", "+12015550200", False),
        ("+12015550100-+12015550199", "+1201555015", False),
    ],
)
def test_an_entry_covers_exactly_its_numbers(text: str, number: str, does: bool) -> None:
    assert covers(parse_entry(text, ListName.BLOCK, "US"), number) is does


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("+1900*", "every number that begins with +1900"),
        ("+12015550100-+12015550199", "100 numbers, +12015550100 to +12015550199 (US)"),
        ("+12017421834", "the number +12017421834 (US, fixed or mobile)"),
        ("+11115550123", "the number +11115550123 (US, in no allocated block)"),
    ],
)
def test_coverage_of_an_entry_in_words(text: str, words: str) -> None:
    assert str(coverage(parse_entry(text, ListName.BLOCK, "US"))) == words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("+1*", "whole countries", id="one-digit"),
        pytest.param("+10000000000-+19999999999", "whole countries", id="the-same-as-a-range"),
        pytest.param("+12025550100", "our own numbers, also by our people who call in: +12025550100", id="own-number"),
        pytest.param("+4420*", "+442071838750", id="own-number-under-a-prefix"),
        pytest.param("+12025550000-+12025559999", "our own numbers", id="own-number-in-a-range"),
    ],
)
def test_harmful_block_entries_get_an_objection(text: str, says: str) -> None:
    assert any(says in str(objection) for objection in objections_to(parse_entry(text, ListName.BLOCK, "US"), OWN))


@pytest.mark.parametrize("text", ["+19*", "+12015550123", "+12015550100-+12015550199"])
def test_harmless_block_entries_get_no_objection(text: str) -> None:
    assert objections_to(parse_entry(text, ListName.BLOCK, "US"), OWN) == []


def test_allow_entries_get_no_objection() -> None:
    assert objections_to(parse_entry("+1*", ListName.ALLOW, "US"), OWN) == []


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        pytest.param("0207-946-17", "+4420794617*", id="typed-with-its-0"),
        pytest.param("0207946", "+44207946*", id="shorter"),
        pytest.param("+442079461", "+442079461*", id="typed-with-the-country"),
        pytest.param("555-0123", "+445550123*", id="without-its-area"),
        pytest.param("020 7183 8750", None, id="whole"),
        pytest.param("0800 1111", None, id="whole-and-short"),
        pytest.param("+441115550123", None, id="whole-in-no-block-as-spoofers-show-it"),
        pytest.param("+11115550123", None, id="the-same-elsewhere"),
        pytest.param("+39061234", None, id="where-numbers-begin-with-0"),
        pytest.param("+44207946*", None, id="prefix"),
    ],
)
def test_start_of_a_number_suggests_its_prefix(text: str, prefix: str | None) -> None:
    for list_name in ListName:
        objections = objection_to_part(parse_entry(text, list_name, "GB"))
        assert [prefix in str(objection) for objection in objections if prefix] == [True] * len(objections)
        assert len(objections) == (prefix is not None)


def test_objection_counts_many_own_numbers() -> None:
    own = [f"+1202555010{digit}" for digit in range(6)]
    [objection] = objections_to(parse_entry("+1202555*", ListName.BLOCK, "US"), own)
    assert "(6)" in str(objection)


def test_german_number_with_a_slash_is_read() -> None:
    assert number_from("030/1234567", "DE") == "+49301234567"


@pytest.mark.parametrize(
    ("text", "region", "prefix", "says"),
    [
        pytest.param("0162*", "FR", "+33162", "", id="fr-trunk-prefix"),
        pytest.param("0800*", "GB", "+44800", "", id="gb-trunk-prefix"),
        pytest.param("010 *", "CN", "+8610", "not only service numbers but also +86100", id="cn-beijing"),
        pytest.param("95*", "CN", "+8695", "not only service numbers but also +86950", id="cn-banks-and-areas"),
        pytest.param("96*", "CN", "+8696", "", id="cn-service-numbers-alone"),
        pytest.param("+8695*", "US", "+8695", "not only service numbers", id="cn-with-plus"),
        pytest.param("116*", "DE", "+49116", "", id="de-service-numbers-alone"),
    ],
)
def test_prefix_in_local_format_is_read(text: str, region: str, prefix: str, says: str) -> None:
    entry = parse_entry(text, ListName.BLOCK, region)
    assert (entry.kind, entry.first) == (EntryKind.PREFIX, prefix)
    covered = str(coverage(entry))
    assert says in covered
    assert ("not only" in covered) is bool(says)
    assert parse_entry(entry.text, ListName.BLOCK, "ZZ") == entry


@pytest.mark.parametrize(
    ("text", "region"),
    [
        pytest.param("36*", "FR", id="fr-3639-and-landlines"),
        pytest.param("10*", "CN", id="cn-10086-and-beijing"),
        pytest.param("95588*", "CN", id="cn-a-bank-and-landlines"),
        pytest.param("1*", "CN", id="one-digit"),
        pytest.param("0*", "GB", id="the-trunk-prefix-alone"),
        pytest.param("00*", "GB", id="every-call-from-abroad"),
        pytest.param("06*", "IT", id="no-trunk-prefix"),
        pytest.param("1900*", "US", id="us-which-is-no-service-number"),
        pytest.param("95*", "ZZ", id="no-region"),
        pytest.param("110*", "CN", id="emergency"),
    ],
)
def test_ambiguous_prefix_is_refused(text: str, region: str) -> None:
    with pytest.raises(EntryError):
        parse_entry(text, ListName.BLOCK, region)


@pytest.mark.parametrize(
    ("entry", "number", "matches"),
    [
        pytest.param("95588", "+8695588", True, id="exact"),
        pytest.param("95588", "+861095588", False, id="not-with-an-area-code"),
        pytest.param("+8695*", "+8695588", True, id="prefix"),
        pytest.param("+8695000-+8695999", "+8695588", True, id="range-of-five-digits"),
        pytest.param("+8695000-+8695999", "+86955881", False, id="not-of-six"),
        pytest.param("+8695000-+8695999", "+8695112345678", False, id="nor-of-landlines"),
    ],
)
def test_entries_match_service_numbers(entry: str, number: str, matches: bool) -> None:
    assert covers(parse_entry(entry, ListName.BLOCK, "CN"), number) is matches
