"""Facts that the store had about a number at an earlier time, for a replay of past calls. Calls and marks are left out.

Contacts have no date and always apply. Identities, imports and list entries apply from the time they were written. The
rows of another company apply while that company listed the number without interruption. Facts that were later removed
from the store are missing.
"""

import sqlite3
from typing import NamedTuple

from reputation.model import AuthClass, Identity, Imported, ListEntry, ListName, PeerWord
from reputation.numbers import block_of
from reputation.store.evidence_rows import EXPIRES_AT
from reputation.store.facts import LOOKED_UP, OF_LOOK_UPS, PROVEN, imported_from, most_specific, peer_word_from
from reputation.store.lists import entry_of_row
from reputation.store.peers import PUBLISHED

PREFIXES = ", ".join(f"substr(:number, 1, {length})" for length in range(2, 16))
ENTRIES = f"""
SELECT list, kind, first, last, action, note, expires_at, added_at FROM list_prefix JOIN list_entry ON id = entry
 WHERE prefix IN ({PREFIXES}, :number) AND (kind = 'prefix' OR length(first) = length(:number))
"""
PERSONAL = "SELECT person, verdict, at, source <> 'person' FROM personal_entry WHERE number = :number ORDER BY person"
CONTACTS = "SELECT DISTINCT nullif(person, '') FROM contact WHERE number = :number ORDER BY 1"
IDENTITY = f"SELECT number, name, level, {EXPIRES_AT}, added_at FROM identity WHERE number = :number"
IMPORTED = f"""
SELECT import_source.name, verdict, category, imported.name, note, imported_at, format IS NOT NULL, 0, {PROVEN}
  FROM imported JOIN import_source ON id = source WHERE number = :number AND live = 1
UNION ALL
SELECT {LOOKED_UP} {OF_LOOK_UPS}
"""
LISTED = """
SELECT number, imported_at FROM imported JOIN import_source ON id = source
 WHERE number BETWEEN :block || '000' AND :block || '999' AND number <> :number AND length(number) = length(:number)
   AND live = 1 AND verdict = 'spam' AND format IS NOT NULL
   AND source NOT IN (SELECT source FROM imported WHERE number = :number)
"""
PEERS = f"""
SELECT auth_class, peer_number.came_at, counts_until, {PUBLISHED}
  FROM peer_number JOIN peer ON peer.id = peer_number.peer
 WHERE number = :number AND in_settings = 1 AND off_at IS NULL AND sequence > 0
"""


class OwnEntry(NamedTuple):
    """An entry on a person's own list, added at `at`. `by_mark`: whether a spam mark by the person added the entry."""

    person: str
    verdict: ListName
    at: float
    by_mark: bool


class PeerRow(NamedTuple):
    """Another company's evidence about a number, and when it applies. `auth_class`: of which calls; empty: of all."""

    auth_class: str
    came_at: float
    counts_until: float
    word: PeerWord


class Then(NamedTuple):
    """The facts about a number that applied at an instant.

    `listed`: the other numbers of its block that spam feeds listed, each with the date of the import.
    """

    allow: ListEntry | None = None
    block: ListEntry | None = None
    personal: tuple[OwnEntry, ...] = ()
    contacts: tuple[str | None, ...] = ()
    identity: Identity | None = None
    imported: tuple[Imported, ...] = ()
    listed: tuple[tuple[str, float], ...] = ()
    peers: tuple[PeerRow, ...] = ()

    def words_of_peers(self, auth_class: AuthClass) -> tuple[PeerWord, ...]:
        """Return what other companies published about the number's calls of this auth class."""
        return tuple(row.word for row in self.peers if row.auth_class in ("", auth_class.value))


class Background(NamedTuple):
    """All stored facts about a number. `contacts`: the people who have it as a contact; None stands for the company."""

    entries: tuple[ListEntry, ...] = ()
    personal: tuple[OwnEntry, ...] = ()
    contacts: tuple[str | None, ...] = ()
    identity: Identity | None = None
    identified_at: float = 0.0
    imported: tuple[Imported, ...] = ()
    listed: tuple[tuple[str, float], ...] = ()
    peers: tuple[PeerRow, ...] = ()

    def then(self, at: float) -> Then:
        """Return the facts that applied at the instant `at`."""
        if self is NO_BACKGROUND or self == NO_BACKGROUND:
            return NOTHING_THEN
        entries = [e for e in self.entries if e.added_at <= at and (e.expires_at is None or e.expires_at > at)]
        identity = self.identity
        if identity is not None and not self.identified_at <= at < identity.expires_at:
            identity = None
        return Then(
            most_specific(entries, ListName.ALLOW),
            most_specific(entries, ListName.BLOCK),
            tuple(entry for entry in self.personal if entry.at <= at),
            self.contacts,
            identity,
            tuple(row for row in self.imported if row.imported_at <= at),
            tuple(row for row in self.listed if row[1] <= at),
            tuple(row for row in self.peers if row.came_at <= at < row.counts_until),
        )


NO_BACKGROUND = Background()
NOTHING_THEN = Then()


def background_of(db: sqlite3.Connection, number: str) -> Background:
    """Read all facts about a number. This costs seven look-ups in indexes."""
    about = {"number": number, "block": block_of(number)}
    entries = tuple(entry_of_row(row) for row in db.execute(ENTRIES, about))
    personal = tuple(
        OwnEntry(person, ListName(verdict), at, bool(by_mark))
        for person, verdict, at, by_mark in db.execute(PERSONAL, about)
    )
    contacts = tuple(person for (person,) in db.execute(CONTACTS, about))
    identity = db.execute(IDENTITY, about).fetchone()
    imported = tuple(imported_from(row) for row in db.execute(IMPORTED, about))
    listed = tuple(db.execute(LISTED, about).fetchall())
    peers = tuple(PeerRow(row[0], row[1], row[2], peer_word_from(row[3:])) for row in db.execute(PEERS, about))
    background = Background(entries, personal, contacts, imported=imported, listed=listed, peers=peers)
    return background._replace(identity=Identity(*identity[:4]), identified_at=identity[4]) if identity else background


# The kinds of row, as singular and plural.
COUNTS = {
    ("list entry", "list entries"): "SELECT count(*) FROM list_entry",
    ("entry of a personal list", "entries of personal lists"): "SELECT count(*) FROM personal_entry",
    ("contact", "contacts"): "SELECT count(DISTINCT number) FROM contact",
    ("identity", "identities"): "SELECT count(*) FROM identity",
    ("imported number", "imported numbers"): "SELECT coalesce(sum(numbers), 0) FROM import_source WHERE live = 1",
    ("row of evidence from other companies", "rows of evidence from other companies"): (
        "SELECT coalesce(sum(numbers + cleared), 0) FROM peer WHERE in_settings = 1 AND off_at IS NULL"
    ),
}


def counts_of(db: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """Count the stored facts of each kind. A key names the kind twice, in the singular and in the plural."""
    return {words: int(db.execute(sql).fetchone()[0]) for words, sql in COUNTS.items()}
