"""`callsieve feeds fetch`, which a timer runs: fetch and import the due feeds of the settings."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

import typer

from callsieve.changes.operation import Refused
from callsieve.cli.errors import EXIT_TROUBLE, CommandError, warn
from callsieve.cli.input_file import warn_of_rows
from callsieve.cli.options import ConfigOption, JsonOption, any_store, print_json, settings_of
from callsieve.cli.output import plural, say
from callsieve.imports.cli.feeds import SmallerOption, store_feed
from callsieve.imports.cli.number_import import Summary
from callsieve.imports.feed_health import FAILURES, FeedFailure
from callsieve.imports.fetch import Fetched, due, fetch, fetch_failed, fetch_succeeded
from callsieve.imports.operations import ImportKind
from callsieve.imports.rows import BARE_NUMBER, CSV_COLUMNS, FTC_COLUMNS
from callsieve.integration_settings import FeedTable
from callsieve.outside.errors import KeptFailure, OutsideError, read_kept_failure
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Loaded
from callsieve.text.csv_table import DAMAGE, CsvTable, unpacked
from callsieve.text.table_errors import TableError, TableProblem, table_error
from callsieve.text.times import ago, when
from policies.files import nearest
from reputation.encoding import Instant
from reputation.store.errors import StoreError
from reputation.store.imports import ImportedRow
from reputation.store.sources import (
    FeedFetch,
    feed_fetches,
    feed_sources,
    forget_feed_fetches,
    record_failure,
    set_feed_fetch,
)
from reputation.wording import Wording

UNPACKED_TIMES = 10  # how many times larger than the limit of the download a compressed file may become
NONE_WANTED = "the settings have no [[feed]]: add one (callsieve help feeds)"

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Fetch these feeds now. Default: all that are due.")
]


@dataclass(frozen=True, slots=True)
class FeedResult:
    """The result of fetching a feed. `result`: `imported`, `unchanged` or `failed`."""

    feed: str
    result: str
    numbers: int | None
    skipped: int
    failure: KeptFailure | None
    next_at: Instant


def fetch_feeds(
    names: NamesArgument = None,
    accept_smaller: SmallerOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Fetch the feeds of the settings that are due. A feed that fails keeps its previous numbers."""
    loaded = settings_of(config)
    if accept_smaller and not names:
        raise CommandError("feeds fetch: --accept-smaller needs the name of a feed")
    wanted = _chosen(loaded, names or [])
    with any_store(loaded) as db:
        forget_feed_fetches(db, [feed.name for feed in loaded.settings.feed])
        fetches, imported = feed_fetches(db), {feed.name for feed in feed_sources(db)}
    results = []
    for feed in wanted:
        last = fetches.get(feed.name)
        if names or due(feed, last, time.time()):
            result = _fetch_feed(loaded, feed, last, is_imported=feed.name in imported, accept_smaller=accept_smaller)
            results.append(result)
            if not as_json:
                _print(result)
    if as_json:
        print_json(results)
    elif not results:
        first = min(fetches[feed.name].next_at for feed in wanted)
        say(f"{plural(len(wanted), 'feed')}, none due. The next is due {ago(first, time.time())}.")
    if any(result.result == "failed" for result in results):
        raise SystemExit(EXIT_TROUBLE)


def _chosen(loaded: Loaded, names: list[str]) -> list[FeedTable]:
    by_name = {feed.name: feed for feed in loaded.settings.feed}
    if not by_name:
        raise CommandError(NONE_WANTED)
    for name in names:
        if name not in by_name:
            raise CommandError(f"the settings have no [[feed]] {name[:80]!r}{nearest(name, by_name)}")
    return [by_name[name] for name in dict.fromkeys(names or by_name)]


def _fetch_feed(
    loaded: Loaded, wanted: FeedTable, last: FeedFetch | None, *, is_imported: bool, accept_smaller: bool
) -> FeedResult:
    summary, result = Summary(ImportKind.NUMBERS, wanted.name, dry_run=False), "imported"
    try:
        with TemporaryFile(prefix="callsieve-feed-") as file:
            download = asyncio.run(_download(wanted, last if is_imported else None, file))
            if download.unchanged:
                result = "unchanged"
            else:
                file.seek(0)
                with open(os.dup(file.fileno()), "rb") as packed:
                    _import(loaded, summary, wanted, packed, accept_smaller=accept_smaller)
        state = fetch_succeeded(wanted, download, time.time())
    except (OutsideError, Refused, TableError, StoreError, OSError) as error:
        result, state = "failed", fetch_failed(wanted, last, error, time.time())
        with suppress(StoreError, OSError), any_store(loaded) as db:
            record_failure(db, wanted.name, time.time(), state.failure or "")
    with any_store(loaded) as db:
        set_feed_fetch(db, state)
    return FeedResult(
        wanted.name,
        result,
        summary.imported if result == "imported" else None,
        summary.skipped,
        None if state.failure is None else read_kept_failure(state.failure, FAILURES),
        state.next_at,
    )


async def _download(wanted: FeedTable, last: FeedFetch | None, file: BinaryIO) -> Fetched:
    async with OutsideClient() as client:
        return await fetch(client, wanted, last, file)


def _import(loaded: Loaded, summary: Summary, wanted: FeedTable, file: BufferedReader, *, accept_smaller: bool) -> None:
    name, most = wanted.name, UNPACKED_TIMES * wanted.megabytes * 1_000_000

    def bounded(rows: Iterator[ImportedRow]) -> Iterator[ImportedRow]:
        for row in rows:
            if table.bytes_read > most:
                raise Refused(FeedFailure.UNPACKS_LARGE.code, Wording(FeedFailure.UNPACKS_LARGE, {"most": most}))
            yield row

    try:
        table = CsvTable(unpacked(file), CSV_COLUMNS, name, others=(FTC_COLUMNS,), bare=BARE_NUMBER)
        region = wanted.region or loaded.settings.numbers.region
        store_feed(loaded, summary, table, wanted.verdict, region, bounded, accept_smaller=accept_smaller)
    except DAMAGE:
        raise table_error(TableProblem.DAMAGED, name) from None
    warn_of_rows(summary)
    for remark in summary.remarks:
        warn(f"{name}: {remark}")


def _print(result: FeedResult) -> None:
    again = f"The feed is fetched again at {when(result.next_at)}."
    if result.result == "failed":
        warn(f"{result.feed}: {result.failure and result.failure.words}. The previous numbers stay in use. {again}")
    elif result.result == "unchanged":
        say(f"{result.feed}: unchanged. {again}")
    else:
        say(f"{result.feed}: {plural(result.numbers or 0, 'number')} in use. {again}")
