"""`callsieve exchange`: what our people have against numbers for other companies, and theirs for us."""

from __future__ import annotations

import shlex
import sqlite3
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from callsieve.changes.operation import Context, Refused
from callsieve.cli.errors import EXIT_TROUBLE, CommandError, warn
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    context_of,
    existing_store,
    perform,
    print_json,
    settings_of,
)
from callsieve.cli.output import plural, print_pairs, print_table, say, say_undo
from callsieve.exchange import operations
from callsieve.exchange.candidates import listed_numbers
from callsieve.exchange.health import PeerStatus, companies_of
from callsieve.exchange.operations import (
    FetchResult,
    SubscribeRequest,
    disable_the_bad,
    due,
    fetch_peer,
    known_peers,
)
from callsieve.exchange.publish import (
    DAY_SECONDS,
    LEAST_GAP_SECONDS,
    PublishBundleRequest,
    PublishedBundle,
    publish,
)
from callsieve.exchange.rows import last_published, row_line
from callsieve.exchange.views import (
    ExchangeShown,
    PeerShown,
    company_shown,
    exchange_shown,
)
from callsieve.lookups.operations import SwitchRequest
from callsieve.outside.errors import OutsideError
from callsieve.settings import Loaded
from callsieve.system.service_process import AlreadyRunning, only_process
from callsieve.text.times import ago, when
from policies.files import nearest
from reputation.model import Level

NONE_WANTED = "no company's evidence is taken yet: callsieve exchange add NAME URL, or [[exchange]] in the settings"
LOCK_FILE = "exchange.lock"
BUSY = "process {process} is fetching already: wait until it is done"
TIMER = "systemctl enable --now callsieve-exchange.timer"

DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="Where a web server finds it; else publish.directory of the settings."),
]
PurgeOption = Annotated[
    bool, typer.Option("--purge", help="After an erasure: no deltas, and remove all older files at once.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: print the rows that would be listed, as they would be.")
]
NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Fetch these now; without a name, those that are due.")
]
ForkOption = Annotated[
    bool, typer.Option("--accept-fork", help="Take what one company publishes now, though it does not follow.")
]
NameArgument = Annotated[str, typer.Argument(help="The company, as it is called here.", show_default=False)]
UrlArgument = Annotated[str, typer.Argument(help="Where it publishes: https, on the internet.", show_default=False)]
KeyOption = Annotated[str, typer.Option("--key", help="Its public key, as it was told on another way.")]
PrivateOption = Annotated[bool, typer.Option("--private", help="Its server may be in our own network.")]
WeightOption = Annotated[float, typer.Option("--weight", help="What its word weighs, of a tag: 0 to 1.")]


def publish_files(
    directory: DirectoryArgument = None,
    dry_run: DryRunOption = False,
    purge: PurgeOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Publish what three of our people or more have against numbers. No person, no contact, none of our own numbers."""
    loaded = settings_of(config)
    if dry_run:
        _say_rows(loaded, as_json=as_json)
        return
    folder = directory or _directory(loaded)
    if folder is None:
        raise CommandError("exchange publish: where to? Name a directory, or write `directory` in [publish]")
    with existing_store(loaded) as db:
        done = publish(db, context_of(loaded), PublishBundleRequest(folder, purge))
    if as_json:
        print_json(done)
        return
    _say_published(done, folder)


def fetch(
    names: NamesArgument = None,
    accept_fork: ForkOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Fetch what the companies of the settings publish, each when it is due. One that is refused stays as it was."""
    loaded = settings_of(config)
    if accept_fork and len(names or []) != 1:
        raise CommandError("exchange fetch: --accept-fork is for one company: name it")
    with any_store(loaded) as db:
        results = _fetch(db, context_of(loaded), names or [], accept_fork=accept_fork, quiet=as_json)
    if as_json:
        print_json(results)
    if any(one.failure is not None for one in results):
        raise SystemExit(EXIT_TROUBLE)


def run(config: ConfigOption = None) -> None:
    """For the timer: publish when it is time, fetch what is due, switch off who is worse than chance."""
    loaded, failed = settings_of(config), False
    folder = _directory(loaded)
    with any_store(loaded) as db:
        if folder is not None:
            last = last_published(folder, loaded.state)
            if last is None or not 0 <= time.time() - last.contents.listed_at < DAY_SECONDS:
                failed = not _published(loaded, db, folder)
        if companies_of(db, loaded.settings):
            results = _fetch(db, context_of(loaded), [], accept_fork=False, quiet=False)
            failed = failed or any(one.failure is not None for one in results)
        for name in disable_the_bad(db, context_of(loaded)):
            warn(f"{name} is worse than chance and was switched off: callsieve exchange show {name}")
    if failed:
        raise SystemExit(EXIT_TROUBLE)


def _published(loaded: Loaded, db: sqlite3.Connection, folder: Path) -> bool:
    """Publishes; False where it cannot: what others publish is fetched all the same."""
    try:
        _say_published(publish(db, context_of(loaded), PublishBundleRequest(folder)), folder)
    except (Refused, OSError) as error:
        warn(f"nothing was published: {error}")
        return False
    return True


def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what we publish and whose evidence we take: how old it is, and how often it was right."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        shown = exchange_shown(db, loaded, now)
    if as_json:
        print_json(shown)
        return
    _say_status(shown, now)


def show(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one company: where it publishes, with which key, and what we have of it."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        one = company_shown(db, loaded, name, now)
    if as_json:
        print_json(one)
        return
    print_pairs(_pairs(one, now))


def add(
    name: NameArgument,
    url: UrlArgument,
    key: KeyOption = "",
    weight: WeightOption = 1.0,
    private: PrivateOption = False,
    config: ConfigOption = None,
) -> None:
    """Take a company's evidence. Without its key: show which key lies there, and take nothing."""
    loaded = settings_of(config)
    if not key:
        _say_offered(name, url, private=private)
    request = SubscribeRequest(name, url, key, weight, private)
    done = perform(loaded, operations.subscribe, request, existing=True)
    say(f"{name} is fetched when the timer looks next, or now: callsieve exchange fetch {shlex.quote(name)}")
    say_undo(done.change_id, config)


def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Take a company's evidence no more. What it said counts no longer at once; its rows go with the next fetch."""
    done = perform(settings_of(config), operations.unsubscribe, name, existing=True)
    say(f"{name} is fetched no more, and what it said does not count.")
    say_undo(done.change_id, config)


def _say_offered(name: str, url: str, *, private: bool) -> NoReturn:
    """Nobody is believed because their key was there first."""
    try:
        key_id, key = operations.offered_key(url, private=private)
    except (OutsideError, Refused) as error:
        raise CommandError(f"exchange add: no --key, and none can be shown: {error}") from None
    again = f"callsieve exchange add {shlex.quote(name)} {shlex.quote(url)} --key {shlex.quote(key)}"
    again += " --private" if private else ""
    raise CommandError(
        f"exchange add: nothing was taken. Key {key_id} lies there: ask them on another way whether "
        f"`callsieve signing key` says the same, and then\n  {again}"
    )


def enable(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a company count again that was switched off. It is measured anew from now on."""
    done = perform(settings_of(config), operations.enable, SwitchRequest(name), existing=True)
    say(f"{name} is fetched again, and counts from the next call on.")
    say_undo(done.change_id, config)


def disable(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a company count no more, from the next call on, and fetch it no more."""
    done = perform(settings_of(config), operations.disable, SwitchRequest(name), existing=True)
    say(f"{name} is not fetched any more, and what it said does not count.")
    say_undo(done.change_id, config)


def _say_rows(loaded: Loaded, *, as_json: bool) -> None:
    """What would be listed if nothing were yet."""
    with existing_store(loaded) as db:
        rows = [one.row for one in listed_numbers(db, context_of(loaded)) if one.may_begin]
    if as_json:
        print_json([{**row._asdict(), "level": Level(row.level).word} for row in rows])
        return
    for row in rows:
        print(row_line(row))
    if not rows:
        say("No number would be listed: none has three people of ours and enough evidence against it.")


def _directory(loaded: Loaded) -> Path | None:
    directory = loaded.settings.publish.directory
    return loaded.state_path(directory) if directory else None


def _fetch(
    db: sqlite3.Connection, context: Context, names: list[str], *, accept_fork: bool, quiet: bool
) -> list[FetchResult]:
    try:
        with only_process(context.loaded.state / LOCK_FILE, BUSY):
            return _fetch_alone(db, context, names, accept_fork=accept_fork, quiet=quiet)
    except AlreadyRunning as error:
        raise CommandError(f"exchange fetch: {error.strerror}") from None


def _fetch_alone(
    db: sqlite3.Connection, context: Context, names: list[str], *, accept_fork: bool, quiet: bool
) -> list[FetchResult]:
    """Two at once could put an older index in the place of a newer one."""
    known = known_peers(db, context)
    if not known:
        raise CommandError(NONE_WANTED)
    for name in names:
        if name not in known:
            raise CommandError(f"there is no company {name[:80]!r}{nearest(name, known)}")
    results = []
    for name in dict.fromkeys(names or known):
        if names or due(known[name], time.time()):
            results.append(fetch_peer(db, context, known[name], accept_fork=accept_fork))
            if not quiet:
                _say_result(results[-1])
    if not results and not quiet:
        waiting = [one.next_at for one in known.values() if one.off_at is None]
        first = f": the next one {ago(min(waiting), time.time())}" if waiting else ""
        say(f"{plural(len(known), 'company', 'companies')}, none due{first}.")
    return results


def _say_published(done: PublishedBundle, folder: Path) -> None:
    changes = f"{done.added:,} added, {done.changed:,} changed, {done.withdrawn:,} withdrawn"
    cleared = f", and {plural(done.cleared, 'number')} as cleared" if done.cleared else ""
    say(f"{folder}: {plural(done.numbers, 'number')} published ({changes}){cleared}.")
    if not done.is_full:
        hours = round(LEAST_GAP_SECONDS / 3600)
        say(f"The last time was less than {hours} hours ago: numbers were only withdrawn, and none added.")


def _say_result(one: FetchResult) -> None:
    if one.taken is not None and (new := one.taken.new_key) is not None:
        say(f"{one.name} signs with key {new.id} now: the key before it said so, and it is followed.")
    again = f"It is asked again at {when(one.next_at)}."
    if one.failure is not None:
        warn(f"{one.name}: {one.failure.words}. What was taken before stays. {again}")
    elif one.taken is not None and one.taken.unchanged:
        say(f"{one.name}: unchanged. {again}")
    elif one.taken is not None:
        say(f"{one.name}: {plural(one.taken.written, 'row')} changed. {again}")


def _say_status(shown: ExchangeShown, now: float) -> None:
    ours = shown.published
    if ours is not None and ours.issued_at is None:
        say(f"Nothing is published yet in {ours.directory}: callsieve exchange publish")
    elif ours is not None and ours.issued_at is not None:
        cleared = f" and {ours.cleared:,} as cleared" if ours.cleared else ""
        about = f"{plural(ours.numbers, 'number')}{cleared}, {ago(ours.issued_at, now)}, signed with key {ours.key_id}"
        say(f"We publish in {ours.directory}: {about}.")
        if ours.is_late:
            warn(f"nobody has published for days: {TIMER}")
    if shown.companies:
        headings = ("company", "state", "numbers", "cleared", "came", "weight", "right")
        print_table(headings, [_row(one) for one in shown.companies], keep=range(1, len(headings)))
        for one in shown.companies:
            for remark in one.remarks:
                say(f"{one.name}: {remark}")
    elif not shown.nobody_fetches:
        say("No company's evidence is taken: the documentation says how, under Exchange.")
    if shown.nobody_fetches:
        say(f"Nobody fetches the companies of the settings: {TIMER}")


def _row(one: PeerShown) -> tuple[str | Text, ...]:
    style = "green" if one.health.health is PeerStatus.OK else "yellow"
    return (
        one.name,
        Text(one.health.health.value, style=style),
        f"{one.state.numbers:,}",
        f"{one.state.cleared:,}",
        str(one.came),
        f"{one.state.weight:g}",
        str(one.right_said),
    )


def _pairs(one: PeerShown, now: float) -> list[tuple[str, str | Text]]:
    state = one.state
    found: list[tuple[str, str | Text]] = [
        ("company", f"{one.name}, signs as {state.issuer}" if state.issuer else one.name),
        ("where", one.where),
        ("key", one.key_id or "none in the settings"),
        ("state", one.health.health.value),
        ("weight", f"{state.weight:g} of a tag"),
        ("lists", f"{plural(state.numbers, 'number')}, {state.cleared:,} as cleared"),
        ("right", str(one.right_said)),
    ]
    if state.came_at is not None:
        found.append(("came", f"{when(state.came_at)}, sequence {state.sequence}"))
        found.append(("counts", f"until {when(state.counts_until)}"))
    if state.off_at is None and state.next_at:
        found.append(("next", str(ago(state.next_at, now)) if state.next_at > now else "now"))
    return [*found, *(("", str(remark)) for remark in one.remarks)]
