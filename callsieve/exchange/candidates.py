"""Selects the numbers to publish. Against each number, at least three people at this site must have given evidence."""

import json
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from callsieve.appeals.cleared import VALID_DAYS, statement_of
from callsieve.changes.operation import Context
from callsieve.exchange.rows import ANSWERED_STEPS, CATEGORY, PEOPLE_STEPS, step_of
from callsieve.signing.keys import SigningKey
from callsieve.signing.statements import NUMBER_CLEARED, canonical, sign
from callsieve.wiring import known_own_numbers
from reputation.appeals import AppealState
from reputation.evidence import Circumstances, Evidence
from reputation.formulas import week_of
from reputation.model import Level
from reputation.scoring import reputation_of
from reputation.store.appeals import all_appeals
from reputation.store.peers import PeerNumber
from reputation.store.published import Accused, accused_by, accused_numbers, people_here
from reputation.weights import DAY_SECONDS, Weights

LEAST_PEOPLE = 3
# A listed number stays until its log-odds are this far below a warning. Else it would come and go.
STAYS = 0.5
MOST_CLEARED = 100_000


class Candidate(NamedTuple):
    """A row about a number that may be published.

    `may_begin`: whether the evidence is strong enough to publish a new number. If not, the row only keeps a number that
    is already published.
    """

    row: PeerNumber
    may_begin: bool


def listed_numbers(db: sqlite3.Connection, context: Context) -> Iterator[Candidate]:
    """Yield the rows that may be published, ordered by number and auth class."""
    weights, now = context.settings.reputation, context.at
    never = tuple(text.rstrip("*") for text in context.settings.publish.never)
    ours, people = known_own_numbers(db, context.loaded), people_here(db)
    for accused in accused_numbers(db, now, now - weights.appeal.days * DAY_SECONDS):
        if accused.number in ours or accused.number.startswith(never):
            continue
        if (candidate := _candidate(db, accused, weights, people, now)) is not None:
            yield candidate


def _candidate(db: sqlite3.Connection, accused: Accused, weights: Weights, people: int, now: float) -> Candidate | None:
    standing, days = accused.standing, weights.witnesses.days
    since = max(now - days * DAY_SECONDS, accused.epoch_at or 0.0)
    if sum(at > since for at in standing.witnessed) < LEAST_PEOPLE:  # includes DIDs; people are counted below
        return None
    evidence = Evidence(standing=standing, reviewed_at=accused.reviewed_at)
    reputation = reputation_of(evidence, Circumstances(accused.auth_class, people=people), weights, now)
    if reputation.log_odds < weights.levels.warn - STAYS:
        return None
    by = accused_by(db, accused.number, accused.auth_class, since, LEAST_PEOPLE)
    if by.people < LEAST_PEOPLE:
        return None
    category = by.category if by.category and CATEGORY.fullmatch(by.category) else ""
    row = PeerNumber(
        accused.number,
        accused.auth_class.value,
        min(max(reputation.level, Level.WARN), Level.CHALLENGE),
        step_of(by.people, PEOPLE_STEPS),
        step_of(standing.answered, ANSWERED_STEPS),
        week_of(by.first_at),
        week_of(by.last_at),
        category,
    )
    return Candidate(row, reputation.level >= Level.WARN)


def cleared_lines(
    db: sqlite3.Connection, context: Context, key: SigningKey, issuer: str, after: str = ""
) -> Iterator[str]:
    """Yield a signed statement, as one line, for each number that an upheld appeal cleared.

    Expired statements are left out. The order is by number and starts after the number `after`.
    """
    settings, now = context.settings, context.at
    if not settings.publish.cleared:
        return
    never = tuple(text.rstrip("*") for text in settings.publish.never)
    latest = {appeal.number: appeal for appeal in reversed(all_appeals(db))}
    count = 0
    for number, appeal in sorted(latest.items()):
        if appeal.state is not AppealState.UPHELD or appeal.closed_at is None or number.startswith(never):
            continue
        if number <= after:
            continue
        until = appeal.closed_at + VALID_DAYS * DAY_SECONDS
        if now >= until or count >= MOST_CLEARED:
            continue
        count += 1
        kept = statement_of(db, appeal.reference)  # with a link for the owner, if there is a public page
        about = {
            "number": number,
            "appeal": appeal.reference,
            "proven": appeal.proven,
            "category_only": appeal.category_only,
            "check": kept.link if kept else "",
        }
        text = sign(key, NUMBER_CLEARED, issuer, issued_at=appeal.closed_at, valid_until=until, about=about)
        yield canonical(json.loads(text)).decode()
