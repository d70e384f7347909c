"""Standings: what the rows of a number add up to, kept beside them so that a call reads one row.

    refresh(db, number)          in the transaction of every write to mark, tombstone, signal, answered, one_ring, epoch

The store knows with which weights its sums are made, so that every program that writes makes them alike. Only the
daemon changes them (`use_weights`), and then folds all standings again, some at a time (`fold_next`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from reputation.encoding import Instant
from reputation.events import EventKind, LevelChanged
from reputation.facts import FactsQuery
from reputation.families.block import may_be_bad
from reputation.families.counts import is_alarmed, people_of
from reputation.fold import standing_of
from reputation.model import AuthClass
from reputation.numbers import stored_number
from reputation.scoring import reputation_of
from reputation.site_names import is_of_site, site_of
from reputation.standing import Standing
from reputation.store.evidence_rows import rows_of
from reputation.store.facts import COLUMNS, evidence_of, standing, standing_columns, standing_from
from reputation.store.outbox import add_event, event_weights, telling, wanted_of, weights_from
from reputation.weights import TrustWeights, Weights


class Settled(NamedTuple):
    """How many of a reporter's marks a decided case has confirmed (`agree`) and refuted (`disagree`).

    Attributes:
        agree: How many marks a decided case has confirmed.
        disagree: How many marks a decided case has refuted.
    """

    agree: int = 0
    disagree: int = 0


def trust_of(settled: Settled, weights: TrustWeights) -> float:
    """`E[Beta]` of the reporter against that of one about whom nothing is known, between `least` and 1."""
    prior = weights.agree / (weights.agree + weights.disagree)
    expected = (weights.agree + settled.agree) / (weights.agree + weights.disagree + sum(settled))
    return max(weights.least, min(1.0, expected / prior))


DROP = "DELETE FROM standing WHERE number = ?"
ADD = f"INSERT INTO standing (number, auth_class, may_be_bad, {COLUMNS}) VALUES ({', '.join('?' * 16)})"

EPOCH_AT = "SELECT max(at) FROM epoch WHERE number = ?"
SETTLE = """
INSERT INTO settled (reporter, case_id, agrees, at) VALUES (?, ?, ?, ?)
ON CONFLICT (reporter, case_id) DO UPDATE SET agrees = excluded.agrees, at = excluded.at WHERE excluded.at >= at
"""
UNSETTLE = "DELETE FROM settled WHERE case_id = ? RETURNING reporter"
SETTLED = "SELECT total(agrees), count(*) - total(agrees) FROM settled WHERE reporter = ?"
# Of a case once, however many of the site's people it was about; one of them who was wrong decides.
SETTLED_OF_SITE = f"""
SELECT total(agrees), count(*) - total(agrees)
  FROM (SELECT min(agrees) AS agrees FROM settled WHERE {is_of_site("reporter")}
         GROUP BY case_id)
"""
MARKED_BY = "SELECT DISTINCT number FROM mark WHERE reporter = ?"
MARKED_AT_SITE = f"SELECT DISTINCT number FROM mark WHERE {is_of_site('reporter')}"
# Of how many numbers sums are made anew at once; beyond that the daemon makes all anew, some at a time.
FOLDED_AT_ONCE = 5000

FOLDING = "SELECT weights, after FROM folding"
USE = "UPDATE folding SET weights = ?, after = ''"
GO_ON = "UPDATE folding SET after = ?"
FOLD_ALL = "UPDATE folding SET after = ''"
NEXT = """
SELECT number FROM mark WHERE number > :after UNION SELECT number FROM signal WHERE number > :after
UNION SELECT number FROM answered WHERE number > :after UNION SELECT number FROM standing WHERE number > :after
UNION SELECT number FROM challenge WHERE number > :after UNION SELECT number FROM identity WHERE number > :after
UNION SELECT number FROM trap_call WHERE number > :after
 ORDER BY number LIMIT :limit
"""


def refresh(db: sqlite3.Connection, number: str, *, tell: bool = True) -> None:
    """Folds the number's rows again. Call it in the transaction that has changed them.

    Whoever wants to know is told of another level, unless `tell` is False: the rows are what they were.
    """
    refresh_all(db, (number,), tell=tell)


def refresh_all(db: sqlite3.Connection, numbers: Iterable[str], *, tell: bool = True) -> None:
    """Each of the numbers, once."""
    found = sorted(set(numbers))
    if found:
        weights, is_told = weights_of(db), tell and bool(wanted_of(db, EventKind.LEVEL_CHANGED))
        for number in found:
            _refresh(db, number, weights, is_told)


def _refresh(db: sqlite3.Connection, number: str, weights: Weights, is_told: bool) -> None:
    before = None
    if is_told:
        with telling(db):
            before = _standings(db, number)
    rows = rows_of(db, number)
    (epoch_at,) = db.execute(EPOCH_AT, (number,)).fetchone()
    trust = _trust_in({mark.reporter for mark in rows.marks}, db, weights)
    db.execute(DROP, (number,))
    for auth_class in AuthClass:
        folded = standing_of(rows, auth_class, weights, epoch_at=epoch_at, trust=trust.__getitem__)
        if folded is not None:
            db.execute(ADD, (number, auth_class.value, may_be_bad(folded, weights), *standing_columns(folded)))
    if before is not None:
        # Of rows that are dated in the past as well: the level is what a call meets now.
        with telling(db):
            tell_levels(db, number, before, _standings(db, number), time.time())


def _standings(db: sqlite3.Connection, number: str) -> Standings:
    return {auth_class: standing(db, number, auth_class) for auth_class in AuthClass}


def settle_case(db: sqlite3.Connection, reporters: Iterable[str], case_id: str, agrees: bool, at: float) -> None:
    """A decided case has confirmed or refuted what the reporters said; of a case the latest word counts."""
    reporters = sorted(set(reporters))
    db.executemany(SETTLE, ((reporter, case_id, agrees, at) for reporter in reporters))
    refresh_reporters(db, reporters)


def unsettle_case(db: sqlite3.Connection, case_id: str) -> None:
    """The case was decided in error, and says nothing about anybody."""
    refresh_reporters(db, [reporter for (reporter,) in db.execute(UNSETTLE, (case_id,)).fetchall()])


def weights_of(db: sqlite3.Connection) -> Weights:
    """With which weights the store's sums are made."""
    return weights_from(db.execute(FOLDING).fetchone()[0])


def use_weights(db: sqlite3.Connection, weights: Weights) -> bool:
    """Sums are made with these from now on. False: they were already. Then `fold_next` until it returns 0."""
    text = msgspec.json.encode(_summed_by(weights)).decode()
    if db.execute(FOLDING).fetchone()[0] == text:
        return False
    db.execute(USE, (text,))
    return True


def fold_next(db: sqlite3.Connection, limit: int) -> int:
    """Folds the next numbers again that are still to be, and returns how many. 0: all are done.

    Nobody is told of levels: an administrator has changed the weights, and a whole store of numbers with them.
    """
    (after,) = db.execute("SELECT after FROM folding").fetchone()
    if after is None:
        return 0
    numbers = [number for (number,) in db.execute(NEXT, {"after": after, "limit": limit})]
    refresh_all(db, numbers, tell=False)
    db.execute(GO_ON, (numbers[-1] if numbers else None,))
    return len(numbers)


def _summed_by(weights: Weights) -> Weights:
    """What the stored sums depend on; the rest as it is by default."""
    return Weights(
        counts=weights.counts,
        block=weights.block,
        trust=weights.trust,
        witnesses=weights.witnesses,
        before_epoch=weights.before_epoch,
    )


def refresh_many(db: sqlite3.Connection, numbers: Collection[str]) -> None:
    """Folds these numbers again: at once where they are not too many for one transaction, else the daemon does it."""
    if len(numbers) <= FOLDED_AT_ONCE:
        refresh_all(db, numbers)
    else:
        db.execute(FOLD_ALL)


def refresh_reporters(db: sqlite3.Connection, reporters: Iterable[str]) -> None:
    """Folds every number again that one of them has marked: the trust in them, or in their site, has changed."""
    numbers: set[str] = set()
    of_site = {site_of(one) or one: bool(site_of(one)) for one in reporters}
    for name, is_site in of_site.items():
        found = db.execute(MARKED_AT_SITE, {"site": name}) if is_site else db.execute(MARKED_BY, (name,))
        numbers.update([number for (number,) in found])
    refresh_many(db, numbers)


def settled_of(db: sqlite3.Connection, reporter: str) -> Settled:
    """What decided cases say of the reporter; of one of another site, what they say of the site."""
    site = site_of(reporter)
    row = db.execute(SETTLED_OF_SITE, {"site": site}) if site else db.execute(SETTLED, (reporter,))
    return Settled(*[int(count) for count in row.fetchone()])


def _trust_in(reporters: Iterable[str], db: sqlite3.Connection, weights: Weights) -> dict[str, float]:
    """The trust in each. All people of another site are trusted as their site is: it may invent new ones."""
    of_site: dict[str, float] = {}
    found = {}
    for one in reporters:
        site = site_of(one)
        if site not in of_site or not site:
            of_site[site] = trust_of(settled_of(db, one), weights.trust)
        found[one] = of_site[site]
    return found


# What receivers are told when a number's own evidence justifies another level than before.

Standings: TypeAlias = Mapping[AuthClass, Standing | None]


def tell_levels(db: sqlite3.Connection, number: str, before: Standings, after: Standings, now: float) -> None:
    """An event for each class of calls in which the standings make another level of what else is known now."""
    weights = event_weights(db)
    for auth_class in AuthClass:
        if before[auth_class] == after[auth_class]:
            continue
        query = FactsQuery(number=stored_number(number), auth_class=auth_class, did=None, now=now)
        evidence, circumstances = evidence_of(db, query, weights)
        was = reputation_of(evidence._replace(standing=before[auth_class]), circumstances, weights, now)
        found = reputation_of(evidence._replace(standing=after[auth_class]), circumstances, weights, now)
        if was.level is not found.level:
            data = LevelChanged(
                number=number,
                auth_class=auth_class.value,
                before=was.level.word,
                level=found.level.word,
                log_odds=found.log_odds,
            )
            add_event(db, EventKind.LEVEL_CHANGED, number, now, data)


# Bursts of marks, which weigh nothing until somebody has looked.

TO_REVIEW = f"""
SELECT number, auth_class, {COLUMNS} FROM standing
 WHERE burst_at IS NOT NULL AND (:number IS NULL OR number = :number)
   AND NOT EXISTS (SELECT 1 FROM review WHERE review.number = standing.number AND review.at > burst_at)
 ORDER BY burst_at DESC, number
"""


class Burst(NamedTuple):
    """Many marks at once of a number that behaves well: they weigh nothing until somebody has looked.

    Attributes:
        number: The number.
        auth_class: The class of the calls.
        at: When the last of them was made.
        reporters: How many people made them.
    """

    number: str
    auth_class: AuthClass
    at: Instant
    reporters: int


def numbers_to_review(db: sqlite3.Connection, number: str | None = None) -> list[Burst]:
    """Bursts of marks that nobody has looked at, of all numbers or this one, the latest first."""
    weights = weights_of(db)
    found = [(row, standing_from(row[2:])) for row in db.execute(TO_REVIEW, {"number": number})]
    return [
        Burst(row[0], AuthClass(row[1]), one.burst_at, one.reporters)
        for row, one in found
        if one.burst_at is not None and is_alarmed(one, weights, None)
    ]


# Whether the word of sources was right, by what our own people and the callers themselves did.

OF_STANDING = ", ".join(f"standing.{column.strip()}" for column in COLUMNS.split(","))
LISTED_AND_KNOWN = f"""
SELECT source, standing.number, {OF_STANDING} FROM standing JOIN imported ON imported.number = standing.number
  JOIN import_source ON id = source WHERE live = 1 AND verdict = 'spam'
UNION ALL
SELECT source, standing.number, {OF_STANDING} FROM standing JOIN lookup_result ON lookup_result.number = standing.number
 WHERE verdict = 'spam'
"""
NO_PROOF = "UPDATE {table} SET right_callers = 0, known_callers = 0"
PROOF = "UPDATE {table} SET right_callers = ?, known_callers = ? WHERE {key} = ?"
_OF_SOURCES = (("import_source", "id"), ("lookup_source", "name"))


def was_right(standing: Standing, weights: Weights, now: float) -> bool | None:
    """Return whether who says that the number is spam is right; None: that is not known here."""
    challenges = standing.challenges
    if standing.wanted or standing.talks or challenges.passes:
        return False
    if challenges.failures or challenges.abandoned > 1 or people_of(standing, weights, now) >= weights.levels.warn:
        return True
    return None


def count_proofs(db: sqlite3.Connection, now: float) -> int:
    """Count for each source how many of the callers that it lists are known here, and how many of them it was right
    about. Call it in a transaction.
    """
    weights, found = weights_of(db), dict[object, dict[str, bool]]()
    for source, number, *row in db.execute(LISTED_AND_KNOWN):
        if (right := was_right(standing_from(tuple(row)), weights, now)) is not None:
            rights = found.setdefault(source, {})
            rights[number] = right and rights.get(number, True)  # of whatever class
    for table, key in _OF_SOURCES:
        db.execute(NO_PROOF.format(table=table))
        counts = ((sum(rights.values()), len(rights), source) for source, rights in found.items())
        db.executemany(PROOF.format(table=table, key=key), counts)
    return len(found)
