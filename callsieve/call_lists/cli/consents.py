"""`callsieve own consent`: who agreed to be called by us, and what proves it."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from callsieve.call_lists import consents as operations
from callsieve.call_lists.consents import COLUMNS, ConsentRequest, consents_in
from callsieve.cli.input_file import DryRunOption, FileArgument, table_in, warn_of_rows
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of
from callsieve.cli.output import plural, print_table, say, say_undo
from callsieve.cli.store import context_of, perform, stores, who
from callsieve.text.number_entry import with_country
from callsieve.text.times import day
from reputation.store.consents import Consent, find_consents

MOST_SHOWN = 100_000

NumberArgument = Annotated[str, typer.Argument(help="Who agreed to be called.", show_default=False)]


def add(
    number: NumberArgument,
    proof: Annotated[
        str, typer.Option(metavar="TEXT", help="What was agreed to, or where the document is kept.", show_default=False)
    ],
    at: Annotated[str | None, typer.Option(metavar="DAY", help="Since when; else now.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Its last day; else it does not end.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="For those who come after you.")] = "",
    config: ConfigOption = None,
) -> None:
    """Note that somebody agreed to be called by us."""
    done = perform(settings_of(config), operations.add, ConsentRequest(number, proof, at, until, note))
    one = done.consent
    ends = f", until {day(one.until)}" if one.until else ""
    say(f"{with_country(one.number)} agreed to be called, since {day(one.at)}{ends}.")
    say_undo(done.change_id, config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Somebody agrees no more to be called."""
    done = perform(settings_of(config), operations.remove, number, existing=True)
    say(f"No consent of {done.consent.number} is noted any more.")
    say_undo(done.change_id, config)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show who agreed to be called, the latest first."""
    now = time.time()
    with existing_store(settings_of(config)) as db:
        consents, _ = find_consents(db, limit=MOST_SHOWN)
    if as_json:
        print_json([{**one._asdict(), "is_over": one.is_over(now)} for one in consents])
    elif consents:
        rows = [(one.number, day(one.at), _ends(one, now), one.person, one.proof, one.note) for one in consents]
        print_table(("number", "since", "until", "noted by", "proof", "note"), rows, keep=(0, 1, 2))
    else:
        say("No consent is noted.")


def import_file(
    file: FileArgument, dry_run: DryRunOption = False, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Note the consents of a file. Header: number,proof[,at][,until][,note]."""
    loaded = settings_of(config)
    with table_in(file, COLUMNS) as (table, _):
        found = consents_in(table, loaded.settings.numbers.region, who(), time.time())
    with stores(loaded, dry_run=dry_run, copied=True) as (_, written):
        done = operations.bring_in(written, context_of(loaded), found)
    if as_json:
        counts = {"read": table.read, "added": done.added, "changed": done.changed, "skipped": table.skipped}
        print_json(counts | {"dry_run": dry_run, "problems": [problem._asdict() for problem in table.problems]})
        return
    warn_of_rows(table)
    say(
        f"{'Would note' if dry_run else 'Noted'} {plural(done.added, 'consent')}, changed {done.changed:,}: "
        f"{plural(table.read, 'row')} read, {table.skipped:,} skipped."
    )
    if not dry_run:
        say_undo(done.change_id, config)


def _ends(one: Consent, now: float) -> str:
    if one.until is None:
        return ""
    return f"{day(one.until)}{' (over)' if one.is_over(now) else ''}"
