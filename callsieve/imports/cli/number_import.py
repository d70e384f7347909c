"""Stores an imported list of numbers, at once or not at all, and sums up what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from callsieve.cli.errors import warn
from callsieve.cli.output import some
from callsieve.cli.store import context_of, stores
from callsieve.imports import operations
from callsieve.imports.cli.summary import Summary
from callsieve.imports.operations import NumbersRequest
from callsieve.settings import Loaded
from reputation.store.imports import Feed, ImportedRow, sources


def store_numbers(
    loaded: Loaded,
    summary: Summary,
    verdict: str,
    rows: Iterable[ImportedRow],
    feed: Feed | None = None,
    *,
    accept_smaller: bool = False,
) -> None:
    """Makes the rows the numbers of the source, at once or not at all.

    `summary.problems` is what the rows were refused for, filled while they are read.
    """
    started = time.monotonic()
    with stores(loaded, dry_run=summary.dry_run) as (known, written):
        request = NumbersRequest(summary.source, verdict, rows, summary.problems, known, feed, accept_smaller)
        before = [one for one in sources(known) if one.name == summary.source]
        try:
            done = operations.import_numbers(written, context_of(loaded), request)
        except KeyboardInterrupt:
            if [one for one in sources(known) if one.name == summary.source] == before:
                warn(f"the import was stopped: {summary.source} is as it was before; run it again and it goes on")
            raise
    summary.before, summary.continued = done.before, done.live.continued
    summary.imported, summary.duplicates = done.live.numbers, done.usable - done.live.numbers
    summary.seconds = time.monotonic() - started
    if done.own and verdict == "spam":
        summary.remarks.append(f"our own numbers are listed: {some(sorted(done.own))}: have them taken off")
