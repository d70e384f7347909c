"""`callsieve import`: numbers from files and from the PBX's own lists; what was imported, and taking it out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, table_in
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, perform, print_json, settings_of
from callsieve.cli.output import meter, plural, print_table, say, say_undo, watched
from callsieve.imports import operations
from callsieve.imports.cli.astdb import (
    LISTS,
    AsAllowlistOption,
    AsBlocklistOption,
    ImportOrigin,
    import_pbx_list,
    list_pbx_list,
)
from callsieve.imports.cli.number_import import (
    SOURCE_HELP,
    ImportVerdict,
    Summary,
    print_summary,
    source_given,
    store_numbers,
)
from callsieve.imports.operations import ImportKind, RemoveImportRequest
from callsieve.imports.rows import NUMBER_COLUMNS, numbers_in
from callsieve.text.times import when
from reputation.encoding import Instant
from reputation.store.imports import sources
from reputation.store.sources import contact_sources, did_sources, people_sources


class ImportShown(NamedTuple):
    """An import. `verdict`, `imported_at`: of numbers."""

    kind: ImportKind
    source: str
    rows: int
    verdict: str | None = None
    imported_at: Instant | None = None


def import_numbers_file(
    file: Annotated[Path | None, typer.Argument(help="CSV in UTF-8; - for standard input.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)
    ] = None,
    origin: Annotated[
        ImportOrigin | None,
        typer.Option("--from", help="No file: Asterisk's own blacklist, or the list of FreePBX's module Allowlist."),
    ] = None,
    verdict: Annotated[
        ImportVerdict | None,
        typer.Option(help="What being on the list means; else spam, or ok of FreePBX's allowlist.", show_default=False),
    ] = None,
    as_blocklist: AsBlocklistOption = False,
    as_allowlist: AsAllowlistOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import a list of numbers: evidence against them, or for them. Header: number[,category][,name][,note]."""
    if (file is None) == (origin is None):
        raise CommandError("import numbers: say either a FILE or --from astdb (callsieve import numbers --help)")
    if as_blocklist or as_allowlist:
        wanted = ImportOrigin.ASTDB if as_blocklist else ImportOrigin.ALLOWLIST
        if origin is not wanted or source is not None or verdict is not None:
            known = LISTS[wanted]
            raise CommandError(
                f"{known.option} goes with --from {wanted} alone; "
                f"for a file: callsieve list import FILE --list {known.list_name}"
            )
        list_pbx_list(config, wanted, dry_run=dry_run, as_json=as_json)
        return
    loaded = settings_of(config)
    name = origin.value if source is None and origin is not None else source
    summary = Summary(ImportKind.NUMBERS, source_given(name), dry_run)
    if origin is not None:
        import_pbx_list(loaded, summary, origin, verdict)
    elif file is not None:
        with table_in(file, NUMBER_COLUMNS) as (table, bytes_read), meter(file) as tell:
            rows = watched(numbers_in(table, loaded.settings.numbers.region), bytes_read, tell)
            summary.problems = table.problems
            store_numbers(loaded, summary, (verdict or ImportVerdict.SPAM).value, rows)
            summary.take(table)
    print_summary(summary, as_json=as_json)


def show_imports(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what was imported, and when."""
    with existing_store(settings_of(config)) as db:
        numbers = sources(db)
        others = [(ImportKind.CONTACTS, *one) for one in contact_sources(db)]
        others += [(ImportKind.PEOPLE, *one) for one in people_sources(db)]
        others += [(ImportKind.DIDS, *one) for one in did_sources(db)]
    if as_json:
        kind = ImportKind.NUMBERS
        lists = [ImportShown(kind, one.name, one.numbers, one.verdict, one.imported_at) for one in numbers]
        print_json([*lists, *(ImportShown(*one) for one in others)])
    elif numbers or others:
        table = [("numbers", one.name, one.verdict, f"{one.numbers:,}", when(one.imported_at)) for one in numbers]
        table += [(kind.value, name, "", f"{count:,}", "") for kind, name, count in others]
        print_table(("what", "source", "verdict", "rows", "imported"), table, keep=(0, 2, 3, 4))
    else:
        say("Nothing was imported.")


def remove_import(
    name: Annotated[str, typer.Argument(help="The name of the source.", show_default=False)],
    kind: Annotated[ImportKind | None, typer.Option(help="Which, when several imports have this name.")] = None,
    config: ConfigOption = None,
) -> None:
    """Remove an import with everything that it brought. The same file brings it back."""
    done = perform(settings_of(config), operations.remove, RemoveImportRequest(name, kind), existing=True)
    say(f"Removed {plural(done.rows, 'row')} of {done.kind.value}: the import {name}. The same file brings it back.")
    say_undo(done.change_id, config)
