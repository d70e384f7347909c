"""`callsieve own import` and `export`: the register as CSV, the same columns in both directions."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, FileArgument, nothing_usable, table_in
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.store import changing, stores, who
from callsieve.imports.cli.number_import import some
from callsieve.own_numbers.cli.undo import say_undo
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for

if TYPE_CHECKING:
    from callsieve.text.csv_table import Table


def add_to(group: typer.Typer) -> None:
    """Add `own import` and `own export`."""
    group.command("import")(import_register)
    group.command("export")(export_register)


def import_register(
    file: FileArgument, dry_run: DryRunOption = False, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Import own numbers, or bring them up to date: columns that are not there, and other numbers, stay as they are."""
    from callsieve.cli.errors import warn
    from callsieve.cli.output import plural, say
    from callsieve.own_numbers.csv_file import COLUMNS, LONGEST_FIELD, own_numbers_in
    from callsieve.own_numbers.register import NothingChanged, bring_in, to_bring_in, unknown_trunks

    loaded = settings_of(config)
    now = time.time()
    with table_in(file, COLUMNS, longest=LONGEST_FIELD) as (table, _):
        found = own_numbers_in(table, loaded.settings.numbers.region, now)
    if not found:
        raise nothing_usable(table.problems)
    with stores(loaded, dry_run=dry_run) as (known, written):
        added = changed = 0
        unknown: list[str] = []
        with suppress(NothingChanged), changing(written, "own import", at=now) as change:
            owns = to_bring_in(known, found, now)
            added, changed = bring_in(written, change, owns, who(), now)
            unknown = unknown_trunks((own for _, own in owns), loaded.settings)
    counts = {"read": table.read, "added": added, "changed": changed, "skipped": table.skipped}
    if as_json:
        about = {"cut": table.cut, "dry_run": dry_run, "unknown_trunks": unknown, "problems": _problems(table)}
        print_json(counts | about)
        return
    for problem in table.problems:
        warn(f"skipped line {problem.line}: {problem.text}")
    if table.cut:
        warn(f"cut {plural(table.cut, 'field')} longer than {LONGEST_FIELD:,} characters")
    if table.ignored:
        warn(f"did not read the columns {', '.join(table.ignored[:10])}")
    if unknown:
        warn(f"no [[trunk]] of the settings is called {some(unknown)}")
    say(
        f"{'Would add' if dry_run else 'Added'} {plural(added, 'own number')}, changed {changed:,}: "
        f"{plural(table.read, 'row')} read, {table.skipped:,} skipped."
    )
    if not dry_run and added + changed:
        say_undo(change, config)


def export_register(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print the register as CSV; `own import` reads it again."""
    from callsieve.cli.output import plural, say
    from callsieve.own_numbers.csv_file import register_as_csv
    from reputation.store.own_register import register_of

    with existing_store(settings_of(config)) as db:
        register = register_of(db)
    text = register_as_csv(register)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        with acting_for(out), naming(out), out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{out}: there is a file of this name: choose another, or remove it") from None
    say(f"{out}: {plural(len(register), 'own number')}.")


def _problems(table: Table) -> list[dict[str, object]]:
    return [{"line": problem.line, "problem": problem.text} for problem in table.problems]
