"""The administrator's lists as CSV, out and in: entry,list,action,note,expires. Pure but for the table's own file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callsieve.changes.operation import Refused
from callsieve.lists.operations import EntryRequest, entry_of
from callsieve.settings import Settings
from callsieve.text.csv_table import FORMULAS, CsvTable, as_text, csv_of
from callsieve.text.times import iso
from reputation.model import ListEntry, ListName

COLUMNS = ("entry", "list", "action", "note", "expires")


def list_as_csv(entries: Iterable[ListEntry]) -> str:
    """All of them, in a form that can be imported again."""
    return csv_of(COLUMNS, map(_row_of, entries))


def _row_of(entry: ListEntry) -> tuple[str, ...]:
    expires = iso(entry.expires_at) if entry.expires_at else ""
    return as_text(entry.text), entry.list_name.value, entry.action or "", as_text(entry.note), expires


def entries_in(table: CsvTable, list_name: ListName | None, settings: Settings, now: float) -> Iterator[ListEntry]:
    """The entries of a file. `list_name`: where a row does not say it. What cannot be used is refused with a reason."""
    for text, word, action, note, expires in table:
        try:
            name = ListName(word) if word else list_name
        except ValueError:
            name = None
        if name is None:
            table.refuse(f"list {word[:20]!r} is none: write allow or block")
            continue
        try:
            yield entry_of(
                settings, EntryRequest(name, from_text(text), from_text(note), expires or None, action or None), now
            )
        except Refused as error:
            table.refuse(str(error))


def from_text(field: str) -> str:
    """What it was before."""
    return field[1:] if field.startswith("'") and field[1:].startswith((*FORMULAS, "'")) else field
