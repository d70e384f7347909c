"""Selects numbers with evidence against them, to publish to other companies. No field identifies a person.

Left out are own numbers, contacts, numbers that people here call or talk with, and numbers on an allowlist or on the
do-not-call list. Numbers with an identity, a consent, or an appeal that is open or was recently upheld are left out
too. Evidence from other companies, feeds and look-ups is not used.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from reputation.model import AuthClass
from reputation.signals import SPAMWARD
from reputation.site_names import is_ours
from reputation.standing import Standing
from reputation.store.evidence_rows import EXPIRES_AT
from reputation.store.facts import COLUMNS, standing_from

BATCH = 2_000

# A prefix of up to 15 digits and the whole number, as the facts query looks for list entries.
_PREFIXES = ", ".join(f"substr(standing.number, 1, {length})" for length in range(2, 16))
AGAINST = f"""
SELECT number, auth_class, (SELECT at FROM review WHERE review.number = standing.number),
       (SELECT max(at) FROM epoch WHERE epoch.number = standing.number), {COLUMNS}
  FROM standing
 WHERE (number, auth_class) > (:number, :auth_class) AND against <> ''
   AND NOT EXISTS (SELECT 1 FROM contact WHERE contact.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM talk WHERE talk.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM did WHERE did.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM own_number WHERE own_number.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM own_register WHERE own_register.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM do_not_call WHERE do_not_call.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM consent WHERE consent.number = standing.number)
   AND NOT EXISTS (SELECT 1 FROM personal_entry WHERE personal_entry.number = standing.number AND verdict = 'allow')
   AND NOT EXISTS (SELECT 1 FROM identity WHERE identity.number = standing.number AND {EXPIRES_AT} > :now)
   AND NOT EXISTS (SELECT 1 FROM appeal WHERE appeal.number = standing.number
                      AND (state IN ('open', 'in_force') OR state = 'upheld' AND closed_at > :cleared_since))
   AND NOT EXISTS (SELECT 1 FROM list_prefix JOIN list_entry ON id = entry
                    WHERE prefix IN ({_PREFIXES}, standing.number) AND list = 'allow'
                      AND (kind = 'prefix' OR length(first) = length(standing.number))
                      AND (expires_at IS NULL OR expires_at > :now))
 ORDER BY number, auth_class LIMIT {BATCH}
"""
# Per number and class: which people have marks or signals against it, each human once. A DID or a queue is no person.
# A person is named in the settings or an import, or has a phone of their own (PJSIP/201), the name that counted before
# the import. Other sites publish for their people.
PEOPLE = f"""
WITH said AS (
    SELECT reporter AS who, at, category FROM mark
     WHERE number = :number AND auth_class = :auth_class AND verdict = 'spam' AND at > :since
       AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.number = mark.number
                          AND tombstone.reporter IN ('', mark.reporter) AND mark.at <= until)
    UNION ALL
    SELECT callee, at, '' FROM signal
     WHERE number = :number AND auth_class = :auth_class AND at > :since
       AND category IN ({", ".join(f"'{category}'" for category in sorted(SPAMWARD))})
), named AS (
    SELECT coalesce((SELECT min(extension) FROM person WHERE endpoint = who), who) AS who, at, category FROM said
), people AS (
    SELECT coalesce((SELECT human FROM same_person WHERE same_person.person = who), who) AS who, at, category FROM named
     WHERE (instr(who, '/') > 0 AND {is_ours("who")}) OR EXISTS (SELECT 1 FROM person WHERE extension = who)
)
SELECT count(DISTINCT who), min(at), max(at),
       (SELECT category FROM people WHERE category <> '' GROUP BY category
        HAVING count(DISTINCT who) >= :least ORDER BY count(DISTINCT who) DESC, category LIMIT 1)
  FROM people
"""
PEOPLE_HERE = "SELECT people FROM site WHERE id = 1"


class Accused(NamedTuple):
    """A number with evidence against it, in calls of one auth class.

    `reviewed_at`: when a burst of its marks was last reviewed. `epoch_at`: since when the number has its present owner.
    """

    number: str
    auth_class: AuthClass
    reviewed_at: float | None
    epoch_at: float | None
    standing: Standing


class AccusedBy(NamedTuple):
    """How many people speak against a number with marks or signals. `first_at`, `last_at`: when the first and last did.

    `category`: a category that so many people chose that it identifies nobody, or None.
    """

    people: int
    first_at: float
    last_at: float
    category: str | None


def accused_numbers(db: sqlite3.Connection, now: float, cleared_since: float) -> Iterator[Accused]:
    """Yield numbers with evidence against them, ordered by number and auth class. Each batch is a separate read."""
    number = auth_class = ""
    about = {"now": now, "cleared_since": cleared_since}
    while rows := db.execute(AGAINST, about | {"number": number, "auth_class": auth_class}).fetchall():
        for number, auth_class, reviewed_at, epoch_at, *standing in rows:
            yield Accused(number, AuthClass(auth_class), reviewed_at, epoch_at, standing_from(tuple(standing)))


def accused_by(db: sqlite3.Connection, number: str, auth_class: AuthClass, since: float, least: int) -> AccusedBy:
    """Return how many people speak against the number with marks or signals after `since`.

    The result only has a category if at least `least` people chose it.
    """
    about = {"number": number, "auth_class": auth_class.value, "since": since, "least": least}
    people, first_at, last_at, category = db.execute(PEOPLE, about).fetchone()
    return AccusedBy(people, first_at or 0.0, last_at or 0.0, category)


def people_here(db: sqlite3.Connection) -> int:
    """Return how many people work at this site, or 0 if unknown."""
    row = db.execute(PEOPLE_HERE).fetchone()
    return int(row[0]) if row else 0
