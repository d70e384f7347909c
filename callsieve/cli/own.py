"""`callsieve own`: the register of our own numbers."""

from __future__ import annotations

import shlex
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli import own_files, own_guard, own_guidance, own_wishes
from callsieve.cli.common import (
    ConfigOption,
    JsonOption,
    any_store,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.errors import CommandError
from callsieve.cli.own_showing import as_json as json_of
from callsieve.cli.own_showing import details_of, grade_as_json, print_list
from callsieve.cli.storing import changing

if TYPE_CHECKING:
    from reputation.own.register import OwnNumber

TEXT_CHARACTERS = 200
MOST_TEXTS = 20
CHECK_EVERY = "180d"
SOON_SECONDS = 14 * 86_400.0

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +442071838750.", show_default=False)]
ManyOption = Annotated[list[str] | None, typer.Option(metavar="TEXT", help="May be given more than once.")]
TextOption = Annotated[str | None, typer.Option(metavar="TEXT")]


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
    own_files.add_to(group)
    own_wishes.add_to(group)
    own_guard.add_to(group)
    own_guidance.add_to(group)
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
    registered: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Where it is known under our name; more than once.")
    ] = None,
    next_check: Annotated[
        str | None, typer.Option(metavar="TIME", help="When to look again: 180d, 2026-12-31; never.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Register an own number; of one that is registered already, change what is given."""
    from callsieve.cli.show import say
    from reputation.own.register import OwnNumber
    from reputation.store.own_register import own_of, put_own

    loaded = settings_of(config)
    now = time.time()
    e164 = number_argument(number, loaded)
    given: dict[str, object] = {
        "name": _text("--name", name),
        "purpose": _text("--purpose", purpose),
        "owner": _text("--owner", owner),
        "trunks": _texts("--trunk", trunk),
        "documents": _texts("--document", document),
        "registered": _texts("--registered", registered),
    }
    given = {key: value for key, value in given.items() if value is not None}
    if next_check is not None:
        given["next_check_at"] = _next_check(next_check, now)
    with any_store(loaded) as db, changing(db, "own add", e164) as change:
        before = own_of(db, e164)
        fresh = OwnNumber(number=e164, since=now, added_at=now, next_check_at=_next_check(CHECK_EVERY, now))
        change.before = before
        change.after = after = replace(before or fresh, **given)  # type: ignore[arg-type]
        put_own(db, after)
    say(f"{e164} is registered{' already: it was changed' if before else ''}.")
    details_of(after, now)
    if unknown := sorted(set(after.trunks) - {one.name for one in loaded.settings.trunk}):
        say(f"No [[trunk]] of the settings is called {', '.join(unknown)}.")


def show(number: NumberArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one own number, and how it is doing: what its calls say, and how the people it called would see it."""
    from callsieve.cli.own_health import health_as_json, print_health
    from callsieve.cli.show import bold, say
    from reputation.store.own_health import own_health
    from reputation.store.own_register import own_of

    loaded = settings_of(config)
    now = time.time()
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db:
        own = own_of(db, e164)
        health = own_health(db, e164, now, loaded.settings.reputation)
        if own is None and not health.facts.days:
            own = _registered(db, e164)  # which says that it is not
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
        strangers = unregistered(db, now - own_files.SEEN_SECONDS)
        numbers = [*(one.number for one in register), *(one.number for one in strangers)]
        grades = {number: recent_grade(db, number, now, loaded.settings.reputation) for number in numbers}
    if as_json:
        registered = [json_of(one) | grade_as_json(grades[one.number]) for one in register]
        seen = [one._asdict() | grade_as_json(grades[one.number]) for one in strangers]
        print_json({"numbers": registered, "unregistered": seen})
    else:
        print_list(register, strangers, grades, now)


def due(
    within: Annotated[str, typer.Option(metavar="SPAN", help="So far ahead.")] = "14d",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what is to be done: re-checks, numbers that have rested, and calls with numbers that are not registered."""
    from callsieve.cli.show import print_table, say
    from callsieve.times import TimeError, expiry_of
    from reputation.own.due import due_of
    from reputation.store.own_register import register_of, unregistered

    now = time.time()
    try:
        until = expiry_of(within, now)
    except TimeError as error:
        raise CommandError(f"--within: {error}") from None
    with existing_store(settings_of(config)) as db:
        todo = due_of(register_of(db), unregistered(db, now - own_files.SEEN_SECONDS), until)
    if as_json:
        print_json([one._asdict() | {"what": str(one.what)} for one in todo])
    elif todo:
        from callsieve.times import day

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
    from callsieve.cli.show import say
    from callsieve.times import day
    from reputation.own.register import checked

    now = time.time()
    at = _next_check(next_check, now)
    before, after = _change("own check", number, lambda own: checked(own, now, at), config)
    say(f"{after.number} was checked. Next: {day(at) if at else 'never'}.")
    if before.next_check_at is not None and before.next_check_at > now:
        _say_undo(["own", "add", after.number, "--next-check", day(before.next_check_at)], config)


def rest(number: NumberArgument, config: ConfigOption = None) -> None:
    """Let a number rest: nobody calls from it for 45 days."""
    from callsieve.cli.show import say
    from callsieve.times import day
    from reputation.own.register import rested

    now = time.time()
    _, after = _change("own rest", number, lambda own: rested(own, now), config)
    say(f"{after.number} rests until {day(after.rests_until or now)}. To use it again at once:")
    _say_undo(["own", "use", after.number, "--force"], config, named=False)


def use(
    number: NumberArgument,
    force: Annotated[bool, typer.Option("--force", help="Also before it has rested for 45 days.")] = False,
    config: ConfigOption = None,
) -> None:
    """Use a number again that rested, or that was given back and is ours once more."""
    from callsieve.cli.show import say
    from reputation.own.register import State, used_again

    now = time.time()
    before, after = _change("own use", number, lambda own: used_again(own, now, early=force), config)
    say(f"{after.number} is in use again.")
    _say_undo(["own", "retire" if before.state is State.RETIRED else "rest", after.number], config)


def retire(number: NumberArgument, config: ConfigOption = None) -> None:
    """Record that a number was given back: it is not ours any more, and its history stays."""
    from callsieve.cli.show import say
    from reputation.own.register import retired

    now = time.time()
    _, after = _change("own retire", number, lambda own: retired(own, now), config)
    say(f"{after.number} is retired. If that was a mistake:")
    _say_undo(["own", "use", after.number, "--force"], config, named=False)


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Take a number out of the register, and print the command that puts it back."""
    from callsieve.cli.show import say
    from reputation.store.own_register import remove_own

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, changing(db, "own remove", e164) as change:
        change.before = removed = _registered(db, e164)
        remove_own(db, e164)
    say(f"{e164} is not registered any more. To put it back:")
    _say_undo(words_of(removed), config, named=False)


def words_of(own: OwnNumber) -> list[str]:
    """The command that registers the number as it is; of a state other than active there is one more."""
    from callsieve.times import day

    words = ["own", "add", own.number]
    for option, text in (("--name", own.name), ("--purpose", own.purpose), ("--owner", own.owner)):
        words += [option, text] if text else []
    for option, texts in (("--trunk", own.trunks), ("--document", own.documents), ("--registered", own.registered)):
        words += [word for text in texts for word in (option, text)]
    is_to_come = own.next_check_at is not None and own.next_check_at > time.time()
    if own.next_check_at is None or is_to_come:
        words += ["--next-check", day(own.next_check_at) if own.next_check_at else "never"]
    return words


def _change(
    what: str, number: str, step: Callable[[OwnNumber], OwnNumber], config: Path | None
) -> tuple[OwnNumber, OwnNumber]:
    """One step of a registered number, with its row in the audit."""
    from reputation.own.register import RegisterError
    from reputation.store.own_register import put_own

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, changing(db, what, e164) as change:
        change.before = before = _registered(db, e164)
        try:
            change.after = after = step(before)
        except RegisterError as error:
            raise CommandError(str(error)) from None
        put_own(db, after)
    return before, after


def _registered(db: sqlite3.Connection, number: str) -> OwnNumber:
    from reputation.store.own_register import own_of

    own = own_of(db, number)
    if own is None:
        raise CommandError(f"{number} is not registered: `callsieve own add {number}`, or `callsieve own list`")
    return own


def _say_undo(words: Sequence[str], config: Path | None, *, named: bool = True) -> None:
    from callsieve.cli.show import say, say_command

    if named:
        say("To take it back:")
    say_command(shlex.join(["callsieve", *words, *(["--config", str(config)] if config else [])]))


def _text(option: str, text: str | None) -> str | None:
    if text is not None and (len(text) > TEXT_CHARACTERS or not text.isprintable()):
        raise CommandError(f"{option} takes one line of at most {TEXT_CHARACTERS} characters")
    return None if text is None else text.strip()


def _texts(option: str, texts: Sequence[str] | None) -> tuple[str, ...] | None:
    """Those given; one that is empty stands for none at all."""
    if not texts:
        return None
    if len(texts) > MOST_TEXTS or any("|" in text for text in texts):
        raise CommandError(f"{option} may be given {MOST_TEXTS} times, and | has no place in it")
    found = (_text(option, text) for text in texts)
    return tuple(dict.fromkeys(text for text in found if text))


def _next_check(text: str, now: float) -> float | None:
    from callsieve.times import TimeError, expiry_of

    if text.strip().lower() == "never":
        return None
    try:
        return expiry_of(text, now)
    except TimeError as error:
        raise CommandError(f"the next check: {error}; or never") from None
