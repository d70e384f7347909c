"""`callsieve hub`: several PBXs that share what they know through one PostgreSQL."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Coroutine
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.output import plural, print_pairs, print_table, say, say_command
from callsieve.hub import administration, client, operations, process
from callsieve.hub.administration import address_of_site, write_secret
from callsieve.hub.cli.evidence import print_figures
from callsieve.hub.operations import SECRET, secret_path
from callsieve.hub.postgresql import (
    ADMINISTRATION_SECONDS,
    FORBIDDEN,
    STATEMENT_SECONDS,
    HubError,
    connection_to,
    place_of,
)
from callsieve.hub.views import lag_of, link_as_json, remarks_on, site_as_json, state_of
from callsieve.logs import configure_logs, flush_logs
from callsieve.settings import SERVICE_STATE, Loaded, SettingsUnreadable
from callsieve.system.privileges import acting_for, as_root, served_settings
from callsieve.system.service_process import AlreadyRunning
from callsieve.text.times import ago, when
from reputation.site_names import SITE
from reputation.store.audit import Change
from reputation.store.hub.sites import SiteState, told_policy
from reputation.store.other_sites import SiteFigures, figures_of_sites

T = TypeVar("T")
START = "systemctl enable --now callsieve-hub"
NO_STORE = "this PBX has no store yet; the daemon makes it: systemctl enable --now callsieve"
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="ADDRESS",
        help="The database, as its administrator, password in PGPASSWORD; else [hub] address, as PGUSER.",
    ),
]
OrganisationOption = Annotated[
    str, typer.Option(metavar="NAME", help="Whose site it is; else [hub] organisation.", show_default=False)
]
SiteArgument = Annotated[str, typer.Argument(help="The site, as [hub] site of its settings.", show_default=False)]


def init(
    database: DatabaseOption = "",
    partitions: Annotated[int, typer.Option(min=1, max=1024, help="Of the large table, at the first time.")] = 16,
    config: options.ConfigOption = None,
) -> None:
    """Make the hub's schema and roles in a PostgreSQL, or bring them up to date."""
    address = database or _address(options.settings_of(config))
    with as_root():
        done = _ask(_with(address, lambda hub: administration.initialise(hub, partitions), ADMINISTRATION_SECONDS))
    if done.is_moved:
        say("The database comes from a backup: every site exchanges everything anew.")
    if done.migrations:
        say(f"{place_of(address)} is a hub: {plural(len(done.migrations), 'migration')} applied.")
    else:
        say(f"{place_of(address)} is up to date.")
    if not done.is_closed:
        warn(
            "sites may make large objects and take locks here: only a superuser can forbid that (hub init again as one)"
        )
    if done.elsewhere:
        warn(f"sites may log in to {', '.join(done.elsewhere)}, too (the documentation, Many PBXs, prevents that)")


def join(
    database: DatabaseOption = "",
    site: Annotated[str, typer.Option(metavar="SITE", help="Another site than this one.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the secret there (0600).")] = None,
    central: Annotated[bool, typer.Option("--central", help="It sees what is private of all sites.")] = False,
    config: options.ConfigOption = None,
) -> None:
    """Give a site its role in the hub, and write the secret that it logs in with."""
    loaded = _administrators_settings(config, said=bool(database and site and out))
    settings = loaded.settings.hub
    name = site or settings.site
    if not SITE.fullmatch(name):
        raise CommandError(f"{loaded.settings_file}: [hub] site names this PBX among the others; or say --site SITE")
    if name != settings.site and out is None:
        raise CommandError(f"--out: {name} is another site: say where its secret is to be written")
    if out is None and not options.has_store(loaded):
        # The service's state directory may not be there yet: the secret would go where no service looks for it.
        raise CommandError(f"{loaded.store_path}: {NO_STORE}")
    address = database or _address(loaded)
    organisation = settings.organisation
    with as_root():
        login = _ask(_with(address, lambda hub: administration.add_site(hub, organisation, name, is_central=central)))
    path = out or secret_path(loaded)
    with acting_for(path):
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        write_secret(path, login)
    options.note_done(loaded, Change("hub join", None, name))
    say(f"{name} of {organisation} may log in to the hub; its secret is in {path}.")
    if out is not None:
        say(f"Take it to {name}, and there:")
        say_command(f"install -m 600 -o callsieve -g asterisk {shlex.quote(out.name)} {SERVICE_STATE / SECRET}")
    say_command(START)


def run(
    once: Annotated[bool, typer.Option("--once", help="Exchange what there is, and end.")] = False,
    config: options.ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Share what this PBX knows with the others. Runs until it is stopped; SIGHUP reads the settings again."""
    loaded = served_settings(config)
    _address(loaded)
    configure_logs(as_json=log_json)
    try:
        if once:
            process.run_once(loaded)
        else:
            process.run(partial(served_settings, config))
    except AlreadyRunning as error:
        raise CommandError(error.strerror or str(error)) from None
    except HubError as error:
        raise CommandError(f"the hub: {process.words_of(error)}") from None
    finally:
        flush_logs()


def status(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show how this site takes part in the hub: what waits, what came last, who is up."""
    loaded, now = options.settings_of(config), time.time()
    with options.existing_store(loaded) as db:
        shown = operations.link_shown(db)
        of_first = told_policy(db) if loaded.settings.hub.standby else None
    found, failure = _sites_or_why_not(loaded)
    ours = operations.policy_in_force(loaded) if of_first is not None else None
    if as_json:
        policies = {"policy": ours and ours._asdict(), "policy_of_first": of_first and of_first._asdict()}
        of_hub = {"reachable": not failure, "hub_sites": [site_as_json(one) for one in found]}
        options.print_json(link_as_json(shown) | policies | of_hub)
        return
    if shown.link is None:
        settings = loaded.settings.hub
        if settings.address:
            say(f"As {settings.site} of {settings.organisation} this PBX has exchanged nothing yet.")
            if not failure:
                say_command(START)
        else:
            say("This PBX shares nothing yet: the documentation says how, under Many PBXs.")
    else:
        link = shown.link
        standby = ", its standby" if loaded.settings.hub.standby else ""
        more = ", and more that were here before" if shown.is_filling else ""
        print_pairs(
            (
                ("site", f"{link.site} of {link.organisation}{standby}"),
                ("waiting", f"{plural(shown.waiting, 'row')}{more}"),
                ("pushed", "" if link.pushed_at is None else str(ago(link.pushed_at, now))),
                ("complete", "never" if link.pulled_at is None else str(ago(link.pulled_at, now))),
                ("not usable", plural(link.refused, "row") if link.refused else ""),
                ("rows of", ", ".join(shown.sites)),
                ("policy", f"{ours.name}, as at the first" if ours is not None and ours == of_first else ""),
            )
        )
        if of_first is not None and ours != of_first:
            here = "none that can be used" if ours is None else f"{ours.name} ({ours.digest})"
            say(f"The policy in force here is {here}, and at the first {of_first.name} ({of_first.digest}): copy its")
            say("policies and settings, or calls are decided otherwise after a switch-over.")
        if link.has_twin:
            say(f"Another PBX takes part as {link.site}, too: give one of both another [hub] site")
            say("and callsieve hub join, or standby = true if it is the standby.")
        if link.full_at:
            say(f"The hub keeps {plural(link.full_at, 'row')} of this site and no more; the others wait here. Its")
            say(f"administrator may let it keep more: callsieve hub quota {link.site} ROWS")
    if failure:
        say(f"{failure}. Calls are decided as ever, from what is here.")
        raise SystemExit(1)
    if not loaded.settings.hub.address:
        return
    _print_sites(found)
    if not found:
        raise SystemExit(1)


def show_sites(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the sites of the hub: who is up, how far behind, and what each has told."""
    loaded = options.settings_of(config)
    found = _ask(_with(_site_address(loaded), client.sites))
    figures: dict[str, SiteFigures] = {}
    if options.has_store(loaded):
        with options.existing_store(loaded) as db:
            figures = {one.site: one for one in figures_of_sites(db)}
    if as_json:
        options.print_json([site_as_json(one, figures.get(one.name)) for one in found])
        return
    _print_sites(found)
    if figures:
        say("What came from them:")
        print_figures(list(figures.values()))


def quota(
    site: SiteArgument,
    rows: Annotated[int, typer.Argument(min=1, max=10**12, help="So many, and no more.", show_default=False)],
    database: DatabaseOption = "",
    organisation: OrganisationOption = "",
    config: options.ConfigOption = None,
) -> None:
    """Set how many rows of a site the hub keeps; what else it has to tell waits there."""
    loaded = _administrators_settings(config, said=bool(database))
    whose = organisation or loaded.settings.hub.organisation
    address = database or _site_address(loaded)
    with as_root() if database else nullcontext():
        kept = _ask(_with(address, lambda hub: administration.set_quota(hub, whose, site, rows)))
    options.note_done(loaded, Change("hub quota", None, site))
    say(f"The hub keeps {plural(rows, 'row')} of {site} and no more; it has {kept:,} now.")


def expel(
    site: SiteArgument,
    database: DatabaseOption = "",
    organisation: OrganisationOption = "",
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Take all out that came from a site, everywhere, and let it tell nothing more."""
    loaded = _administrators_settings(config, said=bool(database))
    whose = organisation or loaded.settings.hub.organisation
    address = database or _site_address(loaded)
    if not options.confirmed(f"Take all out that {site} of {whose} has told, at every site?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    with as_root() if database else nullcontext():
        gone = _ask(_with(address, lambda hub: administration.expel_site(hub, whose, site), ADMINISTRATION_SECONDS))
    options.note_done(loaded, Change("hub expel", None, site))
    say(f"{site} is expelled: {plural(gone, 'row')} gone from the hub; every site takes out what it has of them.")
    say("callsieve hub join lets it take part again, from then on with what it tells anew.")


def leave(
    keep: Annotated[
        bool, typer.Option("--keep", help="What was told stays, here and there, until it is too old.")
    ] = False,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Take part no more: what this site has told goes everywhere, and what others told goes here."""
    loaded = options.settings_of(config)
    settings = loaded.settings.hub
    if not settings.site:
        raise CommandError(f"{loaded.settings_file}: [hub] names no site: this PBX has no part in a hub")
    if not options.confirmed(f"Leave the hub as {settings.site}?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    try:
        leaving = partial(client.leave, organisation=settings.organisation, site=settings.site, keep=keep)
        _ask(_with(_site_address(loaded), leaving))
    except CommandError as error:
        warn(f"the hub does not know yet: {error}. Its administrator may say: callsieve hub expel {settings.site}")
    if options.has_store(loaded):
        options.perform(loaded, operations.forget_hub, keep, existing=True)
    secret_path(loaded).unlink(missing_ok=True)
    say("This PBX shares nothing any more. Take [hub] address out of the settings, and:")
    say_command("systemctl disable --now callsieve-hub")


def _print_sites(found: list[SiteState]) -> None:
    if not found:
        say("This site has no part in the hub, or was expelled: callsieve hub join lets it take part again.")
        return
    rows = [
        (
            one.name,
            state_of(one),
            "" if (lag := lag_of(one)) is None else f"{lag:,.0f} s",
            f"{one.outbox:,}",
            f"{one.rows_pushed:,}",
            "" if one.seen_at is None else str(ago(one.seen_at, one.now)),
        )
        for one in found
    ]
    below = [
        "; ".join(
            filter(
                None,
                (
                    "central" if one.is_central else "",
                    f"expelled {when(one.expelled_at)}" if one.expelled_at is not None else "",
                    *remarks_on(one),
                ),
            )
        )
        for one in found
    ]
    headings = ("site", "state", "behind", "waiting", "told", "seen")
    print_table(headings, rows, keep=(0, 1, 2, 3, 4), right=(2, 3, 4), below=below)


def _sites_or_why_not(loaded: Loaded) -> tuple[list[SiteState], str]:
    if not loaded.settings.hub.address:
        return [], ""
    try:
        return _ask(_with(_site_address(loaded), client.sites)), ""
    except CommandError as error:
        return [], str(error)


def _administrators_settings(config: Path | None, *, said: bool) -> Loaded:
    """The settings. The database's administrator may not read those of a PBX on that machine, and needs none where
    the options have `said` all. SettingsError."""
    loaded, error = options.salvaged_settings_of(config)
    if error is not None and not (said and isinstance(error, SettingsUnreadable)):
        raise error
    return loaded


def _address(loaded: Loaded) -> str:
    """The hub's, as the settings have it."""
    if not loaded.settings.hub.address:
        raise CommandError(f"{loaded.settings_file}: [hub] has no address (the documentation, under Many PBXs)")
    return loaded.settings.hub.address


def _site_address(loaded: Loaded) -> str:
    try:
        return address_of_site(loaded)
    except HubError as error:
        raise CommandError(str(error)) from None


async def _with(address: str, work: Any, seconds: float = STATEMENT_SECONDS) -> Any:
    async with connection_to(address, seconds) as hub:
        return await work(hub)


def _ask(work: Coroutine[Any, Any, T]) -> T:
    """What the hub says. CommandError."""
    try:
        return asyncio.run(work)
    except HubError as error:
        remedy = " (as the database's administrator: --database)" if error.code == FORBIDDEN else ""
        raise CommandError(f"the hub: {error if remedy else process.words_of(error)}{remedy}") from None
