"""`callsieve list`: the allowlist and the blocklist, of the organisation or of one person."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, FileArgument, table_in, warn_of_rows
from callsieve.cli.output import Cell, dim, is_wide, plural, print_table, say, say_undo, word
from callsieve.lists import operations
from callsieve.lists import operations as lists
from callsieve.lists.operations import LOOK_BACK_DAYS
from callsieve.lists.views import COLUMNS, EntryShown, entries_in, entry_shown, is_over, origin_words
from callsieve.policy.records import NO_ROUTE, STOPPING_WORDS
from callsieve.settings import Loaded
from callsieve.text.csv_table import KEPT_PROBLEMS, RowProblem, usable
from callsieve.text.number_entry import coverage
from callsieve.text.times import day, when
from reputation.model import ListEntry, ListName
from reputation.store.hub.sites import OURS
from reputation.store.lists import entries_matching, list_entries, personal_entries

SOON_SECONDS = 2 * 86400

ListArgument = Annotated[
    ListName, typer.Argument(metavar="allow|block", help="List to change or add to.", show_default=False)
]
EntryArgument = Annotated[
    str,
    typer.Argument(
        metavar="ENTRY",
        help="A number (+12015550123), a prefix ('+1900*') or a range (+12015550100-+12015550199).",
        show_default=False,
    ),
]
PersonOption = Annotated[
    str | None, typer.Option("--person", metavar="EXT", help="Use the list of the person with this extension.")
]
NoteOption = Annotated[str, typer.Option(help="The reason, for other administrators.")]
ExpiresOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="When the entry expires: 2h, 30d, 2026-12-31 (the end of that day) or 2026-12-31T18:00."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Add the entry although CallSieve advises against it.")]


def add(
    list_name: ListArgument,
    entry: EntryArgument,
    note: NoteOption = "",
    expires: ExpiresOption = None,
    action: Annotated[
        str | None,
        typer.Option(
            metavar="ACTION",
            help="Action for matching calls: tag, warn, challenge or route. Default: allow or reject, as "
            "the list says.",
        ),
    ] = None,
    person: PersonOption = None,
    force: ForceOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Add an entry to a list, or replace the entry for the same numbers. It applies from the next call on."""
    loaded = options.settings_of(config)
    if person is not None:
        if note or expires or action:
            raise CommandError("--note, --expires and --action cannot be used with --person")
        change = options.perform(loaded, lists.add_personal, lists.PersonalRequest(list_name, entry, person, force))
        say(f"On the {list_name.value}list of {change.person}: {change.number}. It only affects that person's calls.")
        say_undo(change.change_id, config)
        return
    request = lists.EntryRequest(list_name, entry, note, expires, action, force)
    calls = options.perform(loaded, lists.preview, request).calls
    added = options.perform(loaded, lists.add, request)
    _say_added(added, calls)
    say_undo(added.change_id, config)
    if action in STOPPING_WORDS and not loaded.settings.actions.route:
        warn(f"{added.entry.text}: {NO_ROUTE}")


def block(
    entry: EntryArgument,
    note: NoteOption = "",
    expires: ExpiresOption = None,
    person: PersonOption = None,
    force: ForceOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Block a number, a prefix or a range: a short form of `callsieve list add block`."""
    add(ListName.BLOCK, entry, note, expires, None, person, force, config)


def allow(
    entry: EntryArgument,
    note: NoteOption = "",
    expires: ExpiresOption = None,
    person: PersonOption = None,
    force: ForceOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Let a number, a prefix or a range through: a short form of `callsieve list add allow`."""
    add(ListName.ALLOW, entry, note, expires, None, person, force, config)


def remove(
    list_name: ListArgument, entry: EntryArgument, person: PersonOption = None, config: options.ConfigOption = None
) -> None:
    """Remove an entry from a list."""
    loaded = options.settings_of(config)
    if person is not None:
        personal = lists.PersonalKey(entry, person, list_name)
        change = options.perform(loaded, lists.remove_personal, personal, existing=True)
        say(f"Removed {change.number} from the {list_name.value}list of {change.person}.")
        say_undo(change.change_id, config)
        return
    removed = options.perform(loaded, lists.remove, lists.EntryKey(list_name, entry), existing=True)
    say(f"Removed {removed.entry.text} from the {list_name.value}list.")
    say_undo(removed.change_id, config)


def show(
    list_name: Annotated[
        ListName | None,
        typer.Argument(metavar="[allow|block]", help="Show only this list. Default: both lists.", show_default=False),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Argument(metavar="NUMBER", help="Show only entries that match this number.", show_default=False),
    ] = None,
    person: PersonOption = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Show the allowlist and the blocklist of the organisation, or with --person those of one person."""
    loaded = options.settings_of(config)
    number = None if entry is None else options.number_argument(entry, loaded)
    if person is not None:
        _show_personal(loaded, list_name, number, person, as_json=as_json)
        return
    with options.existing_store(loaded) as db:
        matching = list_entries(db, list_name) if number is None else entries_matching(db, number, list_name)
        entries = [entry_shown(db, each, loaded.settings, time.time()) for each in matching]
    if as_json:
        options.print_json(entries)
    else:
        _show_entries(entries)


def _say_added(added: operations.Added, calls: int) -> None:
    entry, replaced = added.entry, added.replaced
    until = f" until {when(entry.expires_at)}" if entry.expires_at else ""
    say(f"On the {entry.list_name.value}list{until}: {coverage(entry)}: ", word(operations.action_of(entry)), ".")
    if calls:
        say(f"The entry matches {plural(calls, 'call')} of the last {LOOK_BACK_DAYS} days.")
    if replaced is not None:
        note = f' ("{replaced.note}")' if replaced.note else ""
        say(f"The entry replaces an earlier one of {when(replaced.added_at)}{note}.")
    if added.other is not None:
        say(f"The entry is on the {added.other.list_name.value}list too: the allowlist is checked first.")


def _show_entries(entries: Sequence[EntryShown]) -> None:
    if not entries:
        say("No entries.")
        return
    now = time.time()
    wide, has_sites = is_wide(), any(shown.origin != OURS for shown in entries)
    rows = []
    for shown in entries:
        entry = shown.entry
        site = [origin_words(shown.origin)] if has_sites else []
        added = [day(entry.added_at)] if wide else []
        rows.append(
            [entry.list_name.value, entry.text, *site, word(shown.action), *added, _end_of(entry, now), entry.note]
        )
    headings = [
        *("list", "entry", *(["site"] if has_sites else []), "action"),
        *(*(["added"] if wide else []), "expires", "note"),
    ]
    print_table(headings, rows, keep=range(len(headings) - 1))


def _end_of(entry: ListEntry, now: float) -> Cell:
    if entry.expires_at is None:
        return ""
    if is_over(entry, now):
        return dim("expired")
    return when(entry.expires_at) if entry.expires_at < now + SOON_SECONDS else day(entry.expires_at)


# People's own lists.


def _show_personal(
    loaded: Loaded, list_name: ListName | None, number: str | None, person: str, *, as_json: bool
) -> None:
    with options.existing_store(loaded) as db:
        name = operations.person_text(person, operations.names_of_people(db, loaded.settings))
        entries = [
            entry
            for entry in personal_entries(db, person)
            if list_name in (None, entry.verdict) and number in (None, entry.number)
        ]
    if as_json:
        options.print_json(entries)
    elif entries:
        print_table(
            ("list", "number", "since"), ((entry.verdict.value, entry.number, when(entry.at)) for entry in entries)
        )
    else:
        say(f"Nothing is on the lists of {name}.")


@dataclass(slots=True)
class FileImport:
    """The result of adding the entries of a file or PBX list. `problems`: why the first skipped rows were skipped."""

    read: int
    skipped: int
    problems: list[RowProblem]
    dry_run: bool
    cut: int = 0
    ignored: tuple[str, ...] = ()
    result: operations.ListImport | None = None
    remarks: list[str] = field(default_factory=list)


def import_file(
    file: FileArgument,
    list_name: Annotated[
        ListName | None, typer.Option("--list", help="List for rows that name no list.", show_default=False)
    ] = None,
    dry_run: DryRunOption = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Add the entries of a CSV file to the lists. Header: entry[,list][,action][,note][,expires], as in the console."""
    loaded = options.settings_of(config)
    with table_in(file, COLUMNS) as (table, _):
        rows = entries_in(table, list_name, loaded.settings, time.time())
        entries = usable(table, rows, operations.MOST_ENTRIES, operations.TOO_MANY)
    imported = FileImport(table.read, table.skipped, table.problems, dry_run, table.cut, table.ignored)
    put_on_lists(loaded, entries, imported)
    stopping = sum(entry.action in STOPPING_WORDS for entry in entries)
    if stopping and not loaded.settings.actions.route:
        imported.remarks.append(f"{plural(stopping, 'entry', 'entries')}: {NO_ROUTE}")
    print_import(imported, config, as_json=as_json)


def put_on_lists(loaded: Loaded, entries: Sequence[ListEntry], imported: FileImport, *, keep: bool = False) -> None:
    """Add all entries without objections in one change, and fill in `imported`. `keep`: existing entries stay."""
    with options.stores(loaded, dry_run=imported.dry_run, copied=True) as (_, written):
        imported.result = operations.import_entries(written, options.context_of(loaded), entries, keep=keep)
    imported.skipped += len(imported.result.refused)
    imported.problems += [RowProblem(0, text) for text in imported.result.refused[:KEPT_PROBLEMS]]


def print_import(imported: FileImport, config: Path | None, *, as_json: bool) -> None:
    """Print how many entries were added or skipped, why entries were skipped, and how to undo the import."""
    assert imported.result is not None
    plan, change_id = imported.result.plan, imported.result.change_id
    counts = {"read": imported.read, "added": len(plan.entries) - plan.replaced, "replaced": plan.replaced}
    counts |= {"unchanged": plan.unchanged, "skipped": imported.skipped}
    if as_json:
        undo = {"undo": change_id if not imported.dry_run else None}
        options.print_json(
            counts | undo | {"dry_run": imported.dry_run, "problems": [str(problem) for problem in imported.problems]}
        )
        return
    warn_of_rows(imported)
    for remark in imported.remarks:
        warn(remark)
    say(
        f"{'Would add' if imported.dry_run else 'Added'} {plural(counts['added'], 'entry', 'entries')} and replaced "
        f"{plan.replaced:,}: {plural(imported.read, 'row')} read, "
        f"{plan.unchanged:,} unchanged, {imported.skipped:,} skipped."
    )
    if not imported.dry_run:
        say_undo(change_id, config)
