"""Feeds: formats, usable rows, and sums of complaints."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.imports.rows import (
    BARE_NUMBER,
    CATEGORY_BY_SUBJECT,
    CSV_COLUMNS,
    FTC_COLUMNS,
    Format,
    category_of,
    feed_rows,
    format_of,
    merged_complaints,
    us_number,
)
from callsieve.text.csv_table import CsvTable
from callsieve.text.table_errors import TableError
from reputation.numbers import number_of
from reputation.store.imports import ImportedRow

FTC_HEADER = (
    "Company_Phone_Number,Created_Date,Violation_Date,Consumer_City,Consumer_State,Consumer_Area_Code,Subject,"
    "Recorded_Message_Or_Robocall\n"
)


def make_table(content: bytes | str) -> CsvTable:
    raw = content.encode() if isinstance(content, str) else content
    return CsvTable(io.BytesIO(raw), CSV_COLUMNS, "feed", others=(FTC_COLUMNS,), bare=BARE_NUMBER)


def complaint(number: str, subject: str = "Other", robocall: str = "N", created: str = "2025-09-29 23:59:56") -> str:
    return f'{number},{created},2025-09-28 10:00:00,Springfield,Ohio,419,"{subject}",{robocall}\n'


@pytest.mark.parametrize(
    ("content", "known_as", "first"),
    [
        pytest.param(FTC_HEADER + complaint("2017421834"), Format.FTC, "+12017421834", id="ftc"),
        pytest.param(
            FTC_HEADER.upper().replace(",", ";") + "2017421834;2025-09-29;;;;;Other;N\n",
            Format.FTC,
            "+12017421834",
            id="ftc-semicolons",
        ),
        pytest.param("number\n+12017421834\n", Format.CSV, "+12017421834", id="csv-of-one-column"),
        pytest.param("name;number\nJoe;201-742-1834\n", Format.CSV, "+12017421834", id="csv"),
        pytest.param("number,category,name,note,verdict\n+12017421834,,,,spam\n", Format.CSV, "+12017421834", id="own"),
        pytest.param("+12017421834\n", Format.LIST, "+12017421834", id="list"),
        pytest.param("\ufeff(201) 742-1834\r\n", Format.LIST, "+12017421834", id="list-of-windows"),
        pytest.param("# bad ones\n\n  # more\n201.742.1834 # Joe\n", Format.LIST, "+12017421834", id="comments"),
        pytest.param("# exported\nnumber,name\n2017421834,Joe\n", Format.CSV, "+12017421834", id="csv-after-comment"),
    ],
)
def test_format_is_detected_from_the_first_lines(content: str, known_as: Format, first: str) -> None:
    table = make_table(content)
    assert format_of(table) is known_as
    assert [row[0] for row in feed_rows(table, "US", "spam")] == [first]
    assert (table.read, table.skipped) == (1, 0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"phone,name\n1,2\n", "no-column-or-number", id="header"),
        pytest.param(b"# x\nphone\n", "no-column-or-number", id="line-2"),
        pytest.param(b"2017421834,scam\n2017421835,\n", "no-column-or-number", id="csv-without-header"),
        pytest.param(b"", "no-header", id="empty"),
        pytest.param(b"# nothing\n#\n\n", "nothing", id="comments-only"),
        pytest.param(b"\x1f\x8b\x08", "packed", id="packed-twice"),
        pytest.param(b"2017421834\r2017421835\r", "cr-lines", id="cr-only"),
        pytest.param(b"2017\x00421834\n", "no-text", id="nul"),
        pytest.param(b"9" * 100_000, "no-text", id="one-line"),
        pytest.param("2\u00df17421834\n".encode("latin-1"), "not-utf-8", id="latin-1"),
        pytest.param(b'{"number": 1}\n', "no-column-or-number", id="json"),
    ],
)
def test_invalid_feed_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(TableError, match=r"^feed: ") as error:
        make_table(content)
    assert error.value.code == code


def test_the_line_without_the_column_is_named() -> None:
    with pytest.raises(TableError, match="company_phone_number' in line 2"):
        make_table(b"# x\nphone\n")


def test_rows_without_a_number_are_skipped_with_their_lines() -> None:
    table = make_table("# a list\n2017421834\n12\n\n201-742-1835,scam\n\0\n# the end\n2017421836\n")
    assert [row[0] for row in feed_rows(table, "US", "spam")] == ["+12017421834", "+12017421836"]
    assert [problem.line for problem in table.problems] == [3, 5, 6]


def test_unbalanced_quote_in_a_list_skips_its_line() -> None:
    table = make_table('2017421834\n"2017421835"\n"\n2017421836\n')
    assert [row[0] for row in feed_rows(table, "US", "spam")] == ["+12017421834", "+12017421835", "+12017421836"]
    assert [problem.line for problem in table.problems] == [3]


def test_vouching_export_is_not_imported_as_spam() -> None:
    content = "number,category,name,note,verdict\n+12017421834,,,,ok\n+12017421835,,,,OK\n+12017421836,,,,\n"
    assert [row[0] for row in feed_rows(make_table(content), "US", "ok")] == [f"+120174218{n}" for n in (34, 35, 36)]
    table = make_table(content)
    assert [row[0] for row in feed_rows(table, "US", "spam")] == ["+12017421836"]
    assert table.problems[0].line == 2


# The FTC's complaints.


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("2017421834", "+12017421834"),
        ("12017421834", "+12017421834"),
        ("+1 (201) 742-1834", "+12017421834"),
        ("8002255288", "+18002255288"),
        ("", None),
        ("0000000000", None),
        ("2222222222", None),
        ("5551234567", None),  # 555 is no area
        ("2015550123", None),  # nor an exchange
        ("555-0123", None),
        ("742-1834", None),
        ("201742183", None),
        ("20174218345", None),
        ("0117421834", None),
        ("9117421834", None),
        ("2019111834", None),
        ("1234567890", None),
        ("٢٠١٧٤٢١٨٣٤", None),
        ("anonymous", None),
    ],
)
def test_complaint_numbers_are_parsed_as_us_numbers(raw: str, number: str | None) -> None:
    assert us_number(raw) == number


@given(st.from_regex(r"1?[0-9]{10}", fullmatch=True))
def test_us_number_equals_the_general_parser(raw: str) -> None:
    number = us_number(raw)
    elsewhere = number_of(raw, "US")  # of an area that there is not, it may be somebody's number in another country
    assert number in (None, elsewhere) or (elsewhere and not elsewhere.startswith("+1"))


@pytest.mark.parametrize(
    ("subject", "category"),
    [
        ("Calls pretending to be government, businesses, or family and friends", "scam"),
        ("Calls pretending to be government", "scam"),
        ("Medical  & prescriptions", "telemarketing"),
        ("Reducing your debt (credit cards, mortgage, student loans)", "telemarketing"),
        ("ENERGY, SOLAR, & UTILITIES", "telemarketing"),
        ("Dropped call or no message", None),
        ("No Subject Provided", None),
        ("Other", None),
        ("", None),
        ("&" * 200, None),
    ],
)
def test_subjects_map_to_categories(subject: str, category: str | None) -> None:
    assert category_of(subject) == category


def test_subjects_in_the_table_are_normalised() -> None:
    assert [category_of(subject) for subject in CATEGORY_BY_SUBJECT] == list(CATEGORY_BY_SUBJECT.values())


def test_complaints_without_a_number_are_skipped() -> None:
    content = FTC_HEADER + complaint("") + complaint("2017421834") + complaint("0000000000") + complaint("5551234567")
    table = make_table(content)
    assert [row[0] for row in feed_rows(table, "GB", "spam")] == ["+12017421834"]  # US, wherever we are
    assert [problem.line for problem in table.problems] == [2, 4, 5]


def merged(*lines: str) -> ImportedRow:
    return merged_complaints(feed_rows(make_table(FTC_HEADER + "".join(lines)), "US", "spam"))


def test_one_complaint_is_a_row() -> None:
    assert merged(complaint("2017421834", robocall="Y")) == (
        "+12017421834",
        "robocall",
        None,
        "1 complaint about a robocall, 2025-09-29",
    )


def test_complaints_about_a_number_are_summed() -> None:
    number, medical, scam = "2017421834", "Medical & prescriptions", "Computer & technical support"
    assert merged(
        complaint(number, medical, "Y", "2025-09-29 23:59:56"),
        complaint(number, scam, "N", "2025-10-03 00:00:01"),
        complaint(number, "Other", "Y", "2025-01-01"),
        complaint(number, scam, "N", "no date"),
        complaint(number, "Other", "n", "2025-99-99"),
    ) == ("+12017421834", "scam", None, "5 complaints, 2 about robocalls, the latest 2025-10-03")


def test_robocall_is_the_category_without_a_subject() -> None:
    other, robocall = complaint("2017421834"), complaint("2017421834", robocall="Y")
    assert merged(other, robocall)[1] == "robocall"
    assert merged(other, other, robocall)[1] is None
    assert merged(other, robocall, robocall, complaint("2017421834", "Charities"))[1] == "telemarketing"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_an_error(content: bytes) -> None:
    try:
        table = make_table(content)
        rows = list(feed_rows(table, "US", "spam"))
    except TableError:
        return
    assert len(rows) + table.skipped == table.read
