"""The commands `callsieve people`: create links to people's own pages, sign out devices, and change phone settings."""

import sys
import time
from typing import Annotated

import typer

from callsieve.cli import options
from callsieve.cli.output import plural, print_table, say
from callsieve.person_page.operations import (
    PersonRequest,
    PhoneSettingsRequest,
    SignOutRequest,
    choose_settings,
    find_settings,
    known_person,
    make_link,
)
from callsieve.person_page.operations import sign_out as sign_out_devices
from callsieve.text.qr_code import qr_lines
from callsieve.text.times import day, when
from reputation.store.devices import devices_of, links_of

ExtensionArgument = Annotated[
    str, typer.Argument(metavar="EXTENSION", help="The extension of the person.", show_default=False)
]


def link(
    extension: ExtensionArgument, as_json: options.JsonOption = False, config: options.ConfigOption = None
) -> None:
    """Create a link to a person's own page. The link works once, within 24 hours."""
    loaded = options.settings_of(config)
    made = options.perform(loaded, make_link, extension)
    if as_json:
        options.print_json(made)
        return
    say(f"Link to the personal page of {made.person}. The link works once, until {when(made.expires_at)}:")
    print(made.url)
    if sys.stdout.isatty():
        print(qr_lines(made.url))
    web = loaded.settings.web
    if not web.behind_proxy:
        say("Only a browser on this server can open the page. For phones, put an HTTPS proxy before the console:")
        say("The section `Behind a proxy` of `callsieve help console` says how.")
    elif not web.enabled:
        say("The console is off: set `enabled = true` in [web] of the settings.")


def devices(
    extension: ExtensionArgument, as_json: options.JsonOption = False, config: options.ConfigOption = None
) -> None:
    """Show the devices on which a person is signed in to their own page."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        person, now = known_person(db, loaded.settings, extension), time.time()
        signed_in, links = devices_of(db, person.extension, now), links_of(db, person.extension, now)
    if as_json:
        options.print_json(signed_in)
    elif signed_in:
        rows = [
            (str(device.id), when(device.seen_at), day(device.expires_at), device.address, device.agent)
            for device in signed_in
        ]
        print_table(("id", "used", "until", "signed in from", "browser"), rows)
    else:
        say(f"{extension} is not signed in on any device. To make a link: callsieve people link {extension}")
    if links and not as_json:
        say(f"{plural(len(links), 'link')} not used yet: `callsieve people sign-out {extension}` ends them.")


def settings(
    extension: ExtensionArgument,
    warnings: Annotated[
        bool | None,
        typer.Option("--warnings/--no-warnings", help="Whether a voice warns the person before a suspicious call."),
    ] = None,
    quiet: Annotated[
        bool | None,
        typer.Option(
            "--quiet/--no-quiet", help="Whether quiet hours are on: during them, strangers do not ring the person."
        ),
    ] = None,
    expects: Annotated[
        bool | None,
        typer.Option("--expects/--no-expects", help="Whether every call rings the person, for two hours from now."),
    ] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Show a person's phone settings, or change them as the feature codes do."""
    loaded = options.settings_of(config)
    if warnings is quiet is expects is None:
        chosen = options.perform(loaded, find_settings, PersonRequest(extension), existing=True)
    else:
        request = PhoneSettingsRequest(extension, quiet=quiet, whispers=warnings, expects=expects)
        chosen = options.perform(loaded, choose_settings, request)
    if as_json:
        options.print_json(chosen)
        return
    say(f"Warnings before suspicious calls: {'on' if chosen.whispers else 'off'}")
    say(f"Quiet hours: {'on' if chosen.quiet else 'off'}")
    until = chosen.expects_until
    say(f"Every call rings: {f'until {when(until)}' if until else 'no'}")


def sign_out(
    extension: ExtensionArgument,
    device: Annotated[
        int | None,
        typer.Option(
            "--device", metavar="ID", help="Only the device with this id in `people devices`.", show_default=False
        ),
    ] = None,
    config: options.ConfigOption = None,
) -> None:
    """Sign out a person's devices and revoke unused links. The person can sign in again with a new link or passcode."""
    loaded = options.settings_of(config)
    done = options.perform(loaded, sign_out_devices, SignOutRequest(extension, device), existing=True)
    ended = f", and ended {plural(done.links, 'link')}" if done.links else ""
    say(f"Signed out {plural(len(done.devices), 'device')} of {extension}{ended}.")
