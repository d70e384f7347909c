"""What a replay knows besides its history: our people and numbers from the settings and the store, and each number's
background. The command and the console share it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from callsieve.replay.engine import Replay
from callsieve.replay.false_positives import KnownCallers
from callsieve.settings import Loaded
from callsieve.simulate import Ours
from reputation.store.as_of import Background, background_of
from reputation.store.people import all_dids, all_people, own_numbers
from reputation.store.site import sample_salt


class ReplayContext(NamedTuple):
    """`background_of` is asked once for each number."""

    ours: Ours
    background_of: Callable[[str], Background]


def ground_of(db: sqlite3.Connection, loaded: Loaded) -> ReplayContext:
    """From the settings, which win, and from the store."""
    ours = Ours.of(loaded)
    everybody = Ours(
        {**{person.extension: person for person in all_people(db)}, **ours.people},
        {**{did.number: did for did in all_dids(db)}, **ours.dids},
        ours.own_numbers.union(own_numbers(db)),
        ours.weights,
        ours.hours,
        sample_salt(db),
        ours.plan,
    )
    return ReplayContext(everybody, partial(background_of, db))


def known_in(replay: Replay, own_numbers: frozenset[str]) -> Callable[[str], KnownCallers]:
    """What speaks for a number, of what the replay has read."""

    def known_of(number: str) -> KnownCallers:
        background = replay.background(number)
        return KnownCallers(bool(background.contacts), background.identity, number in own_numbers)

    return known_of
