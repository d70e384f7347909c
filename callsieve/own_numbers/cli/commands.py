"""`callsieve own`: the register of our own numbers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.store import changing
from callsieve.own_numbers.cli import csv_commands, do_not_call, guidance, outbound, undo
from callsieve.own_numbers.cli.tables import as_json as json_of
from callsieve.own_numbers.cli.tables import details_of, grade_as_json, print_list
from callsieve.own_numbers.cli.undo import say_undo
from callsieve.own_numbers.errors import its_fields, its_state
from callsieve.own_numbers.register import CHECK_EVERY, NEVER, NEXT_CHECK, SEEN_SECONDS, next_check_of, registered

if TYPE_CHECKING:
    from callsieve.own_numbers.register import Step, Typed
    from reputation.own.register import OwnNumber

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +442071838750.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the group `own`."""
    group = typer.Typer(help="Our own numbers: the register, and how to stay unmarked.", no_args_is_help=True)
    for name, command in (
        ("add", add),
        ("show", show),
        ("list", show_all),
        ("due", due),
        ("check", check),
        ("rest", rest),
        ("use", use),
        ("retire", retire),
        ("remove", remove),
    ):
        group.command(name)(command)
    csv_commands.add_to(group)
    do_not_call.add_to(group)
    outbound.add_to(group)
    guidance.add_to(group)
    undo.add_to(group)
    app.add_typer(group, name="own")


def add(
    number: NumberArgument,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What people called are to see.")] = None,
    purpose: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is called from for.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="TEXT", help="Who of us answers for it.")] = None,
    trunk: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Goes out on; more than once.")] = None,
    document: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="What proves that it is ours; more than once.")
    ] = None,
    registered_at: Annotated[
        list[str] | None,
        typer.Option("--registered", metavar="TEXT", help="Where it is known under our name; more than once."),
    ] = None,
    next_check: Annotated[
        str | None, typer.Option(metavar="TIME", help="When to look again: 180d, 2026-12-31; never.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Register an own number; of one that is registered already, change what is given."""
    from callsieve.cli.output import say
    from callsieve.own_numbers.register import NothingChanged, filled_in, new_number, put_in_register, unknown_trunks
    from callsieve.text.number_entry import with_country
    from reputation.store.own_register import own_of

    loaded = settings_of(config)
    now = time.time()
    e164 = number_argument(number, loaded)
    typed: Typed = {
        "name": name,
        "purpose": purpose,
        "owner": owner,
        NEXT_CHECK: next_check,
        "trunks": trunk or None,
        "documents": document or None,
        "registered": registered_at or None,
    }
    with its_fields():
        fresh = filled_in(new_number(e164, now), typed, now)
    try:
        with any_store(loaded) as db, changing(db, "own add", e164) as change:
            before = own_of(db, e164)
            after = filled_in(before, typed, now) if before else fresh
            put_in_register(db, change, after)
    except NothingChanged as error:
        say(f"{error}.")
        return
    say(f"{with_country(e164)} is registered{' already: it was changed' if before else ''}.")
    details_of(after, now)
    if unknown := unknown_trunks([after], loaded.settings):
        say(f"No [[trunk]] of the settings is called {', '.join(unknown)}.")
    say_undo(change, config)


def show(number: NumberArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one own number, and how it is doing: what its calls say, and how the people it called would see it."""
    from callsieve.cli.output import bold, say
    from callsieve.own_numbers.cli.health_table import health_as_json, print_health
    from reputation.store.own_health import own_health
    from reputation.store.own_register import own_of

    loaded = settings_of(config)
    now = time.time()
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db:
        own = own_of(db, e164)
        health = own_health(db, e164, now, loaded.settings.reputation)
        if own is None and not health.facts.days:
            with its_state():
                own = registered(db, e164)  # which says that it is not
    if as_json:
        print_json({"number": e164, "register": json_of(own) if own else None, "health": health_as_json(health)})
        return
    if own is not None:
        details_of(own, now)
    else:
        say(bold(e164), " is not registered, and calls went out with it.")
    print_health(health)


def show_all(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the register with each number's grade, and what goes out with numbers that are not in it."""
    from reputation.store.own_health import recent_grade
    from reputation.store.own_register import register_of, unregistered

    loaded = settings_of(config)
    now = time.time()
    with existing_store(loaded) as db:
        register = register_of(db)
        strangers = unregistered(db, now - SEEN_SECONDS)
        numbers = [*(one.number for one in register), *(one.number for one in strangers)]
        grades = {number: recent_grade(db, number, now, loaded.settings.reputation) for number in numbers}
    if as_json:
        registered = [json_of(one) | grade_as_json(grades[one.number]) for one in register]
        seen = [one._asdict() | grade_as_json(grades[one.number]) for one in strangers]
        print_json({"numbers": registered, "unregistered": seen})
    else:
        print_list(register, strangers, grades, now)


def due(
    within: Annotated[str, typer.Option(metavar="DAYS", help="So many days ahead; or 12h, 2w.")] = "14",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what is to be done: re-checks, numbers that have rested, and calls with numbers that are not registered."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import TimeError, expiry_of
    from reputation.own.due import due_of
    from reputation.store.own_register import register_of, unregistered

    now = time.time()
    try:
        until = expiry_of(f"{within}d" if within.isdecimal() else within, now)
    except TimeError as error:
        raise CommandError(f"--within: {error}") from None
    with existing_store(settings_of(config)) as db:
        todo = due_of(register_of(db), unregistered(db, now - SEEN_SECONDS), until)
    if as_json:
        print_json([one._asdict() | {"what": str(one.what)} for one in todo])
    elif todo:
        from callsieve.text.times import day

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
    from callsieve.text.times import day
    from reputation.own.register import checked

    now = time.time()
    with its_fields():
        at = next_check_of(next_check, now)
    said = f"was checked. Next: {day(at) if at else NEVER}."
    _change("own check", number, lambda own: checked(own, now, at), lambda _: said, config)


def rest(number: NumberArgument, config: ConfigOption = None) -> None:
    """Let a number rest: nobody calls from it for 45 days."""
    from callsieve.text.times import day
    from reputation.own.register import rested

    now = time.time()

    def said(own: OwnNumber) -> str:
        return f"rests until {day(own.rests_until or now)}."

    _change("own rest", number, lambda own: rested(own, now), said, config)


def use(
    number: NumberArgument,
    force: Annotated[bool, typer.Option("--force", help="Also before it has rested for 45 days.")] = False,
    config: ConfigOption = None,
) -> None:
    """Use a number again that rested, or that was given back and is ours once more."""
    from reputation.own.register import used_again

    now = time.time()
    _change("own use", number, lambda own: used_again(own, now, early=force), lambda _: "is in use again.", config)


def retire(number: NumberArgument, config: ConfigOption = None) -> None:
    """Record that a number was given back: it is not ours any more, and its history stays."""
    from reputation.own.register import retired

    now = time.time()
    _change("own retire", number, lambda own: retired(own, now), lambda _: "is retired.", config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Take a number out of the register."""
    from callsieve.cli.output import say
    from callsieve.own_numbers.register import take_out

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, its_state(), changing(db, "own remove", e164) as change:
        take_out(db, change, e164)
    say(f"{e164} is not registered any more.")
    say_undo(change, config)


def _change(what: str, number: str, step: Step, said: Callable[[OwnNumber], str], config: Path | None) -> None:
    """One step of a registered number, with its row in the audit; then what is `said` of it, and what takes it back."""
    from callsieve.cli.output import say
    from callsieve.own_numbers.register import take_step

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, its_state(), changing(db, what, e164) as change:
        after = take_step(db, change, e164, step)
    say(f"{e164} {said(after)}")
    say_undo(change, config)
