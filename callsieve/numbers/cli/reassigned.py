"""`callsieve reassigned`: numbers that have another owner, of whom what was said before is not true."""

from __future__ import annotations

from typing import Annotated

import typer

from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    NumberArgument,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.output import print_table, say, say_undo
from callsieve.cli.store import perform
from callsieve.numbers.operations import OwnerRequest, new_owner, same_owner
from callsieve.text.times import when
from reputation.store.ownership import all_epochs, epochs_of


def add(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="How that is known.", show_default=False)],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="7d or 2026-11-01; now if not given.")] = None,
    config: ConfigOption = None,
) -> None:
    """Record that a number has another owner: what is older weighs a quarter, and an identity ends."""
    changed = perform(settings_of(config), new_owner, OwnerRequest(number, reason, since))
    epoch, ended = changed.epoch, changed.ended
    say(f"{epoch.number} has another owner since {when(epoch.at)}: what was known before weighs a quarter.")
    if ended is not None:
        say(f"That it belongs to {ended.name} counts no longer.")
    say_undo(changed.change_id, config)


def show(
    number: Annotated[str | None, typer.Argument(help="Only this number.", show_default=False)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which numbers have another owner, since when, and who said so."""
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
    """Take back that a number has another owner."""
    changed = perform(settings_of(config), same_owner, number, existing=True)
    say(f"{changed.epoch.number} has the owner that it had.")
    say_undo(changed.change_id, config)
