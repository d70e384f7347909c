"""Where data comes from: fetched feeds, and imports of contacts, people, DIDs and calls. imports.py imports numbers."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reputation.model import Did, Person
from reputation.site_names import is_ours
from reputation.store.imports import ImportedRow
from reputation.store.lookups import NOTHING, Compared, counted
from reputation.store.people import SETTINGS
from reputation.store.site import did_from_row

CONTACT_SOURCES = "SELECT source, count(*) FROM contact GROUP BY source ORDER BY source"
PEOPLE_SOURCES = "SELECT source, count(*) FROM person WHERE source <> ? GROUP BY source ORDER BY source"
DID_SOURCES = "SELECT source, count(*) FROM did WHERE source <> ? GROUP BY source ORDER BY source"
PEOPLE_FROM = "SELECT source, extension, endpoint, grp, language, name FROM person"
DIDS_FROM = "SELECT source, number, grp, callee, screen, trap FROM did"
REMOVE_DIDS = "DELETE FROM did WHERE source = ? AND source <> ?"
REMOVE_CONTACTS = "DELETE FROM contact WHERE source = ?"
REMOVE_PEOPLE = "DELETE FROM person WHERE source = ? AND source <> ?"


class NamedSource(NamedTuple):
    """An import of contacts, people or DIDs, with how many of its rows are stored."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class From:
    """A person or a DID, with its source. `source`: the name of the import, or `settings`."""

    entry: Person | Did
    source: str


def people_from(db: sqlite3.Connection) -> dict[str, From]:
    """Return all people with their sources, by extension."""
    return {row[1]: _person_from(*row) for row in db.execute(PEOPLE_FROM)}


def person_from(db: sqlite3.Connection, extension: str) -> From | None:
    """Return the person with this extension, together with the person's source. Return None if nobody has it."""
    return next((_person_from(*row) for row in db.execute(f"{PEOPLE_FROM} WHERE extension = ?", (extension,))), None)


def dids_from(db: sqlite3.Connection) -> dict[str, From]:
    """Return all DIDs with their sources, by number."""
    return {row[1]: _did_from(*row) for row in db.execute(DIDS_FROM)}


def did_from(db: sqlite3.Connection, number: str) -> From | None:
    """Return the DID with this number, together with its source. Return None if no DID has this number."""
    return next((_did_from(*row) for row in db.execute(f"{DIDS_FROM} WHERE number = ?", (number,))), None)


def _person_from(source: str, *person: str | None) -> From:
    return From(Person(*person), source)  # type: ignore[arg-type]


def _did_from(source: str, *did: Any) -> From:
    return From(did_from_row(did), source)


def contact_sources(db: sqlite3.Connection) -> list[NamedSource]:
    """Return the imports of contacts, ordered by name."""
    return [NamedSource(*row) for row in db.execute(CONTACT_SOURCES)]


def people_sources(db: sqlite3.Connection) -> list[NamedSource]:
    """Return the imports of people, ordered by name. The settings are left out."""
    return [NamedSource(*row) for row in db.execute(PEOPLE_SOURCES, (SETTINGS,))]


def remove_contacts(db: sqlite3.Connection, source: str) -> int:
    """Delete the contacts of an import, and return how many there were."""
    return db.execute(REMOVE_CONTACTS, (source,)).rowcount


def remove_people(db: sqlite3.Connection, source: str) -> int:
    """Delete the people of an import, and return how many there were."""
    return db.execute(REMOVE_PEOPLE, (source, SETTINGS)).rowcount


def did_sources(db: sqlite3.Connection) -> list[NamedSource]:
    """Return the imports of DIDs, ordered by name. The settings are left out."""
    return [NamedSource(*row) for row in db.execute(DID_SOURCES, (SETTINGS,))]


def remove_dids(db: sqlite3.Connection, source: str) -> int:
    """Delete the DIDs of an import, and return how many there were."""
    return db.execute(REMOVE_DIDS, (source, SETTINGS)).rowcount


DONE_TO = "SELECT done_to FROM call_import WHERE source = ?"
SET_DONE_TO = """
INSERT INTO call_import (source, done_to) VALUES (?, ?)
ON CONFLICT (source) DO UPDATE SET done_to = excluded.done_to
"""


def calls_done_to(db: sqlite3.Connection, source: str) -> float | None:
    """Return the time (UTC seconds) up to which this CDR database was imported; None before the first import."""
    row = db.execute(DONE_TO, (source,)).fetchone()
    return float(row[0]) if row else None


def set_calls_done_to(db: sqlite3.Connection, source: str, at: float) -> None:
    """Record that this CDR database was imported up to `at`. Call it in the transaction that stores the calls."""
    db.execute(SET_DONE_TO, (source, at))


FAILURE_CHARACTERS = 1_000

COLUMNS = (
    "name, of, every_seconds, asked_at, next_at, came_at, etag, modified, file, signed_at, failed_at, failure, failures"
)
FETCHES = f"SELECT {COLUMNS} FROM feed_fetch ORDER BY name"
SET = f"INSERT OR REPLACE INTO feed_fetch ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"
FORGET = "DELETE FROM feed_fetch WHERE name = ?"


class FeedFetch(NamedTuple):
    """The state of fetching a feed. All times are UTC seconds.

    Attributes:
        of: A digest of the feed's address.
        file: A digest of the last fetched file.
        signed_at: When this file was signed.
        came_at: When the server last sent the file or answered that it is unchanged; None for never.
        failure: The code and details of the last failed attempt, in JSON.
        failures: How many attempts have failed in a row.
    """

    name: str
    of: str
    every_seconds: float
    asked_at: float
    next_at: float
    came_at: float | None = None
    etag: str | None = None
    modified: str | None = None
    file: str | None = None
    signed_at: int | None = None
    failed_at: float | None = None
    failure: str | None = None
    failures: int = 0


def feed_fetches(db: sqlite3.Connection) -> dict[str, FeedFetch]:
    """Return the fetch states of all feeds, by name."""
    return {row[0]: FeedFetch(*row) for row in db.execute(FETCHES)}


def set_feed_fetch(db: sqlite3.Connection, fetch: FeedFetch) -> None:
    """Store the fetch state of a feed."""
    db.execute(SET, fetch._replace(failure=fetch.failure and fetch.failure[:FAILURE_CHARACTERS]))


def forget_feed_fetches(db: sqlite3.Connection, but: Collection[str]) -> None:
    """Delete the fetch states of all feeds except `but`, the feeds of the settings."""
    for name in feed_fetches(db).keys() - set(but):
        db.execute(FORGET, (name,))


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
# Callers with local evidence by now. Contacts count if they called. Statements of other sites do not count,
# because a site that lies could discredit a feed.
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
# All callers counted, then those that each feed lists.
COMPARED = f"""
{KNOWN}
SELECT NULL, NULL, is_spam, is_fine, count(*) FROM known GROUP BY is_spam, is_fine
UNION ALL
SELECT import_source.name, verdict, is_spam, is_fine, count(*)
  FROM known JOIN imported USING (number) JOIN import_source ON id = source
 WHERE live = 1 AND format IS NOT NULL GROUP BY import_source.name, verdict, is_spam, is_fine
"""


class FeedSource(NamedTuple):
    """A live feed, which is imported again and again. A field that is None is unknown, or does not apply to the feed.

    Attributes:
        every_seconds: The usual interval between imports.
        numbers_before: How many numbers the previous import had.
        failed_at: When the last import was refused; None if it was not.
        failure: The code and details of this refusal, in JSON.
        came_at: When the server last sent the file or answered that it is unchanged.
        asked_at: When the file was last requested.
        next_at: When the file will be requested again.
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
    """Return the live feeds, ordered by name."""
    return [FeedSource(*row) for row in db.execute(FEEDS)]


def record_failure(db: sqlite3.Connection, name: str, at: float, why: str) -> bool:
    """Record that the last import of the live feed was refused. Return False if no source has this name."""
    return db.execute(RECORD_FAILURE, (at, why[:FAILURE_CHARACTERS], name)).rowcount > 0


def compared_with_feeds(db: sqlite3.Connection, since: float) -> dict[str, Compared]:
    """Compare each live feed with our own evidence since `since`. Feeds that list no number known here are left out."""
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
    """Yield the rows of `listed`, then rows that count the callers missing from the source.

    A row has the source's verdict, two flags (our evidence: is spam, is fine), and how many callers have this
    combination. `every`: how many callers there are, listed or not, by the two flags.
    """
    rest = Counter(every)
    for verdict, is_spam, is_fine, count in listed:
        rest[is_spam, is_fine] -= count
        yield verdict, is_spam, is_fine, count
    yield from ((NOTHING, *kind, count) for kind, count in rest.items())


def rows_of(db: sqlite3.Connection, name: str) -> Iterator[ImportedRow]:
    """Yield the rows of a feed's present import, ordered by number. Changes after the first row are not seen."""
    yield from db.execute(ROWS, (name,))
