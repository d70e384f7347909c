"""The commands `callsieve off` and `callsieve on`, which switch screening off and on, for emergencies.

The state is stored in Asterisk's own database, which the dialplan reads before it asks CallSieve. So the switch works
even if the daemon is dead.
"""

from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption, context_of, note_done, settings_even_broken
from callsieve.doctor.checks import OFF_SWITCH
from callsieve.doctor.cli.commands import renew_stored
from callsieve.pbx.cli_client import until_words
from callsieve.settings import Loaded
from callsieve.switch import operations
from reputation.store.audit import Change

ForOption = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="Duration: 90s, 30m, 2h or 1d. Default: until `callsieve on`."),
]


ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Reason, which the console and `callsieve status` show.")
]


def off(duration: ForOption = None, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Switch screening off: every call is let through unscreened. This works even if the daemon is dead."""
    loaded, _ = settings_even_broken(config)
    context = context_of(loaded)
    until, done = operations.switch_off(context, duration, reason)
    assert until is not None
    print(f"Screening is off {until_words(until, context.at)}. Every call goes on unscreened.")
    print("To switch it on: callsieve on")
    _follow_up(loaded, done)


def on(config: ConfigOption = None) -> None:
    """Switch screening on."""
    loaded, _ = settings_even_broken(config)
    context = context_of(loaded)
    until, done = operations.switch_on(context)
    was_off = until is not None and until > context.at
    print("Screening is on again." if was_off else "Screening was on already.")
    _follow_up(loaded, done)


def _follow_up(loaded: Loaded, done: Change | None) -> None:
    renew_stored(loaded, OFF_SWITCH)
    if done is not None:
        note_done(loaded, done)
