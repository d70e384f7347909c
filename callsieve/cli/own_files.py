"""`callsieve own import` and `export`: the register as CSV, the same columns in both directions."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.common import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.errors import CommandError
from callsieve.cli.own_undoing import say_undo
from callsieve.cli.reading import DryRunOption, FileArgument, table_in
from callsieve.cli.storing import changing, nothing_usable, stores, who

if TYPE_CHECKING:
    from callsieve.rows import Table


def add_to(group: typer.Typer) -> None:
    """Add `own import` and `own export`."""
    group.command("import")(import_register)
    group.command("export")(export_register)


def import_register(
    file: FileArgument, dry_run: DryRunOption = False, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Import own numbers, or bring them up to date: columns that are not there, and other numbers, stay as they are."""
    from callsieve.cli.errors import warn
    from callsieve.cli.show import plural, say
    from callsieve.registering import bring_in
    from callsieve.registering_files import COLUMNS, LONGEST_FIELD, own_numbers_in
    from reputation.store.own_register import own_of

    loaded = settings_of(config)
    now = time.time()
    with table_in(file, COLUMNS, longest=LONGEST_FIELD) as (table, _):
        found = dict(own_numbers_in(table, loaded.settings.numbers.region, now))
    if not found:
        raise nothing_usable(table.problems)
    with stores(loaded, dry_run=dry_run) as (known, written):
        fresh = sum(own_of(known, number) is None for number in found)
        with changing(written, "own import", at=now) as change:
            bring_in(written, change, found, who(), now)
    counts = {"read": table.read, "added": fresh, "changed": len(found) - fresh, "skipped": table.skipped}
    if as_json:
        print_json(counts | {"cut": table.cut, "dry_run": dry_run, "problems": _problems(table)})
        return
    for problem in table.problems:
        warn(f"skipped line {problem.line}: {problem.text}")
    if table.cut:
        warn(f"cut {plural(table.cut, 'field')} longer than {LONGEST_FIELD:,} characters")
    if table.ignored:
        warn(f"did not read the columns {', '.join(table.ignored[:10])}")
    say(
        f"{'Would add' if dry_run else 'Added'} {plural(fresh, 'own number')}, changed {len(found) - fresh:,}: "
        f"{plural(table.read, 'row')} read, {table.skipped:,} skipped."
    )
    if not dry_run:
        say_undo(change, config)


def export_register(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print the register as CSV; `own import` reads it again."""
    from callsieve.registering_files import register_as_csv
    from reputation.store.own_register import register_of

    with existing_store(settings_of(config)) as db:
        text = register_as_csv(register_of(db))
    if out is None:
        sys.stdout.write(text)
        return
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{out}: there is a file of this name: choose another, or remove it") from None


def _problems(table: Table) -> list[dict[str, object]]:
    return [{"line": problem.line, "problem": problem.text} for problem in table.problems]
