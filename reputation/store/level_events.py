"""What receivers are told when a number's own evidence justifies another level than before."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TypeAlias

from reputation.events import EventKind, LevelChanged
from reputation.facts import FactsQuery
from reputation.model import AuthClass
from reputation.numbers import stored_number
from reputation.scoring import reputation_of
from reputation.standing import Standing
from reputation.store.facts import evidence_of
from reputation.store.outbox import add_event, event_weights

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
