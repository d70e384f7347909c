"""The commands `callsieve report`: report marks to PhoneBlock, and print complaints to copy."""

import asyncio
import time
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.output import clean, plural, print_table, say
from callsieve.reporting.authorities import AUTHORITIES, complaint_of, complaint_shown, complaint_text
from callsieve.reporting.operations import PHONEBLOCK, begin, due_reports, reported, reporting_to
from callsieve.text.times import when
from callsieve.web.i18n import translated, translations_of
from reputation.store.reports import record_reporting_run, service_state
from reputation.wording import Wording

OFF = "Reporting is off: set [reporting.phoneblock] enabled = true to report marks."


class AuthorityName(StrEnum):
    """The authority to which a complaint is addressed."""

    CHINA = "12321"
    FTC = "ftc"
    OFCOM = "ofcom"


class Language(StrEnum):
    """The language of a complaint."""

    ENGLISH = "en"
    CHINESE = "zh"


def send(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Report new marks to PhoneBlock, and withdraw reports that are no longer justified. A timer runs this."""
    from callsieve.reporting.sending import Sent, send_due  # brings the HTTP client: 100 ms

    loaded = options.settings_of(config)
    with options.any_store(loaded) as db:
        is_on = begin(db, loaded, time.time())
        due = due_reports(db, loaded, time.time())
        sent = asyncio.run(send_due(db, loaded, due)) if due else Sent()
        if is_on:
            record_reporting_run(db, PHONEBLOCK, time.time(), sent.failure)
    if as_json:
        options.print_json(sent)
    elif not is_on:
        say(OFF)
    else:
        say(f"{plural(sent.reported, 'number')} reported, {sent.withdrawn} withdrawn, {sent.refused} refused.")
    if sent.failure is not None:
        raise CommandError(f"{sent.failure}. {plural(sent.left, 'number')} left to report; the next run tries again")


def show_reports(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the numbers reported to PhoneBlock, and the reports that are sent next."""
    loaded = options.settings_of(config)
    is_on = reporting_to(loaded).enabled
    with options.existing_store(loaded) as db:
        has, due, state = reported(db), due_reports(db, loaded, time.time()), service_state(db, PHONEBLOCK)
    if as_json:
        options.print_json({"enabled": is_on, "state": state, "reported": has, "due": due})
        return
    if not is_on:
        say(OFF)
    rows = [(report.number, "refused" if report.refused else report.rating, when(report.at)) for report in has]
    if rows:
        print_table(("number", "reported as", "since"), rows, keep=(0, 2))
    elif is_on:
        say("Nothing was reported.")
    for report in due:
        rating = f" as {report.rating}" if report.rating else ""
        say(f"{report.number}: at the next run: {report.step}{rating}")
    if is_on and state is None:
        warn("marks are not reported, because the timer is not running: systemctl enable --now callsieve-reports.timer")
    elif is_on and state and state.failure:
        warn(f"{when(state.failed_at or 0)}: {state.failure}")


def show(
    number: options.NumberArgument,
    to: Annotated[AuthorityName, typer.Option(help="The authority that the complaint is for.", show_default=False)],
    language: Annotated[
        Language | None,
        typer.Option(help="Language of the complaint. Default: the authority's language.", show_default=False),
    ] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Print a complaint about a number, to copy into an authority's form. Nothing is sent."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        complaint = complaint_of(db, options.number_argument(number, loaded), AUTHORITIES[to.value])
    catalogue = translations_of(language or complaint.authority.language)
    translate = partial(translated, catalogue=catalogue)

    def translated_text(text: str | Wording) -> str:
        return text.in_language(translate) if isinstance(text, Wording) else text

    if as_json:
        options.print_json(complaint_shown(complaint, translated_text))
    else:
        for line in complaint_text(complaint, translated_text).splitlines():
            say(clean(line))
