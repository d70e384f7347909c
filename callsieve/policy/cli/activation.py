"""`callsieve policy activate`: another policy for the PBX without touching the settings, as the console does it."""

from __future__ import annotations

from typing import Annotated

import typer

from callsieve.cli.errors import warn
from callsieve.cli.options import ConfigOption, settings_of
from callsieve.cli.output import say, say_undo
from callsieve.cli.store import perform
from callsieve.policy import operations
from callsieve.policy.stopped_calls import NO_ROUTE, stops_calls


def activate_policy(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A preset or a policy's name; else that of the settings again."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Put a policy in the place of the one that the settings name. It counts within two seconds."""
    loaded = settings_of(config)
    done = perform(loaded, operations.activate, name or "")
    policy = done.policy
    if not loaded.settings.actions.route and stops_calls(policy):
        warn(f"{policy.name}: {NO_ROUTE}")
    say(f"{policy.name} is in force{'; it observes: every call goes on' if policy.observe else ''}.")
    say_undo(done.change_id, config)
