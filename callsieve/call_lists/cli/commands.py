"""`callsieve own consent`: who agreed to be called by us, and what proves it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.call_lists import consents as operations
from callsieve.call_lists import registers
from callsieve.call_lists.consents import COLUMNS, ConsentRequest, consents_in
from callsieve.cli import options
from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import DryRunOption, FileArgument, input_as, table_in, warn_of_rows, warn_of_skipped
from callsieve.cli.output import meter, plural, print_table, say, say_undo, watched
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from callsieve.text.number_entry import with_country
from callsieve.text.times import day
from reputation.encoding import plain
from reputation.store.registers import Consent, find_consents

MOST_SHOWN = 100_000

NumberArgument = Annotated[str, typer.Argument(help="Who agreed to be called.", show_default=False)]


def add_consent(
    number: NumberArgument,
    proof: Annotated[
        str, typer.Option(metavar="TEXT", help="What was agreed to, or where the document is kept.", show_default=False)
    ],
    at: Annotated[str | None, typer.Option(metavar="DAY", help="Since when; else now.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Its last day; else it does not end.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="For those who come after you.")] = "",
    config: options.ConfigOption = None,
) -> None:
    """Note that somebody agreed to be called by us."""
    done = options.perform(options.settings_of(config), operations.add, ConsentRequest(number, proof, at, until, note))
    one = done.consent
    ends = f", until {day(one.until)}" if one.until else ""
    say(f"{with_country(one.number)} agreed to be called, since {day(one.at)}{ends}.")
    say_undo(done.change_id, config)


def remove_consent(number: NumberArgument, config: options.ConfigOption = None) -> None:
    """Remove somebody's consent to be called."""
    done = options.perform(options.settings_of(config), operations.remove, number, existing=True)
    say(f"No consent of {done.consent.number} is noted any more.")
    say_undo(done.change_id, config)


def list_consents(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show who agreed to be called, the latest first."""
    now = time.time()
    with options.existing_store(options.settings_of(config)) as db:
        consents, _ = find_consents(db, limit=MOST_SHOWN)
    if as_json:
        options.print_json([{**one._asdict(), "is_over": one.is_over(now)} for one in consents])
    elif consents:
        rows = [(one.number, day(one.at), _ends(one, now), one.person, one.proof, one.note) for one in consents]
        print_table(("number", "since", "until", "recorded by", "proof", "note"), rows, keep=(0, 1, 2))
    else:
        say("No consent is recorded.")


def import_consents(
    file: FileArgument,
    dry_run: DryRunOption = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Note the consents of a file. Header: number,proof[,at][,until][,note]."""
    loaded = options.settings_of(config)
    with table_in(file, COLUMNS) as (table, _):
        found = consents_in(table, loaded.settings.numbers.region, options.who(), time.time())
    with options.stores(loaded, dry_run=dry_run, copied=True) as (_, written):
        done = operations.bring_in(written, options.context_of(loaded), found)
    if as_json:
        counts = {"read": table.read, "added": done.added, "changed": done.changed, "skipped": table.skipped}
        options.print_json(counts | {"dry_run": dry_run, "problems": [problem._asdict() for problem in table.problems]})
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


def import_register_file(
    file: FileArgument,
    register: Annotated[
        str, typer.Option(metavar="NAME", help="us-dnc, gb-tps, gb-ctps, or one of yours.", show_default=False)
    ],
    country: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of a register that no law file knows: DE, say.")
    ] = None,
    file_date: Annotated[
        str | None, typer.Option(metavar="DAY", help="When it was downloaded; else the time of the file.")
    ] = None,
    accept_smaller: Annotated[
        bool, typer.Option("--accept-smaller", help="Also if it has less than half of the copy before.")
    ] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Make a file the copy of a national do-not-call register."""
    loaded, now = options.settings_of(config), time.time()
    code = registers.country_of_register(register, country)
    file_at = options.since_option("--file-date", file_date, now) if file_date else _time_of(file, now)
    if file_at > now:
        raise CommandError(f"--file-date: {day(file_at)} is yet to come")
    with (
        input_as(file, lambda stream, _: registers.RegisterFile(stream, code)) as (numbers, packed),
        meter(file) as tell,
    ):
        request = registers.RegisterRequest(register, code, Path(file).name, file_at, numbers, accept_smaller)
        numbers.watch = lambda rows: watched(rows, packed or (lambda: numbers.bytes_read), tell)
        done = options.perform(loaded, registers.import_register, request)
    if as_json:
        problems = [problem._asdict() for problem in numbers.problems]
        options.print_json(plain(done.copy) | {"read": numbers.read, "skipped": numbers.skipped, "problems": problems})
        return
    warn_of_skipped(numbers.problems, numbers.skipped)
    before = f" It had {done.before.numbers:,}." if done.before else ""
    say(f"{register}: {plural(done.copy.numbers, 'number')} in force, by the file of {day(file_at)}.{before}")


def list_registers(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the copies of registers, and which are older than the law allows."""
    with options.existing_store(options.settings_of(config)) as db:
        ages = registers.copy_ages(db, time.time())
    if as_json:
        options.print_json(ages)
    elif ages:
        rows = [
            (
                one.copy.name,
                f"{one.copy.numbers:,}",
                day(one.copy.file_at),
                f"{plural(one.age_days, 'day')}{' (too old)' if one.is_too_old else ''}",
                f"{one.law.max_days} days: {one.cite}" if one.law else "",
                one.copy.sha256[:12],
            )
            for one in ages
        ]
        print_table(("register", "numbers", "file date", "age", "allowed", "sha256"), rows, keep=(0, 1, 2, 3))
    else:
        say("There is no copy of a register: callsieve own registers import FILE --register us-dnc")


def remove_register_copy(
    name: Annotated[str, typer.Argument(help="The register.", show_default=False)], config: options.ConfigOption = None
) -> None:
    """Take the copy of a register out."""
    gone = options.perform(options.settings_of(config), registers.remove_register, name, existing=True)
    say(f"{gone.name} is out, with {plural(gone.numbers, 'number')}. The same file brings it back.")


def _time_of(file: Path, now: float) -> float:
    if str(file) == "-":
        return now
    with naming(str(file)), acting_for(file):
        return file.stat().st_mtime
