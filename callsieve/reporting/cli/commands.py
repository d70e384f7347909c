"""`callsieve report`: marks to PhoneBlock, where that is wanted, and complaints to copy."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.output import clean, plural, print_table, say
from callsieve.reporting.authorities import AUTHORITIES, READ, PreparedComplaint, Say, complaint_of, complaint_text
from callsieve.reporting.operations import PHONEBLOCK, begin, due_reports, reported, reporting_to
from callsieve.text.times import when
from callsieve.web.i18n import translated, translations_of
from reputation.encoding import instant_text
from reputation.store.reports import record_reporting_run, service_state
from reputation.wording import Wording

OFF = "reporting is off: [reporting.phoneblock] enabled = true in the settings switches it on"


class AuthorityName(StrEnum):
    """Whom a complaint is for."""

    CHINA = "12321"
    FTC = "ftc"
    OFCOM = "ofcom"


class Language(StrEnum):
    """What it is written in."""

    ENGLISH = "en"
    CHINESE = "zh"


def send(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Report to PhoneBlock what our people marked, and take back what they no longer stand by. Run by a timer."""
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
        say(f"{OFF[:1].upper()}{OFF[1:]}.")
    else:
        say(f"{plural(sent.reported, 'number')} reported, {sent.withdrawn} taken back, {sent.refused} refused.")
    if sent.failure is not None:
        raise CommandError(f"{sent.failure}. It is tried again: {plural(sent.left, 'number')} left")


def show_reports(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show what PhoneBlock has of us, and what it is to be told next."""
    loaded = options.settings_of(config)
    is_on = reporting_to(loaded).enabled
    with options.existing_store(loaded) as db:
        has, due, state = reported(db), due_reports(db, loaded, time.time()), service_state(db, PHONEBLOCK)
    if as_json:
        options.print_json({"enabled": is_on, "state": state, "reported": has, "due": due})
        return
    if not is_on:
        say(f"{OFF[:1].upper()}{OFF[1:]}.")
    rows = [(one.number, "refused" if one.refused else one.rating, when(one.at)) for one in has]
    if rows:
        print_table(("number", "reported as", "since"), rows, keep=(0, 2))
    elif is_on:
        say("Nothing was reported.")
    for one in due:
        say(f"{one.number}: to be told at the next look: {one.step}{f' as {one.rating}' if one.rating else ''}")
    if is_on and state is None:
        warn("nobody reports: systemctl enable --now callsieve-reports.timer")
    elif is_on and state and state.failure:
        warn(f"{when(state.failed_at or 0)}: {state.failure}")


def show(
    number: options.NumberArgument,
    to: Annotated[AuthorityName, typer.Option(help="The authority that it is for.", show_default=False)],
    language: Annotated[
        Language | None, typer.Option(help="What it is written in; else the authority's language.", show_default=False)
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

    def said(text: str | Wording) -> str:
        return text.said(translate) if isinstance(text, Wording) else text

    if as_json:
        options.print_json(_as_json(complaint, said))
    else:
        for line in complaint_text(complaint, said).splitlines():
            say(clean(line))


def _as_json(complaint: PreparedComplaint, said: Say) -> dict[str, object]:
    authority = complaint.authority
    return {
        "number": complaint.number,
        "authority": said(authority.name),
        "site": authority.site,
        "takes": said(authority.takes),
        "fields": [
            {"kind": field.kind, "label": said(field.label), "required": field.required, "value": said(value)}
            for field, value in complaint.filled
        ],
        "calls": [
            {"at": instant_text(one.at), "did": one.did, "disposition": one.disposition} for one in complaint.calls
        ],
        "read": READ,
        "sources": list(authority.sources),
        "not_read": said(authority.not_read),
    }
