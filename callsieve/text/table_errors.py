"""Errors of files that should be tables, each with a code and a text."""

from enum import StrEnum

from reputation.wording import Wording


class TableProblem(StrEnum):
    """Reasons why a file cannot be read as a table, with remedies."""

    DAMAGED = "{file}: the compressed file is damaged or truncated: fetch it again"
    PACKED = "{file}: the file is compressed. Unpack it first (gunzip)"
    SPREADSHEET_OR_ARCHIVE = "{file}: the file is a spreadsheet or a zip archive. Save it as CSV"
    SPREADSHEET = "{file}: the file is a spreadsheet. Save it as CSV"
    UTF_16 = "{file}: the file is UTF-16. Save it as UTF-8"
    DATABASE = "{file}: the file is a database, not a text table. Export it as CSV"
    NOT_UTF_8 = "{file}: line {line}: not UTF-8 (byte {byte}); convert the file first (iconv -f windows-1252 -t utf-8)"
    NO_TEXT = "{file}: not a text table: expected CSV with column names in line 1"
    CR_LINES = "{file}: its lines end with CR alone; convert the file first (tr '\\r' '\\n')"
    NOTHING = "{file}: the file is empty"
    NO_HEADER = "{file}: the file is empty, or its first line is empty: that line must name the columns"
    EMPTY_LINES = "{file}: line {line}: so far, {lines:,} lines are empty: remove them (grep . FILE > NEW)"
    NO_COLUMN = "{file}: no column {wanted} in line {line}; its columns are: {found}"
    NO_COLUMN_OR_NUMBER = (
        "{file}: no column {wanted} in line {line}, which is not a number either; its columns are: {found}"
    )
    COLUMN_TWICE = "{file}: the column '{column}' appears twice: remove one"

    @property
    def code(self) -> str:
        """The code of the reason, such as `not-utf-8`."""
        return self._name_.lower().replace("_", "-")


class TableError(ValueError):
    """Raised if a file cannot be read as a table. `words`: file, reason and remedy; `code`: the reason as a code."""

    def __init__(self, words: str | Wording, code: str = "") -> None:
        super().__init__(str(words))
        self.words = words
        self.code = code


def table_error(problem: TableProblem, file: str | Wording, **about: str | int) -> TableError:
    """Return the error for a file. `about`: values for the placeholders in the text."""
    return TableError(Wording(problem.value, {"file": file, **about}), problem.code)
