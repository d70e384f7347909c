"""`callsieve own dnc` and `own complaint`: who does not want to be called, and what people complained about."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from callsieve.cli.errors import warn
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, perform, print_json, settings_of
from callsieve.cli.output import print_table, say, say_undo
from callsieve.own_numbers import do_not_call as operations
from callsieve.own_numbers.do_not_call import MOST_WISHES, ComplaintRequest, TakeBackRequest, WishRequest
from callsieve.text.number_entry import with_country
from callsieve.text.times import when
from reputation.store.do_not_call import Complaint, all_do_not_call

NumberArgument = Annotated[str, typer.Argument(help="Who is not to be called.", show_default=False)]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="For those who come after you.")]


def add(
    number: NumberArgument,
    after: Annotated[str | None, typer.Option(metavar="NUMBER", help="The own number that had called.")] = None,
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Nobody here is to call this number again."""
    request = WishRequest(number, after, note)
    done = perform(settings_of(config), operations.list_number, request)
    if done.change_id is None:
        say(f"{operations.listed_since(done.wish)}.")
        return
    say(f"{with_country(done.wish.number)} is not to be called any more.")
    say_undo(done.change_id, config)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """The number may be called again."""
    done = perform(settings_of(config), operations.unlist, number, existing=True)
    say(f"{done.wish.number} may be called again.")
    if kept := operations.held_by_law(done.wish, time.time()):
        warn(f"{kept}")
    say_undo(done.change_id, config)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show who does not want to be called, the latest first."""
    with existing_store(settings_of(config)) as db:
        wishes = all_do_not_call(db, MOST_WISHES)
    if as_json:
        print_json(wishes)
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
    loaded = settings_of(config)
    if undo:
        gone = perform(loaded, operations.take_back_complaint, TakeBackRequest(number, caller), existing=True)
        one = gone.complaint
        who, what = one.number or "somebody", f": {one.note}" if one.note else ""
        say(f"The complaint of {who} about {one.own_number}, of {when(one.at)}, is taken back{what}.")
        say_undo(gone.change_id, config)
        return
    done = perform(loaded, operations.complain, ComplaintRequest(number, caller, note))
    one = done.complaint
    does = "counts" if one.is_of_called else f"does not count: {_why_not(one)}"
    say(f"The complaint about {with_country(one.own_number)} is recorded; it {does}.")
    if not done.is_ours:
        say(f"{one.own_number} is not registered: `callsieve own add {one.own_number}`, if it is ours.")
    say_undo(done.change_id, config)


def _why_not(one: Complaint) -> str:
    if one.number:
        return f"nobody knows that it called {with_country(one.number)} within 28 days"
    return "nobody says who complains (--from)"
