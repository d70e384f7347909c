"""`callsieve feeds fetch`: fetches the feeds of the settings that are due, and imports them. Run by a timer."""

from __future__ import annotations

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
from callsieve.imports.fetch import Fetched, came, due, failed, fetch
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

UNPACKED_TIMES = 10  # as large as it may come, a packed file may be when it is unpacked
NONE_WANTED = "the settings have no [[feed]]: the documentation says how one is written, under Feeds"

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Fetch these now; without a name, those that are due.")
]


@dataclass(frozen=True, slots=True)
class FeedResult:
    """What became of a feed: `imported`, `unchanged` or `failed`."""

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
    """Fetch the feeds of the settings, each when it is due. One that does not come, or is refused, stays as it was."""
    loaded = settings_of(config)
    if accept_smaller and not names:
        raise CommandError("feeds fetch: --accept-smaller is for one feed: name it")
    wanted = _chosen(loaded, names or [])
    with any_store(loaded) as db:
        forget_feed_fetches(db, [one.name for one in loaded.settings.feed])
        fetches, there = feed_fetches(db), {one.name for one in feed_sources(db)}
    results = []
    for one in wanted:
        last = fetches.get(one.name)
        if names or due(one, last, time.time()):
            results.append(_fetched(loaded, one, last, is_there=one.name in there, accept_smaller=accept_smaller))
            if not as_json:
                _say(results[-1])
    if as_json:
        print_json(results)
    elif not results:
        first = min(fetches[one.name].next_at for one in wanted)
        say(f"{plural(len(wanted), 'feed')}, none due: the next one {ago(first, time.time())}.")
    if any(one.result == "failed" for one in results):
        raise SystemExit(EXIT_TROUBLE)


def _chosen(loaded: Loaded, names: list[str]) -> list[FeedTable]:
    by_name = {one.name: one for one in loaded.settings.feed}
    if not by_name:
        raise CommandError(NONE_WANTED)
    for name in names:
        if name not in by_name:
            raise CommandError(f"there is no [[feed]] {name[:80]!r}{nearest(name, by_name)}")
    return [by_name[name] for name in dict.fromkeys(names or by_name)]


def _fetched(
    loaded: Loaded, wanted: FeedTable, last: FeedFetch | None, *, is_there: bool, accept_smaller: bool
) -> FeedResult:
    """Fetches one and imports it; how it went is kept, whatever happens to the others."""
    summary, result = Summary(ImportKind.NUMBERS, wanted.name, dry_run=False), "imported"
    try:
        with TemporaryFile(prefix="callsieve-feed-") as file:
            got = asyncio.run(_fetch(wanted, last if is_there else None, file))
            if got.unchanged:
                result = "unchanged"
            else:
                file.seek(0)
                with open(os.dup(file.fileno()), "rb") as packed:
                    _import(loaded, summary, wanted, packed, accept_smaller=accept_smaller)
        state = came(wanted, got, time.time())
    except (OutsideError, Refused, TableError, StoreError, OSError) as error:
        result, state = "failed", failed(wanted, last, error, time.time())
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


async def _fetch(wanted: FeedTable, last: FeedFetch | None, file: BinaryIO) -> Fetched:
    async with OutsideClient() as client:
        return await fetch(client, wanted, last, file)


def _import(loaded: Loaded, summary: Summary, wanted: FeedTable, file: BufferedReader, *, accept_smaller: bool) -> None:
    """Makes the file what the feed says. Refused, TableError, StoreError, OSError."""
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


def _say(one: FeedResult) -> None:
    again = f"It is asked again at {when(one.next_at)}."
    if one.result == "failed":
        warn(f"{one.feed}: {one.failure and one.failure.words}. What is in force stays. {again}")
    elif one.result == "unchanged":
        say(f"{one.feed}: unchanged. {again}")
    else:
        say(f"{one.feed}: {plural(one.numbers or 0, 'number')} in force. {again}")
