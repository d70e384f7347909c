"""`callsieve identity`: the owners of numbers, and how well the ownership is proven."""

import shlex
import time
from typing import Annotated

import typer

from callsieve.changes.operation import Refused
from callsieve.cli import options
from callsieve.cli.output import Cell, bold, dim, print_table, say, say_command, say_undo
from callsieve.identities import operations
from callsieve.identities.operations import CodeRequest, IdentityRequest, ProofRequest
from callsieve.identities.views import identity_shown
from callsieve.lists.views import origin_words
from callsieve.text.times import ago, day, when
from reputation.model import Identity
from reputation.store.hub.sites import OURS
from reputation.store.identities import all_identities, identities_due

DUE_DAYS = 30


def add(
    number: options.NumberArgument,
    name: Annotated[str, typer.Option(help="The owner, as phones show it.", show_default=False)],
    level: Annotated[
        int,
        typer.Option(
            min=1,
            max=2,
            help=(
                "1: the owner answered a call-back to the number. 2: documents were checked too, and the "
                "call-back was to a published number."
            ),
            show_default=False,
        ),
    ],
    note: Annotated[str, typer.Option(help="How the owner was proven. Required for level 2.")] = "",
    expires: Annotated[
        str,
        typer.Option(metavar="TIME", help="When the identity ends: 180d or 2026-12-31. Default and limit: 12 months."),
    ] = "",
    config: options.ConfigOption = None,
) -> None:
    """Record a number's owner. With level 2, phones show the owner's name, and rules do no more than warn."""
    done = options.perform(
        options.settings_of(config), operations.add, IdentityRequest(number, name, level, note, expires)
    )
    _say_identity(done.identity)
    if (before := done.replaced) is not None:
        say(f"Previous owner: {before.name}, level {before.level}, until {when(before.expires_at)}.")
    say_undo(done.change_id, config)


def code(
    number: options.NumberArgument,
    name: Annotated[str, typer.Option(help="The owner to record when the code is entered. Default: the number.")] = "",
    config: options.ConfigOption = None,
) -> None:
    """Make a code that proves control of a number. Say it in a call to this number, or let a caller enter it."""
    made = options.perform(options.settings_of(config), operations.make_code, CodeRequest(number, name))
    say("The code is ", bold(made.spoken), ". This code is valid for a day and replaces earlier codes.")
    say(f"The owner can call from {made.number} and, when asked to press a key, enter * and the code. Give the code")
    say(f"only to people you know. Otherwise call {made.number} and say the code. When the owner repeats it:")
    words = ["callsieve", "identity", "prove", made.number, "CODE", "--name", "NAME"]
    say_command(shlex.join([*words, "--config", str(config)] if config else words))


def prove(
    number: options.NumberArgument,
    code: Annotated[str, typer.Argument(help="The code from the owner: six digits.", show_default=False)],
    name: Annotated[str, typer.Option(help="The name that the owner gives, unchecked.", show_default=False)],
    config: options.ConfigOption = None,
) -> None:
    """Check the code that the owner of a number repeated. A right code gives identity level 1 for 12 months."""
    proven = options.perform(
        options.settings_of(config), operations.prove, ProofRequest(number, code, name), existing=True
    )
    if isinstance(proven, Refused):
        raise proven
    _say_identity(proven)


def show(
    number: Annotated[str | None, typer.Argument(help="Show only this number.", show_default=False)] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Show the owners of numbers."""
    loaded, now = options.settings_of(config), time.time()
    e164 = None if number is None else options.number_argument(number, loaded)
    with options.existing_store(loaded) as db:
        known = [identity for identity in all_identities(db) if e164 in (None, identity.number)]
        identities = [identity_shown(db, identity, loaded.settings, now) for identity in known]
    if as_json:
        options.print_json(identities)
    elif any(shown.origin != OURS for shown in identities):
        cells = (
            [*_cells(shown.identity, now), origin_words(shown.origin), shown.identity.note] for shown in identities
        )
        print_table(("number", "name", "level", "until", "site", "proven by"), cells, keep=(0, 2, 3, 4))
    elif identities:
        rows = ([*_cells(identity, now), identity.note] for identity in known)
        print_table(("number", "name", "level", "until", "proven by"), rows, keep=(0, 2, 3))
    else:
        say("No identities." if e164 is None else f"No owner of {e164} is recorded.")


def due(
    within: Annotated[
        int, typer.Option(min=0, max=365, metavar="DAYS", help="Show identities that end within this many days.")
    ] = DUE_DAYS,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Show identities that have expired or expire soon. An expired identity does not count until it is proven again."""
    now = time.time()
    with options.existing_store(options.settings_of(config)) as db:
        identities = identities_due(db, now + within * 86_400.0)
    if as_json:
        options.print_json(identities)
    elif identities:
        rows = ([*_cells(identity, now), str(ago(identity.expires_at, now))] for identity in identities)
        print_table(("number", "name", "level", "until", ""), rows, keep=(0, 2, 3, 4))
    else:
        say(f"No identity ends within {within} days.")


def remove(number: options.NumberArgument, config: options.ConfigOption = None) -> None:
    """Remove the recorded owner of a number."""
    done = options.perform(options.settings_of(config), operations.remove, number, existing=True)
    say(f"Removed the identity of {done.identity.number} ({done.identity.name}).")
    say_undo(done.change_id, config)


def _say_identity(identity: Identity) -> None:
    say(f"{identity.number} belongs to {identity.name}, level {identity.level}, until {when(identity.expires_at)}.")


def _cells(identity: Identity, now: float) -> list[Cell]:
    until = dim("expired") if identity.expires_at <= now else day(identity.expires_at)
    return [identity.number, identity.name, str(identity.level), until]
