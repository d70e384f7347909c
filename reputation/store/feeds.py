"""Feeds: sources of numbers that come again and again. How they are, and what is in them."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reputation.site_names import is_ours
from reputation.store.imports import ImportedRow
from reputation.store.lookups import NOTHING, Compared, counted

FAILURE_CHARACTERS = 1_000

FEEDS = """
SELECT import_source.name, verdict, format, numbers, imported_at,
       coalesce(feed_fetch.every_seconds, import_source.every_seconds), numbers_before,
       import_source.failed_at, import_source.failure, came_at, asked_at, next_at
  FROM import_source LEFT JOIN feed_fetch USING (name)
 WHERE live = 1 AND format IS NOT NULL ORDER BY import_source.name
"""
RECORD_FAILURE = "UPDATE import_source SET failed_at = ?, failure = ? WHERE name = ? AND live = 1"
ROWS = """
SELECT number, category, imported.name, note
  FROM imported JOIN import_source ON id = source WHERE import_source.name = ? AND live = 1 ORDER BY number
"""


# Contacts and identities: known at any time.
ALWAYS = 1e18
# Callers of whom we know better by now what they are. Contacts count where they called. What other sites say of them is
# not what we know: one that lies could discredit a feed.
KNOWN = f"""
WITH known AS MATERIALIZED (
    SELECT number, max(is_spam) AS is_spam, max(is_fine) AS is_fine,
           min(iif(is_spam, at, NULL)) AS spam_at, max(iif(is_fine, at, NULL)) AS fine_at
      FROM (SELECT number, 1 AS is_spam, 0 AS is_fine, at FROM mark
             WHERE verdict = 'spam' AND at > :since AND {is_ours("reporter")} AND NOT EXISTS (
                   SELECT 1 FROM tombstone WHERE tombstone.number = mark.number
                      AND tombstone.reporter IN ('', mark.reporter) AND mark.at <= until)
            UNION ALL SELECT number, 1, 0, at FROM challenge
                       WHERE result IN ('wrong', 'silent') AND at > :since AND {is_ours("linkedid")}
            UNION ALL SELECT number, 0, 1, at FROM challenge
                       WHERE result = 'passed' AND at > :since AND {is_ours("linkedid")}
            UNION ALL SELECT number, 0, 1, at FROM mark WHERE verdict = 'ok' AND at > :since AND {is_ours("reporter")}
            UNION ALL SELECT number, 0, 1, at FROM talk WHERE at > :since AND {is_ours("person")}
            UNION ALL SELECT number, 0, 1, at FROM signal
                       WHERE category IN ('long-talk', 'second-talk') AND at > :since AND {is_ours("callee")}
            UNION ALL SELECT number, 0, 1, {ALWAYS} FROM identity
            UNION ALL SELECT number, 0, 1, {ALWAYS} FROM contact
                       WHERE EXISTS (SELECT 1 FROM decision WHERE caller = contact.number AND decision.at > :since))
     GROUP BY number)
"""
# All of them counted, then those that each feed lists.
COMPARED = f"""
{KNOWN}
SELECT NULL, NULL, is_spam, is_fine, count(*) FROM known GROUP BY is_spam, is_fine
UNION ALL
SELECT import_source.name, verdict, is_spam, is_fine, count(*)
  FROM known JOIN imported USING (number) JOIN import_source ON id = source
 WHERE live = 1 AND format IS NOT NULL GROUP BY import_source.name, verdict, is_spam, is_fine
"""


class FeedSource(NamedTuple):
    """A feed in force. `every_seconds`: how often it usually comes; `numbers_before`: of the import before.

    `failed_at` and `failure`: the last attempt to import it, if that was refused, by its code and figures, in JSON.
    Of a feed that we fetch: `came_at`, when its server gave the file or said that it is the same; `asked_at` and
    `next_at`, when it was asked last and is asked next. None: not known, or none.
    """

    name: str
    verdict: str
    format: str
    numbers: int
    imported_at: float
    every_seconds: float | None = None
    numbers_before: int | None = None
    failed_at: float | None = None
    failure: str | None = None
    came_at: float | None = None
    asked_at: float | None = None
    next_at: float | None = None


def feed_sources(db: sqlite3.Connection) -> list[FeedSource]:
    """The feeds in force, by name."""
    return [FeedSource(*row) for row in db.execute(FEEDS)]


def record_failure(db: sqlite3.Connection, name: str, at: float, why: str) -> bool:
    """Notes with the source in force that an import of it was refused. False: there is no such source."""
    return db.execute(RECORD_FAILURE, (at, why[:FAILURE_CHARACTERS], name)).rowcount > 0


def compared_with_feeds(db: sqlite3.Connection, since: float) -> dict[str, Compared]:
    """What each feed in force says of callers against what we know ourselves since then, by name: of callers whom it
    does not list it says nothing. One that lists none of them is left out.
    """
    every, listed = Counter[tuple[int, int]](), defaultdict[str, list[tuple[str, int, int, int]]](list)
    for name, verdict, is_spam, is_fine, count in db.execute(COMPARED, {"since": since}):
        if name is None:
            every[is_spam, is_fine] += count
        else:
            listed[name].append((verdict, is_spam, is_fine, count))
    return {name: counted(with_unlisted(rows, every)) for name, rows in listed.items()}


def with_unlisted(
    listed: Iterable[tuple[str, int, int, int]], every: Mapping[tuple[int, int], int]
) -> Iterator[tuple[str, int, int, int]]:
    """Rows of `counted`, and those that they leave of all, of whom the source says nothing."""
    rest = Counter(every)
    for verdict, is_spam, is_fine, count in listed:
        rest[is_spam, is_fine] -= count
        yield verdict, is_spam, is_fine, count
    yield from ((NOTHING, *kind, count) for kind, count in rest.items())


def rows_of(db: sqlite3.Connection, name: str) -> Iterator[ImportedRow]:
    """What the source in force lists, by number: of one moment, however long the reader takes."""
    yield from db.execute(ROWS, (name,))
