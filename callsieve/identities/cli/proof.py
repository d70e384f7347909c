"""`callsieve identity code`, `prove` and `due`: control of a number proven by a call-back, and what ends soon."""

from __future__ import annotations

import shlex
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
    print_json,
    settings_of,
)
from callsieve.cli.store import changing

NAME_CHARACTERS = 200
DUE_DAYS = 30

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)]


def code(number: NumberArgument, config: ConfigOption = None) -> None:
    """Make a code for a call-back: call the number, say the code, and let its owner give it back."""
    from callsieve.cli.output import bold, say, say_command
    from reputation.appeals import new_code
    from reputation.store.call_backs import keep_code

    loaded = settings_of(config)
    e164, made = number_argument(number, loaded), new_code()
    with any_store(loaded) as db, changing(db, "identity code", e164):
        keep_code(db, e164, e164, made, time.time())
    say("The code is ", bold(f"{made[:3]} {made[3:]}"), ". It counts for a day, and no other any more.")
    say(f"Call {e164} and say it. When its owner gives it back:")
    words = ["callsieve", "identity", "prove", e164, "CODE", "--name", "NAME"]
    say_command(shlex.join([*words, "--config", str(config)] if config else words))


def prove(
    number: NumberArgument,
    code: Annotated[str, typer.Argument(help="As it was given back: six digits.", show_default=False)],
    name: Annotated[str, typer.Option(help="Who its owner says to be; nobody has checked it.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Take the code that was given back: whoever has it controls the number, which is level 1 for 12 months."""
    from callsieve.cli.output import say
    from callsieve.text.times import when
    from reputation.appeals import Answer
    from reputation.store.call_backs import try_code
    from reputation.store.identities import identity_of, note_control

    loaded, now = settings_of(config), time.time()
    e164 = number_argument(number, loaded)
    if not name.strip() or len(name) > NAME_CHARACTERS or not name.isprintable():
        raise CommandError(f"--name takes one line of 1 to {NAME_CHARACTERS} characters")
    with existing_store(loaded) as db, changing(db, "identity prove", e164) as change:
        answer = try_code(db, e164, code, now)  # a wrong one is counted, and noted in the audit
        if answer not in (Answer.RIGHT, Answer.WRONG):
            raise CommandError(why_not_proven(answer, f"callsieve identity code {e164}"))
        if answer is Answer.RIGHT:
            change.before = identity_of(db, e164)
            note_control(db, e164, name.strip(), now, "gave the code of a call-back back")
        identity = identity_of(db, e164)
        change.after = identity if answer is Answer.RIGHT else {"answer": answer}
    if answer is not Answer.RIGHT or identity is None:
        raise CommandError(why_not_proven(answer, f"callsieve identity code {e164}"))
    say(f"{e164} belongs to {identity.name}, level {identity.level}, until {when(identity.expires_at)}.")


def due(
    within: Annotated[
        int, typer.Option(min=0, max=365, metavar="DAYS", help="That end within so many days.")
    ] = DUE_DAYS,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the identities that have ended or soon will: to be proven again, or they count no longer."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import ago, day
    from reputation.store.identities import identities_due

    now = time.time()
    with existing_store(settings_of(config)) as db:
        found = identities_due(db, now + within * 86_400.0)
    if as_json:
        print_json(found)
    elif found:
        rows = (
            (
                one.number,
                one.name,
                str(one.level),
                day(one.expires_at),
                f"{_ends(one.expires_at, now)} {ago(one.expires_at, now)}",
            )
            for one in found
        )
        print_table(("number", "name", "level", "until", ""), rows, keep=(0, 2, 3, 4))
    else:
        say(f"No identity ends within {within} days.")


def why_not_proven(answer: str, command: str) -> str:
    """What to do after a wrong code. `command` makes another one."""
    return {
        "wrong": "this is not the code; after five wrong ones another has to be made",
        "expired": f"the code is older than a day: make another with `{command}`",
        "spent": f"five wrong codes were given, so it does not count any more: make another with `{command}`",
        "none": f"no code was made: make one with `{command}`",
    }[answer]


def _ends(at: float, now: float) -> str:
    return "ended" if at <= now else "ends"
