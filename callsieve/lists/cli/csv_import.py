"""`callsieve list import`: entries of the administrator's lists from a file, as the console exports it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.audit.cli.undo import say_undo
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, FileArgument, nothing_usable, table_in
from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.store import changing, stores, who
from reputation.model import ListEntry, ListName

if TYPE_CHECKING:
    from pathlib import Path

    from callsieve.lists.operations import Plan
    from callsieve.settings import Loaded
    from reputation.store.audit import Change


@dataclass(slots=True)
class Brought:
    """What became of entries that were read somewhere. `problems`: the first that cannot be used, and why."""

    read: int
    skipped: int
    problems: list[str]
    dry_run: bool
    plan: Plan | None = None
    change: Change | None = None
    remarks: list[str] = field(default_factory=list)


def add_to(group: typer.Typer) -> None:
    """Add `list import`."""
    group.command("import")(import_file)


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
    from callsieve.cli.output import plural
    from callsieve.lists.csv_file import COLUMNS, MOST_ROWS, entries_in
    from callsieve.policy.stopped_calls import NO_ROUTE, STOPPING_WORDS

    loaded = settings_of(config)
    now = time.time()
    with table_in(file, COLUMNS) as (table, _):
        entries = list(islice(entries_in(table, list_name, loaded.settings.numbers.region, now), MOST_ROWS + 1))
    if not entries:
        raise nothing_usable(table.problems)
    problems = [f"line {problem.line}: {problem.text}" for problem in table.problems]
    brought = Brought(table.read, table.skipped, problems, dry_run)
    put_on_lists(loaded, entries, brought, now)
    if table.ignored:
        brought.remarks.append(f"did not read the columns {', '.join(table.ignored[:10])}")
    stopping = sum(entry.action in STOPPING_WORDS for entry in entries)
    if stopping and not loaded.settings.actions.route:
        brought.remarks.append(f"{plural(stopping, 'entry', 'entries')}: {NO_ROUTE}")
    print_brought(brought, config, as_json=as_json)


def put_on_lists(
    loaded: Loaded, entries: Sequence[ListEntry], brought: Brought, now: float, *, keep: bool = False
) -> None:
    """All that nothing speaks against, at once or not at all; in a dry run into a store that is thrown away.

    `keep`: entries that are there stay as they are.
    """
    from callsieve.lists.csv_file import MOST_ROWS
    from callsieve.lists.operations import NothingChanged, bring_in, to_bring_in, with_objections

    if len(entries) > MOST_ROWS:
        raise CommandError(f"more than {MOST_ROWS:,} entries: use `callsieve import numbers` for lists of this size")
    with stores(loaded, dry_run=brought.dry_run) as (known, written):
        judged = with_objections(known, loaded.settings, entries)
        usable = [entry for entry, objections in judged if not objections]
        refused = [text for _, objections in judged for text in objections]
        brought.skipped += len(entries) - len(usable)
        brought.problems += refused[:10]
        if not usable:
            raise CommandError(f"not one row can be used: {refused[0]}. Nothing was changed")
        with suppress(NothingChanged), changing(written, "list import", at=now) as change:
            brought.plan = to_bring_in(known, usable, keep=keep)
            bring_in(written, change, brought.plan, who(), now)
            brought.change = change


def print_brought(brought: Brought, config: Path | None, *, as_json: bool) -> None:
    """How many entries there are now, what was passed over and why, and what takes it back."""
    from callsieve.cli.output import plural, say

    plan, change = brought.plan, brought.change
    assert plan is not None
    counts = {"read": brought.read, "added": len(plan.entries) - plan.replaced, "replaced": plan.replaced}
    counts |= {"unchanged": plan.unchanged, "skipped": brought.skipped}
    if as_json:
        undo = {"undo": change.id if change and not brought.dry_run else None}
        print_json(counts | undo | {"dry_run": brought.dry_run, "problems": brought.problems})
        return
    for problem in brought.problems:
        warn(f"skipped {problem}")
    if brought.skipped > len(brought.problems):
        warn(f"skipped {plural(brought.skipped - len(brought.problems), 'more row')}")
    for remark in brought.remarks:
        warn(remark)
    say(
        f"{'Would add' if brought.dry_run else 'Added'} {plural(counts['added'], 'entry', 'entries')} and replaced "
        f"{plan.replaced:,}: {plural(brought.read, 'row')} read, "
        f"{plan.unchanged:,} unchanged, {brought.skipped:,} skipped."
    )
    if change is not None and not brought.dry_run:
        say_undo(change, config)
