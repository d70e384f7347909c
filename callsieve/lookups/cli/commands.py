"""`callsieve lookups`: run the process that queries services about callers, and show how accurate the services are."""

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


def print_lookups(sources: tuple[LookupShown, ...]) -> None:
    """Print the table of look-up sources, then remarks about the sources."""
    rows = [
        (source.name, source.state_word, source.asked_text, source.cost_text, source.right_text, source.changed_text)
        for source in sources
    ]
    print_table(("look-up", "state", "asked", "cost", "right", "calls"), rows, keep=(1, 2, 3, 4, 5))
    for source in sources:
        for remark in source.remarks:
            say(f"{source.name}: {remark}")


NameArgument = Annotated[
    str, typer.Argument(help="Name of a look-up service, as in [[lookup]] of the settings.", show_default=False)
]


def serve(
    config: ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Query services about unknown callers for the daemon, until stopped. On SIGHUP, reload the settings."""
    loaded = served_settings(config)
    if not loaded.settings.lookup:
        raise CommandError(f"{loaded.settings_file}: no [[lookup]] is set: add a service to query")
    try:
        process.run(partial(served_settings, config), log_json=log_json)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        words = "another process already makes look-ups: stop it first (systemctl stop callsieve-lookups)"
        raise CommandError(words) from None


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show each look-up source: its accuracy, its cost, and how many calls its answers would change."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        sources = lookups_shown(db, loaded.settings, now)
    if as_json:
        print_json(sources)
        return
    if not sources and loaded.settings.lookup:
        say("The daemon has not loaded [[lookup]] of the settings yet. To load it now:")
        say_command("systemctl reload callsieve")
        return
    if not sources:
        say("No service is queried. See callsieve help look-ups.")
        return
    print_lookups(sources)


def enable(name: NameArgument, config: ConfigOption = None) -> None:
    """Switch a source on. The source's accuracy is measured from now on."""
    change_id = perform(settings_of(config), operations.enable, SwitchRequest(name), existing=True)
    say(f"The service {name} is queried again, and its answers count from the next call on.")
    say_undo(change_id, config)


def disable(name: NameArgument, config: ConfigOption = None) -> None:
    """Switch a source off. The source's answers do not count from the next call on."""
    change_id = perform(settings_of(config), operations.disable, SwitchRequest(name), existing=True)
    say(f"The service {name} is not queried any more, and its answers do not count.")
    say_undo(change_id, config)
