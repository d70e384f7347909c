"""The lists as pages and API show them, and the CSV format of lists: `entry,list,action,note,expires`."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from callsieve.changes.describe import ExtensionText, NumberText, number_field
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import Latest, latest_changes
from callsieve.lists.capability import LISTS
from callsieve.lists.operations import EntryRequest, action_of, entry_of
from callsieve.settings import Settings
from callsieve.text.csv_table import FORMULAS, CsvTable, as_text, csv_of
from callsieve.text.times import iso
from reputation.encoding import FLAT
from reputation.model import ActionWord, ListEntry, ListName
from reputation.store.hub.sites import OURS, Origin, origin_of_entry
from reputation.store.lists import PersonalEntry, entries_matching, list_entries, personal_entries
from reputation.wording import Wording

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class EntryShown:
    """A list entry with its state. `action`: the action for matching calls. `is_over`: whether it has expired."""

    entry: Annotated[ListEntry, FLAT]
    action: ActionWord
    is_over: bool
    origin: Annotated[Origin, FLAT]


@dataclass(frozen=True, slots=True)
class ListsShown:
    """The content of the page of lists. `matching`: how many entries match the search. `all`: how many exist."""

    entries: tuple[EntryShown, ...]
    matching: int
    all: int
    latest: tuple[Latest, ...]
    has_sites: bool = False


class EntriesRequest(PageQuery, frozen=True, kw_only=True):
    """Filters for entries. `list_name`: the list, `allow` or `block`. `number`: only entries that match this number."""

    list_name: ListName
    number: NumberText | None = None


class PersonalEntriesRequest(PageQuery, frozen=True, kw_only=True):
    """A request for the entries of a person's own lists."""

    person: ExtensionText


def find_entries(db: sqlite3.Connection, context: Context, request: EntriesRequest) -> ResultPage[EntryShown]:
    """Return the entries of a list, or only the entries that match a number."""
    number = None if request.number is None else number_field(context, request.number, "number")
    name = request.list_name
    rows = list_entries(db, name) if number is None else entries_matching(db, number, name)
    return page_from(rows, request, _place, lambda entry: entry_shown(db, entry, context.settings, context.at))


def find_personal(
    db: sqlite3.Connection, _context: Context, request: PersonalEntriesRequest
) -> ResultPage[PersonalEntry]:
    """Return the entries of a person's own lists."""
    return page_from(personal_entries(db, request.person), request, lambda entry: (entry.number,), lambda entry: entry)


def entry_shown(db: sqlite3.Connection, entry: ListEntry, settings: Settings, now: float) -> EntryShown:
    """Return a stored entry with the action for matching calls and the site that made the entry."""
    return EntryShown(entry, action_of(entry), is_over(entry, now), origin_of_entry(db, entry, settings.hub.follow))


def _place(entry: ListEntry) -> tuple[str, str, str]:
    return entry.first, entry.last or "", entry.kind.value


def lists_shown(db: sqlite3.Connection, list_name: ListName | None, text: str, context: Context) -> ListsShown:
    """Return the entries whose number or note contains the text. `list_name`: the list to search; None: both lists."""
    everything = list_entries(db)
    matching = [
        entry for entry in everything if list_name in (None, entry.list_name) and has_text(text, entry.text, entry.note)
    ]
    shown = tuple(entry_shown(db, entry, context.settings, context.at) for entry in matching[:MOST_SHOWN])
    has_sites = any(entry.origin != OURS for entry in shown)
    return ListsShown(shown, len(matching), len(everything), latest_changes(db, LISTS), has_sites)


def is_over(entry: ListEntry, now: float) -> bool:
    """Return whether the entry has expired. Housekeeping removes an expired entry within a day."""
    return entry.expires_at is not None and entry.expires_at <= now


def origin_words(origin: Origin) -> str:
    """Return the name of the site that made the entry; for this site `here` and which sites' entries it overrules."""
    return origin.site or (f"here (overrules {', '.join(origin.overrules)})" if origin.overrules else "here")


def has_text(text: str, *fields: str) -> bool:
    """Return whether one of the fields contains the text, ignoring case. Always true for an empty text."""
    return not text or any(text.casefold() in field.casefold() for field in fields)


COLUMNS = ("entry", "list", "action", "note", "expires")


def list_as_csv(entries: Iterable[ListEntry]) -> str:
    """Return all entries as a CSV that can be imported again."""
    return csv_of(COLUMNS, map(_row_of, entries))


def _row_of(entry: ListEntry) -> tuple[str, ...]:
    expires = iso(entry.expires_at) if entry.expires_at else ""
    return as_text(entry.text), entry.list_name.value, entry.action or "", as_text(entry.note), expires


def entries_in(table: CsvTable, list_name: ListName | None, settings: Settings, now: float) -> Iterator[ListEntry]:
    """Yield the entries of a file, and record why rows are skipped. `list_name`: the list for rows without a list."""
    for text, word, action, note, expires in table:
        try:
            name = ListName(word) if word else list_name
        except ValueError:
            name = None
        if name is None:
            table.refuse(Wording("unknown list {text!r}: write allow or block", {"text": word[:20]}))
            continue
        try:
            yield entry_of(
                settings, EntryRequest(name, from_text(text), from_text(note), expires or None, action or None), now
            )
        except Refused as error:
            table.refuse(error.words)


def from_text(field: str) -> str:
    """Return the field without the leading apostrophe that keeps a spreadsheet from reading it as a formula."""
    return field[1:] if field.startswith("'") and field[1:].startswith((*FORMULAS, "'")) else field
