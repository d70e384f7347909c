"""`callsieve own`: the register of our own numbers."""

from __future__ import annotations

import sys
import time
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, FileArgument, table_in, warn_of_rows
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    NumberArgument,
    context_of,
    existing_store,
    perform,
    print_json,
    settings_of,
    stores,
)
from callsieve.cli.output import bold, plural, print_pairs, print_table, say, say_undo, some
from callsieve.own_numbers import operations
from callsieve.own_numbers.cli.tables import WIDTH, details_of, print_health, print_list
from callsieve.own_numbers.csv_file import COLUMNS, LONGEST_FIELD, own_numbers_in, register_as_csv
from callsieve.own_numbers.fields import CHECK_EVERY, FIELDS, NEVER, FieldKind, FormField, NewOwnNumber
from callsieve.own_numbers.operations import SEEN_SECONDS, CheckRequest, OwnNumberChange, UseRequest, bring_in
from callsieve.own_numbers.views import OwnNumberGraded, SeenGraded, find_own_number
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from callsieve.text.number_entry import with_country
from callsieve.text.times import TimeError, day, expiry_of
from reputation.own.grades import due_of
from reputation.store.own_health import looks_for_suspicions, recent_grade
from reputation.store.own_labels import looks_to_make
from reputation.store.own_register import register_of, unregistered


def with_fields(command: Any) -> Any:
    """The command with an option for each field: typer makes the options of what the signature says."""
    one, *others = [two for two in signature(command).parameters.values() if two.kind is not Parameter.VAR_KEYWORD]
    options = [_option_of(field) for field in FIELDS]
    command.__signature__ = signature(command).replace(parameters=[one, *options, *others])
    return command


def _option_of(field: FormField) -> Parameter:
    more = "; more than once" if field.kind is FieldKind.LIST else ""
    metavar = "TIME" if field.kind is FieldKind.TIME else "TEXT"
    option = typer.Option(f"--{field.option_name}", metavar=metavar, help=f"{field.label}{more}.")
    typed: Any = list[str] | None if field.is_list else str | None
    return Parameter(field.name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Annotated[typed, option])


@with_fields
def add(number: NumberArgument, config: ConfigOption = None, **typed: Any) -> None:
    """Register an own number; of one that is registered already, change what is given."""
    loaded = settings_of(config)
    # An option that is not given leaves its field as it is.
    request = NewOwnNumber(number, **{name: value or None for name, value in typed.items()}, update=True)
    done = perform(loaded, operations.add, request)
    if done.change_id is None:
        say(f"{done.own_number.number} is registered already: nothing was changed.")
        return
    say(f"{with_country(done.own_number.number)} is registered{' already: it was changed' if done.before else ''}.")
    details_of(done.own_number, time.time())
    if unknown := operations.unknown_trunks([done.own_number], loaded.settings):
        say(f"No [[trunk]] of the settings is called {', '.join(unknown)}.")
    say_undo(done.change_id, config)


def show(number: NumberArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one own number, and how it is doing: what its calls say, and how the people it called would see it."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        shown = find_own_number(db, context_of(loaded), number)
    if as_json:
        print_json(shown)
        return
    if shown.register is not None:
        details_of(shown.register, time.time())
    else:
        say(bold(shown.number), " is not registered, and calls went out with it.")
    print_health(shown.judged)
    say()
    print_pairs([("to owners", str(shown.to_owner))], WIDTH)


def show_all(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the register with each number's grade, and what goes out with numbers that are not in it."""
    loaded = settings_of(config)
    now = time.time()
    with existing_store(loaded) as db:
        register = register_of(db)
        strangers = unregistered(db, now - SEEN_SECONDS)
        numbers = [*(one.number for one in register), *(one.number for one in strangers)]
        grades = {number: recent_grade(db, number, now, loaded.settings.reputation) for number in numbers}
    if as_json:
        registered = [OwnNumberGraded(one, grades[one.number]) for one in register]
        print_json({"numbers": registered, "unregistered": [SeenGraded(one, grades[one.number]) for one in strangers]})
    else:
        print_list(register, strangers, grades, now)


def due(
    within: Annotated[str, typer.Option(metavar="DAYS", help="So many days ahead; or 12h, 2w.")] = "14",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what is to be done: re-checks, numbers that have rested, and calls with numbers that are not registered."""
    now = time.time()
    try:
        until = expiry_of(f"{within}d" if within.isdecimal() else within, now)
    except TimeError as error:
        raise CommandError(f"--within: {error}") from None
    with existing_store(settings_of(config)) as db:
        todo = due_of(register_of(db), unregistered(db, now - SEEN_SECONDS), until)
        todo += [*looks_for_suspicions(db), *looks_to_make(db, until)]
        todo.sort(key=lambda one: (one.at, one.number))
    if as_json:
        print_json(todo)
    elif todo:
        print_table(
            ("number", "when", "what"),
            [(one.number, "now" if one.at <= now else day(one.at), str(one.what)) for one in todo],
            keep=(0, 1),
        )
    else:
        say("Nothing is due.")


def check(
    number: NumberArgument,
    next_check: Annotated[str, typer.Option("--next", metavar="TIME", help="When to look again.")] = CHECK_EVERY,
    config: ConfigOption = None,
) -> None:
    """Record that what is registered of a number was looked at today and holds."""
    done = perform(settings_of(config), operations.check, CheckRequest(number, next_check), existing=True)
    at = done.own_number.next_check_at
    _say(done, f"was checked. Next: {day(at) if at else NEVER}.", config)


def rest(number: NumberArgument, config: ConfigOption = None) -> None:
    """Let a number rest: nobody calls from it for 45 days."""
    done = perform(settings_of(config), operations.rest, number, existing=True)
    _say(done, f"rests until {day(done.own_number.rests_until or 0.0)}.", config)


def use(
    number: NumberArgument,
    force: Annotated[bool, typer.Option("--force", help="Also before it has rested for 45 days.")] = False,
    config: ConfigOption = None,
) -> None:
    """Use a number again that rested, or that was given back and is ours once more."""
    done = perform(settings_of(config), operations.use, UseRequest(number, early=force), existing=True)
    _say(done, "is in use again.", config)


def retire(number: NumberArgument, config: ConfigOption = None) -> None:
    """Record that a number was given back: it is not ours any more, and its history stays."""
    _say(perform(settings_of(config), operations.retire, number, existing=True), "is retired.", config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Take a number out of the register."""
    _say(perform(settings_of(config), operations.remove, number, existing=True), "is not registered any more.", config)


def _say(done: OwnNumberChange, said: str, config: Path | None) -> None:
    """What became of the number, and what takes it back."""
    say(f"{done.own_number.number} {said}")
    say_undo(done.change_id, config)


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
