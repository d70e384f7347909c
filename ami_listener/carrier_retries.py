"""The same call offered again: a carrier that got 4xx or 5xx tries once more, and that is one call, not two.

An unanswered inbound call that the caller did not give up is held back for OFFER_SECONDS. If the same caller comes to
the same DID on the same trunk meanwhile, the two become one outcome; else it is let go as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ami_listener.outcome import Outcome
from reputation.model import Direction, Disposition, EndedBy

OFFER_SECONDS = 30.0
HELD_LIMIT = 10_000
# A carrier tries a few ways. Who calls every half a minute for ever makes calls of his own, and each lot is told.
MOST_OFFERS = 5

Key = tuple[str, str, str | None]


def key_of(outcome: Outcome) -> Key:
    """What makes two offers the same call."""
    return outcome.caller, outcome.did, outcome.trunk


def may_be_offered_again(outcome: Outcome) -> bool:
    """Whether the carrier may try once more; not when the PBX had answered (voicemail), nor a call seen in part."""
    return (
        outcome.complete
        and outcome.direction is Direction.INBOUND
        and outcome.disposition is not Disposition.ANSWERED
        and not outcome.answered_by_pbx
        and outcome.ended_by is not EndedBy.CALLER
        and outcome.caller != ""
        and len(outcome.earlier) + 1 < MOST_OFFERS
    )


def merge(earlier: Outcome, later: Outcome) -> Outcome:
    """Two offers of one call: how the later one ended, and the whole of the ringing."""
    return replace(
        later,
        at=earlier.at,
        complete=earlier.complete and later.complete,
        rang=tuple(dict.fromkeys(earlier.rang + later.rang)),
        forked_to=max(earlier.forked_to, later.forked_to),
        ring_seconds=earlier.ring_seconds + later.ring_seconds,
        earlier=(*earlier.earlier, earlier.linkedid),
    )


@dataclass(slots=True)
class CarrierRetries:
    """Outcomes held back, the oldest first. Bounded: beyond HELD_LIMIT the oldest is let go."""

    _held: dict[Key, Outcome] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, outcome: Outcome) -> Iterator[Outcome]:
        """Keep one back; gives what has to go for it."""
        key = key_of(outcome)
        if (other := self._held.pop(key, None)) is not None:
            yield other
        self._held[key] = outcome
        if len(self._held) > HELD_LIMIT:
            yield self._held.pop(next(iter(self._held)))

    def take(self, key: Key, at: float) -> Outcome | None:
        """The earlier offer of a call that begins at `at`, which is then no longer held."""
        held = self._held.get(key)
        if held is None or at - held.ended_at > OFFER_SECONDS:
            return None
        return self._held.pop(key)

    def due(self, at: float) -> Iterator[Outcome]:
        """Those nobody tried again in time."""
        while self._held:
            key = next(iter(self._held))
            if at - self._held[key].ended_at <= OFFER_SECONDS:
                return
            yield self._held.pop(key)

    def give_up(self) -> Iterator[Outcome]:
        """All of them at once, when we cannot see any more whether they are offered again: so not complete."""
        while self._held:
            yield replace(self._held.pop(next(iter(self._held))), complete=False)
