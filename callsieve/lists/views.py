"""What the page of the lists shows, and an entry as JSON."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from callsieve.changes.operation import Context
from callsieve.changes.undo import Latest, latest_changes
from callsieve.lists.capability import LISTS
from callsieve.lists.operations import action_of
from reputation.model import ListEntry, ListName
from reputation.store.hub.origins import OURS, Origin, origin_as_json, origin_of_entry
from reputation.store.lists import list_entries
from reputation.store.personal_lists import PersonalEntry

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class EntryShown:
    """An entry of a list. `action`: what is done with a call that it matches; `origin`: which site said it."""

    entry: ListEntry
    action: str
    is_over: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class ListsShown:
    """The page. `found`: how many match what was looked for; `all`: how many there are."""

    entries: tuple[EntryShown, ...]
    found: int
    all: int
    latest: tuple[Latest, ...]
    has_sites: bool = False


def lists_shown(db: sqlite3.Connection, list_name: ListName | None, text: str, context: Context) -> ListsShown:
    """The entries of a list, or of both, that have the text in them or in their note."""
    everything, follow = list_entries(db), context.settings.hub.follow
    found = [one for one in everything if list_name in (None, one.list_name) and has_text(text, one.text, one.note)]
    shown = tuple(
        EntryShown(one, action_of(one), is_over(one, context.at), origin_of_entry(db, one, follow))
        for one in found[:MOST_SHOWN]
    )
    has_sites = any(one.origin != OURS for one in shown)
    return ListsShown(shown, len(found), len(everything), latest_changes(db, LISTS), has_sites)


def is_over(entry: ListEntry, now: float) -> bool:
    """Whether the entry has expired; housekeeping removes it within the day."""
    return entry.expires_at is not None and entry.expires_at <= now


def entry_as_json(entry: ListEntry, now: float) -> dict[str, Any]:
    """An entry of the administrator's lists for scripts."""
    return {
        "list": entry.list_name,
        "entry": entry.text,
        "kind": entry.kind,
        "action": action_of(entry),
        "note": entry.note,
        "added_at": entry.added_at,
        "expires_at": entry.expires_at,
        "expired": is_over(entry, now),
    }


def shown_as_json(entry: ListEntry, origin: Origin, now: float) -> dict[str, Any]:
    """The same of one that is in the store, with where it comes from."""
    return entry_as_json(entry, now) | origin_as_json(origin)


def origin_words(origin: Origin) -> str:
    """The site that said it; of ours, whose it overrules."""
    return origin.site or (f"here, not {', '.join(origin.overrules)}" if origin.overrules else "here")


def personal_as_json(entry: PersonalEntry) -> dict[str, Any]:
    """An entry of a person's own list for scripts."""
    return {"list": entry.verdict, "entry": entry.number, "person": entry.person, "at": entry.at}


def has_text(text: str, *fields: str) -> bool:
    """Whether one of the fields has the text in it; no text is in all."""
    return not text or any(text.casefold() in field.casefold() for field in fields)
