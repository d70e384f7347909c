"""`callsieve emergency`: the emergency window, in which no call is screened. An emergency call from here opens it."""

import time
from contextlib import suppress

from agi.parsing import instant_of
from callsieve import emergency_window
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, perform, print_json, settings_even_broken
from callsieve.cli.output import say
from callsieve.doctor.cli.commands import renew_stored
from callsieve.maintenance.operations import EMERGENCY_WINDOW
from callsieve.pbx.cli_client import EMERGENCY_KEY, ConsoleError, database_del, database_get
from callsieve.settings import Settings
from callsieve.text.times import when
from reputation.facts import opens_after_closing


def open_window(config: ConfigOption = None) -> None:
    """Open the emergency window now, as an emergency call does. No call is screened until the window ends."""
    loaded, is_broken = settings_even_broken(config)
    window = perform(loaded, emergency_window.open_window, None, existing=is_broken)
    renew_stored(loaded, EMERGENCY_WINDOW)
    if window.is_open and window.until is not None:
        say(
            f"The emergency window is open until {when(window.until)}: no call is screened. To close it: "
            "callsieve emergency close"
        )
    else:
        say("The emergency call is recorded. But `window_minutes` in [emergency] is 0, so calls are still screened.")


def close(config: ConfigOption = None) -> None:
    """Close the emergency window. Calls are screened again, until the next emergency call from here."""
    loaded, is_broken = settings_even_broken(config)
    asterisk_at = _known_to_asterisk(loaded.settings)
    window = perform(loaded, emergency_window.close_window, asterisk_at, existing=is_broken)
    if asterisk_at is not None:
        _forget_if_later(loaded.settings, asterisk_at, window.now)
    renew_stored(loaded, EMERGENCY_WINDOW)
    say(
        "The emergency window is closed: calls are screened again."
        if window.is_open
        else "The emergency window was not open."
    )


def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show whether the emergency window is open in the store and, if Asterisk answers, in Asterisk's database."""
    loaded, _ = settings_even_broken(config)
    now = time.time()
    with existing_store(loaded) as db:
        window = emergency_window.window_of(db, loaded.settings, now, _known_to_asterisk(loaded.settings))
    if as_json:
        print_json(window)
    elif window.is_open:
        say(
            f"The emergency window is open, so no call is screened: {window.description}. "
            "To close it: callsieve emergency close"
        )
    elif window.since is not None:
        say(f"The emergency window is closed; it was opened at {when(window.since)}.")
    elif window.closed_at is not None:
        say(f"The emergency window was closed at {when(window.closed_at)} and has not been opened since.")
    else:
        say("The emergency window is closed. No emergency call is recorded.")


def _forget_if_later(settings: Settings, asterisk_at: float, closed_at: float) -> None:
    if not opens_after_closing(asterisk_at, closed_at):
        return
    try:
        database_del(settings, EMERGENCY_KEY)
    except ConsoleError as error:
        raise CommandError(str(error)) from None


def _known_to_asterisk(settings: Settings) -> float | None:
    with suppress(ConsoleError):
        return instant_of(database_get(settings, EMERGENCY_KEY) or "")
    return None
