"""`callsieve off` and `callsieve on`: the two-in-the-morning switch. It is in Asterisk's own database, which the
dialplan reads before it asks us, so it works when the daemon is dead.
"""

from __future__ import annotations

import re
import time
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, settings_even_broken
from callsieve.cli.store import note_done
from callsieve.doctor.cli.commands import renew_stored
from callsieve.pbx.cli_client import FOR_EVER, OFF_KEY, ConsoleError, database_del, database_put, off_until, until_words

SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
LONGEST_SECONDS = 366 * 86400

ForOption = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="For how long: 90s, 30m, 2h, 1d. Else until `callsieve on`."),
]


def add_to(app: typer.Typer) -> None:
    """Add `off` and `on`."""
    app.command("off")(off)
    app.command("on")(on)


def off(duration: ForOption = None, config: ConfigOption = None) -> None:
    """Switch screening off: calls go on as if CallSieve were not there. Works when the daemon is dead."""
    now = time.time()
    until = FOR_EVER if duration is None else int(now) + parse_duration(duration)
    loaded, _ = settings_even_broken(config)
    try:
        database_put(loaded.settings, OFF_KEY, str(until))
    except ConsoleError as error:
        raise CommandError(str(error)) from None
    print(f"Screening is off {until_words(until, now)}. Every call goes on.\nTo end that: callsieve on")
    renew_stored(loaded, "off switch")
    note_done(loaded, "off", name=f"for {duration}" if duration else "")


def on(config: ConfigOption = None) -> None:
    """Switch screening on again."""
    loaded, _ = settings_even_broken(config)
    try:
        until = off_until(loaded.settings)
        database_del(loaded.settings, OFF_KEY)
    except ConsoleError as error:
        raise CommandError(str(error)) from None
    was_off = until is not None and until > time.time()
    print("Screening is on again." if was_off else "Screening is on; it was not off.")
    renew_stored(loaded, "off switch")
    if until is not None:  # else nothing has changed
        note_done(loaded, "on")


def parse_duration(text: str) -> int:
    """`90s`, `30m`, `2h` or `1d` in seconds. CommandError for anything else."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = int(match[1]) * SECONDS_BY_UNIT[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise CommandError(f"--for {text!r}: write it as 90s, 30m, 2h or 1d, a year at most")
    return seconds
