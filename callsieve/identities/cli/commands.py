"""`callsieve identity`: who a number belongs to, and how well that is proven."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
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
from callsieve.identities.cli import proof
from reputation.model import Identity

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add `identity add`, `code`, `prove`, `show`, `due` and `remove`."""
    group = typer.Typer(help="Who a number belongs to, and how well that is proven.", no_args_is_help=True)
    group.command("add")(add)
    group.command("code")(proof.code)
    group.command("prove")(proof.prove)
    group.command("show")(show)
    group.command("due")(proof.due)
    group.command("remove")(remove)
    app.add_typer(group, name="identity")


def add(
    number: NumberArgument,
    name: Annotated[str, typer.Option(help="The owner, as phones show it.", show_default=False)],
    level: Annotated[
        int,
        typer.Option(
            min=1,
            max=2,
            help="1: an answered call-back to the number; 2: documents too, and a call-back to a published number.",
            show_default=False,
        ),
    ],
    note: Annotated[str, typer.Option(help="How it was proven; level 2 needs it.")] = "",
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="180d or 2026-12-31; 12 months if not given, and at most.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Record who a number belongs to. From level 2 its name is shown, and its calls are warned about at most."""
    from callsieve.cli.output import say
    from callsieve.identities.operations import IdentityError, checked_identity
    from callsieve.text.times import when
    from reputation.store.identities import identity_of, set_identity

    loaded = settings_of(config)
    now = time.time()
    e164 = number_argument(number, loaded)
    try:
        identity = checked_identity(Identity(e164, name, level, now, note), expires or "", now)
    except IdentityError as error:
        raise CommandError(f"--{error}") from None
    with any_store(loaded) as db, changing(db, "identity add", e164) as change:
        change.before = before = identity_of(db, e164)
        change.after = identity
        set_identity(db, identity, now)
    say(f"{e164} belongs to {identity.name}, level {level}, until {when(identity.expires_at)}.")
    if before is not None:
        say(f"Before, it was {before.name}, level {before.level}, until {when(before.expires_at)}.")


def show(
    number: Annotated[str | None, typer.Argument(help="Only this number.", show_default=False)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show who numbers belong to."""
    from callsieve.cli.output import dim, print_table, say
    from callsieve.text.times import day
    from reputation.store.identities import all_identities

    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    now = time.time()
    with existing_store(loaded) as db:
        found = [one for one in all_identities(db) if e164 in (None, one.number)]
    if as_json:
        print_json(
            [
                {
                    "number": one.number,
                    "name": one.name,
                    "level": one.level,
                    "expires_at": one.expires_at,
                    "expired": one.expires_at <= now,
                    "note": one.note,
                }
                for one in found
            ]
        )
    elif found:
        print_table(
            ("number", "name", "level", "until", "proven by"),
            (
                (
                    one.number,
                    one.name,
                    str(one.level),
                    dim("expired") if one.expires_at <= now else day(one.expires_at),
                    one.note,
                )
                for one in found
            ),
            keep=(0, 2, 3),
        )
    else:
        say("No identities." if e164 is None else f"It is not recorded who {e164} belongs to.")


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Forget who a number belongs to, and print the command that puts it back."""
    from callsieve.cli.output import say, say_command
    from reputation.store.identities import remove_identity

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, changing(db, "identity remove", e164) as change:
        change.before = removed = remove_identity(db, e164)
        if removed is None:
            raise CommandError(f"it is not recorded who {e164} belongs to: `callsieve identity show`")
    say(f"It is forgotten that {e164} belongs to {removed.name}. To put it back:")
    say_command(undo(removed, config, time.time()))


def undo(identity: Identity, config: Path | None, now: float) -> str:
    """The command that records the identity again."""
    from callsieve.text.times import iso

    words = ["callsieve", "identity", "add", identity.number, "--name", identity.name, "--level", str(identity.level)]
    words += ["--note", identity.note] if identity.note else []
    words += ["--expires", iso(identity.expires_at)] if identity.expires_at > now else []
    words += ["--config", str(config)] if config else []
    return shlex.join(words)
