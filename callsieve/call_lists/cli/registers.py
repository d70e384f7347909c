"""`callsieve own registers`: our copies of national do-not-call registers, and how old they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.call_lists.register_file import RegisterFile
from callsieve.call_lists.registers import (
    RegisterRequest,
    copy_ages,
    country_of_register,
    import_register,
    remove_register,
)
from callsieve.cli.errors import CommandError
from callsieve.cli.input_file import FileArgument, input_as, warn_of_skipped
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, print_json, settings_of, since_option
from callsieve.cli.output import plural, print_table, say
from callsieve.cli.progress import meter, watched
from callsieve.cli.store import perform
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from callsieve.text.times import day
from reputation.encoding import plain


def import_file(
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
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a file the copy of a national do-not-call register."""
    loaded, now = settings_of(config), time.time()
    code = country_of_register(register, country)
    file_at = since_option("--file-date", file_date, now) if file_date else _time_of(file, now)
    if file_at > now:
        raise CommandError(f"--file-date: {day(file_at)} is yet to come")
    with input_as(file, lambda stream, _: RegisterFile(stream, code)) as (numbers, packed), meter(file) as tell:
        request = RegisterRequest(register, code, Path(file).name, file_at, numbers, accept_smaller)
        numbers.watch = lambda rows: watched(rows, packed or (lambda: numbers.bytes_read), tell)
        done = perform(loaded, import_register, request)
    if as_json:
        problems = [problem._asdict() for problem in numbers.problems]
        print_json(plain(done.copy) | {"read": numbers.read, "skipped": numbers.skipped, "problems": problems})
        return
    warn_of_skipped(numbers.problems, numbers.skipped)
    before = f" It had {done.before.numbers:,}." if done.before else ""
    say(f"{register}: {plural(done.copy.numbers, 'number')} in force, by the file of {day(file_at)}.{before}")


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the copies of registers, and which are older than the law allows."""
    with existing_store(settings_of(config)) as db:
        ages = copy_ages(db, time.time())
    if as_json:
        print_json(ages)
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
        print_table(("register", "numbers", "file of", "age", "allowed", "sha256"), rows, keep=(0, 1, 2, 3))
    else:
        say("There is no copy of a register: callsieve own registers import FILE --register us-dnc")


def remove(
    name: Annotated[str, typer.Argument(help="The register.", show_default=False)], config: ConfigOption = None
) -> None:
    """Take the copy of a register out."""
    gone = perform(settings_of(config), remove_register, name, existing=True)
    say(f"{gone.name} is out, with {plural(gone.numbers, 'number')}. The same file brings it back.")


def _time_of(file: Path, now: float) -> float:
    if str(file) == "-":
        return now
    with naming(str(file)), acting_for(file):
        return file.stat().st_mtime
