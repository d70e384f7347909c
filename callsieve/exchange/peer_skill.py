"""How good companies are, by what our own people and the callers showed: as look-ups are judged (callsieve.lookups)."""

from __future__ import annotations

import sqlite3

from callsieve.lookups.measure import Skill, skill_of
from reputation.store.peers import PeerState, compared_with_peer

MEASURED_DAYS = 90
DAY_SECONDS = 86_400.0


def skill_of_peer(db: sqlite3.Connection, state: PeerState, now: float) -> Skill:
    """How good it is, over the last 90 days or since it was switched on again."""
    return skill_of(compared_with_peer(db, state.id, max(state.since, now - MEASURED_DAYS * DAY_SECONDS)))
