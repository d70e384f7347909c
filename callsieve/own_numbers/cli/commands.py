"""The commands `callsieve own`, which manage the list of own numbers: the numbers that our outgoing calls show."""

import sys
import time
from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

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
from callsieve.cli.output import bold, cells_of, console, dim, plural, print_pairs, print_table, say, say_undo, some
from callsieve.own_numbers import operations
from callsieve.own_numbers.fields import CHECK_EVERY, FIELDS, NEVER, FieldKind, FormField, NewOwnNumber
from callsieve.own_numbers.figures import MEASURES, date_of, grade_words
from callsieve.own_numbers.operations import (
    COLUMNS,
    LONGEST_FIELD,
    SEEN_SECONDS,
    CheckRequest,
    OwnNumberChange,
    UseRequest,
    own_numbers_in,
    register_as_csv,
)
from callsieve.own_numbers.views import OwnNumberGraded, SeenGraded, find_own_number
from callsieve.system.files import naming
from callsieve.system.privileges import acting_for
from callsieve.text.number_entry import with_country
from callsieve.text.times import TimeError, ago, day, expiry_of
from reputation.explaining import sentence_of_families
from reputation.own.grades import Grade, Graded, due_of
from reputation.own.health import HealthReason, NumberHealth
from reputation.own.register import OwnNumber
from reputation.store.own_health import checks_for_suspicions, recent_grade
from reputation.store.own_labels import label_checks_to_make
from reputation.store.own_register import Seen, register_of, unregistered

COLOUR_BY_GRADE = {"healthy": "green", "watch": "yellow", "at_risk": "red"}
SHOWN_DAYS = 28
WIDTH = 10  # of the first column


def grade_word(grade: Grade | None) -> Text:
    """Return a health grade as coloured text."""
    return Text(str(grade_words(grade)), style=COLOUR_BY_GRADE[grade] if grade else "dim")


def _because(reason: HealthReason) -> Text:
    return Text.assemble(grade_word(reason.grade), f": {reason.words}")


def print_health(health: NumberHealth) -> None:
    """Print a number's health grade with its reasons, the statistics of 1, 7 and 28 days, and a chart of the days."""
    print_pairs(
        (
            ("grade", grade_word(health.grade)),
            ("because", Text("\n").join(map(_because, health.reasons))),
            ("seen as", _seen(health)),
            ("note", dim("; ".join(map(str, health.notes))) if health.notes else ""),
        ),
        WIDTH,
    )
    if not health.windows[-1].attempts:
        return
    print()
    headings = ("", "latest day", "7 days", "28 days")
    rows = [(measure.words, *(str(measure.show(window)) for window in health.windows)) for measure in MEASURES]
    print_table(headings, rows, keep=range(4), right=(1, 2, 3))
    _print_days(health)


def _seen(health: NumberHealth) -> str:
    view = health.facts.view
    if view is None:
        return ""
    why = sentence_of_families(view.families)
    return (
        f"{view.level.word}, {view.points:+d} points, as the people called would see the "
        f"number{f': {why}' if why else ''}"
    )


def _print_days(health: NumberHealth) -> None:
    days = [day for day in health.facts.days if day.day > health.facts.today - SHOWN_DAYS and day.attempts]
    if not days:
        return
    most = max(day.attempts for day in days)
    width = min(60, max(10, console().width - 40))
    rows = []
    for row in days:
        answered, other = cells_of([row.answered, row.attempts - row.answered], most, width)
        bar = Text("█" * answered, style="green") + Text("░" * other, style="dim")
        rows.append((date_of(row.day), f"{row.attempts:,}", f"{row.answered:,}", bar))
    print()
    print_table(("day", "calls", "answered", ""), rows, keep=(0, 1, 2, 3), right=(1, 2))


def details_of(own: OwnNumber, now: float) -> None:
    """Print a number's registered details with a line for each field."""
    print_pairs(
        (
            ("number", bold(own.number)),
            *((str(field.heading), str(field.shown(own, now))) for field in FIELDS),
            ("checked", day(own.checked_at) if own.checked_at else ""),
            ("state", state_in_words(own, now)),
        )
    )


def state_in_words(own: OwnNumber, now: float) -> str:
    """Return an own number's state as text, such as `active since 2026-11-25` or `resting until ...`."""
    until = own.rests_until
    if until is None:
        return f"{own.state.value} since {day(own.since)}"
    return f"resting until {day(until)}" if until > now else f"has rested since {day(own.since)}: may be used again"


def print_list(
    register: Sequence[OwnNumber], strangers: Sequence[Seen], grades: Mapping[str, Graded], now: float
) -> None:
    """Print registered own numbers, other numbers seen on outgoing calls, and the reasons for bad grades."""
    if register:
        rows = [
            (
                own.number,
                grade_word(grades[own.number].grade),
                own.name,
                _state_in_short(own, now),
                _next_text(own, now),
                own.purpose,
            )
            for own in register
        ]
        print_table(("number", "grade", "name", "state", "next check", "purpose"), rows, keep=(0, 1, 4))
    else:
        say("No number is registered: `callsieve own add NUMBER`.")
    if strangers:
        say(
            f"Outgoing calls also show {plural(len(strangers), 'number')} that you have not registered, or have "
            f"retired:"
        )
        seen = [
            (
                own.number,
                grade_word(grades[own.number].grade),
                plural(own.calls, "call"),
                f"latest {ago(own.last_at, now)}",
            )
            for own in strangers
        ]
        print_table((), seen, keep=(0, 1), right=(2,))
    for number, graded in grades.items():
        for reason in graded.reasons:
            say(f"{number}: {reason.words}")


def _state_in_short(own: OwnNumber, now: float) -> str:
    until = own.rests_until
    if until is None:
        return own.state.value
    return f"resting until {day(until)}" if until > now else "has rested"


def _next_text(own: OwnNumber, now: float) -> str:
    if own.state.value == "retired" or own.next_check_at is None:
        return ""
    return "due" if own.next_check_at <= now else day(own.next_check_at)


def with_fields(command: Any) -> Any:
    """Decorate a command with one typer option per field of an own number."""
    parameters = signature(command).parameters.values()
    first, *others = [parameter for parameter in parameters if parameter.kind is not Parameter.VAR_KEYWORD]
    options = [_option_of(field) for field in FIELDS]
    command.__signature__ = signature(command).replace(parameters=[first, *options, *others])
    return command


def _option_of(field: FormField) -> Parameter:
    more = "; more than once" if field.kind is FieldKind.LIST else ""
    metavar = "TIME" if field.kind is FieldKind.TIME else "TEXT"
    option = typer.Option(f"--{field.option_name}", metavar=metavar, help=f"{field.label}{more}.")
    typed: Any = list[str] | None if field.is_list else str | None
    return Parameter(field.name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Annotated[typed, option])


@with_fields
def add(number: NumberArgument, config: ConfigOption = None, **typed: Any) -> None:
    """Register an own number, or change the given fields of a registered number."""
    loaded = settings_of(config)
    # An option that is not given leaves its field as it is.
    request = NewOwnNumber(number, **{name: value or None for name, value in typed.items()}, update=True)
    done = perform(loaded, operations.add, request)
    if done.change_id is None:
        say(f"{done.own_number.number} is registered already: nothing was changed.")
        return
    say(
        f"{with_country(done.own_number.number)} is "
        f"registered{' already: the given details were changed' if done.before else ''}."
    )
    details_of(done.own_number, time.time())
    if unknown := operations.unknown_trunks([done.own_number], loaded.settings):
        say(f"The settings have no [[trunk]] with the name {', '.join(unknown)}.")
    say_undo(done.change_id, config)


def show(number: NumberArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show an own number with its health grade and statistics, and how called people would see the number."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        shown = find_own_number(db, context_of(loaded), number)
    if as_json:
        print_json(shown)
        return
    if shown.register is not None:
        details_of(shown.register, time.time())
    else:
        say(bold(shown.number), " is not registered, but outgoing calls have shown it as their caller.")
    print_health(shown.judged)
    say()
    print_pairs([("to owners", str(shown.to_owner))], WIDTH)


def show_all(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the registered own numbers and the unregistered numbers on outgoing calls, each with its health grade."""
    loaded = settings_of(config)
    now = time.time()
    with existing_store(loaded) as db:
        register = register_of(db)
        strangers = unregistered(db, now - SEEN_SECONDS)
        numbers = [*(own.number for own in register), *(seen.number for seen in strangers)]
        grades = {number: recent_grade(db, number, now, loaded.settings.reputation) for number in numbers}
    if as_json:
        registered = [OwnNumberGraded(own, grades[own.number]) for own in register]
        others = [SeenGraded(seen, grades[seen.number]) for seen in strangers]
        print_json({"numbers": registered, "unregistered": others})
    else:
        print_list(register, strangers, grades, now)


def due(
    within: Annotated[
        str, typer.Option(metavar="DAYS", help="Show what is due within this many days, or a time such as 12h or 2w.")
    ] = "14",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show due tasks: checks of numbers, numbers that have rested, and unregistered numbers on outgoing calls."""
    now = time.time()
    try:
        until = expiry_of(f"{within}d" if within.isdecimal() else within, now)
    except TimeError as error:
        raise CommandError(f"--within: {error}") from None
    with existing_store(settings_of(config)) as db:
        todo = due_of(register_of(db), unregistered(db, now - SEEN_SECONDS), until)
        todo += [*checks_for_suspicions(db), *label_checks_to_make(db, until)]
        todo.sort(key=lambda item: (item.at, item.number))
    if as_json:
        print_json(todo)
    elif todo:
        print_table(
            ("number", "when", "what"),
            [(item.number, "now" if item.at <= now else day(item.at), str(item.what)) for item in todo],
            keep=(0, 1),
        )
    else:
        say("Nothing is due.")


def check(
    number: NumberArgument,
    next_check: Annotated[
        str, typer.Option("--next", metavar="TIME", help="When the next check is due: 180d, 2026-12-31 or never.")
    ] = CHECK_EVERY,
    config: ConfigOption = None,
) -> None:
    """Record that you checked a number's registered details today and found them correct."""
    done = perform(settings_of(config), operations.check, CheckRequest(number, next_check), existing=True)
    at = done.own_number.next_check_at
    _say(done, f"was checked: its details are correct. Next check: {day(at) if at else NEVER}.", config)


def rest(number: NumberArgument, config: ConfigOption = None) -> None:
    """Let a number rest: nobody should call from it for 45 days."""
    done = perform(settings_of(config), operations.rest, number, existing=True)
    _say(done, f"rests until {day(done.own_number.rests_until or 0.0)}.", config)


def use(
    number: NumberArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Use the number even if it has rested for less than 45 days.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Use a resting or retired number again."""
    done = perform(settings_of(config), operations.use, UseRequest(number, early=force), existing=True)
    _say(done, "is in use again.", config)


def retire(number: NumberArgument, config: ConfigOption = None) -> None:
    """Record that a number was given back to the carrier. Its history stays, but it is no longer an own number."""
    _say(perform(settings_of(config), operations.retire, number, existing=True), "is retired.", config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Remove a number from the list of own numbers."""
    _say(perform(settings_of(config), operations.remove, number, existing=True), "is no longer registered.", config)


def _say(done: OwnNumberChange, result: str, config: Path | None) -> None:
    say(f"{done.own_number.number} {result}")
    say_undo(done.change_id, config)


def import_register(
    file: FileArgument, dry_run: DryRunOption = False, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Import or update own numbers from CSV. Numbers and columns that are not in the file stay unchanged."""
    loaded = settings_of(config)
    with table_in(file, COLUMNS, longest=LONGEST_FIELD) as (table, _):
        numbers = own_numbers_in(table, loaded.settings.numbers.region, time.time())
    with stores(loaded, dry_run=dry_run, copied=True) as (_, written):
        done = operations.import_register(written, context_of(loaded), numbers)
    if as_json:
        counts = {"read": table.read, "added": done.added, "changed": done.changed, "skipped": table.skipped}
        about = {"cut": table.cut, "dry_run": dry_run, "unknown_trunks": done.unknown_trunks}
        problems = [{"line": problem.line, "problem": str(problem.text)} for problem in table.problems]
        print_json(counts | about | {"problems": problems})
        return
    warn_of_rows(table, LONGEST_FIELD)
    if done.unknown_trunks:
        warn(f"the settings have no [[trunk]] with the name {some(done.unknown_trunks)}")
    say(
        f"{'Would add' if dry_run else 'Added'} {plural(done.added, 'own number')}, changed {done.changed:,}: "
        f"{plural(table.read, 'row')} read, {table.skipped:,} skipped."
    )
    if not dry_run:
        say_undo(done.change_id, config)


def export_register(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file. Default: standard output.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write the list of own numbers as CSV that `own import` can read."""
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
        raise CommandError(f"{out}: the file exists: choose another name, or remove it") from None
    say(f"{out}: {plural(len(register), 'own number')}.")
