"""`callsieve lookups`: the process that asks others about callers, and how good they are."""

from __future__ import annotations

import errno
import time
from functools import partial
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, perform, print_json, settings_of
from callsieve.cli.output import print_table, say, say_command, say_undo
from callsieve.lookups import operations, process
from callsieve.lookups.operations import SwitchRequest
from callsieve.lookups.views import LookupShown, lookups_shown
from callsieve.system.privileges import served_settings


def print_lookups(found: tuple[LookupShown, ...]) -> None:
    """The table, and below it what is to be said of single ones."""
    rows = [
        (one.name, one.state_word, one.asked_text, one.cost_text, one.right_text, one.changed_text) for one in found
    ]
    print_table(("look-up", "state", "asked", "cost", "right", "calls"), rows, keep=(1, 2, 3, 4, 5))
    for one in found:
        for remark in one.remarks:
            say(f"{one.name}: {remark}")


NameArgument = Annotated[str, typer.Argument(help="The source, as [[lookup]] names it.", show_default=False)]


def serve(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Ask others about unknown callers, for the daemon. Runs until it is stopped; SIGHUP reloads settings."""
    loaded = served_settings(config)
    if not loaded.settings.lookup:
        raise CommandError(f"{loaded.settings_file}: there is no [[lookup]]: nobody is to be asked")
    try:
        process.run(partial(served_settings, config), log_json=log_json)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        words = "look-ups are made already by another process: stop it first (systemctl stop callsieve-lookups)"
        raise CommandError(words) from None


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show whom we ask: how often they were right, what they cost, what they would change."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        found = lookups_shown(db, loaded.settings, now)
    if as_json:
        print_json(found)
        return
    if not found and loaded.settings.lookup:
        say("The daemon has not read [[lookup]] of the settings yet:")
        say_command("systemctl reload callsieve")
        return
    if not found:
        say("Nobody is asked: the documentation says how, under Look-ups.")
        return
    print_lookups(found)


def enable(name: NameArgument, config: ConfigOption = None) -> None:
    """Ask a source again that was switched off. It is measured anew from now on."""
    change_id = perform(settings_of(config), operations.enable, SwitchRequest(name), existing=True)
    say(f"{name} is asked again, and counts from the next call on.")
    say_undo(change_id, config)


def disable(name: NameArgument, config: ConfigOption = None) -> None:
    """Ask a source no more. Nothing that it said counts, from the next call on."""
    change_id = perform(settings_of(config), operations.disable, SwitchRequest(name), existing=True)
    say(f"{name} is not asked any more, and what it said does not count.")
    say_undo(change_id, config)
