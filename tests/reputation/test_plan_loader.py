"""A faulty plan file is reported with row, key and remedy, and never makes a look-up fail."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.plan.loader import MAX_BYTES, MAX_PROBLEMS, PlanError, parse_plan
from reputation.plan.rows import NumberPlan, PlanFile, PlanRow, Purpose

HEAD = 'country = "FR"\ncalling_code = 33\nread = 2026-11-27\n'
SOURCE = '[[source]]\nname = "arcep"\ntitle = "Arcep"\nurl = "https://example.org/plan"\nread = 2026-11-27\n'
RANGE = '[[range]]\nprefix = "+33162"\npurpose = "telemarketing"\nsource = "arcep"\n'


def problems_of(text: str | bytes) -> tuple[str, ...]:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(PlanError) as refused:
        parse_plan(raw, "fr.toml")
    return tuple(map(str, refused.value.problems))


def test_a_plan_file_is_parsed() -> None:
    plan = parse_plan((HEAD + SOURCE + RANGE + "valid_from = 2023-01-01\ndigits = [9]\n").encode(), "fr.toml")
    (row,) = plan.rows
    assert (plan.country, plan.calling_code, plan.adds) == ("FR", 33, False)
    assert (row.prefix, row.purpose, set(row.digits)) == ("+33162", Purpose.TELEMARKETING, {9})
    assert row.is_evidence
    assert row.source is not None
    assert row.source.url == "https://example.org/plan"


def test_a_row_without_a_source_is_no_evidence() -> None:
    plan = parse_plan((HEAD + '[[range]]\nprefix = "+33162"\npurpose = "bank"\n').encode(), "fr.toml")
    assert not plan.rows[0].is_evidence


def test_rows_of_the_administrator_are_own_rows() -> None:
    text = 'adds_to = "FR"\ncalling_code = 33\nread = 2026-11-27\n[[range]]\nprefix = "+33162"\npurpose = "service"\n'
    plan = parse_plan(text.encode(), "own.toml")
    assert plan.adds
    assert plan.rows[0].is_own


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        pytest.param("", "", "country", id="empty"),
        pytest.param(HEAD.replace("33", '"33"'), "", "calling_code", id="code-as-text"),
        pytest.param(HEAD.replace("33", "1000"), "", "calling_code", id="unknown-code"),
        pytest.param(HEAD.replace("33", "true"), "", "calling_code", id="code-as-a-boolean"),
        pytest.param(HEAD.replace('"FR"', '"GB"'), "", "calling_code", id="code-of-another-country"),
        pytest.param(HEAD.replace('"FR"', '"fr"'), "", "country", id="country-in-small-letters"),
        pytest.param(HEAD + 'adds_to = "FR"\n', "", "adds_to", id="whole-and-adding"),
        pytest.param(HEAD.replace("2026-11-27", '"2026-11-27"'), "", "read", id="day-in-quotes"),
        pytest.param(HEAD.replace("2026-11-27", "2026-11-27T10:00:00Z"), "", "read", id="an-instant"),
        pytest.param(HEAD + "colour = 3\n", "", "colour", id="unknown-key"),
        pytest.param(HEAD + 'unverified = "much"\n', "", "unverified", id="unverified-as-a-text"),
        pytest.param(HEAD + "range = 3\n", "", "range", id="range-not-a-table"),
        pytest.param(HEAD + "range = [3]\n", "", "range", id="range-of-numbers"),
        pytest.param(HEAD + "source = [[]]\n", "", "source", id="source-of-lists"),
        pytest.param(HEAD + SOURCE.replace("https", "file"), "source 1", "url", id="no-web-address"),
        pytest.param(HEAD + SOURCE + SOURCE, "source 2", "name", id="a-name-twice"),
        pytest.param(HEAD + SOURCE.replace('"Arcep"', '"Ar\\ncep"'), "source 1", "title", id="two-lines"),
        pytest.param(HEAD + SOURCE + RANGE.replace("tele", "tela"), "range 1 ('+33162')", "purpose", id="purpose"),
        pytest.param(HEAD + SOURCE + RANGE.replace('"+33162"', '"0162"'), "range 1", "prefix", id="national-prefix"),
        pytest.param(HEAD + SOURCE + RANGE.replace('"+33162"', "[]"), "range 1", "prefix", id="no-prefix"),
        pytest.param(HEAD + SOURCE + RANGE.replace('"+33162"', "162"), "range 1", "prefix", id="prefix-as-a-number"),
        pytest.param(HEAD + SOURCE + RANGE.replace("+33162", "+44162"), "range 1", "prefix", id="of-another-country"),
        pytest.param(HEAD + SOURCE + RANGE.replace("+33162", "+33"), "range 1", "prefix", id="a-whole-country"),
        pytest.param(HEAD + SOURCE + RANGE.replace("+33162", "+33１６２"), "range 1", "prefix", id="full-width-digits"),
        pytest.param(HEAD + RANGE, "range 1", "source", id="unknown-source"),
        pytest.param(HEAD + SOURCE + RANGE + 'law = "code"\n', "range 1", "law", id="unknown-law"),
        pytest.param(HEAD + SOURCE + RANGE + "digits = 0\n", "range 1", "digits", id="no-digits"),
        pytest.param(HEAD + SOURCE + RANGE + "digits = []\n", "range 1", "digits", id="empty-digits"),
        pytest.param(HEAD + SOURCE + RANGE + "digits = true\n", "range 1", "digits", id="digits-as-a-boolean"),
        pytest.param(HEAD + SOURCE + RANGE + "evidence = 1\n", "range 1", "evidence", id="evidence-as-a-number"),
        pytest.param(
            HEAD + '[[range]]\nprefix = "+33162"\npurpose = "bank"\nevidence = true\n',
            "range 1",
            "evidence",
            id="evidence-without-a-source",
        ),
        pytest.param(
            HEAD + SOURCE + RANGE + "valid_from = 2026-01-02\nvalid_until = 2026-01-01\n",
            "range 1",
            "valid_until",
            id="over-before-it-begins",
        ),
        pytest.param(HEAD + SOURCE + RANGE + RANGE, "", "+33162", id="the-same-twice"),
        pytest.param(
            HEAD
            + SOURCE
            + "".join(f"{RANGE}valid_from = {y}-01-01\nvalid_until = {y}-01-02\n" for y in range(1950, 2002)),
            "",
            "+33162",
            id="one-prefix-fifty-times",
        ),
        pytest.param(HEAD + SOURCE + RANGE + f'note = "{"x" * 400}"\n', "range 1", "note", id="a-long-note"),
        pytest.param("country = \n", "", "TOML", id="no-toml"),
        pytest.param("a = " + "[" * 2000, "", "TOML", id="brackets"),
        pytest.param("a = " + "9" * 5000, "", "TOML", id="a-number-of-5000-digits"),
        pytest.param(b"\xff\xfe", "", "UTF-8", id="no-text"),
        pytest.param(b"#" * (MAX_BYTES + 1), "", "bytes", id="too-large"),
    ],
)
def test_a_fault_is_named_with_file_row_and_key(text: str | bytes, place: str, key: str) -> None:
    found = problems_of(text)
    assert all(item.startswith("fr.toml: ") and item.isprintable() and len(item) < 600 for item in found)
    assert any(f"fr.toml: {place}" in item and key in item for item in found)


def test_all_faults_are_named_at_once() -> None:
    bad = '[[range]]\nprefix = "0162"\npurpose = "bank"\n'
    assert len(problems_of(HEAD + bad + bad)) == 2
    assert len(problems_of(HEAD + bad * 1000)) == MAX_PROBLEMS


def test_equal_prefixes_of_other_days_or_lengths_do_not_clash() -> None:
    first, then = "valid_until = 2025-12-31\n", "valid_from = 2026-01-01\n"
    plan = parse_plan((HEAD + SOURCE + RANGE + first + RANGE + then).encode(), "fr.toml")
    assert len(plan.rows) == 2
    plan = parse_plan((HEAD + SOURCE + RANGE + "digits = 4\n" + RANGE + "digits = 9\n").encode(), "fr.toml")
    assert len(plan.rows) == 2


@given(st.text())
def test_any_text_is_parsed_as_a_plan_or_refused(text: str) -> None:
    with suppress(PlanError):
        parse_plan(text.encode("utf-8", "surrogatepass"), "any.toml")


# The look-up against one that looks at every row.

DAYS = st.dates(date(2025, 1, 1), date(2025, 1, 6))
ROWS = st.builds(
    PlanRow,
    country=st.just("FR"),
    prefix=st.text("12", min_size=1, max_size=4).map(lambda digits: f"+33{digits}"),
    purpose=st.sampled_from(list(Purpose)),
    digits=st.frozensets(st.integers(1, 6), max_size=2),
    valid_from=st.none() | DAYS,
    valid_until=st.none() | DAYS,
    is_own=st.booleans(),
)


@given(
    st.lists(ROWS, max_size=8),
    st.text("12", max_size=6).map(lambda digits: f"+33{digits}"),
    st.integers(0, 7),
)
def test_the_longest_matching_prefix_wins(rows: list[PlanRow], number: str, day: int) -> None:
    now = 1735689600.0 + 86400.0 * day
    plan = NumberPlan([PlanFile("FR", 33, date(2026, 1, 1), (), tuple(rows))])
    holding = [
        row
        for row in rows
        if number.startswith(row.prefix)
        and row.begins_at <= now < row.ends_at
        and (not row.digits or len(number) - 3 in row.digits)
    ]
    found = plan.row_of(number, now)
    best = max(((len(row.prefix), row.is_own, bool(row.digits)) for row in holding), default=None)
    assert (found and (len(found.prefix), found.is_own, bool(found.digits))) == best
    assert found is None or found in holding
