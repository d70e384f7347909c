"""`callsieve emergency`: the window in which nothing is screened, because somebody here called for help."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    existing_store,
    print_json,
    settings_even_broken,
)
from callsieve.cli.store import changing
from callsieve.doctor.cli.commands import renew_stored

if TYPE_CHECKING:
    from callsieve.settings import Loaded, Settings


def add_to(app: typer.Typer) -> None:
    """Add `emergency open`, `emergency close` and `emergency status`."""
    group = typer.Typer(help="The window after an emergency call, in which nothing is screened.", no_args_is_help=True)
    group.command("open")(open_window)
    group.command("close")(close)
    group.command("status")(status)
    app.add_typer(group, name="emergency")


def open_window(config: ConfigOption = None) -> None:
    """Open the window now, as an emergency call from here does: every call goes on until it ends."""
    from callsieve.cli.output import say
    from callsieve.text.times import when
    from reputation.store.emergencies import record_emergency

    loaded, is_broken = settings_even_broken(config)
    minutes = loaded.settings.emergency.window_minutes
    now = time.time()
    with _store(loaded, is_broken) as db, changing(db, "emergency open", at=now) as change:
        change.after = {"opened_at": now}
        record_emergency(db, now, who="")
    renew_stored(loaded, "emergency window")
    if minutes:
        say(f"Open until {when(now + 60 * minutes)}: no call is screened. To end that: callsieve emergency close")
    else:
        say("Recorded; but [emergency] window_minutes is 0, so nothing is open.")


def close(config: ConfigOption = None) -> None:
    """Close the window: calls are screened again, until the next emergency call from here."""
    from callsieve.cli.output import say
    from callsieve.emergency import close_now, window_of

    loaded, is_broken = settings_even_broken(config)
    now = time.time()
    asterisk_at = _known_to_asterisk(loaded.settings)
    with _store(loaded, is_broken) as db:
        window = window_of(db, loaded.settings, now, asterisk_at)
        with changing(db, "emergency close", at=now) as change:
            close_now(db, change, window)
    if asterisk_at is not None:
        _forget_if_later(loaded.settings, asterisk_at, now)
    renew_stored(loaded, "emergency window")
    say("Closed: calls are screened again." if window.is_open else "Closed; it was not open.")


def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show whether the window is open, by our store and, where Asterisk answers, by its own database."""
    from callsieve.cli.output import say
    from callsieve.emergency import window_of
    from callsieve.text.times import when

    loaded, _ = settings_even_broken(config)
    now = time.time()
    with existing_store(loaded) as db:
        window = window_of(db, loaded.settings, now, _known_to_asterisk(loaded.settings))
    if as_json:
        until = window.until if window.is_open else None
        about = {"latest_at": window.since, "closed_at": window.closed_at, "opened_by": window.opened_by}
        print_json({"open": window.is_open, "until": until, **about})
    elif window.is_open:
        say(f"Open, no call is screened: {window.said}. To end that: callsieve emergency close")
    elif window.since is not None:
        say(f"Closed; it was opened at {when(window.since)}.")
    elif window.closed_at is not None:
        say(f"Closed at {when(window.closed_at)}; nothing has opened it since.")
    else:
        say("Closed. No emergency call is recorded.")


def _store(loaded: Loaded, is_broken: bool) -> AbstractContextManager[sqlite3.Connection]:
    """The store; with broken settings none is made, since the daemon's may be elsewhere."""
    return existing_store(loaded) if is_broken else any_store(loaded)


def _forget_if_later(settings: Settings, asterisk_at: float, closed_at: float) -> None:
    """A call of the very second, or of a clock that was ahead, would open the window again: Asterisk forgets it."""
    from callsieve.pbx.cli_client import EMERGENCY_KEY, ConsoleError, database_del
    from reputation.emergency_window import counts_after_closing

    if not counts_after_closing(asterisk_at, closed_at):
        return
    try:
        database_del(settings, EMERGENCY_KEY)
    except ConsoleError as error:
        raise CommandError(str(error)) from None


def _known_to_asterisk(settings: Settings) -> float | None:
    """The last emergency call that the dialplan wrote down, of which we were perhaps not told."""
    from agi.parsing import instant_of
    from callsieve.pbx.cli_client import EMERGENCY_KEY, ConsoleError, database_get

    with suppress(ConsoleError):
        return instant_of(database_get(settings, EMERGENCY_KEY) or "")
    return None
