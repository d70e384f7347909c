"""`callsieve import`: numbers, contacts and people from files, and from Asterisk's own blacklist."""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, FileArgument, table_in
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.progress import meter, watched
from callsieve.cli.store import changing, note, stores
from callsieve.imports.cli import calls, feeds
from callsieve.imports.cli.blacklist import AsBlocklistOption, block_blacklist, import_blacklist
from callsieve.imports.cli.number_import import some, store_numbers
from callsieve.imports.cli.source import SOURCE_HELP, SourceOption, Verdict, source_name
from callsieve.imports.cli.summary import Kind, Summary, print_summary
from callsieve.text.csv_table import usable

if TYPE_CHECKING:
    from reputation.store.imports import ImportSource

MOST_ROWS = 250_000  # contacts and people: they are written in one transaction
TOO_MANY = "More than 250,000 rows: that is no list of contacts or people."


class Origin(StrEnum):
    """Where numbers come from when there is no file."""

    ASTDB = "astdb"


def add_to(app: typer.Typer) -> None:
    """Add `import numbers`, `feed`, `calls`, `contacts`, `people`, `list` and `remove`."""
    group = typer.Typer(help="Numbers, past calls, contacts and people from files.", no_args_is_help=True)
    group.command("numbers")(import_numbers_file)
    feeds.add_to_imports(group)
    calls.add_to(group)
    group.command("contacts")(import_contacts)
    group.command("people")(import_people)
    group.command("list")(show_imports)
    group.command("remove")(remove_import)
    app.add_typer(group, name="import")


def import_numbers_file(
    file: Annotated[Path | None, typer.Argument(help="CSV in UTF-8; - for standard input.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)
    ] = None,
    origin: Annotated[
        Origin | None, typer.Option("--from", help="No file: the blacklist in Asterisk's own database, and FreePBX's.")
    ] = None,
    verdict: Annotated[Verdict, typer.Option(help="What being on the list means.")] = Verdict.SPAM,
    as_blocklist: AsBlocklistOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import a list of numbers: evidence against them, or for them. Header: number[,category][,name][,note]."""
    from callsieve.imports.rows import NUMBER_COLUMNS, numbers_in

    if (file is None) == (origin is None):
        raise CommandError("import numbers: say either a FILE or --from astdb (callsieve import numbers --help)")
    if as_blocklist:
        if origin is None or source is not None or verdict is not Verdict.SPAM:
            raise CommandError(
                "--as-blocklist goes with --from astdb alone; for a file: callsieve list import FILE --list block"
            )
        block_blacklist(config, dry_run=dry_run, as_json=as_json)
        return
    loaded = settings_of(config)
    name = origin.value if source is None and origin is not None else source
    summary = Summary(Kind.NUMBERS, source_name(name), dry_run)
    if file is None:
        import_blacklist(loaded, summary, verdict.value)
    else:
        with table_in(file, NUMBER_COLUMNS) as (table, bytes_read), meter(file) as tell:
            rows = watched(numbers_in(table, loaded.settings.numbers.region), bytes_read, tell)
            usable = store_numbers(loaded, summary, verdict.value, rows, table.problems)
            summary.take(table, summary.imported, usable)
    print_summary(summary, as_json=as_json)


def import_contacts(
    file: FileArgument,
    source: SourceOption,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import contacts, whose calls ring through: the company's, or one person's. Header: number,name[,person]."""
    from callsieve.imports.rows import CONTACT_COLUMNS, contacts_in
    from callsieve.wiring import people_of
    from reputation.store.people import all_people
    from reputation.store.personal_lists import replace_contacts
    from reputation.store.sources import contact_sources

    loaded = settings_of(config)
    summary = Summary(Kind.CONTACTS, source_name(source), dry_run)
    with table_in(file, CONTACT_COLUMNS) as (table, _):
        contacts = usable(table, contacts_in(table, loaded.settings.numbers.region), MOST_ROWS, TOO_MANY)
    by_key = {(contact.number, contact.person): contact for contact in contacts}
    summary.take(table, len(by_key), len(contacts))
    with stores(loaded, dry_run=dry_run) as (known, written):
        extensions = {person.extension for person in (*all_people(known), *people_of(loaded.settings))}
        summary.before = next((one.rows for one in contact_sources(known) if one.name == summary.source), None)
        with changing(written, "import contacts", name=summary.source) as change:
            change.before, change.after = _rows(summary.before), _rows(summary.imported)
            replace_contacts(written, summary.source, by_key.values())
    strangers = sorted({contact.person for contact in by_key.values() if contact.person} - extensions)
    if strangers:
        summary.remarks.append(f"nobody here has the extension {some(strangers)}")
    print_summary(summary, as_json=as_json)


def import_people(
    file: FileArgument,
    source: SourceOption,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import our people, or bring them up to date. Header: extension[,endpoint][,group][,language][,name]."""
    from callsieve.imports.rows import PEOPLE_COLUMNS, people_in
    from reputation.store.people import SETTINGS, all_people, upsert_people

    loaded = settings_of(config)
    summary = Summary(Kind.PEOPLE, source_name(source), dry_run)
    if summary.source == SETTINGS:
        raise CommandError(f"--source {summary.source} is a name of CallSieve's own: use another")
    with table_in(file, PEOPLE_COLUMNS) as (table, _):
        people = usable(table, people_in(table), MOST_ROWS, TOO_MANY)
    by_extension = {person.extension: person for person in people}
    summary.take(table, len(by_extension), len(people))
    with stores(loaded, dry_run=dry_run) as (_, written):
        with changing(written, "import people", name=summary.source) as change:
            change.after = _rows(summary.imported)
            upsert_people(written, by_extension.values(), summary.source)
        stored = {person.extension: person for person in all_people(written)}
    of_settings = {person.extension for person in loaded.settings.person}
    kept = sorted(e for e, person in by_extension.items() if e in of_settings or stored.get(e) != person)
    if kept:
        summary.remarks.append(f"the settings say who has {some(kept)}, and they win")
    print_summary(summary, as_json=as_json)


def show_imports(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what was imported, and when."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import when
    from reputation.store.imports import sources
    from reputation.store.sources import contact_sources, people_sources

    with existing_store(settings_of(config)) as db:
        numbers = sources(db)
        others = [(Kind.CONTACTS, *one) for one in contact_sources(db)]
        others += [(Kind.PEOPLE, *one) for one in people_sources(db)]
    if as_json:
        rows = [_source_as_json(Kind.NUMBERS, one.name, one.numbers, one) for one in numbers]
        print_json(rows + [_source_as_json(*one) for one in others])
    elif numbers or others:
        table = [("numbers", one.name, one.verdict, f"{one.numbers:,}", when(one.imported_at)) for one in numbers]
        table += [(kind.value, name, "", f"{count:,}", "") for kind, name, count in others]
        print_table(("what", "source", "verdict", "rows", "imported"), table, keep=(0, 2, 3, 4))
    else:
        say("Nothing was imported.")


def _source_as_json(kind: Kind, name: str, rows: int, source: ImportSource | None = None) -> dict[str, object]:
    about = {"verdict": source.verdict, "imported_at": source.imported_at} if source else {}
    return {"kind": kind, "source": name, "rows": rows, **about}


def remove_import(
    name: Annotated[str, typer.Argument(help="The name of the source.", show_default=False)],
    kind: Annotated[Kind | None, typer.Option(help="Which, when several imports have this name.")] = None,
    config: ConfigOption = None,
) -> None:
    """Remove an import with everything that it brought. The same file brings it back."""
    from callsieve.cli.output import plural, say
    from reputation.store.audit import Change
    from reputation.store.imports import remove_source
    from reputation.store.sources import remove_contacts, remove_people

    with existing_store(settings_of(config)) as db:
        found, count = _import_called(db, name, kind)
        change = Change("import remove", name=name, before={"kind": found.value, "rows": count})
        if found is Kind.NUMBERS:
            remove_source(db, name, also=lambda: note(db, change))
        else:
            with changing(db, change.what, name=name) as changed:
                changed.before = change.before
                (remove_contacts if found is Kind.CONTACTS else remove_people)(db, name)
    say(f"Removed {plural(count, 'row')} of {found.value}: the import {name}. The same file brings it back.")


def _rows(count: int | None) -> dict[str, int] | None:
    return None if count is None else {"rows": count}


def _import_called(db: sqlite3.Connection, name: str, kind: Kind | None) -> tuple[Kind, int]:
    """The one import of this name, and perhaps kind, and its rows."""
    from policies.hints import nearest
    from reputation.store.imports import sources
    from reputation.store.sources import contact_sources, people_sources

    there = {
        Kind.NUMBERS: {one.name: one.numbers for one in sources(db)},
        Kind.CONTACTS: dict(contact_sources(db)),
        Kind.PEOPLE: dict(people_sources(db)),
    }
    found = [(one, names[name]) for one, names in there.items() if name in names and kind in (None, one)]
    if not found:
        names = {known for one, names in there.items() if kind in (None, one) for known in names}
        raise CommandError(f"there is no import {name[:80]!r}{nearest(name, names) if names else ''}")
    if len(found) > 1:
        raise CommandError(f"there are {' and '.join(one for one, _ in found)} of this name: say which with --kind")
    return found[0]
