"""Putting entries on the administrator's lists: what may stand beside one, what speaks against it, what it would match.

The command and the console share it. Where an option is wrong the error names it, and each says it in its own way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from callsieve.settings import Settings
from callsieve.text.number_entry import covers, objection_to_part, objections_to
from callsieve.text.times import TimeError, expiry_of
from callsieve.wiring import dids_of, own_numbers_of
from policies.decision import ACTION_BY_WORD
from policies.hints import nearest
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.audit import Change, add_audit
from reputation.store.journal import call_times
from reputation.store.lists import add_entry, entry_there
from reputation.store.people import own_numbers

NOTE_CHARACTERS = 200
LOOK_BACK_DAYS = 7


class ListingError(ValueError):
    """An entry cannot be added so. `option` is what is wrong, empty for nothing in particular; the text goes on."""

    def __init__(self, option: str, text: str) -> None:
        super().__init__(f"{option}{text}")
        self.option = option


class Replaced(NamedTuple):
    """What was there: the entry that is replaced, and the one on the other list that matches the same."""

    before: ListEntry | None
    other: ListEntry | None


class Plan(NamedTuple):
    """What a file changes: the entries to be put on lists, `replaced` of them in the place of one that is there.

    `unchanged`: those that are there as the file has them.
    """

    entries: tuple[ListEntry, ...]
    replaced: int
    unchanged: int


class NothingChanged(ValueError):
    """All of the file is on the lists already."""


def with_options(entry: ListEntry, note: str, expires: str | None, action: str | None, now: float) -> ListEntry:
    """The entry with what stands beside it, as it was typed. ListingError."""
    if len(note) > NOTE_CHARACTERS or not note.isprintable():
        raise ListingError("note", f" takes one line of at most {NOTE_CHARACTERS} characters")
    try:
        expires_at = None if expires is None else expiry_of(expires, now)
    except TimeError as error:
        raise ListingError("expires", f": {error}") from None
    return replace(entry, note=note, expires_at=expires_at, action=_action(entry, action), added_at=now)


def _action(entry: ListEntry, word: str | None) -> str | None:
    if word is None:
        return None
    if word not in ACTION_BY_WORD:
        raise ListingError("action", f" does not know {word[:40]!r}{nearest(word, ACTION_BY_WORD)}")
    if (entry.list_name, word) == (ListName.BLOCK, "allow"):
        raise ListingError("", "a blocklist entry cannot allow: use `callsieve list add allow`, which is tried first")
    if (entry.list_name, word) == (ListName.ALLOW, "reject"):
        raise ListingError("", "an allowlist entry cannot reject: use `callsieve list add block`")
    return word


def action_of(entry: ListEntry) -> str:
    """What is done with a call that the entry matches."""
    return entry.action or ("allow" if entry.list_name is ListName.ALLOW else "reject")


def objections(db: sqlite3.Connection, settings: Settings, entry: ListEntry) -> list[str]:
    """What speaks against adding it, wherever it was seen, unless it is forced."""
    return objections_to(entry, _own_numbers(db, settings))


def objections_to_typed(db: sqlite3.Connection, settings: Settings, entry: ListEntry) -> list[str]:
    """The same for one that somebody typed, perhaps not to its end."""
    return [*objection_to_part(entry), *objections(db, settings, entry)]


def with_objections(
    db: sqlite3.Connection, settings: Settings, entries: Iterable[ListEntry]
) -> list[tuple[ListEntry, list[str]]]:
    """Each of a file with what speaks against adding it."""
    own = _own_numbers(db, settings)
    return [(entry, [*objection_to_part(entry), *objections_to(entry, own)]) for entry in entries]


def _own_numbers(db: sqlite3.Connection, settings: Settings) -> set[str]:
    return {*own_numbers(db), *own_numbers_of(settings), *(did.number for did in dids_of(settings))}


def replaced_by(db: sqlite3.Connection, entry: ListEntry) -> Replaced:
    """What is there that matches the same numbers."""
    other = ListName.ALLOW if entry.list_name is ListName.BLOCK else ListName.BLOCK
    return Replaced(entry_there(db, entry), entry_there(db, replace(entry, list_name=other)))


def put_on_list(db: sqlite3.Connection, entry: ListEntry) -> Replaced:
    """Adds it, and returns what was there."""
    there = replaced_by(db, entry)
    add_entry(db, entry)
    return there


def to_bring_in(db: sqlite3.Connection, entries: Iterable[ListEntry], *, keep: bool = False) -> Plan:
    """What these entries change; of several that match the same numbers the last counts.

    `keep`: an entry that is there stays as it is, whatever note, action and end it has.
    """
    last = {(entry.list_name, entry.kind, entry.first, entry.last): entry for entry in entries}
    found = [(entry_there(db, entry), entry) for entry in last.values()]
    told = [(before, entry) for before, entry in found if before is None or not (keep or _is_same(before, entry))]
    replaced = sum(before is not None for before, _ in told)
    return Plan(tuple(entry for _, entry in told), replaced, len(last) - len(told))


def bring_in(db: sqlite3.Connection, change: Change, plan: Plan, who: str, at: float) -> None:
    """Puts the entries on their lists, each with a row of its own in the audit; `change` sums them up: undoing that
    takes all of it back. NothingChanged where there are none.
    """
    if not plan.entries:
        raise NothingChanged("all of it is on the lists already: nothing was changed")
    for entry in plan.entries:
        before = put_on_list(db, entry).before
        add_audit(db, Change("list import", *about(entry), before, entry), who, at)
    change.after = {"entries": len(plan.entries), "replaced": plan.replaced}


def _is_same(before: ListEntry, entry: ListEntry) -> bool:
    """Whether a file that has this entry changes nothing; its ends are in whole seconds."""
    if int(before.expires_at or 0) != int(entry.expires_at or 0):
        return False
    return replace(before, added_at=entry.added_at, expires_at=entry.expires_at) == entry


def about(entry: ListEntry) -> tuple[str | None, str]:
    """For the audit: the number that the entry is about, or its text where it is about many."""
    return (entry.first, "") if entry.kind is EntryKind.EXACT else (None, entry.text)


def calls_lately(db: sqlite3.Connection, entry: ListEntry, now: float) -> int:
    """How many calls of the last days the entry would have matched."""
    return sum(covers(entry, number) for number, _ in call_times(db, now - LOOK_BACK_DAYS * 86400))
