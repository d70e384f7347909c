"""`callsieve list`: the administrator's allowlist and blocklist, and those of single people."""

from __future__ import annotations

import shlex
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.store import changing
from callsieve.lists.cli import csv_import as list_files
from callsieve.settings import Loaded
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.personal_lists import PersonalEntry

if TYPE_CHECKING:
    from callsieve.cli.output import Cell
    from callsieve.lists.operations import Replaced

SOON_SECONDS = 2 * 86400

ListArgument = Annotated[ListName, typer.Argument(metavar="allow|block", help="Which list.", show_default=False)]
EntryArgument = Annotated[
    str,
    typer.Argument(
        metavar="ENTRY",
        help="A number (+12015550123), a prefix ('+1900*') or a range (+12015550100-+12015550199).",
        show_default=False,
    ),
]
PersonOption = Annotated[str | None, typer.Option("--person", metavar="EXT", help="That person's own list.")]


def add_to(app: typer.Typer) -> None:
    """Add `list add`, `list remove`, `list show` and `list import`."""
    group = typer.Typer(help="Allowlists and blocklists: the administrator's, and people's own.", no_args_is_help=True)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("show")(show)
    list_files.add_to(group)
    app.add_typer(group, name="list")


def add(
    list_name: ListArgument,
    entry: EntryArgument,
    note: Annotated[str, typer.Option(help="Why, for those who come after you.")] = "",
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="2h, 30d, 2026-12-31 (its end) or 2026-12-31T18:00.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Instead of allow or reject: tag, warn, challenge, route.")
    ] = None,
    person: PersonOption = None,
    force: Annotated[bool, typer.Option("--force", help="Add it whatever speaks against it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Put an entry on a list; it counts at the next call. An entry that is there already is replaced."""
    from callsieve.lists.operations import calls_lately
    from callsieve.policy.stopped_calls import NO_ROUTE, STOPPING_WORDS

    loaded = settings_of(config)
    now = time.time()
    if person is not None:
        if note or expires or action:
            raise CommandError("--note, --expires and --action are for the administrator's lists, not with --person")
        _add_personal(loaded, list_name, number_argument(entry, loaded), person, now, force=force)
        return
    parsed = _with_options(_parsed(entry, list_name, loaded), note, expires, action, now)
    with any_store(loaded) as db:
        if not force:
            _object(db, loaded, parsed)
        before, other = _add(db, parsed)
        matching = calls_lately(db, parsed, now)
    _say_added(parsed, before, other, matching)
    if action in STOPPING_WORDS and not loaded.settings.actions.route:
        warn(f"{parsed.text}: {NO_ROUTE}")


def remove(
    list_name: ListArgument, entry: EntryArgument, person: PersonOption = None, config: ConfigOption = None
) -> None:
    """Take an entry off a list, and print the command that puts it back."""
    from callsieve.cli.output import say, say_command
    from callsieve.lists.operations import about
    from reputation.store.lists import remove_entry

    loaded = settings_of(config)
    if person is not None:
        _remove_personal(loaded, list_name, number_argument(entry, loaded), person, config)
        return
    wanted = _parsed(entry, list_name, loaded)
    with existing_store(loaded) as db, changing(db, "list remove", *about(wanted)) as change:
        change.before = removed = remove_entry(db, wanted)
        if removed is None:
            raise CommandError(
                f"{wanted.text} is not on the {list_name.value}list: `callsieve list show {list_name.value}`"
            )
    say(f"{removed.text} is off the {list_name.value}list. To put it back:")
    say_command(undo(removed, config, time.time()))


def show(
    list_name: Annotated[
        ListName | None, typer.Argument(metavar="[allow|block]", help="Which list; else both.", show_default=False)
    ] = None,
    entry: Annotated[
        str | None, typer.Argument(metavar="NUMBER", help="Only what matches this number.", show_default=False)
    ] = None,
    person: PersonOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the lists, or with --person somebody's own."""
    from callsieve.lists.entry_json import entry_as_json
    from callsieve.text.number_entry import covers
    from reputation.store.lists import list_entries

    loaded = settings_of(config)
    number = None if entry is None else number_argument(entry, loaded)
    if person is not None:
        _show_personal(loaded, list_name, number, person, as_json=as_json)
        return
    with existing_store(loaded) as db:
        entries = [one for one in list_entries(db, list_name) if number is None or covers(one, number)]
    if as_json:
        print_json([entry_as_json(one, time.time()) for one in entries])
    else:
        _show_entries(entries)


def undo(entry: ListEntry, config: Path | None, now: float) -> str:
    """The command that adds the entry again."""
    from callsieve.text.times import iso

    words = ["callsieve", "list", "add", entry.list_name.value, entry.text]
    words += ["--note", entry.note] if entry.note else []
    words += ["--action", entry.action] if entry.action else []
    words += ["--expires", iso(entry.expires_at)] if entry.expires_at and entry.expires_at > now else []
    words += ["--config", str(config)] if config else []
    return shlex.join(words)


# The administrator's lists.


def _parsed(text: str, list_name: ListName, loaded: Loaded) -> ListEntry:
    from callsieve.text.number_entry import EntryError, parse_entry

    try:
        return parse_entry(text, list_name, loaded.settings.numbers.region)
    except EntryError as error:
        raise CommandError(str(error)) from None


def _with_options(entry: ListEntry, note: str, expires: str | None, action: str | None, now: float) -> ListEntry:
    from callsieve.lists.operations import ListingError, with_options

    try:
        return with_options(entry, note, expires, action, now)
    except ListingError as error:
        raise CommandError(f"--{error}" if error.option else str(error)) from None


def _object(db: sqlite3.Connection, loaded: Loaded, entry: ListEntry) -> None:
    from callsieve.lists.operations import objections_to_typed

    found = objections_to_typed(db, loaded.settings, entry)
    if found:
        raise CommandError(f"{'; '.join(found)}. If that is meant, add --force")


def _add(db: sqlite3.Connection, entry: ListEntry) -> Replaced:
    from callsieve.lists.operations import about, put_on_list

    with changing(db, "list add", *about(entry)) as change:
        there = put_on_list(db, entry)
        change.before, change.after = there.before, entry
    return there


def _say_added(entry: ListEntry, before: ListEntry | None, other: ListEntry | None, matching: int) -> None:
    from callsieve.cli.output import plural, say, word
    from callsieve.lists.operations import LOOK_BACK_DAYS, action_of
    from callsieve.text.number_entry import coverage
    from callsieve.text.times import when

    action = action_of(entry)
    until = f" until {when(entry.expires_at)}" if entry.expires_at else ""
    say(f"On the {entry.list_name.value}list{until}: {coverage(entry)}: ", word(action), ".")
    if matching:
        say(f"It matches {plural(matching, 'call')} of the last {LOOK_BACK_DAYS} days.")
    if before is not None:
        note = f' ("{before.note}")' if before.note else ""
        say(f"It replaces the entry of {when(before.added_at)}{note}.")
    if other is not None:
        say(f"It is on the {other.list_name.value}list too: the allowlist is tried first.")


def _show_entries(entries: Sequence[ListEntry]) -> None:
    from callsieve.cli.output import is_wide, print_table, say, word
    from callsieve.lists.operations import action_of
    from callsieve.text.times import day

    if not entries:
        say("No entries.")
        return
    now = time.time()
    wide = is_wide()
    rows = []
    for entry in entries:
        action = word(action_of(entry))
        added = [day(entry.added_at)] if wide else []
        rows.append([entry.list_name.value, entry.text, action, *added, _end_of(entry, now), entry.note])
    headings = ["list", "entry", "action", *(["added"] if wide else []), "expires", "note"]
    print_table(headings, rows, keep=range(len(headings) - 1))


def _end_of(entry: ListEntry, now: float) -> Cell:
    """When the entry expires; to the minute when that is soon."""
    from callsieve.cli.output import dim
    from callsieve.lists.entry_json import is_over
    from callsieve.text.times import day, when

    if entry.expires_at is None:
        return ""
    if is_over(entry, now):
        return dim("expired")
    return when(entry.expires_at) if entry.expires_at < now + SOON_SECONDS else day(entry.expires_at)


# People's own lists.


def _add_personal(loaded: Loaded, list_name: ListName, number: str, person: str, now: float, *, force: bool) -> None:
    from callsieve.cli.output import say
    from callsieve.text.number_entry import objection_to_part
    from reputation.store.personal_lists import personal_entries, set_personal_entry

    entry = PersonalEntry(person, number, list_name, now)
    part = [] if force else objection_to_part(ListEntry(list_name, EntryKind.EXACT, number))
    if part:
        raise CommandError(f"{part[0]}. If that is meant, add --force")
    with any_store(loaded) as db:
        name = _name_of(db, loaded, person, force=force)
        with changing(db, "list add", number) as change:
            there = [one._asdict() for one in personal_entries(db, person) if one.number == number]
            change.before, change.after = next(iter(there), None), entry._asdict()
            set_personal_entry(db, entry)
    say(f"On the {list_name.value}list of {name}: {number}. It counts for that person alone.")


def _remove_personal(loaded: Loaded, list_name: ListName, number: str, person: str, config: Path | None) -> None:
    from callsieve.cli.output import say, say_command
    from reputation.store.personal_lists import personal_entries, remove_personal_entry

    with existing_store(loaded) as db, changing(db, "list remove", number) as change:
        there = [one for one in personal_entries(db, person) if (one.number, one.verdict) == (number, list_name)]
        if not there:
            raise CommandError(f"{number} is not on the {list_name.value}list of {person}")
        change.before = there[0]._asdict()
        remove_personal_entry(db, person, number)
    words = ["callsieve", "list", "add", list_name.value, number, "--person", person]
    words += ["--config", str(config)] if config else []
    say(f"{number} is off the {list_name.value}list of {person}. To put it back:")
    say_command(shlex.join(words))


def _show_personal(
    loaded: Loaded, list_name: ListName | None, number: str | None, person: str, *, as_json: bool
) -> None:
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import when
    from reputation.store.personal_lists import personal_entries

    with existing_store(loaded) as db:
        name = _name_of(db, loaded, person, force=True)
        entries = [
            one
            for one in personal_entries(db, person)
            if list_name in (None, one.verdict) and number in (None, one.number)
        ]
    if as_json:
        print_json([{"list": one.verdict, "entry": one.number, "person": one.person, "at": one.at} for one in entries])
    elif entries:
        print_table(("list", "number", "since"), ((one.verdict.value, one.number, when(one.at)) for one in entries))
    else:
        say(f"Nothing is on the lists of {name}.")


def _name_of(db: sqlite3.Connection, loaded: Loaded, person: str, *, force: bool) -> str:
    """`201 (Alice)`. CommandError for an extension that nobody has, unless it is forced."""
    from callsieve.wiring import people_of
    from policies.hints import nearest
    from reputation.store.people import all_people

    people = {one.extension: one.name for one in (*all_people(db), *people_of(loaded.settings))}
    if person not in people and not force:
        raise CommandError(
            f"there is no person {person[:40]!r}{nearest(person, people)}. If that is meant, add --force"
        )
    name = people.get(person)
    return f"{person} ({name})" if name else person
