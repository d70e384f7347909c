"""What may be wrong with a file that should be a table, by code and in words."""

from __future__ import annotations

from enum import StrEnum

from reputation.wording import Wording


class TableProblem(StrEnum):
    """Why a file is no table that can be read, and what can be done."""

    DAMAGED = "{file}: the packed file is damaged or cut off: fetch it again"
    PACKED = "{file}: compressed: unpack it first (gunzip)"
    SPREADSHEET_OR_ARCHIVE = "{file}: a spreadsheet or a zip archive: save it as CSV"
    SPREADSHEET = "{file}: a spreadsheet: save it as CSV"
    UTF_16 = "{file}: UTF-16: save it as UTF-8"
    DATABASE = "{file}: a database, not a table in text"
    NOT_UTF_8 = "{file}: line {line}: not UTF-8 (byte {byte}); convert the file first (iconv -f windows-1252 -t utf-8)"
    NO_TEXT = "{file}: not a table in text: expected CSV with the names of columns in line 1"
    CR_LINES = "{file}: its lines end with CR alone; convert the file first (tr '\\r' '\\n')"
    NOTHING = "{file}: there is nothing in it"
    NO_HEADER = "{file}: the file is empty, or its first line is: that must name the columns"
    EMPTY_LINES = "{file}: line {line}: {lines:,} lines are empty: this is no table; remove them (grep .)"
    NO_COLUMN = "{file}: no column {wanted} in line {line}; the columns there are: {found}"
    NO_COLUMN_OR_NUMBER = (
        "{file}: no column {wanted} in line {line}, and that is no number; the columns there are: {found}"
    )
    COLUMN_TWICE = "{file}: the column '{column}' is there twice"

    @property
    def code(self) -> str:
        """For what keeps it, and for tests: `not-utf-8`."""
        return self._name_.lower().replace("_", "-")


class TableError(ValueError):
    """The file is no table that can be read. `words` name the file and say what to do; `code` says it to programs."""

    def __init__(self, words: str | Wording, code: str = "") -> None:
        super().__init__(str(words))
        self.words = words
        self.code = code


def table_error(problem: TableProblem, file: str | Wording, **about: str | int) -> TableError:
    """The file has this problem; `about` is what else goes into its words."""
    return TableError(Wording(problem.value, {"file": file, **about}), problem.code)
