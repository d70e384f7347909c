"""`callsieve hub`: several PBXs share their evidence through one PostgreSQL database."""

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
from callsieve.hub.operations import SECRET, UPDATE, secret_path
from callsieve.hub.postgresql import (
    ADMINISTRATION_SECONDS,
    FORBIDDEN,
    STATEMENT_SECONDS,
    HubError,
    connection_to,
    place_of,
)
from callsieve.hub.views import HubOverview, HubSite, lag_of, remarks_on, state_of
from callsieve.logs import configure_logs, flush_logs
from callsieve.settings import SERVICE_STATE, Loaded, SettingsUnreadable
from callsieve.system.privileges import acting_for, as_root, served_settings
from callsieve.system.service_process import AlreadyRunning
from callsieve.text.times import ago, when
from reputation.site_names import SITE
from reputation.store.audit import Change
from reputation.store.hub.sites import SiteState, recorded_policy
from reputation.store.other_sites import SiteFigures, figures_of_sites

T = TypeVar("T")
START = "systemctl enable --now callsieve-hub"
NO_STORE = "this PBX has no store yet. The daemon creates it: systemctl enable --now callsieve"
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="ADDRESS",
        help="Address of the database. Default: `address` in [hub], with the user PGUSER. The password is "
        "read from PGPASSWORD.",
    ),
]
OrganisationOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Organisation of the site. Default: `organisation` in [hub].", show_default=False
    ),
]
SiteArgument = Annotated[
    str, typer.Argument(help="Name of the site, as in `site` of [hub] in its settings.", show_default=False)
]


def init(
    database: DatabaseOption = "",
    partitions: Annotated[
        int,
        typer.Option(min=1, max=1024, help="How many partitions the largest table gets. Only the first run uses this."),
    ] = 16,
    config: options.ConfigOption = None,
) -> None:
    """Create the hub's schema and roles in a PostgreSQL database, or upgrade an existing schema."""
    address = database or _address(options.settings_of(config))
    with as_root():
        result = _ask(_with(address, lambda hub: administration.initialise(hub, partitions), ADMINISTRATION_SECONDS))
    if result.is_moved:
        say("The database was restored from a backup: every site exchanges all rows again.")
    if result.migrations:
        say(f"{place_of(address)} is set up as a hub: {plural(len(result.migrations), 'migration')} applied.")
    else:
        say(f"{place_of(address)} is up to date.")
    if not result.is_closed:
        warn(
            "sites can create large objects and take locks in the database: run `callsieve hub init` again "
            "as a superuser to forbid that"
        )
    if result.elsewhere:
        warn(
            f"sites can also log in to the databases {', '.join(result.elsewhere)}: callsieve help many-pbxs "
            "says how to prevent it"
        )


def join(
    database: DatabaseOption = "",
    site: Annotated[str, typer.Option(metavar="SITE", help="Name of the site. Default: this site.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the secret to this file (mode 0600).")] = None,
    central: Annotated[
        bool,
        typer.Option("--central", help="Make the site the central console, which sees the private rows of all sites."),
    ] = False,
    config: options.ConfigOption = None,
) -> None:
    """Create a site's role in the hub's database, and write the role's password to a file."""
    loaded = _administrators_settings(config, is_complete=bool(database and site and out))
    settings = loaded.settings.hub
    name = site or settings.site
    if not SITE.fullmatch(name):
        raise CommandError(
            f"{loaded.settings_file}: `site` in [hub] is not a valid name for this PBX: correct it, or give --site SITE"
        )
    if name != settings.site and out is None:
        raise CommandError(f"{name} is not the site of this PBX: add --out FILE, a file for the secret of {name}")
    if out is None and not options.has_store(loaded):
        # The service's state directory may not exist yet. A secret written elsewhere would not be found by the service.
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
    say(f"{name} of {organisation} can log in to the hub; the secret is in {path}.")
    if out is not None:
        say(f"Copy this file to the PBX {name}, and run there:")
        say_command(f"install -m 600 -o callsieve -g asterisk {shlex.quote(out.name)} {SERVICE_STATE / SECRET}")
    say_command(START)


def run(
    once: Annotated[bool, typer.Option("--once", help="Exchange all rows once, then stop.")] = False,
    config: options.ConfigOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Exchange rows with the hub until stopped. On SIGHUP, reload the settings."""
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
    """Show this site's exchange with the hub: the rows that wait, the last exchange, and which other sites are up."""
    loaded, now = options.settings_of(config), time.time()
    with options.existing_store(loaded) as db:
        link_state = operations.link_shown(db)
        first_policy = recorded_policy(db) if loaded.settings.hub.standby else None
    sites, failure = _sites_or_why_not(loaded)
    policy = operations.policy_in_force(loaded) if first_policy is not None else None
    if as_json:
        shown = HubOverview(link_state, policy, first_policy, not failure, tuple(map(HubSite, sites)))
        options.print_json(shown)
        return
    if link_state.link is None:
        settings = loaded.settings.hub
        if settings.address:
            say(f"This PBX ({settings.site} of {settings.organisation}) has not exchanged anything yet.")
            if not failure:
                say_command(START)
        else:
            say("This PBX shares nothing yet. See callsieve help many-pbxs.")
    else:
        link = link_state.link
        standby = ", its standby" if loaded.settings.hub.standby else ""
        more = ", not counting older rows that are still being prepared" if link_state.is_filling else ""
        print_pairs(
            (
                ("site", f"{link.site} of {link.organisation}{standby}"),
                ("waiting", f"{plural(link_state.waiting, 'row')}{more}"),
                ("pushed", "" if link.pushed_at is None else str(ago(link.pushed_at, now))),
                ("complete", "never" if link.pulled_at is None else str(ago(link.pulled_at, now))),
                *[
                    ("unusable", f"{plural(refused.rows, 'row')} of {refused.site or '?'}: {UPDATE[refused.unfit]}")
                    for refused in link_state.refused
                ],
                ("sites with rows here", ", ".join(link_state.sites)),
                (
                    "policy",
                    f"{policy.name}, the same as at the main PBX"
                    if policy is not None and policy == first_policy
                    else "",
                ),
            )
        )
        if first_policy is not None and policy != first_policy:
            here = "unusable" if policy is None else f"{policy.name} ({policy.digest})"
            say(f"The policy of this PBX is {here}, but that of the main PBX is")
            say(f"{first_policy.name} ({first_policy.digest}). Copy the main PBX's policies and settings here,")
            say("or calls are treated differently after a switch-over.")
        if link.has_twin:
            say(f"Another PBX also takes part as {link.site}: give one of the two another `site` in [hub]")
            say("and run `callsieve hub join` there, or set `standby = true` in [hub] of the standby.")
        if link.full_at:
            say(f"The hub keeps at most {plural(link.full_at, 'row')} of this site; further rows wait here. The hub's")
            say(f"administrator can raise the limit: callsieve hub quota {link.site} ROWS")
    if failure:
        say(f"{failure}. Calls are decided with this site's own data.")
        raise SystemExit(1)
    if not loaded.settings.hub.address:
        return
    _print_sites(sites)
    if not sites:
        raise SystemExit(1)


def show_sites(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show the sites of the hub: whether each is up, how far behind it is, and how many rows it has shared."""
    loaded = options.settings_of(config)
    sites = _ask(_with(_site_address(loaded), client.sites))
    figures: dict[str, SiteFigures] = {}
    if options.has_store(loaded):
        with options.existing_store(loaded) as db:
            figures = {row.site: row for row in figures_of_sites(db)}
    if as_json:
        options.print_json([HubSite(site, figures.get(site.name)) for site in sites])
        return
    _print_sites(sites)
    if figures:
        say("Evidence received from these sites:")
        print_figures(list(figures.values()))


def quota(
    site: SiteArgument,
    rows: Annotated[
        int,
        typer.Argument(min=1, max=10**12, help="How many rows of the site the hub keeps at most.", show_default=False),
    ],
    database: DatabaseOption = "",
    organisation: OrganisationOption = "",
    config: options.ConfigOption = None,
) -> None:
    """Limit how many rows of a site the hub stores. Further rows wait at the site."""
    loaded = _administrators_settings(config, is_complete=bool(database))
    owner = organisation or loaded.settings.hub.organisation
    address = database or _site_address(loaded)
    with as_root() if database else nullcontext():
        kept = _ask(_with(address, lambda hub: administration.set_quota(hub, owner, site, rows)))
    options.note_done(loaded, Change("hub quota", None, site))
    say(f"The hub keeps at most {plural(rows, 'row')} of {site}; {kept:,} are stored now.")


def expel(
    site: SiteArgument,
    database: DatabaseOption = "",
    organisation: OrganisationOption = "",
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Remove a site from the hub, and delete the site's rows everywhere."""
    loaded = _administrators_settings(config, is_complete=bool(database))
    owner = organisation or loaded.settings.hub.organisation
    address = database or _site_address(loaded)
    if not options.confirmed(f"Delete all rows of {site} of {owner} at every site?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    with as_root() if database else nullcontext():
        removed = _ask(_with(address, lambda hub: administration.expel_site(hub, owner, site), ADMINISTRATION_SECONDS))
    options.note_done(loaded, Change("hub expel", None, site))
    say(f"Expelled {site}: {plural(removed, 'row')} deleted from the hub; every site deletes its copies.")
    say("To let the site take part again with new rows: callsieve hub join.")


def leave(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the rows shared so far, here and at other sites, until they expire.")
    ] = False,
    yes: options.YesOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Leave the hub. This site's rows are deleted at other sites, and other sites' rows are deleted here."""
    loaded = options.settings_of(config)
    settings = loaded.settings.hub
    if not settings.site:
        raise CommandError(f"{loaded.settings_file}: `site` in [hub] is not set: this PBX takes no part in a hub")
    if not options.confirmed(f"Disconnect this PBX (site {settings.site}) from the hub?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    try:
        leaving = partial(client.leave, organisation=settings.organisation, site=settings.site, keep=keep)
        _ask(_with(_site_address(loaded), leaving))
    except CommandError as error:
        warn(
            f"the hub does not know yet that this site leaves: {error}. The hub's administrator can run: "
            f"callsieve hub expel {settings.site}"
        )
    if options.has_store(loaded):
        options.perform(loaded, operations.forget_hub, keep, existing=True)
    secret_path(loaded).unlink(missing_ok=True)
    say("This PBX shares nothing now. Remove `address` of [hub] from the settings, and run:")
    say_command("systemctl disable --now callsieve-hub")


def _print_sites(sites: list[SiteState]) -> None:
    if not sites:
        say("This site takes no part in the hub, or was expelled. To join (again): callsieve hub join.")
        return
    rows = [
        (
            site.name,
            state_of(site),
            "" if (lag := lag_of(site)) is None else f"{lag:,.0f} s",
            f"{site.outbox:,}",
            f"{site.rows_pushed:,}",
            "" if site.seen_at is None else str(ago(site.seen_at, site.now)),
        )
        for site in sites
    ]
    below = [
        "; ".join(
            filter(
                None,
                (
                    "central" if site.is_central else "",
                    f"expelled {when(site.expelled_at)}" if site.expelled_at is not None else "",
                    *remarks_on(site),
                ),
            )
        )
        for site in sites
    ]
    headings = ("site", "state", "behind", "waiting", "sent", "seen")
    print_table(headings, rows, keep=(0, 1, 2, 3, 4), right=(2, 3, 4), below=below)


def _sites_or_why_not(loaded: Loaded) -> tuple[list[SiteState], str]:
    if not loaded.settings.hub.address:
        return [], ""
    try:
        return _ask(_with(_site_address(loaded), client.sites)), ""
    except CommandError as error:
        return [], str(error)


def _administrators_settings(config: Path | None, *, is_complete: bool) -> Loaded:
    """Return the settings. If `is_complete` (the options replace all settings), an unreadable file is ignored."""
    loaded, error = options.salvaged_settings_of(config)
    if error is not None and not (is_complete and isinstance(error, SettingsUnreadable)):
        raise error
    return loaded


def _address(loaded: Loaded) -> str:
    if not loaded.settings.hub.address:
        raise CommandError(f"{loaded.settings_file}: `address` is missing in [hub] (callsieve help many-pbxs)")
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
    try:
        return asyncio.run(work)
    except HubError as error:
        remedy = " (run this as the database's administrator, with --database)" if error.code == FORBIDDEN else ""
        raise CommandError(f"the hub: {error if remedy else process.words_of(error)}{remedy}") from None
