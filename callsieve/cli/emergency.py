"""`callsieve emergency`: the window in which nothing is screened, because somebody here called for help."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from callsieve.cli.common import ConfigOption, JsonOption, any_store, existing_store, print_json, settings_of
from callsieve.cli.storing import changing

if TYPE_CHECKING:
    from callsieve.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add `emergency open` and `emergency status`."""
    group = typer.Typer(help="The window after an emergency call, in which nothing is screened.", no_args_is_help=True)
    group.command("open")(open_window)
    group.command("status")(status)
    app.add_typer(group, name="emergency")


def open_window(config: ConfigOption = None) -> None:
    """Open the window now, as an emergency call from here does: every call goes on until it ends."""
    from callsieve.cli.show import say
    from callsieve.times import when
    from reputation.store.emergencies import record_emergency

    loaded = settings_of(config)
    minutes = loaded.settings.emergency.window_minutes
    now = time.time()
    with any_store(loaded) as db, changing(db, "emergency open"):
        record_emergency(db, now)
    if minutes:
        say(f"Open until {when(now + 60 * minutes)}: no call is screened.")
    else:
        say("Recorded; but [emergency] window_minutes is 0, so nothing is open.")


def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show whether the window is open, by our store and, where Asterisk answers, by its own database."""
    from callsieve.cli.show import say
    from callsieve.times import ago, when
    from reputation.store.emergencies import latest_emergency

    loaded = settings_of(config)
    now = time.time()
    with existing_store(loaded) as db:
        latest = max(filter(None, (latest_emergency(db), _known_to_asterisk(loaded.settings))), default=None)
    window = 60.0 * loaded.settings.emergency.window_minutes
    until = None if latest is None else latest + window
    is_open = latest is not None and abs(now - latest) < window
    if as_json:
        print_json({"open": is_open, "until": until if is_open else None, "latest_at": latest})
    elif latest is None or until is None:
        say("Closed. No emergency call is recorded.")
    else:
        last = f"the latest emergency call was {ago(latest, now)}"
        say(f"Open until {when(until)}: no call is screened; {last}." if is_open else f"Closed; {last}.")


def _known_to_asterisk(settings: Settings) -> float | None:
    """The last emergency call that the dialplan wrote down, of which we were perhaps not told."""
    from agi.parsing import instant_of
    from callsieve.console import EMERGENCY_KEY, ConsoleError, database_get

    with suppress(ConsoleError):
        return instant_of(database_get(settings, EMERGENCY_KEY) or "")
    return None
