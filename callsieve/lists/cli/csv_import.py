"""`callsieve list import`: entries of the administrator's lists from a file, as the console exports it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import warn
from callsieve.cli.input_file import DryRunOption, FileArgument, table_in, warn_of_rows
from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.output import plural, say, say_undo
from callsieve.cli.store import context_of, stores
from callsieve.lists.csv_file import COLUMNS, entries_in
from callsieve.lists.operations import MOST_ENTRIES, TOO_MANY, ListImport, bring_in
from callsieve.policy.stopped_calls import NO_ROUTE, STOPPING_WORDS
from callsieve.settings import Loaded
from callsieve.text.csv_table import KEPT_PROBLEMS, RowProblem, usable
from reputation.model import ListEntry, ListName


@dataclass(slots=True)
class Brought:
    """What became of entries that were read somewhere. `problems`: the first that cannot be used, and why."""

    read: int
    skipped: int
    problems: list[RowProblem]
    dry_run: bool
    cut: int = 0
    ignored: tuple[str, ...] = ()
    result: ListImport | None = None
    remarks: list[str] = field(default_factory=list)


def import_file(
    file: FileArgument,
    list_name: Annotated[
        ListName | None, typer.Option("--list", help="Which list, for rows that do not say it.", show_default=False)
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put the entries of a file on the lists. Header: entry[,list][,action][,note][,expires], as the console has it."""
    loaded = settings_of(config)
    with table_in(file, COLUMNS) as (table, _):
        rows = entries_in(table, list_name, loaded.settings, time.time())
        entries = usable(table, rows, MOST_ENTRIES, TOO_MANY)
    brought = Brought(table.read, table.skipped, table.problems, dry_run, table.cut, table.ignored)
    put_on_lists(loaded, entries, brought)
    stopping = sum(entry.action in STOPPING_WORDS for entry in entries)
    if stopping and not loaded.settings.actions.route:
        brought.remarks.append(f"{plural(stopping, 'entry', 'entries')}: {NO_ROUTE}")
    print_brought(brought, config, as_json=as_json)


def put_on_lists(loaded: Loaded, entries: Sequence[ListEntry], brought: Brought, *, keep: bool = False) -> None:
    """All that nothing speaks against, at once or not at all; in a dry run into a store that is thrown away.

    `keep`: entries that are there stay as they are.
    """
    with stores(loaded, dry_run=brought.dry_run, copied=True) as (_, written):
        brought.result = bring_in(written, context_of(loaded), entries, keep=keep)
    brought.skipped += len(brought.result.refused)
    brought.problems += [RowProblem(0, text) for text in brought.result.refused[:KEPT_PROBLEMS]]


def print_brought(brought: Brought, config: Path | None, *, as_json: bool) -> None:
    """How many entries there are now, what was passed over and why, and what takes it back."""
    assert brought.result is not None
    plan, change_id = brought.result.plan, brought.result.change_id
    counts = {"read": brought.read, "added": len(plan.entries) - plan.replaced, "replaced": plan.replaced}
    counts |= {"unchanged": plan.unchanged, "skipped": brought.skipped}
    if as_json:
        undo = {"undo": change_id if not brought.dry_run else None}
        print_json(counts | undo | {"dry_run": brought.dry_run, "problems": [str(one) for one in brought.problems]})
        return
    warn_of_rows(brought)
    for remark in brought.remarks:
        warn(remark)
    say(
        f"{'Would add' if brought.dry_run else 'Added'} {plural(counts['added'], 'entry', 'entries')} and replaced "
        f"{plan.replaced:,}: {plural(brought.read, 'row')} read, "
        f"{plan.unchanged:,} unchanged, {brought.skipped:,} skipped."
    )
    if not brought.dry_run:
        say_undo(change_id, config)
