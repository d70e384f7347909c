"""`callsieve import feed` and `callsieve feeds`: lists of numbers that are imported repeatedly."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from callsieve.changes.operation import Refused
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import DryRunOption, table_in
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, has_store, print_json, settings_of
from callsieve.cli.output import meter, print_table, say, watched
from callsieve.imports.cli.number_import import (
    ImportVerdict,
    SourceOption,
    Summary,
    print_summary,
    source_given,
    store_numbers,
)
from callsieve.imports.feed_health import (
    FAILURES,
    FeedFailure,
    feed_record,
    list_feeds,
    nobody_fetches_feeds,
    skills_of,
)
from callsieve.imports.operations import ImportKind
from callsieve.imports.rows import (
    BARE_NUMBER,
    CSV_COLUMNS,
    FTC_COLUMNS,
    Format,
    feed_rows,
    format_of,
    merged_complaints,
)
from callsieve.lookups.cli.commands import print_lookups
from callsieve.lookups.views import lookups_shown
from callsieve.settings import Loaded
from callsieve.source_health import SourceHealth, failure_of
from callsieve.source_skill import Judgement, accuracy_of
from callsieve.text.csv_table import CsvTable, as_text, write_csv
from callsieve.text.table_errors import TableError
from callsieve.text.times import ago, span_words, when
from policies.files import nearest
from reputation.store.errors import StoreError
from reputation.store.imports import Feed, ImportedRow, last_of, sources
from reputation.store.sources import FeedSource, feed_fetches, record_failure, rows_of
from reputation.wording import Wording

# More rows are not a list of telephone numbers. A small compressed file can become any size.
MOST_ROWS = 100_000_000

FeedArgument = Annotated[
    Path, typer.Argument(help="The feed's file, plain or compressed with gzip; - for standard input.")
]
SmallerOption = Annotated[
    bool,
    typer.Option("--accept-smaller", help="Accept a file that has less than half as many numbers as the feed has now."),
]
ExportOption = Annotated[
    str | None, typer.Option("--export", metavar="NAME", help="Write the feed as CSV, for `import feed`.")
]


def import_feed(
    file: FeedArgument,
    source: SourceOption,
    verdict: Annotated[ImportVerdict, typer.Option(help="Verdict about the numbers of the feed.")] = ImportVerdict.SPAM,
    accept_smaller: SmallerOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Import a feed: FTC complaints, CSV, or a plain list of numbers. The new import replaces the previous import."""
    loaded = settings_of(config)
    summary = Summary(ImportKind.NUMBERS, source_given(source), dry_run)
    opened = table_in(file, CSV_COLUMNS, others=(FTC_COLUMNS,), bare=BARE_NUMBER)
    with _record_failures(loaded, summary), opened as (table, bytes_read), meter(file) as tell:
        store_feed(
            loaded,
            summary,
            table,
            verdict.value,
            loaded.settings.numbers.region,
            lambda rows: watched(rows, bytes_read, tell),
            accept_smaller=accept_smaller,
        )
    print_summary(summary, as_json=as_json)


def store_feed(
    loaded: Loaded,
    summary: Summary,
    table: CsvTable,
    verdict: str,
    region: str,
    watch: Callable[[Iterator[ImportedRow]], Iterator[ImportedRow]] = iter,
    *,
    accept_smaller: bool = False,
) -> None:
    """Replace the content of a feed by a table, and fill in the summary. If the table is refused, the feed stays."""
    summary.format, summary.problems = format_of(table), table.problems
    feed = Feed(summary.format, merged_complaints if summary.format is Format.FTC else last_of)
    rows = watch(_bounded(feed_rows(table, region, verdict)))
    store_numbers(loaded, summary, verdict, rows, feed, accept_smaller=accept_smaller)
    summary.take(table)
    if summary.format is Format.FTC:
        summary.ignored_columns = ()  # the other columns are known: they describe the person who complained


def show_feeds(
    context: typer.Context, export: ExportOption = None, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Show each feed: how many numbers it has, how old it is, and whether it is still updated."""
    if context.invoked_subcommand is not None:
        return
    if export is not None and as_json:
        raise CommandError("feeds: --export writes CSV: leave --json out")
    loaded, now = settings_of(config), time.time()
    with existing_store(loaded) as db:
        if export is not None:
            _export(db, export)
            return
        feeds = list_feeds(db, loaded.settings, now)
        waits = nobody_fetches_feeds(loaded.settings, feed_fetches(db), now)
        imported = [(known.feed, known.health) for known in feeds if known.feed is not None]
        skills = skills_of(db, [feed for feed, _ in imported], now)
        lookups = lookups_shown(db, loaded.settings, now)
    if as_json:
        print_json([*(feed_record(known, skills.get(known.name)) for known in feeds), *lookups])
        return
    _show(imported, now, are_named=len(imported) < len(feeds))
    for name, skill in skills.items():
        if skill.told:
            say(f"{name} was right about {accuracy_of(skill)} of the callers that it lists")
        if skill.judgement is Judgement.WORSE:
            warn(f"The verdicts of {name} are worse than chance: `callsieve import remove {name}` removes it")
    for known in feeds:
        if known.feed is None:
            say(f"{known.name} {known.health}")
        if not known.health.is_well:
            say(f"To update the list of {known.name}: {known.remedy}")
    if waits:
        say("The feeds of the settings are not fetched: systemctl enable --now callsieve-feeds.timer")
    if lookups:
        print_lookups(lookups)


def _show(feeds: list[tuple[FeedSource, SourceHealth]], now: float, *, are_named: bool) -> None:
    if not feeds and are_named:
        say("No feed has been imported yet: `callsieve feeds fetch` fetches the feeds of the settings.")
        return
    if not feeds:
        say("There are no feeds: add one with `callsieve import feed FILE --source NAME`, or [[feed]] in the settings.")
        return
    is_fetched = any(feed.next_at is not None for feed, _ in feeds)
    rows: list[tuple[str | Text, ...]] = [
        (
            feed.name,
            feed.verdict,
            f"{feed.numbers:,}",
            when(feed.imported_at),
            str(span_words(max(0.0, now - feed.imported_at))),
            Text(health.health, style="green" if health.is_ok else "yellow"),
            *([_fetching(feed, now)] if is_fetched else []),
        )
        for feed, health in feeds
    ]
    headings = ("feed", "verdict", "numbers", "imported", "age", "health", *(["fetched, next"] if is_fetched else []))
    print_table(headings, rows, keep=range(1, len(headings)))
    for feed, health in feeds:
        if health.detail:
            say(f"{feed.name} {health}")


def _fetching(feed: FeedSource, now: float) -> str:
    if feed.asked_at is None or feed.next_at is None:
        return ""
    return f"{ago(feed.asked_at, now)}, {ago(feed.next_at, now) if feed.next_at > now else 'now'}"


def _export(db: sqlite3.Connection, name: str) -> None:
    verdicts = {source.name: source.verdict for source in sources(db)}
    if name not in verdicts:
        raise CommandError(f"unknown feed {name[:80]!r}{nearest(name, verdicts) if verdicts else ''}")
    rows = ((number, *(as_text(field or "") for field in more), verdicts[name]) for number, *more in rows_of(db, name))
    write_csv(sys.stdout, CSV_COLUMNS, rows)


@contextmanager
def _record_failures(loaded: Loaded, summary: Summary) -> Iterator[None]:
    """Record an error of the block as the feed's last failure, so that `callsieve feeds` and the doctor show it."""
    try:
        yield
    except (CommandError, Refused, StoreError, OSError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, TableError) else error
        _note_failure(loaded, summary, failure_of(cause, FAILURES))
        raise


def _note_failure(loaded: Loaded, summary: Summary, failure: str) -> None:
    if summary.dry_run:
        return
    with suppress(StoreError, CommandError, OSError):  # the error that is being recorded matters more
        if has_store(loaded):
            with existing_store(loaded) as db:
                record_failure(db, summary.source, time.time(), failure)


def _bounded(rows: Iterable[ImportedRow]) -> Iterator[ImportedRow]:
    for count, row in enumerate(rows, 1):
        if count > MOST_ROWS:
            words = Wording(FeedFailure.TOO_MANY_ROWS, {"most": MOST_ROWS})
            raise Refused(FeedFailure.TOO_MANY_ROWS.code, words)
        yield row
