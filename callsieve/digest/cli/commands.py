"""`callsieve digest`: a summary of the calls of a day, with tasks that wait for people."""

import sys
import time
from datetime import date
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, context_of, existing_store, print_json, settings_of
from callsieve.cli.output import bold, say, say_command
from callsieve.digest.operations import DayRequest, day, day_before, day_of
from callsieve.digest.text import DigestText, console_address, digest_text, html_page

DayArgument = Annotated[
    str, typer.Argument(metavar="[DAY]", help="2026-12-31, yesterday or today.", show_default="yesterday")
]


def digest(
    which: DayArgument = "yesterday",
    as_html: Annotated[bool, typer.Option("--html", help="Print the HTML page of the mail.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the calls of a day, probable mistakes with ways to correct them, and tasks that wait for people."""
    loaded = settings_of(config)
    wanted = _day_named(which)
    with existing_store(loaded) as db:
        shown = day(db, context_of(loaded), DayRequest(wanted))
    if as_json:
        print_json(shown)
        return
    text = digest_text(shown, console=console_address(loaded.settings.web))
    if as_html:
        sys.stdout.write(html_page(text))
    else:
        _show(text)


def _day_named(text: str) -> date:
    now = time.time()
    named = {"yesterday": day_before, "today": day_of}.get(text.strip().lower())
    if named is not None:
        return named(now)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"invalid day {text!r}: write it as 2026-12-31, yesterday or today") from None


def _show(text: DigestText) -> None:
    say(bold(text.title))
    say(text.lead)
    for section in text.sections:
        say()
        say(bold(section.title))
        for line in section.lines:
            say(line.text)
            for command in line.commands:
                say_command(command)
