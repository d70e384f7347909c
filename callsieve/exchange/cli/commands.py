"""`callsieve exchange`: publish signed evidence for other companies, and use the evidence of other companies."""

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
from callsieve.exchange.health import companies_of
from callsieve.exchange.operations import (
    FetchResult,
    SubscribeRequest,
    due,
    fetch_peer,
    known_peers,
    pause_the_bad,
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

NONE_WANTED = (
    "you have not subscribed to any company: run callsieve exchange add NAME URL, or write [[exchange]] in the settings"
)
LOCK_FILE = "exchange.lock"
BUSY = "process {process} is already fetching: wait until it is done"
TIMER = "systemctl enable --now callsieve-exchange.timer"

DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR", help="Directory of a web server to write to. Default: `directory` in [publish] of the settings."
    ),
]
PurgeOption = Annotated[
    bool, typer.Option("--purge", help="After an erasure: publish without deltas, and remove all older files at once.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Write nothing: print the rows that would be listed.")]
NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Companies to fetch now. Default: all that are due.")
]
ForkOption = Annotated[
    bool, typer.Option("--accept-fork", help="Accept data of a company that contradicts its history.")
]
NameArgument = Annotated[str, typer.Argument(help="Your name for the company.", show_default=False)]
UrlArgument = Annotated[str, typer.Argument(help="The https address where the company publishes.", show_default=False)]
KeyOption = Annotated[str, typer.Option("--key", help="The company's public key, received over another channel.")]
PrivateOption = Annotated[bool, typer.Option("--private", help="Allow a server in your own network.")]
WeightOption = Annotated[
    float,
    typer.Option(
        "--weight", help="How much the company's evidence counts: from 0, not at all, to 1, enough by itself for a tag."
    ),
]


def publish_files(
    directory: DirectoryArgument = None,
    dry_run: DryRunOption = False,
    purge: PurgeOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Publish the numbers against which at least three people here gave evidence.

    Contacts, own numbers and names of people are never published.
    """
    loaded = settings_of(config)
    if dry_run:
        _say_rows(loaded, as_json=as_json)
        return
    folder = directory or _directory(loaded)
    if folder is None:
        raise CommandError(
            "exchange publish: the directory is missing: name a directory, or set `directory` in [publish]"
        )
    with existing_store(loaded) as db:
        published = publish(db, context_of(loaded), PublishBundleRequest(folder, purge))
    if as_json:
        print_json(published)
        return
    _say_published(published, folder)


def fetch(
    names: NamesArgument = None,
    accept_fork: ForkOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Fetch new data from each subscribed company that is due. If it fails a check, the earlier data stays."""
    loaded = settings_of(config)
    if accept_fork and len(names or []) != 1:
        raise CommandError("exchange fetch: --accept-fork takes exactly one company: give the company's name")
    with any_store(loaded) as db:
        results = _fetch(db, context_of(loaded), names or [], accept_fork=accept_fork, quiet=as_json)
    if as_json:
        print_json(results)
    if any(result.failure is not None for result in results):
        raise SystemExit(EXIT_TROUBLE)


def run(config: ConfigOption = None) -> None:
    """Publish and fetch if due. Pause companies whose evidence is worse than chance. The timer runs this command."""
    loaded, failed = settings_of(config), False
    folder = _directory(loaded)
    with any_store(loaded) as db:
        if folder is not None:
            last = last_published(folder, loaded.state)
            if last is None or not 0 <= time.time() - last.contents.listed_at < DAY_SECONDS:
                failed = not _try_to_publish(loaded, db, folder)
        if companies_of(db, loaded.settings):
            results = _fetch(db, context_of(loaded), [], accept_fork=False, quiet=False)
            failed = failed or any(result.failure is not None for result in results)
        for name in pause_the_bad(db, context_of(loaded)):
            warn(
                f"{name} was paused because its evidence is worse than chance; for details: callsieve "
                f"exchange show {name}"
            )
    if failed:
        raise SystemExit(EXIT_TROUBLE)


def _try_to_publish(loaded: Loaded, db: sqlite3.Connection, folder: Path) -> bool:
    try:
        _say_published(publish(db, context_of(loaded), PublishBundleRequest(folder)), folder)
    except (Refused, OSError) as error:
        warn(f"nothing was published: {error}")
        return False
    return True


def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what this company publishes, and for each subscribed company the age and accuracy of its data."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        shown = exchange_shown(db, loaded, now)
    if as_json:
        print_json(shown)
        return
    _say_status(shown, now)


def show(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a company: its address, its key, and its published evidence."""
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        company = company_shown(db, loaded, name, now)
    if as_json:
        print_json(company)
        return
    print_pairs(_pairs(company, now))


def add(
    name: NameArgument,
    url: UrlArgument,
    key: KeyOption = "",
    weight: WeightOption = 1.0,
    private: PrivateOption = False,
    config: ConfigOption = None,
) -> None:
    """Subscribe to a company's evidence. Without --key, only show the key that the company's server offers."""
    loaded = settings_of(config)
    if not key:
        _say_offered(name, url, private=private)
    request = SubscribeRequest(name, url, key, weight, private)
    change = perform(loaded, operations.subscribe, request, existing=True)
    say(
        f"The evidence of {name} is fetched when the timer runs next. To fetch it now: callsieve exchange fetch "
        f"{shlex.quote(name)}"
    )
    say_undo(change.change_id, config)


def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Unsubscribe from a company. The company's evidence stops counting at once, and is deleted with the next fetch."""
    change = perform(settings_of(config), operations.unsubscribe, name, existing=True)
    say(f"Unsubscribed from {name}: its evidence no longer counts.")
    say_undo(change.change_id, config)


def _say_offered(name: str, url: str, *, private: bool) -> NoReturn:
    """Show the key that the company offers, and stop. A person must compare the key before CallSieve trusts it."""
    try:
        key_id, key = operations.offered_key(url, private=private)
    except (OutsideError, Refused) as error:
        raise CommandError(f"exchange add: --key is missing, and the offered key cannot be read: {error}") from None
    again = f"callsieve exchange add {shlex.quote(name)} {shlex.quote(url)} --key {shlex.quote(key)}"
    again += " --private" if private else ""
    raise CommandError(
        f"exchange add: not subscribed. The company offers key {key_id}: ask them over another channel whether "
        f"`callsieve signing key` shows the same, and then run\n  {again}"
    )


def resume(name: NameArgument, config: ConfigOption = None) -> None:
    """Use a paused company's evidence again. The company's accuracy is measured from now on."""
    change = perform(settings_of(config), operations.resume, SwitchRequest(name), existing=True)
    say(f"The evidence of {name} is fetched again, and counts from the next call on.")
    say_undo(change.change_id, config)


def pause(name: NameArgument, config: ConfigOption = None) -> None:
    """Pause a company: from the next call on, the company's evidence does not count. No new evidence is fetched."""
    change = perform(settings_of(config), operations.pause, SwitchRequest(name), existing=True)
    say(f"The evidence of {name} is not fetched and does not count.")
    say_undo(change.change_id, config)


def _say_rows(loaded: Loaded, *, as_json: bool) -> None:
    with existing_store(loaded) as db:
        rows = [candidate.row for candidate in listed_numbers(db, context_of(loaded)) if candidate.may_begin]
    if as_json:
        print_json([{**row._asdict(), "level": Level(row.level).word} for row in rows])
        return
    for row in rows:
        print(row_line(row))
    if not rows:
        say(
            "No number would be listed. A number is listed if three people here complained about it "
            "and the evidence against it suffices."
        )


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
    """Fetch companies' data while no other process fetches. Otherwise an older index could replace a newer index."""
    known = known_peers(db, context)
    if not known:
        raise CommandError(NONE_WANTED)
    for name in names:
        if name not in known:
            raise CommandError(f"unknown company {name[:80]!r}{nearest(name, known)}")
    results = []
    for name in dict.fromkeys(names or known):
        if names or due(known[name], time.time()):
            results.append(fetch_peer(db, context, known[name], accept_fork=accept_fork))
            if not quiet:
                _say_result(results[-1])
    if not results and not quiet:
        waiting = [peer.next_at for peer in known.values() if peer.off_at is None]
        first = f": the next fetch is {ago(min(waiting), time.time())}" if waiting else ""
        say(f"No fetch is due ({plural(len(known), 'company', 'companies')}){first}.")
    return results


def _say_published(published: PublishedBundle, folder: Path) -> None:
    changes = f"{published.added:,} added, {published.changed:,} changed, {published.withdrawn:,} withdrawn"
    cleared = f", and {plural(published.cleared, 'number')} cleared by appeals" if published.cleared else ""
    say(f"{folder}: {plural(published.numbers, 'number')} published ({changes}){cleared}.")
    if not published.is_full:
        hours = round(LEAST_GAP_SECONDS / 3600)
        say(f"The last full publication was less than {hours} hours ago: numbers were only withdrawn, not added.")


def _say_result(result: FetchResult) -> None:
    if result.taken is not None and (new := result.taken.new_key) is not None:
        say(f"{result.name} signs with key {new.id} now, as its former key confirms.")
    retry = f"Next fetch at {when(result.next_at)}."
    if result.failure is not None:
        warn(f"{result.name}: {result.failure.words}. Its earlier data stays. {retry}")
    elif result.taken is not None and result.taken.unchanged:
        say(f"{result.name}: unchanged. {retry}")
    elif result.taken is not None:
        say(f"{result.name}: {plural(result.taken.written, 'row')} changed. {retry}")


def _say_status(shown: ExchangeShown, now: float) -> None:
    published = shown.published
    if published is not None and published.issued_at is None:
        say(f"Nothing is published yet in {published.directory}: run callsieve exchange publish")
    elif published is not None and published.issued_at is not None:
        cleared = f" and {published.cleared:,} cleared by appeals" if published.cleared else ""
        about = f"{plural(published.numbers, 'number')}{cleared}, {ago(published.issued_at, now)}"
        say(f"Published in {published.directory}: {about}, signed with key {published.key_id}.")
        if published.is_late:
            warn(f"nothing was published for days: {TIMER}")
    if shown.companies:
        headings = ("company", "state", "numbers", "cleared", "fetched", "weight", "accuracy")
        print_table(headings, [_row(company) for company in shown.companies], keep=range(1, len(headings)))
        for company in shown.companies:
            for remark in company.remarks:
                say(f"{company.name}: {remark}")
    elif not shown.nobody_fetches:
        say("You have not subscribed to any company: see callsieve help exchange.")
    if shown.nobody_fetches:
        say(f"The data of other companies is not fetched: {TIMER}")


def _row(company: PeerShown) -> tuple[str | Text, ...]:
    style = "green" if company.health.is_ok else "yellow"
    return (
        company.name,
        Text(company.health.health.value, style=style),
        f"{company.state.numbers:,}",
        f"{company.state.cleared:,}",
        str(company.came),
        f"{company.state.weight:g}",
        str(company.accuracy),
    )


def _pairs(company: PeerShown, now: float) -> list[tuple[str, str | Text]]:
    state = company.state
    pairs: list[tuple[str, str | Text]] = [
        ("company", f"{company.name}, signs as {state.issuer}" if state.issuer else company.name),
        ("address", company.where),
        ("key", company.key_id or "no key in the settings"),
        ("state", company.health.health.value),
        ("weight", f"{state.weight:g} of the evidence that a tag needs"),
        ("lists", f"{plural(state.numbers, 'number')}, {state.cleared:,} cleared by appeals"),
        ("accuracy", str(company.accuracy)),
    ]
    if state.came_at is not None:
        pairs.append(("fetched", f"{when(state.came_at)}, sequence {state.sequence}"))
        pairs.append(("counts", f"until {when(state.counts_until)}"))
    if state.off_at is None and state.next_at:
        pairs.append(("next", str(ago(state.next_at, now)) if state.next_at > now else "now"))
    return [*pairs, *(("", str(remark)) for remark in company.remarks)]
