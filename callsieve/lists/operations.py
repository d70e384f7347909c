"""Operations on the lists of the organisation and of people, and the preview of a new entry's effect."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, ExtensionText, NumberText, TimeText, number_field
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.settings import Settings
from callsieve.text.number_entry import (
    EntryError,
    area_covered,
    coverage,
    covers,
    objection_to_part,
    objections_to,
    parse_entry,
)
from callsieve.text.times import TimeError, expiry_of
from callsieve.wiring import known_own_numbers, people_of
from policies.decision import ACTION_BY_WORD
from policies.files import nearest
from reputation.encoding import encoded
from reputation.model import ActionWord, EntryKind, ListEntry, ListName
from reputation.store import lists
from reputation.store.audit import Change, add_audit
from reputation.store.journal import calls_between
from reputation.store.people import all_people
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.users import Role
from reputation.whole_areas import AreaKind
from reputation.wording import Wording, listed

NOTE_CHARACTERS = 200
# A person reads these lists, and a page shows all of them.
MOST_PERSONAL = 2000
LOOK_BACK_DAYS = OUTCOME_DAYS
ENTRY_CHARACTERS = 100
EntryText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ENTRY_CHARACTERS,
        description="A number, a prefix (`+1900*`) or a range (`+12015550100-+12015550199`).",
        examples=["+1900*"],
    ),
]
MOST_ENTRIES = 5000
MOST_KNOWN = 10_000  # counting more would keep others from writing
MORE_KNOWN = Wording("10,000 or more")
AREA_WORDS = {
    AreaKind.COUNTRY: Wording("{entry} covers a whole country; known numbers that it matches: {known}"),
    AreaKind.TERRITORY: Wording(
        "{entry} covers all of {region} or all its landlines; known numbers that it matches: {known}"
    ),
    AreaKind.TOLL_FREE: Wording(
        "{entry} covers a toll-free service of {region}; known numbers that it matches: {known}"
    ),
}
TOO_MANY = Wording("More than 5000 rows: use `callsieve import numbers` for lists of this size.")


class EntryRequest(msgspec.Struct, frozen=True):
    """A request to add an entry to a list.

    Attributes:
        note: A note about the entry, one line.
        list_name: The list, `allow` or `block`.
        expires: When the entry stops counting, such as `30d` or `2026-12-31`. Null: never.
        action: The action for matching calls. Null: `allow` for the allowlist, `reject` for the blocklist.
        force: Whether to add the entry in spite of objections.
    """

    list_name: ListName
    entry: EntryText
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS)] = ""
    expires: TimeText | None = None
    action: ActionWord | None = None
    force: bool = False


class EntryKey(msgspec.Struct, frozen=True):
    """The list and the text by which an entry is found. `list_name`: the list, `allow` or `block`."""

    list_name: ListName
    entry: EntryText


class PersonalRequest(msgspec.Struct, frozen=True):
    """A request to add a number to a person's own list. `list_name`: the list, `allow` or `block`.

    `force`: whether to add the number in spite of objections, or for an unknown person.
    """

    list_name: ListName
    number: NumberText
    person: ExtensionText
    force: bool = False


class PersonalKey(msgspec.Struct, frozen=True):
    """The key of an entry on a person's own list. `list_name`: the list, `allow` or `block`; null: either list."""

    number: NumberText
    person: ExtensionText
    list_name: ListName | None = None


class PersonalChange(NamedTuple):
    """The result of a change of a person's own list. `person`: extension and name, such as `201 (Alice)`.

    `number`: a phone number: E.164, or the key of a service number.
    """

    change_id: ChangeId | None
    number: str
    person: str


class Added(NamedTuple):
    """The result of adding or removing an entry. `entry`: a number, a prefix (`+1900*`) or a range.

    `replaced`: the earlier entry with this text, or null. `other`: the entry with this text on the other list, or null.
    """

    change_id: ChangeId | None
    entry: ListEntry
    replaced: ListEntry | None
    other: ListEntry | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect that an entry would have, shown before somebody adds it.

    Attributes:
        entry: A number, a prefix (`+1900*`) or a range.
        action: The action for matching calls.
        coverage: The numbers that the entry matches, in words.
        objections: Reasons against the entry. Only an administrator can add the entry in spite of them.
        replaced: The present entry that would be replaced; null if there is no such entry.
        other: The entry with the same text on the other list; null if there is no such entry.
        calls: How many calls of the last 30 days the entry matches.
        from_contacts: How many of these calls were from contacts.
        answered: How many of these calls were answered.
    """

    entry: ListEntry
    action: ActionWord
    coverage: Wording
    objections: tuple[str | Wording, ...]
    replaced: ListEntry | None
    other: ListEntry | None
    calls: int
    from_contacts: int
    answered: int

    @property
    @encoded
    def is_for_administrators(self) -> bool:
        """Whether only an administrator may add the entry."""
        return _is_for_administrators(self.entry, self.objections)


class ListImportPlan(NamedTuple):
    """The changes that an import makes. `entries`: the entries to write. `replaced`: how many of them replace an entry.

    `unchanged`: how many entries of the file are on their list already and do not change.
    """

    entries: tuple[ListEntry, ...]
    replaced: int
    unchanged: int


class ListImport(NamedTuple):
    """The result of an import. `change_id`: None if nothing changed. `refused`: the objections to skipped entries."""

    change_id: int | None
    plan: ListImportPlan
    refused: tuple[str | Wording, ...]


# Operations.


def preview(db: sqlite3.Connection, context: Context, request: EntryRequest) -> Preview:
    """Return the effect that an entry would have, without adding it."""
    entry = entry_of(context.settings, request, context.at)
    against = tuple(_objections_to_typed(db, context, entry))
    present, other = _present_entries(db, entry)
    # As texts: a prefix ends before the character that follows all digits.
    last = f"{entry.first}~" if entry.kind is EntryKind.PREFIX else entry.last or entry.first
    since = context.at - LOOK_BACK_DAYS * 86400
    matched = [call for call in calls_between(db, entry.first, last, since) if covers(entry, call.caller)]
    return Preview(
        entry,
        action_of(entry),
        coverage(entry),
        against,
        present,
        other,
        sum(call.calls for call in matched),
        sum(call.calls for call in matched if call.is_contact),
        sum(call.answered for call in matched),
    )


def add(db: sqlite3.Connection, context: Context, request: EntryRequest) -> Added:
    """Add an entry to a list, or replace the entry with the same text. Raise Refused for objections without `force`."""
    entry = entry_of(context.settings, request, context.at)
    against = _objections_to_typed(db, context, entry)
    if _is_for_administrators(entry, against) and context.role < Role.ADMINISTRATOR:
        raise Refused("administrators-only", Wording("Only an administrator can add this entry."))
    if against and not request.force:
        raise Refused("objections", listed(against, "{some}; {more}"))
    with change(db, context, "list add", *subject_of(entry)) as changed:
        replaced, other = _present_entries(db, entry)
        changed.before, changed.after = replaced, entry
        lists.add_entry(db, entry)
    return Added(changed.id, entry, replaced, other)


def remove(db: sqlite3.Connection, context: Context, request: EntryKey) -> Added:
    """Remove an entry from a list. In the result, `entry` is the removed entry."""
    wanted = _parsed(context.settings, request)
    with change(db, context, "list remove", *subject_of(wanted)) as changed:
        changed.before = removed = lists.remove_entry(db, wanted)
        if removed is None:
            raise _not_listed(wanted.text, wanted.list_name)
    return Added(changed.id, removed, None, None)


def add_personal(db: sqlite3.Connection, context: Context, request: PersonalRequest) -> PersonalChange:
    """Add a number to a person's own list, which applies only to calls for this person."""
    number = number_field(context, request.number)
    part = objection_to_part(ListEntry(request.list_name, EntryKind.EXACT, number))
    if part and not request.force:
        raise Refused("objections", part[0])
    names = names_of_people(db, context.settings)
    if request.person not in names and not request.force:
        words = f"unknown person {request.person[:40]!r}{nearest(request.person, names)}"
        raise Refused("no-such-person", words, "person")
    entry = lists.PersonalEntry(request.person, number, request.list_name, context.at)
    with change(db, context, "list add", number) as changed:
        entries = lists.personal_entries(db, request.person)
        before = next((entry for entry in entries if entry.number == number), None)
        if before is None and len(entries) >= MOST_PERSONAL:
            full = Wording(
                "{most:,} numbers are on the lists already, which is the limit: first remove some of them",
                {"most": MOST_PERSONAL},
            )
            raise Refused("too-many-entries", full)
        changed.before, changed.after = before, entry
        # A block that came with a mark is removed with it. An entry added by hand stays.
        changed.is_nothing = lists.is_by_hand(db, entry)
        if not changed.is_nothing:
            lists.set_personal_entry(db, entry)
    return PersonalChange(changed.id, number, person_text(request.person, names))


def remove_personal(db: sqlite3.Connection, context: Context, request: PersonalKey) -> PersonalChange:
    """Remove a number from a person's own list."""
    number = number_field(context, request.number)
    with change(db, context, "list remove", number) as changed:
        present = [entry for entry in lists.personal_entries(db, request.person) if entry.number == number]
        if not present or request.list_name not in (None, present[0].verdict):
            raise _not_listed(number, request.list_name, f" of {request.person}")
        changed.before = present[0]
        lists.remove_personal_entry(db, request.person, number)
    return PersonalChange(changed.id, number, person_text(request.person, names_of_people(db, context.settings)))


def import_entries(
    db: sqlite3.Connection, context: Context, entries: Sequence[ListEntry], *, keep: bool = False
) -> ListImport:
    """Add the entries of a file to their lists. Undoing the last audit row undoes the whole import.

    Entries with objections are skipped. `keep`: whether existing entries stay, even if note or expiry differ.
    """
    if len(entries) > MOST_ENTRIES:
        raise Refused("too-many-rows", TOO_MANY)
    own = known_own_numbers(db, context.loaded)
    judged = [
        (entry, [*objection_to_part(entry), *_objection_to_new_area(db, entry), *objections_to(entry, own)])
        for entry in entries
    ]
    refused = tuple(text for _, against in judged for text in against)
    usable = [entry for entry, against in judged if not against]
    if refused and not usable:
        raise Refused("nothing-usable", Wording("no row can be used: {why}", {"why": refused[0]}))
    with whole(db):
        plan = _plan(db, usable, keep=keep)
        return ListImport(_write(db, context, plan) if plan.entries else None, plan, refused)


def _write(db: sqlite3.Connection, context: Context, plan: ListImportPlan) -> int | None:
    with change(db, context, "list import") as changed:
        for entry in plan.entries:
            row = Change("list import", *subject_of(entry), lists.find_entry(db, entry), entry)
            lists.add_entry(db, entry)
            add_audit(db, row, context.actor, context.at)
        changed.after = {"entries": len(plan.entries), "replaced": plan.replaced}
    return changed.id


# The parts of an entry.


def entry_of(settings: Settings, request: EntryRequest, at: float) -> ListEntry:
    """Return the requested entry as a list entry. `at`: the present time. Raise Refused for an invalid request."""
    note = request.note.strip()
    if len(note) > NOTE_CHARACTERS or not note.isprintable():
        words = Wording("must be one line of at most {most} characters", {"most": NOTE_CHARACTERS})
        raise Refused("bad-note", words, "note")
    entry = _parsed(settings, request)
    try:
        expires_at = None if request.expires is None else expiry_of(request.expires, at)
    except TimeError as error:
        raise Refused("bad-time", error.words, "expires") from None
    return replace(entry, note=note, expires_at=expires_at, action=_action(entry, request.action), added_at=at)


def action_of(entry: ListEntry) -> str:
    """Return the action for calls that the entry matches."""
    return entry.action or ("allow" if entry.list_name is ListName.ALLOW else "reject")


def objections(db: sqlite3.Connection, context: Context, entry: ListEntry) -> list[Wording]:
    """Return objections to an entry, such as own numbers that it would block. An administrator can override them."""
    return objections_to(entry, known_own_numbers(db, context.loaded))


def names_of_people(db: sqlite3.Connection, settings: Settings) -> dict[str, str]:
    """Return the names of people, by extension; an empty name for people without one."""
    return {person.extension: person.name or "" for person in (*all_people(db), *people_of(settings))}


def person_text(extension: str, names: Mapping[str, str]) -> str:
    """Return extension and name, such as `201 (Alice)`, or only the extension if there is no name."""
    return f"{extension} ({names[extension]})" if names.get(extension) else extension


def subject_of(entry: ListEntry) -> tuple[str | None, str]:
    """Return number and name for an audit row. An entry for several numbers has no number; its text is the name."""
    return (entry.first, "") if entry.kind is EntryKind.EXACT else (None, entry.text)


def _plan(db: sqlite3.Connection, entries: Iterable[ListEntry], *, keep: bool) -> ListImportPlan:
    last = {(entry.list_name, entry.kind, entry.first, entry.last): entry for entry in entries}
    pairs = [(lists.find_entry(db, entry), entry) for entry in last.values()]
    changes = [(before, entry) for before, entry in pairs if before is None or not (keep or _is_same(before, entry))]
    replaced = sum(before is not None for before, _ in changes)
    return ListImportPlan(tuple(entry for _, entry in changes), replaced, len(last) - len(changes))


def _is_same(before: ListEntry, entry: ListEntry) -> bool:
    """Return whether importing `entry` would change nothing. Times of expiry are whole seconds, as in files."""
    if int(before.expires_at or 0) != int(entry.expires_at or 0):
        return False
    return replace(before, added_at=entry.added_at, expires_at=entry.expires_at) == entry


def _parsed(settings: Settings, request: EntryRequest | EntryKey) -> ListEntry:
    try:
        return parse_entry(request.entry[:ENTRY_CHARACTERS], request.list_name, settings.numbers.region)
    except EntryError as error:
        raise Refused("bad-entry", error.words) from None


def _action(entry: ListEntry, word: str | None) -> str | None:
    if word is None:
        return None
    if word not in ACTION_BY_WORD:
        raise Refused("unknown-action", f"unknown action {word[:40]!r}{nearest(word, ACTION_BY_WORD)}", "action")
    if (entry.list_name, word) == (ListName.BLOCK, "allow"):
        words = Wording("a blocklist entry cannot allow calls: add the number to the allowlist, which is checked first")
        raise Refused("contrary-action", words, "action")
    if (entry.list_name, word) == (ListName.ALLOW, "reject"):
        words = Wording("an allowlist entry cannot reject calls: add the number to the blocklist")
        raise Refused("contrary-action", words, "action")
    return word


def _objections_to_typed(db: sqlite3.Connection, context: Context, entry: ListEntry) -> list[Wording]:
    return [*objection_to_part(entry), *objections(db, context, entry), *_objection_to_area(db, entry)]


def _objection_to_area(db: sqlite3.Connection, entry: ListEntry) -> list[Wording]:
    area = area_covered(entry)
    if area is None:
        return []
    count = lists.known_numbers(db, entry, MOST_KNOWN)
    known = MORE_KNOWN if count == MOST_KNOWN else f"{count:,}"
    return [Wording(AREA_WORDS[area.kind].template, {"entry": entry.text, "region": area.region, "known": known})]


def _objection_to_new_area(db: sqlite3.Connection, entry: ListEntry) -> list[Wording]:
    return [] if lists.find_entry(db, entry) is not None else _objection_to_area(db, entry)


def _is_for_administrators(entry: ListEntry, against: Sequence[str | Wording]) -> bool:
    return bool(against) or area_covered(entry) is not None


def _present_entries(db: sqlite3.Connection, entry: ListEntry) -> tuple[ListEntry | None, ListEntry | None]:
    other = ListName.ALLOW if entry.list_name is ListName.BLOCK else ListName.BLOCK
    return lists.find_entry(db, entry), lists.find_entry(db, replace(entry, list_name=other))


def _not_listed(text: str, list_name: ListName | None, whose: str = "") -> Refused:
    return Refused("not-listed", f"{text} is not on {f'the {list_name.value}list' if list_name else 'a list'}{whose}")
