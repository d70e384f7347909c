"""`callsieve reassigned`: numbers that have another owner, of whom what was said before is not true."""

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
    since_option,
)
from callsieve.cli.store import changing, who

REASON_CHARACTERS = 200

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add `reassigned add`, `show` and `remove`."""
    group = typer.Typer(help="Numbers that have another owner.", no_args_is_help=True)
    group.command("add")(add)
    group.command("show")(show)
    group.command("remove")(remove)
    app.add_typer(group, name="reassigned")


def add(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="How that is known.", show_default=False)],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="7d or 2026-11-01; now if not given.")] = None,
    config: ConfigOption = None,
) -> None:
    """Record that a number has another owner: what is older weighs a quarter, and an identity ends."""
    from callsieve.cli.output import say, say_command
    from callsieve.text.times import when
    from reputation.store.identities import identity_of
    from reputation.store.ownership import epoch_of, raise_epoch

    loaded = settings_of(config)
    now = time.time()
    e164 = number_argument(number, loaded)
    if not reason.strip() or len(reason) > REASON_CHARACTERS or not reason.isprintable():
        raise CommandError(f"--reason takes one line of 1 to {REASON_CHARACTERS} characters")
    at = now if since is None else since_option("--since", since, now)
    with any_store(loaded) as db, changing(db, "reassigned add", e164) as change:
        latest, identity = epoch_of(db, e164), identity_of(db, e164)
        if latest is not None and at <= latest.at:
            raise CommandError(f"{e164} has another owner since {when(latest.at)} already: that is not before it")
        raise_epoch(db, e164, at, reason.strip(), who())
        ended = identity_of(db, e164)
        epoch = epoch_of(db, e164)
        change.after = epoch and epoch._asdict()
    say(f"{e164} has another owner since {when(at)}: what was known before weighs a quarter.")
    if identity is not None and ended is not None and ended.expires_at < min(identity.expires_at, now + 1):
        say(f"That it belongs to {identity.name} counts no longer.")
    say("To undo it:")
    say_command(_undo(e164, config))


def show(
    number: Annotated[str | None, typer.Argument(help="Only this number.", show_default=False)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which numbers have another owner, since when, and who said so."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import when
    from reputation.store.ownership import all_epochs, epochs_of

    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        epochs = all_epochs(db) if e164 is None else epochs_of(db, e164)
    if as_json:
        print_json([epoch._asdict() for epoch in epochs])
    elif epochs:
        rows = ((one.number, when(one.at), one.who, one.reason) for one in epochs)
        print_table(("number", "since", "says", "because"), rows, keep=(0, 1))
    else:
        say("No number is known to have another owner." if e164 is None else f"{e164} is not known to have another.")


def remove(number: NumberArgument, config: ConfigOption = None) -> None:
    """Take back that a number has another owner, and print the command that says it again."""
    from callsieve.cli.output import say, say_command
    from callsieve.text.times import iso
    from reputation.store.ownership import lower_epoch

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, changing(db, "reassigned remove", e164) as change:
        epoch = lower_epoch(db, e164)
        if epoch is None:
            raise CommandError(f"{e164} is not known to have another owner: `callsieve reassigned show`")
        change.before = epoch._asdict()
    say(f"{e164} has the owner that it had. To say it again:")
    words = ["callsieve", "reassigned", "add", e164, "--reason", epoch.reason, "--since", iso(epoch.at)]
    say_command(shlex.join([*words, "--config", str(config)] if config else words))


def _undo(number: str, config: Path | None) -> str:
    words = ["callsieve", "reassigned", "remove", number]
    return shlex.join([*words, "--config", str(config)] if config else words)
