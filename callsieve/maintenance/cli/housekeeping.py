"""`callsieve housekeeping`: what is done about the store every hour and every day, and what it did last."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    confirmed,
    existing_store,
    print_json,
    settings_of,
)
from callsieve.cli.output import plural, print_table, say
from callsieve.cli.progress import counted
from callsieve.cli.store import context_of
from callsieve.maintenance import operations
from callsieve.text.times import when
from reputation.store.housekeeping import JOBS, HousekeepingReport, leap_of, reports
from reputation.store.tables.every import TABLES
from reputation.store.tables.table import DAY

# What is counted and is no table.
WORDS = {
    "number": ("number in no allocated block", "numbers in no allocated block"),
    "people": ("person", "people"),
}


def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; nothing is changed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: the clock is right.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run all jobs now, and say what each did: what is past its time goes, what waits for somebody is counted."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        context = context_of(loaded)
        is_right = dry_run or _is_clock_right(db, context.at, yes=yes)
        with counted(len(JOBS), "jobs") as tick:
            request = operations.HousekeepingRequest(dry_run, is_right, tick)
            done = operations.run_housekeeping(db, context, request)
    if as_json:
        print_json([report._asdict() for report in done])
        return
    _show(done)
    if dry_run:
        say("Nothing was changed.")


def _is_clock_right(db: sqlite3.Connection, now: float, *, yes: bool) -> bool:
    """Whether somebody says so, where it is far from the last run."""
    leap = leap_of(db, now)
    question = f"The clock is {leap / DAY:+.0f} days from the last run: is it really {when(now)}?"
    return not leap or confirmed(question, yes=yes)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show when each job ran last and what it did. The daemon runs them by itself."""
    with existing_store(settings_of(config)) as db:
        found = reports(db)
    if as_json:
        print_json([report._asdict() for report in found])
    elif found:
        _show(found)
    else:
        say("No job has run yet: the daemon begins a minute after its start, or `callsieve housekeeping run`.")


def _show(found: Sequence[HousekeepingReport]) -> None:
    rows = ((report.job, when(report.at), f"{report.seconds:.1f} s", _words(report.did)) for report in found)
    print_table(("job", "ran", "took", "did"), rows, keep=(0, 1, 2))


def _words(did: Mapping[str, int]) -> str:
    """Tables by what they hold; the other words are people's already."""
    words = {table.name: table.label for table in TABLES if table.label[0]} | WORDS
    said = (plural(count, *words[what]) if what in words else f"{count:,} {what}" for what, count in did.items())
    return ", ".join(said) or "nothing"
