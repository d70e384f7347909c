"""`callsieve policy activate`: another policy for the PBX without touching the settings, as the console does it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import warn
from callsieve.cli.options import ConfigOption, any_store, settings_of
from callsieve.cli.store import changing
from callsieve.settings import Loaded


def add_to(group: typer.Typer) -> None:
    """Add `policy activate`."""
    group.command("activate")(activate_policy)


def activate_policy(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A preset or a policy's name; else that of the settings again."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Put a policy in the place of the one that the settings name. It counts within two seconds."""
    from callsieve.cli.output import say, say_command
    from callsieve.policy.activation import activate
    from callsieve.policy.catalogue import running_or_settings
    from callsieve.policy.stopped_calls import NO_ROUTE, stops_calls
    from policies.loader import load_policy

    loaded = settings_of(config)
    wanted = load_policy(name or loaded.settings.policy.name, loaded.policy_directories)
    before = running_or_settings(loaded)
    with any_store(loaded) as db, changing(db, "policy activate", name=wanted.name) as change:
        change.before, change.after = {"policy": before}, {"policy": wanted.name}
        activate(loaded, wanted.name)
    if not loaded.settings.actions.route and stops_calls(wanted):
        warn(f"{wanted.name}: {NO_ROUTE}")
    say(f"{wanted.name} is in force{'; it observes: every call goes on' if wanted.observe else ''}. To go back:")
    say_command(_command(before, loaded, config))


def _command(name: str, loaded: Loaded, config: Path | None) -> str:
    words = ["callsieve", "policy", "activate", *([] if name == loaded.settings.policy.name else [name])]
    return shlex.join([*words, "--config", str(config)] if config else words)
