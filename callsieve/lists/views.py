"""What the page of the lists shows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from callsieve.changes.names import LISTS
from callsieve.changes.undo import Latest, latest_changes
from callsieve.lists.operations import action_of
from reputation.model import ListEntry, ListName
from reputation.store.lists import list_entries

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class EntryShown:
    """An entry of a list. `action`: what is done with a call that it matches."""

    entry: ListEntry
    action: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class ListsShown:
    """The page. `found`: how many match what was looked for; `all`: how many there are."""

    entries: tuple[EntryShown, ...]
    found: int
    all: int
    latest: tuple[Latest, ...]


def lists_shown(db: sqlite3.Connection, list_name: ListName | None, text: str, now: float) -> ListsShown:
    """The entries of a list, or of both, that have the text in them or in their note."""
    everything = list_entries(db)
    found = [one for one in everything if list_name in (None, one.list_name) and has_text(text, one.text, one.note)]
    shown = (
        EntryShown(one, action_of(one), one.expires_at is not None and one.expires_at <= now)
        for one in found[:MOST_SHOWN]
    )
    return ListsShown(tuple(shown), len(found), len(everything), latest_changes(db, LISTS))


def has_text(text: str, *fields: str) -> bool:
    """Whether one of the fields has the text in it; no text is in all."""
    return not text or any(text.casefold() in field.casefold() for field in fields)
