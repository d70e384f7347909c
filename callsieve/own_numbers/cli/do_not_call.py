"""`callsieve own dnc` and `own complaint`: who does not want to be called, and what people complained about."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    existing_store,
    number_argument,
    number_option,
    print_json,
    settings_of,
)
from callsieve.cli.store import changing, who
from callsieve.own_numbers.cli.undo import say_undo
from callsieve.own_numbers.errors import its_fields
from callsieve.wiring import known_own_numbers

MOST_SHOWN = 100_000

NumberArgument = Annotated[str, typer.Argument(help="Who is not to be called.", show_default=False)]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="For those who come after you.")]


def add_to(group: typer.Typer) -> None:
    """Add `own dnc add`, `remove`, `list`, and `own complaint`."""
    dnc = typer.Typer(help="People who do not want to be called.", no_args_is_help=True)
    dnc.command("add")(add)
    dnc.command("remove")(remove)
    dnc.command("list")(show)
    group.add_typer(dnc, name="dnc")
    group.command("complaint")(complaint)


def add(
    number: NumberArgument,
    after: Annotated[str | None, typer.Option(metavar="NUMBER", help="The own number that had called.")] = None,
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Nobody here is to call this number again."""
    from callsieve.cli.output import say
    from callsieve.own_numbers.do_not_call import ListedAlready, OneOfOurs, check_not_ours, put_on_do_not_call
    from callsieve.own_numbers.register import one_line
    from callsieve.text.number_entry import with_country
    from reputation.store.do_not_call import DoNotCall

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    own = number_option("--after", after, loaded) or ""
    with its_fields():
        wish = DoNotCall(e164, time.time(), own, who(), one_line("note", note))
    try:
        with any_store(loaded) as db, changing(db, "own dnc add", e164) as change:
            check_not_ours(e164, known_own_numbers(db, loaded))
            put_on_do_not_call(db, change, wish)
    except ListedAlready as known:
        say(f"{known}.")
        return
    except OneOfOurs as error:
        raise CommandError(str(error)) from None
    say(f"{with_country(e164)} is not to be called any more.")
    say_undo(change, config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """The number may be called again."""
    from callsieve.cli.output import say
    from callsieve.own_numbers.do_not_call import WishError, take_off_do_not_call

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    try:
        with existing_store(loaded) as db, changing(db, "own dnc remove", e164) as change:
            take_off_do_not_call(db, change, e164)
    except WishError as error:
        raise CommandError(f"{error}: `callsieve own dnc list`") from None
    say(f"{e164} may be called again.")
    say_undo(change, config)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show who does not want to be called, the latest first."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import when
    from reputation.store.do_not_call import all_do_not_call

    with existing_store(settings_of(config)) as db:
        wishes = all_do_not_call(db, MOST_SHOWN)
    if as_json:
        print_json([wish._asdict() for wish in wishes])
    elif wishes:
        rows = [(one.number, when(one.at), one.person, one.own_number, one.note) for one in wishes]
        print_table(("number", "since", "heard by", "after a call from", "note"), rows, keep=(0, 1, 2, 3))
    else:
        say("Nobody has asked not to be called.")


def complaint(
    number: Annotated[str, typer.Argument(help="The own number that somebody complains about.", show_default=False)],
    caller: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="Who complains: counts if it was called.")
    ] = None,
    note: NoteOption = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back the latest one about the number; with --from, of that person.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Record a complaint about an own number: a letter, a call, a note from the carrier."""
    from callsieve.cli.output import say
    from callsieve.own_numbers.do_not_call import (
        OneOfOurs,
        WishError,
        check_not_ours,
        record_complaint,
        take_back_complaint,
    )
    from callsieve.own_numbers.register import one_line
    from callsieve.text.number_entry import with_country
    from callsieve.text.times import when
    from reputation.store.do_not_call import Complaint
    from reputation.store.own_register import own_of

    loaded = settings_of(config)
    own = number_argument(number, loaded)
    other = number_option("--from", caller, loaded)
    if undo:
        try:
            with existing_store(loaded) as db, changing(db, "own complaint", own) as change:
                gone = take_back_complaint(db, change, own, other)
        except WishError as error:
            raise CommandError(str(error)) from None
        who, what = gone.number or "somebody", f": {gone.note}" if gone.note else ""
        say(f"The complaint of {who} about {own}, of {when(gone.at)}, is taken back{what}.")
        say_undo(change, config)
        return
    with its_fields():
        made = Complaint(own, other or "", time.time(), one_line("note", note))
    try:
        with any_store(loaded) as db, changing(db, "own complaint", own) as change:
            check_not_ours(made.number, known_own_numbers(db, loaded))
            counts = record_complaint(db, change, made)
            is_ours = own_of(db, own) is not None
    except OneOfOurs as error:
        raise CommandError(f"--from: {error}") from None
    why = (
        f"nobody knows that it called {with_country(other)} within 28 days"
        if other
        else "nobody says who complains (--from)"
    )
    say(f"The complaint about {with_country(own)} is recorded; it {'counts' if counts else f'does not count: {why}'}.")
    if not is_ours:
        say(f"{own} is not registered: `callsieve own add {own}`, if it is ours.")
    say_undo(change, config)
