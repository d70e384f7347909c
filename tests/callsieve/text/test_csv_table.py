"""Tables in text files, from anybody: everything is read or said, and nothing costs more than its row."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.text import csv_table
from callsieve.text.csv_table import FIELD_CHARACTERS, KEPT_PROBLEMS, LINE_BYTES, CsvTable, RowProblem
from callsieve.text.table_errors import TableError

COLUMNS = ("number", "name", "note")


def make_table(content: bytes | str, columns: tuple[str, ...] = COLUMNS) -> CsvTable:
    raw = content.encode() if isinstance(content, str) else content
    return CsvTable(io.BytesIO(raw), columns, "list.csv")


def rows_of(content: bytes | str) -> list[tuple[str, ...]]:
    return list(make_table(content))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("number,name,note\n1,Joe,x\n", id="commas"),
        pytest.param("number;name;note\n1;Joe;x\n", id="semicolons"),
        pytest.param("number\tname\tnote\n1\tJoe\tx\n", id="tabs"),
        pytest.param("number,name,note\r\n1,Joe,x\r\n", id="windows-lines"),
        pytest.param("number,name,note\n1,Joe,x", id="no-line-end-at-the-end"),
        pytest.param("\ufeffnumber,name,note\n1,Joe,x\n", id="byte-order-mark"),
        pytest.param("Number, NAME ,note\n 1 , Joe , x \n", id="spaces-and-capitals"),
        pytest.param('"number","name","note"\n"1","Joe","x"\n', id="quotes"),
        pytest.param("note,name,number\nx,Joe,1\n", id="any-order"),
        pytest.param("id,number,name,note\n7,1,Joe,x\n", id="more-columns"),
        pytest.param("number,name,note\n\n  \n1,Joe,x\n\n", id="empty-lines"),
        pytest.param("number,name,note\n1,Joe,x,,\n", id="empty-fields-too-many"),
    ],
)
def test_tables_of_common_programs_are_read(content: str) -> None:
    assert rows_of(content) == [("1", "Joe", "x")]


def test_missing_columns_are_empty() -> None:
    assert rows_of("number\n1\n2\n") == [("1", "", ""), ("2", "", "")]
    assert rows_of("number,name,note\n1,Joe\n") == [("1", "Joe", "")]


def test_unknown_columns_are_named() -> None:
    assert make_table("number,colour,size\n").ignored == ("colour", "size")


def test_a_quoted_field_holds_delimiters_quotes_and_lines() -> None:
    assert rows_of('number,name\n1,"Smith, ""Joe""\nand Sons"\n2,Ann\n') == [
        ("1", 'Smith, "Joe" and Sons', ""),
        ("2", "Ann", ""),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "no-header", id="nothing"),
        pytest.param(b"\n1\n", "no-header", id="first-line-empty"),
        pytest.param(b"+12015550123\n", "no-column", id="none"),
        pytest.param(b"phone,name\n", "no-column", id="another-name"),
        pytest.param(b"phone;name\n", "no-column", id="another-name-and-delimiter"),
        pytest.param(b"number,number\n", "column-twice", id="twice"),
        pytest.param("number\n1\n".encode("utf-16"), "utf-16", id="utf-16"),
        pytest.param(b"\x1f\x8b\x08\x00abc", "packed", id="gzip"),
        pytest.param(b"PK\x03\x04abc", "spreadsheet-or-archive", id="xlsx"),
        pytest.param(b"SQLite format 3\x00", "database", id="sqlite"),
        pytest.param(b"\x7fELF\x02\x01\x01\x00\x00", "no-text", id="program"),
        pytest.param(b"num\xe9ro,number\n", "not-utf-8", id="header-in-latin-1"),
        pytest.param(b"number,name\r1,Joe\r", "cr-lines", id="old-mac-lines"),
        pytest.param(b"x" * (LINE_BYTES + 10), "no-text", id="one-endless-line"),
    ],
)
def test_unusable_file_has_an_error_code(content: bytes, code: str) -> None:
    with pytest.raises(TableError) as caught:
        make_table(content)
    assert caught.value.code == code
    assert str(caught.value).startswith("list.csv: ")


def test_error_names_the_existing_columns() -> None:
    for header in (b"phone,name\n", b"phone;name\n"):
        with pytest.raises(TableError, match=r"phone, name$"):
            make_table(header)


def test_text_that_is_not_utf_8_names_the_line_and_the_remedy() -> None:
    table = make_table(b"number,name\n1,Joe\n2,Jos\xe9\n")
    with pytest.raises(TableError, match=r"line 3: .*0xe9.*iconv") as caught:
        list(table)
    assert caught.value.code == "not-utf-8"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        pytest.param(b"7,a,b,c,d", "5 fields", id="too-many-fields"),
        pytest.param(b"7,a\x00b,c", "NUL", id="nul"),
        pytest.param(b'7,"open', "quotation mark", id="quote-not-closed"),
        pytest.param(b'7,"a"b,c', "quotation mark", id="text-after-a-quote"),
        pytest.param(b"7," + b"x" * (LINE_BYTES + 1), "longer than 65,536 bytes", id="endless-line"),
        pytest.param(b"7," + b"x" * (5 * LINE_BYTES), "longer than 65,536 bytes", id="very-endless-line"),
    ],
)
def test_only_the_bad_row_is_skipped(row: bytes, says: str) -> None:
    table = make_table(b"number,name,note\n1,Joe,x\n" + row + b"\n2,Ann,y\n3,Bob,z\n")
    assert list(table) == [("1", "Joe", "x"), ("2", "Ann", "y"), ("3", "Bob", "z")]
    [problem] = table.problems
    assert problem.line == 3
    assert says in str(problem.text)
    assert (table.read, table.skipped) == (4, 1)


def test_two_unclosed_quotes_skip_only_their_rows() -> None:
    table = make_table('number,name\n1,"Joe\n2,Ann\n3,"Bob\n4,Eve\n')
    assert [row[0] for row in table] == ["2", "4"]
    assert [problem.line for problem in table.problems] == [2, 4]


def test_quote_inside_a_field_is_an_ordinary_character() -> None:
    assert rows_of('number,name\n1,5" pipe\n2,6" pipe\n') == [("1", '5" pipe', ""), ("2", '6" pipe', "")]


def test_reader_can_refuse_a_row() -> None:
    table = make_table("number\nx\n\n1\ny\n")
    for number, *_rest in table:
        if not number.isdigit():
            table.refuse(f"{number} is no number")
    assert table.problems == [RowProblem(2, "x is no number"), RowProblem(5, "y is no number")]
    assert (table.read, table.skipped) == (3, 2)


def test_only_the_first_problems_are_kept() -> None:
    table = make_table("number\n" + '"x\n' * 100)
    assert list(table) == []
    assert len(table.problems) == KEPT_PROBLEMS
    assert table.skipped == 100


def test_fields_are_cut_and_stripped_of_control_characters() -> None:
    table = make_table(f"number,name,note\n1,{'n' * 1000},\x1b[31mred\x07\u202e\n")
    [(_, name, note)] = table
    assert name == "n" * FIELD_CHARACTERS
    assert note == "[31mred"
    assert table.cut == 1


def test_a_table_of_lists_has_longer_fields() -> None:
    content = f"number,name\n1,{'n' * 1000}\n2,{'n' * 1001}\n"
    table = CsvTable(io.BytesIO(content.encode()), COLUMNS, "list.csv", longest=1000)
    assert [len(row[1]) for row in table] == [1000, 1000]
    assert table.cut == 1


@given(st.binary(max_size=400))
def test_any_bytes_are_rows_or_an_error(content: bytes) -> None:
    try:
        rows = rows_of(b"number,name\n" + content)
    except TableError:
        return
    for row in rows:
        assert len(row) == len(COLUMNS)
        assert all(len(field) <= FIELD_CHARACTERS and field.isprintable() for field in row)


@given(st.lists(st.text(alphabet='1,;"\n\r x', max_size=12), max_size=30))
def test_every_row_that_is_read_is_yielded_or_refused(lines: list[str]) -> None:
    table = make_table("number,name\n" + "\n".join(lines))
    assert len(list(table)) + table.skipped == table.read


def test_a_hostile_file_needs_little_memory() -> None:
    content = b"number\n" + (b'"' + b"x" * (LINE_BYTES - 10) + b"\n") * 100
    tracemalloc.start()
    try:
        assert list(make_table(content)) == []
        assert tracemalloc.get_traced_memory()[1] < len(content) + 3_000_000
    finally:
        tracemalloc.stop()


LINES = st.lists(
    st.sampled_from(
        ("1,Joe,x", "2", " 3 , Ann ,", "", "  ", '4,"Smith, Joe",x', '5,"open', '",6', "7,a,b,c", "8,a,b,,")
    )
    | st.text('\t\r\0é,"\u2028\ud800a', max_size=8)
    | st.just("9," + "x" * (FIELD_CHARACTERS + 1)),
    max_size=12,
)


@given(LINES, st.sampled_from(("\n", "\r\n")), st.integers(1, 40))
def test_read_size_does_not_change_the_result(lines: list[str], end: str, size: int) -> None:
    content = ("number,name,note" + end + end.join(lines)).encode("utf-8", "surrogatepass")

    def told() -> tuple[object, ...]:
        table, rows, error = make_table(content), list[tuple[int, tuple[str, ...]]](), ""
        try:
            rows.extend((table.line, row) for row in table)
        except TableError as found:
            error = str(found)
        return rows, error, table.problems, table.read, table.skipped, table.cut

    with pytest.MonkeyPatch.context() as patch:
        whole = told()
        patch.setattr(csv_table, "BLOCK_BYTES", size)
        in_parts = told()
    if not whole[1]:
        assert in_parts == whole
    else:
        assert in_parts[1] == whole[1]
