"""`callsieve own import` and `export`: the register as CSV, the same columns in both directions."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, FileArgument, table_in, warn_of_rows
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.output import plural, say, say_undo, some
from callsieve.cli.store import context_of, stores
from callsieve.own_numbers.csv_file import COLUMNS, LONGEST_FIELD, own_numbers_in, register_as_csv
from callsieve.own_numbers.operations import bring_in
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from reputation.store.own_register import register_of


def import_register(
    file: FileArgument, dry_run: DryRunOption = False, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Import own numbers, or bring them up to date: columns that are not there, and other numbers, stay as they are."""
    loaded = settings_of(config)
    with table_in(file, COLUMNS, longest=LONGEST_FIELD) as (table, _):
        found = own_numbers_in(table, loaded.settings.numbers.region, time.time())
    with stores(loaded, dry_run=dry_run, copied=True) as (_, written):
        done = bring_in(written, context_of(loaded), found)
    if as_json:
        counts = {"read": table.read, "added": done.added, "changed": done.changed, "skipped": table.skipped}
        about = {"cut": table.cut, "dry_run": dry_run, "unknown_trunks": done.unknown_trunks}
        problems = [{"line": problem.line, "problem": problem.text} for problem in table.problems]
        print_json(counts | about | {"problems": problems})
        return
    warn_of_rows(table, LONGEST_FIELD)
    if done.unknown_trunks:
        warn(f"no [[trunk]] of the settings is called {some(done.unknown_trunks)}")
    say(
        f"{'Would add' if dry_run else 'Added'} {plural(done.added, 'own number')}, changed {done.changed:,}: "
        f"{plural(table.read, 'row')} read, {table.skipped:,} skipped."
    )
    if not dry_run:
        say_undo(done.change_id, config)


def export_register(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print the register as CSV; `own import` reads it again."""
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
