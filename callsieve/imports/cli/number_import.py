"""Imports a list of numbers in one step, and prints the result of an import."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.input_file import warn_of_rows
from callsieve.cli.options import context_of, print_json, stores
from callsieve.cli.output import plural, say, some
from callsieve.imports import operations
from callsieve.imports.operations import ImportKind, NumberFileRequest, source_name
from callsieve.settings import Loaded
from callsieve.text.csv_table import KEPT_PROBLEMS, CsvTable, RowProblem
from callsieve.text.vcard import Vcards
from reputation.store.imports import Feed, ImportedRow, sources
from reputation.wording import Wording

VCARDS = "vCards"  # a format


@dataclass(slots=True)
class Summary:
    """The result of an import. `continued`: how many rows an earlier, interrupted run had stored.

    `before`: how many rows the previous import with this name had; None for a first import. `skipped`: how many rows
    were unusable. `cut`: how many fields were shortened.
    """

    kind: ImportKind
    source: str
    dry_run: bool
    read: int = 0
    imported: int = 0
    skipped: int = 0
    duplicates: int = 0
    cut: int = 0
    seconds: float = 0.0
    before: int | None = None
    continued: int = 0
    format: str | None = None
    problems: list[RowProblem] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The ignored columns, under the name that tables use: `warn_of_rows` accepts a table or a summary."""
        return self.ignored_columns

    def refuse(self, problem: str | Wording) -> None:
        """Count a row of a database that cannot be used, and keep the reason."""
        self.skipped += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(RowProblem(0, problem))

    def take(self, table: CsvTable | Vcards) -> None:
        """Copy the counts of a table after all rows of the table were read."""
        self.read, self.skipped, self.cut = table.read, table.skipped, table.cut
        self.problems, self.ignored_columns = table.problems, table.ignored


def print_summary(summary: Summary, *, as_json: bool) -> None:
    """Print counts to standard output and problems to standard error, or with `as_json` both to standard output."""
    if as_json:
        fields = {name: getattr(summary, name) for name in Summary.__slots__}
        fields["problems"] = [
            {"line": problem.line or None, "problem": str(problem.text)} for problem in summary.problems
        ]
        print_json(fields)
        return
    warn_of_rows(summary)
    for remark in summary.remarks:
        warn(remark)
    _print_counts(summary)


def _print_counts(summary: Summary) -> None:
    head = f"{'Would import' if summary.dry_run else 'Imported'} {summary.imported:,} {summary.kind.value}"
    origin = f" from {summary.format}" if summary.format else ""
    counts = [f"{plural(summary.read, 'card' if summary.format == VCARDS else 'row')} read"]
    counts += [f"{summary.skipped:,} skipped"] if summary.skipped else []
    counts += [plural(summary.duplicates, "duplicate")] if summary.duplicates else []
    counts += [f"{summary.seconds:.1f} s"] if summary.seconds else []
    say(f"{head} as {summary.source}{origin}: {', '.join(counts)}.")
    if summary.continued:
        say(f"{summary.continued:,} of these were already stored by an earlier, interrupted run.")
    if summary.before is not None and summary.kind is not ImportKind.PEOPLE:
        before = plural(summary.before, "entry", "entries")
        say(f"The previous import ({before}) {'would be' if summary.dry_run else 'is'} replaced.")
    if summary.dry_run:
        say("Nothing was changed.")


SOURCE_HELP = "Name for this list, which policies use. The next import with this name replaces the list."
SourceOption = Annotated[str, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)]


class ImportVerdict(StrEnum):
    """The meaning of a list: the numbers on the list are spam, or wanted."""

    SPAM = "spam"
    OK = "ok"


def source_given(source: str | None) -> str:
    """Return the name that the user gave to the list. Raise CommandError or Refused for a missing or invalid name."""
    if source is None:
        raise CommandError("import numbers: give --source NAME, a name for this list")
    return source_name(source)


def store_numbers(
    loaded: Loaded,
    summary: Summary,
    verdict: str,
    rows: Iterable[ImportedRow],
    feed: Feed | None = None,
    *,
    accept_smaller: bool = False,
) -> None:
    """Replace the numbers of a source by these rows. If the import is refused, the source does not change."""
    started = time.monotonic()
    with stores(loaded, dry_run=summary.dry_run) as (known, written):
        request = NumberFileRequest(summary.source, verdict, rows, summary.problems, known, feed, accept_smaller)
        before = [source for source in sources(known) if source.name == summary.source]
        try:
            done = operations.import_numbers(written, context_of(loaded), request)
        except KeyboardInterrupt:
            if [source for source in sources(known) if source.name == summary.source] == before:
                warn(f"the import was interrupted: {summary.source} is unchanged. Run the command again to continue")
            raise
    summary.before, summary.continued = done.before, done.live.continued
    summary.imported, summary.duplicates = done.live.numbers, done.usable - done.live.numbers
    summary.seconds = time.monotonic() - started
    if done.own and verdict == "spam":
        summary.remarks.append(
            f"the list has some of your own numbers: {some(sorted(done.own))}. Ask its publisher to remove them"
        )
