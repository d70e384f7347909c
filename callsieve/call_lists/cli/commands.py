"""`callsieve own consent` and `own registers`: consents to be called, and copies of do-not-call registers."""

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

NumberArgument = Annotated[str, typer.Argument(help="The number that agreed to be called.", show_default=False)]


def add_consent(
    number: NumberArgument,
    proof: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="The proof: the text of the consent, or where the document is kept.",
            show_default=False,
        ),
    ],
    at: Annotated[str | None, typer.Option(metavar="DAY", help="First day of the consent. Default: now.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Last day of the consent. Default: no end.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note for your colleagues.")] = "",
    config: options.ConfigOption = None,
) -> None:
    """Record that somebody agreed to be called by you."""
    done = options.perform(options.settings_of(config), operations.add, ConsentRequest(number, proof, at, until, note))
    consent = done.consent
    ends = f" until {day(consent.until)}" if consent.until else ""
    say(f"Recorded the consent of {with_country(consent.number)} from {day(consent.at)}{ends}.")
    say_undo(done.change_id, config)


def remove_consent(number: NumberArgument, config: options.ConfigOption = None) -> None:
    """Remove somebody's consent to be called."""
    done = options.perform(options.settings_of(config), operations.remove, number, existing=True)
    say(f"Removed the consent of {done.consent.number}.")
    say_undo(done.change_id, config)


def list_consents(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the consents, the latest first."""
    now = time.time()
    with options.existing_store(options.settings_of(config)) as db:
        consents, _ = find_consents(db, limit=MOST_SHOWN)
    if as_json:
        options.print_json([{**consent._asdict(), "is_over": consent.is_over(now)} for consent in consents])
    elif consents:
        rows = [
            (consent.number, day(consent.at), _ends(consent, now), consent.person, consent.proof, consent.note)
            for consent in consents
        ]
        print_table(("number", "since", "until", "recorded by", "proof", "note"), rows, keep=(0, 1, 2))
    else:
        say("No consent is recorded.")


def import_consents(
    file: FileArgument,
    dry_run: DryRunOption = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Import consents from a file. Header: number,proof[,at][,until][,note]."""
    loaded = options.settings_of(config)
    with table_in(file, COLUMNS) as (table, _):
        consents = consents_in(table, loaded.settings.numbers.region, options.who(), time.time())
    with options.stores(loaded, dry_run=dry_run, copied=True) as (_, written):
        done = operations.import_consents(written, options.context_of(loaded), consents)
    if as_json:
        counts = {"read": table.read, "added": done.added, "changed": done.changed, "skipped": table.skipped}
        options.print_json(counts | {"dry_run": dry_run, "problems": [problem._asdict() for problem in table.problems]})
        return
    warn_of_rows(table)
    say(
        f"{'Would add' if dry_run else 'Added'} {plural(done.added, 'consent')} and "
        f"{'change' if dry_run else 'changed'} {done.changed:,}: "
        f"{plural(table.read, 'row')} read, {table.skipped:,} skipped."
    )
    if not dry_run:
        say_undo(done.change_id, config)


def _ends(consent: Consent, now: float) -> str:
    if consent.until is None:
        return ""
    return f"{day(consent.until)}{' (ended)' if consent.is_over(now) else ''}"


def import_register_file(
    file: FileArgument,
    register: Annotated[
        str, typer.Option(metavar="NAME", help="us-dnc, gb-tps, gb-ctps, or another name.", show_default=False)
    ],
    country: Annotated[
        str | None, typer.Option(metavar="CODE", help="Country of a register with another name, such as DE.")
    ] = None,
    file_date: Annotated[
        str | None, typer.Option(metavar="DAY", help="When the file was downloaded. Default: the time of the file.")
    ] = None,
    accept_smaller: Annotated[
        bool,
        typer.Option(
            "--accept-smaller", help="Accept a file with less than half as many numbers as the previous copy."
        ),
    ] = False,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Import a file as the copy of a national do-not-call register."""
    loaded, now = options.settings_of(config), time.time()
    code = registers.country_of_register(register, country)
    file_at = options.since_option("--file-date", file_date, now) if file_date else _time_of(file, now)
    if file_at > now:
        raise CommandError(f"--file-date: {day(file_at)} is in the future")
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
    before = f" The previous copy had {done.before.numbers:,} numbers." if done.before else ""
    say(f"{register}: the copy now has {plural(done.copy.numbers, 'number')}, from the file of {day(file_at)}.{before}")


def list_registers(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the copies of registers, and which copies are older than the law allows."""
    with options.existing_store(options.settings_of(config)) as db:
        ages = registers.copy_ages(db, time.time())
    if as_json:
        options.print_json(ages)
    elif ages:
        rows = [
            (
                age.copy.name,
                f"{age.copy.numbers:,}",
                day(age.copy.file_at),
                f"{plural(age.age_days, 'day')}{' (too old)' if age.is_too_old else ''}",
                f"{age.law.max_days} days: {age.cite}" if age.law else "",
                age.copy.sha256[:12],
            )
            for age in ages
        ]
        print_table(("register", "numbers", "file date", "age", "allowed", "sha256"), rows, keep=(0, 1, 2, 3))
    else:
        say("There are no copies of registers. To import one: callsieve own registers import FILE --register us-dnc")


def remove_register_copy(
    name: Annotated[str, typer.Argument(help="Name of the register.", show_default=False)],
    config: options.ConfigOption = None,
) -> None:
    """Remove the copy of a register."""
    gone = options.perform(options.settings_of(config), registers.remove_register, name, existing=True)
    say(
        f"Removed the copy of {gone.name} with {plural(gone.numbers, 'number')}. To restore it, import the "
        "same file again."
    )


def _time_of(file: Path, now: float) -> float:
    if str(file) == "-":
        return now
    with naming(str(file)), acting_for(file):
        return file.stat().st_mtime
