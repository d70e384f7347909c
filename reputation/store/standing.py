"""Standings: sums over the evidence about a number, stored so that the decision on a call reads a single row.

Every write to the tables mark, tombstone, signal, answered, one_ring or epoch calls `refresh` in its transaction. The
sums depend on weights. These are stored too, so that all programs compute the same sums. Only the daemon changes the
weights (`use_weights`). Then it recomputes all standings, in batches (`fold_next`).
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
from reputation.store.outbox import add_event, emitting, event_weights, wanted_of, weights_from
from reputation.weights import TrustWeights, Weights


class Settled(NamedTuple):
    """How often appeals and corrections confirmed or refuted a reporter's marks.

    Attributes:
        agree: How many rulings confirmed the marks.
        disagree: How many rulings refuted the marks.
    """

    agree: int = 0
    disagree: int = 0


def trust_of(settled: Settled, weights: TrustWeights) -> float:
    """Return the weight of a reporter's marks compared with a new reporter's, from `weights.least` to 1."""
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
# Each case counts once per site, however many of its people it was about. If one of them was wrong, the site was.
SETTLED_OF_SITE = f"""
SELECT total(agrees), count(*) - total(agrees)
  FROM (SELECT min(agrees) AS agrees FROM settled WHERE {is_of_site("reporter")}
         GROUP BY case_id)
"""
MARKED_BY = "SELECT DISTINCT number FROM mark WHERE reporter = ?"
MARKED_AT_SITE = f"SELECT DISTINCT number FROM mark WHERE {is_of_site('reporter')}"
# Up to so many numbers are folded at once. Above it the daemon folds all numbers again, some at a time.
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


def refresh(db: sqlite3.Connection, number: str, *, emit: bool = True) -> None:
    """Recompute the number's standing in the present transaction. `emit`: emit an event if the level changes."""
    refresh_all(db, (number,), emit=emit)


def refresh_all(db: sqlite3.Connection, numbers: Iterable[str], *, emit: bool = True) -> None:
    """Recompute the standings of these numbers in the present transaction, as `refresh` does for one number."""
    in_order = sorted(set(numbers))
    if in_order:
        weights, emits = weights_of(db), emit and bool(wanted_of(db, EventKind.LEVEL_CHANGED))
        for number in in_order:
            _refresh(db, number, weights, emits)


def _refresh(db: sqlite3.Connection, number: str, weights: Weights, is_emitted: bool) -> None:
    before = None
    if is_emitted:
        with emitting(db):
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
        # Also for rows dated in the past: a call meets the level of now.
        with emitting(db):
            emit_level_changes(db, number, before, _standings(db, number), time.time())


def _standings(db: sqlite3.Connection, number: str) -> Standings:
    return {auth_class: standing(db, number, auth_class) for auth_class in AuthClass}


def settle_case(db: sqlite3.Connection, reporters: Iterable[str], case_id: str, agrees: bool, at: float) -> None:
    """Record whether an appeal or correction confirmed the reporters' marks. This replaces its earlier ruling."""
    reporters = sorted(set(reporters))
    db.executemany(SETTLE, ((reporter, case_id, agrees, at) for reporter in reporters))
    refresh_reporters(db, reporters)


def unsettle_case(db: sqlite3.Connection, case_id: str) -> None:
    """Delete the ruling of an appeal or correction, so that it no longer affects the trust in its reporters."""
    refresh_reporters(db, [reporter for (reporter,) in db.execute(UNSETTLE, (case_id,)).fetchall()])


def weights_of(db: sqlite3.Connection) -> Weights:
    """Return the stored weights with which standings (sums of evidence) are computed."""
    return weights_from(db.execute(FOLDING).fetchone()[0])


def use_weights(db: sqlite3.Connection, weights: Weights) -> bool:
    """Store the weights of the standings. Return whether they have changed.

    After a change, the daemon must call `fold_next` until that returns 0.
    """
    text = msgspec.json.encode(_summed_by(weights)).decode()
    if db.execute(FOLDING).fetchone()[0] == text:
        return False
    db.execute(USE, (text,))
    return True


def fold_next(db: sqlite3.Connection, limit: int) -> int:
    """Recompute the next standings after a change of weights, at most `limit`. Return how many; 0 if all are done."""
    (after,) = db.execute("SELECT after FROM folding").fetchone()
    if after is None:
        return 0
    numbers = [number for (number,) in db.execute(NEXT, {"after": after, "limit": limit})]
    refresh_all(db, numbers, emit=False)
    db.execute(GO_ON, (numbers[-1] if numbers else None,))
    return len(numbers)


def _summed_by(weights: Weights) -> Weights:
    """Return these weights, but with the default for every weight that no standing depends on."""
    return Weights(
        counts=weights.counts,
        block=weights.block,
        trust=weights.trust,
        witnesses=weights.witnesses,
        before_epoch=weights.before_epoch,
    )


def refresh_many(db: sqlite3.Connection, numbers: Collection[str]) -> None:
    """Recompute the standings of these numbers. If there are too many, the daemon recomputes all standings later."""
    if len(numbers) <= FOLDED_AT_ONCE:
        refresh_all(db, numbers)
    else:
        db.execute(FOLD_ALL)


def refresh_reporters(db: sqlite3.Connection, reporters: Iterable[str]) -> None:
    """Recompute the standings of all numbers that these reporters marked, after the trust in them has changed."""
    numbers: set[str] = set()
    of_site = {site_of(reporter) or reporter: bool(site_of(reporter)) for reporter in reporters}
    for name, is_site in of_site.items():
        marked = db.execute(MARKED_AT_SITE, {"site": name}) if is_site else db.execute(MARKED_BY, (name,))
        numbers.update([number for (number,) in marked])
    refresh_many(db, numbers)


def settled_of(db: sqlite3.Connection, reporter: str) -> Settled:
    """Return how many rulings confirmed or refuted marks by the reporter or, for another site's person, by the site."""
    site = site_of(reporter)
    row = db.execute(SETTLED_OF_SITE, {"site": site}) if site else db.execute(SETTLED, (reporter,))
    return Settled(*[int(count) for count in row.fetchone()])


def _trust_in(reporters: Iterable[str], db: sqlite3.Connection, weights: Weights) -> dict[str, float]:
    """Return the trust in each reporter. All people of another site get the site's trust: it may invent people."""
    of_site: dict[str, float] = {}
    trust = {}
    for reporter in reporters:
        site = site_of(reporter)
        if site not in of_site or not site:
            of_site[site] = trust_of(settled_of(db, reporter), weights.trust)
        trust[reporter] = of_site[site]
    return trust


# The events for a number whose own evidence justifies another level than before.

Standings: TypeAlias = Mapping[AuthClass, Standing | None]


def emit_level_changes(db: sqlite3.Connection, number: str, before: Standings, after: Standings, now: float) -> None:
    """Emit an event for each auth class in which the standings `after` give the number another level than `before`."""
    weights = event_weights(db)
    for auth_class in AuthClass:
        if before[auth_class] == after[auth_class]:
            continue
        query = FactsQuery(number=stored_number(number), auth_class=auth_class, did=None, now=now)
        evidence, circumstances = evidence_of(db, query, weights)
        was = reputation_of(evidence._replace(standing=before[auth_class]), circumstances, weights, now)
        reputation = reputation_of(evidence._replace(standing=after[auth_class]), circumstances, weights, now)
        if was.level is not reputation.level:
            data = LevelChanged(
                number=number,
                auth_class=auth_class.value,
                before=was.level.word,
                level=reputation.level.word,
                log_odds=reputation.log_odds,
            )
            add_event(db, EventKind.LEVEL_CHANGED, number, now, data)


# Bursts of marks, which weigh nothing until they are reviewed.

TO_REVIEW = f"""
SELECT number, auth_class, {COLUMNS} FROM standing
 WHERE burst_at IS NOT NULL AND (:number IS NULL OR number = :number)
   AND NOT EXISTS (SELECT 1 FROM review WHERE review.number = standing.number AND review.at > burst_at)
 ORDER BY burst_at DESC, number
"""


class Burst(NamedTuple):
    """Many marks of a number at once, although nothing else speaks against the number. They count only after a review.

    Attributes:
        number: The number.
        auth_class: The auth class of the calls.
        at: When the last of the marks was made.
        reporters: How many people made the marks.
    """

    number: str
    auth_class: AuthClass
    at: Instant
    reporters: int


def numbers_to_review(db: sqlite3.Connection, number: str | None = None) -> list[Burst]:
    """Return bursts of marks that wait for a review, newest first. `number`: only bursts of marks of this number."""
    weights = weights_of(db)
    standings = [(row, standing_from(row[2:])) for row in db.execute(TO_REVIEW, {"number": number})]
    return [
        Burst(row[0], AuthClass(row[1]), standing.burst_at, standing.reporters)
        for row, standing in standings
        if standing.burst_at is not None and is_alarmed(standing, weights, None)
    ]


# Whether sources were right, judged by what the people here and the callers themselves did.

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
    """Return whether a source that lists this standing's number as spam is right; None if our evidence cannot tell."""
    challenges = standing.challenges
    if standing.wanted or standing.talks or challenges.passes:
        return False
    if challenges.failures or challenges.abandoned > 1 or people_of(standing, weights, now) >= weights.levels.warn:
        return True
    return None


def count_proofs(db: sqlite3.Connection, now: float) -> int:
    """Store how many of each source's numbers our evidence can judge, and for how many of these the source is right.

    Return how many sources have such numbers. Call it in a transaction.
    """
    weights, rights_by_source = weights_of(db), dict[object, dict[str, bool]]()
    for source, number, *row in db.execute(LISTED_AND_KNOWN):
        if (right := was_right(standing_from(tuple(row)), weights, now)) is not None:
            rights = rights_by_source.setdefault(source, {})
            rights[number] = right and rights.get(number, True)  # in every auth class
    for table, key in _OF_SOURCES:
        db.execute(NO_PROOF.format(table=table))
        counts = ((sum(rights.values()), len(rights), source) for source, rights in rights_by_source.items())
        db.executemany(PROOF.format(table=table, key=key), counts)
    return len(rights_by_source)
