"""The administrator's lists, for programs."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any, Literal

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, Done, Instant
from callsieve.api.paging import PageQuery, page_of, place_of
from callsieve.changes.fields import number_field
from callsieve.changes.operation import Context, Refused
from callsieve.lists import operations
from callsieve.lists.operations import ENTRY_CHARACTERS, NOTE_CHARACTERS, EntryRequest, PersonalRequest
from callsieve.lists.views import entry_as_json, personal_as_json, shown_as_json
from reputation.api_tokens import Scope
from reputation.model import ListEntry, ListName
from reputation.store.hub.origins import origin_of_entry
from reputation.store.lists import list_entries
from reputation.store.personal_lists import personal_entries
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


class ShownEntry(ListedEntry, frozen=True):
    """An entry that is there, as `callsieve list show --json` has it. `site`: the other site that said it, empty for
    ours; `overrules`: sites that are followed and say otherwise.
    """

    site: str
    overrules: list[str]


class ListedEntries(ApiStruct, frozen=True):
    """A page of entries, by number."""

    items: list[ShownEntry]
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


class EntryPreview(ApiStruct, frozen=True):
    """What an entry would do. `coverage`: what it matches; `objections`: what speaks against it."""

    entry: ListedEntry
    coverage: str
    objections: list[str]
    only_administrators: bool
    replaced: ListedEntry | None
    calls: int


class PersonalListEntry(ApiStruct, frozen=True):
    """A number on the own list of one of our people, as `callsieve list show --person --json` has it."""

    list: Literal["allow", "block"]
    entry: str
    person: str
    at: Instant


class PersonalListEntries(ApiStruct, frozen=True):
    """A page of them, by number."""

    items: list[PersonalListEntry]
    next: str | None


class PersonalListing(ApiStruct, frozen=True):
    """On which of the person's lists; `force`: whatever speaks against it."""

    list: Literal["allow", "block"]
    force: bool = False


def show(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """The entries of a list."""
    after = place_of(asked.query.cursor, tuple[str, str, str])
    entries = sorted(list_entries(db, _list_of(asked)), key=_place)
    rows = [one for one in entries if after is None or _place(one) > after]
    shown, following = page_of(rows, asked.query.limit, _place)
    follow = context.settings.hub.follow
    items = [shown_as_json(one, origin_of_entry(db, one, follow), context.at) for one in shown]
    return {"items": items, "next": following}


def look(db: sqlite3.Connection, context: Context, asked: Asked[None, NewEntry]) -> operations.Preview:
    """Return what an entry would do. Its calls are counted before the write lock is taken."""
    return operations.preview(db, context, _request(asked))


def add(db: sqlite3.Connection, context: Context, asked: Asked[None, NewEntry]) -> dict[str, Any]:
    """Add an entry; one that is there already is replaced."""
    done = operations.add(db, context, _request(asked))
    return {
        "change_id": done.change_id,
        "entry": entry_as_json(done.entry, context.at),
        "replaced": done.replaced and entry_as_json(done.replaced, context.at),
        "calls": asked.seen.calls,
    }


def remove(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """An entry off its list."""
    done = operations.remove(db, context, EntryRequest(_list_of(asked), asked.path["entry"]))
    return Done(change_id=done.change_id)


async def preview(req: ApiRequest[None, NewEntry]) -> dict[str, Any]:
    """What an entry would do, before it is added."""
    now = req.context.at
    look = await req.read(operations.preview, req.context, _request(req.asked))
    return {
        "entry": entry_as_json(look.entry, now),
        "coverage": look.coverage,
        "objections": [str(one) for one in look.objections],
        "only_administrators": look.is_for_administrators,
        "replaced": look.replaced and entry_as_json(look.replaced, now),
        "calls": look.calls,
    }


def show_personal(db: sqlite3.Connection, _context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """The own lists of one of our people."""
    after = place_of(asked.query.cursor, tuple[str])
    entries = personal_entries(db, asked.path["person"])
    rows = [one for one in entries if after is None or one.number > after[0]]
    shown, following = page_of(rows, asked.query.limit, lambda one: (one.number,))
    return {"items": [personal_as_json(one) for one in shown], "next": following}


def add_personal(db: sqlite3.Connection, context: Context, asked: Asked[None, PersonalListing]) -> Done:
    """A number, for that person's calls alone."""
    new, path = asked.body, asked.path
    request = PersonalRequest(ListName(new.list), path["number"], path["person"], new.force)
    return Done(change_id=operations.add_personal(db, context, request).change_id)


def remove_personal(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """A number off whichever of the person's lists it is on."""
    number, person = number_field(context, asked.path["number"], "number"), asked.path["person"]
    there = next((one.verdict for one in personal_entries(db, person) if one.number == number), ListName.BLOCK)
    return Done(change_id=operations.remove_personal(db, context, PersonalRequest(there, number, person)).change_id)


def _request(asked: Asked[None, NewEntry]) -> EntryRequest:
    new = asked.body
    return EntryRequest(_list_of(asked), new.entry, new.note, new.expires, new.action, new.force)


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
        reads_first=look,
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
    Endpoint(
        "POST",
        "/lists/{list}/preview",
        preview,
        Scope.READ,
        Role.OPERATOR,
        EntryPreview,
        "What an entry would do, before it is added.",
        body=NewEntry,
        example=NewEntry(entry="+1900*"),
        keeps_answer=False,
    ),
    Endpoint(
        "GET",
        "/people/{person}/entries",
        show_personal,
        Scope.READ,
        Role.OPERATOR,
        PersonalListEntries,
        "The own lists of one of our people.",
        query=PageQuery,
    ),
    Endpoint(
        "PUT",
        "/people/{person}/entries/{number}",
        add_personal,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "Put a number on a person's own list, for that person's calls alone.",
        body=PersonalListing,
        example=PersonalListing(list="block"),
    ),
    Endpoint(
        "DELETE",
        "/people/{person}/entries/{number}",
        remove_personal,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "Take a number off a person's own list.",
    ),
)
