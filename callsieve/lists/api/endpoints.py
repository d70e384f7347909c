"""The administrator's lists, for programs."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any, Literal

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, Done, Instant
from callsieve.api.paging import PageQuery, page_of, place_of
from callsieve.changes.operation import Context, Refused
from callsieve.lists import operations
from callsieve.lists.operations import ENTRY_CHARACTERS, NOTE_CHARACTERS, EntryRequest
from callsieve.lists.views import entry_as_json
from reputation.api_tokens import Scope
from reputation.model import ListEntry, ListName
from reputation.store.lists import list_entries
from reputation.users import Role

EntryText = Annotated[str, Meta(min_length=1, max_length=ENTRY_CHARACTERS, examples=["+1900*"])]


class ListedEntry(ApiStruct, frozen=True):
    """An entry, as `callsieve list show --json` has it."""

    list: Literal["allow", "block"]
    entry: str
    kind: Literal["exact", "prefix", "range"]
    action: str
    note: str
    added_at: Instant
    expires_at: Instant | None
    expired: bool


class ListedEntries(ApiStruct, frozen=True):
    """A page of entries, by number."""

    items: list[ListedEntry]
    next: str | None


class NewEntry(ApiStruct, frozen=True):
    """An entry to be added. `expires`: 30d, 2026-12-31; `force`: whatever speaks against it."""

    entry: EntryText
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS)] = ""
    expires: Annotated[str, Meta(max_length=40)] | None = None
    action: Annotated[str, Meta(max_length=20)] | None = None
    force: bool = False


class EntryAdded(ApiStruct, frozen=True):
    """`replaced`: the entry that was there; `calls`: how many of the last seven days it matches."""

    change_id: ChangeId | None
    entry: ListedEntry
    replaced: ListedEntry | None
    calls: int


def show(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """The entries of a list."""
    after = place_of(asked.query.cursor, tuple[str, str, str])
    entries = sorted(list_entries(db, _list_of(asked)), key=_place)
    rows = [one for one in entries if after is None or _place(one) > after]
    shown, following = page_of(rows, asked.query.limit, _place)
    return {"items": [entry_as_json(one, context.at) for one in shown], "next": following}


def add(db: sqlite3.Connection, context: Context, asked: Asked[None, NewEntry]) -> dict[str, Any]:
    """An entry; one that is there already is replaced."""
    new = asked.body
    request = EntryRequest(_list_of(asked), new.entry, new.note, new.expires, new.action, new.force)
    done = operations.add(db, context, request)
    return {
        "change_id": done.change_id,
        "entry": entry_as_json(done.entry, context.at),
        "replaced": done.replaced and entry_as_json(done.replaced, context.at),
        "calls": done.calls,
    }


def remove(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """An entry off its list."""
    done = operations.remove(db, context, EntryRequest(_list_of(asked), asked.path["entry"]))
    return Done(change_id=done.change_id)


def _place(entry: ListEntry) -> tuple[str, str, str]:
    return entry.first, entry.last or "", entry.kind.value


def _list_of(asked: Asked[Any, Any]) -> ListName:
    try:
        return ListName(asked.path["list"])
    except ValueError:
        raise Refused("no-such-list", "there are two lists: allow and block", "list") from None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/lists/{list}/entries",
        show,
        Scope.READ,
        Role.OPERATOR,
        ListedEntries,
        "The entries of a list.",
        query=PageQuery,
    ),
    Endpoint(
        "POST",
        "/lists/{list}/entries",
        add,
        Scope.WRITE,
        Role.OPERATOR,
        EntryAdded,
        "Add an entry to a list.",
        body=NewEntry,
        example=NewEntry(entry="+1900*", note="premium numbers", expires="30d"),
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/lists/{list}/entries/{entry}",
        remove,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "Take an entry off a list.",
    ),
)
