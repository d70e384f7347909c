"""Calls and marks from the store as events for a replay, in time order.

A call's attestation and carrier label are read from the evidence of its decision. Other names that came with calls are
not stored. For a call without a decision, the mildest values that fit its authentication class are used.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from heapq import merge
from typing import NamedTuple

from callsieve.replay.engine import Replay
from callsieve.replay.false_positives import KnownCallers
from callsieve.replay.history_file import Event, PastCall, at_of
from callsieve.settings import Loaded
from callsieve.simulate import SettingsFacts
from policies.reasons import CODES, Reason
from reputation.model import Attestation, AuthClass, DecisionRecord, Direction, Family, Verdict, Verification
from reputation.outcome import OutcomeRecord
from reputation.scoring import carrier_label_in, families_of
from reputation.store.as_of import Background, background_of
from reputation.store.journal import calls_capped_by, decision_of
from reputation.store.marks import marks_between
from reputation.store.outcomes import outcomes_between
from reputation.store.people import all_dids, all_people, own_numbers
from reputation.store.site import sample_salt

EXTERNAL = frozenset({Direction.INBOUND, Direction.OUTBOUND})
# The count of the family "attestation" (reputation/families/attestation.py) -> what it was made from.
_SIGNATURES = {
    "failed": (Attestation.NONE, Verification.FAILED),
    "A": (Attestation.A, Verification.PASSED),
    "B": (Attestation.B, Verification.NONE),
    "C": (Attestation.C, Verification.NONE),
}


def events_of_store(db: sqlite3.Connection, until: float) -> Iterator[Event]:
    """Yield all calls and marks before `until`, in time order."""
    marks: Iterator[Event] = (mark for mark in marks_between(db, 0.0, until) if mark.verdict is not Verdict.RETRACTED)
    ended = (outcome for outcome in outcomes_between(db, 0.0, until) if outcome.direction in EXTERNAL)
    sampled = calls_capped_by(db, CODES[Reason.CONTROL_SAMPLE], until)
    calls: Iterator[Event] = (call_from(db, outcome)._replace(sampled=outcome.linkedid in sampled) for outcome in ended)
    yield from merge(calls, marks, key=at_of)


def call_from(db: sqlite3.Connection, outcome: OutcomeRecord) -> PastCall:
    """Return the call of an outcome, with the data that was known when the call began."""
    if outcome.direction is not Direction.INBOUND:
        return PastCall(outcome)
    record = decision_of(db, outcome.decision_id) if outcome.decision_id else None
    families = _families(record)
    signature = next((_SIGNATURES[what] for what in _whats("attestation", families) if what in _SIGNATURES), None)
    label = None if record is None else carrier_label_in(record.vector)
    call = PastCall(outcome, name=label, carrier_counts=label is not None)
    if outcome.auth_class is AuthClass.UNKNOWN:
        return call
    if outcome.auth_class is AuthClass.AUTHENTICATED and signature != _SIGNATURES["A"]:
        return call._replace(trusted=True)
    attestation, verification = signature or _SIGNATURES["B"]
    return call._replace(attestation=attestation, verification=verification)


def _families(record: DecisionRecord | None) -> tuple[Family, ...]:
    try:
        return families_of(record.vector) if record is not None else ()
    except ValueError:
        return ()


def _whats(name: str, families: Sequence[Family]) -> list[str]:
    return [what for family in families if family.name == name for what, _ in family.counts]


class ReplayContext(NamedTuple):
    """The data that a replay needs from the settings and the store. `background_of` is called once per number."""

    ours: SettingsFacts
    background_of: Callable[[str], Background]


def replay_context(db: sqlite3.Connection, loaded: Loaded) -> ReplayContext:
    """Return the data that a replay needs from the settings and the store. If they differ, the settings count."""
    ours = SettingsFacts.of(loaded)
    everybody = SettingsFacts(
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
    """Return a function that returns the facts in favour of a number. It uses what the replay knows from the store."""

    def known_of(number: str) -> KnownCallers:
        background = replay.background(number)
        return KnownCallers(bool(background.contacts), background.identity, number in own_numbers)

    return known_of
