"""The deliveries to one receiver: what is delivered next, when it is tried again, and when it is given up. Pure.

    lane.load(deliveries, now)      what the store has, in its order
    lane.next(now)                  what may be delivered now, if anything
    lane.delivered(one, now)        or lane.failed(one, error, now): what is to be written of it

Of one subject one event is under way at a time, so that its order is kept. One that fails waits, and with it what comes
after it of that subject; nothing else does. That stays in the store alone, and is read again when its time comes: so a
lane has a bounded number of events in memory, however many wait. A receiver that fails with everything is left alone,
and asked with one event at a time until it takes one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from callsieve.events.kinds import DeliveryError
from reputation.backoff import wait_seconds
from reputation.store.event_deliveries import Delivery, FailedDelivery

IN_FLIGHT: Final = 32  # deliveries to one receiver at once
WINDOW: Final = 1000  # deliveries of one receiver in memory
OF_SUBJECT: Final = 100  # deliveries of one subject that are read at once
FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 900.0
LEAST_WAIT_SECONDS: Final = 1.0
LONGEST_ASKED_SECONDS: Final = 3600.0  # a receiver may ask for more time, but not for ever
GIVE_UP_SECONDS: Final = 86_400.0
FAILURES_UNTIL_PAUSE: Final = 5  # in a row, of any subjects


@dataclass(slots=True)
class _Stored:
    """A subject whose deliveries after the place `seq` are in the store alone, until they are read at `next_at`."""

    seq: int
    next_at: float


class Lane:
    """Of one receiver. `chance()` is from 0 to 1. `cursor`: all before it was loaded, or is in the store on purpose.

    `resets` counts: what was read from the store before a reset is not to be loaded after it.
    """

    def __init__(self, name: str, chance: Callable[[], float]) -> None:
        self.name = name
        self.cursor = 0
        self.resets = 0
        self.paused_until = 0.0
        self.failing_since: float | None = None
        self._chance = chance
        self._failures = 0
        self._queues: dict[str, deque[Delivery]] = {}
        self._ready: deque[str] = deque()
        self._running: dict[str, Delivery] = {}
        self._stored: dict[str, _Stored] = {}
        self._held = 0

    @property
    def room(self) -> int:
        """How many more deliveries may be loaded."""
        return max(0, WINDOW - self._held - len(self._running))

    def load(self, deliveries: Sequence[Delivery], now: float, had: Collection[int] = ()) -> None:
        """Takes the next deliveries of the store, those after `cursor`.

        `had`: what was delivered, and the store does not know yet.
        """
        for one in deliveries:
            self.cursor = max(self.cursor, one.event.seq)
            subject = one.event.subject
            if subject in self._stored or one.event.seq in had:
                continue
            if one.next_at is not None and not _is_over(one.next_at, now) and subject not in self._queues:
                self._stored[subject] = _Stored(one.event.seq - 1, one.next_at)
            else:
                self._add(one)

    def due(self, now: float) -> list[tuple[str, int]]:
        """Subjects whose deliveries after a place are to be read again, up to `cursor`; `refill` takes them.

        All that wait are looked at: ask once a second.
        """
        if not _is_over(self.paused_until, now):
            return []
        room = self.room // OF_SUBJECT
        found = (
            (subject, stored.seq)
            for subject, stored in self._stored.items()
            if _is_over(stored.next_at, now) and subject not in self._queues and subject not in self._running
        )
        return [one for one, _ in zip(found, range(room), strict=False)]

    def refill(self, subject: str, deliveries: Sequence[Delivery], had: Collection[int] = ()) -> None:
        """Takes the deliveries of a subject that `due` named, OF_SUBJECT at most; fewer are all that there are."""
        if len(deliveries) < OF_SUBJECT:
            self._stored.pop(subject, None)
        else:
            self._stored[subject].seq = deliveries[-1].event.seq
        for one in deliveries:
            if one.event.seq not in had:
                self._add(one)

    def next(self, now: float) -> Delivery | None:
        """A delivery to make now."""
        most = IN_FLIGHT if self._failures < FAILURES_UNTIL_PAUSE else 1
        if not _is_over(self.paused_until, now) or len(self._running) >= most or not self._ready:
            return None
        subject = self._ready.popleft()
        queue = self._queues[subject]
        one = self._running[subject] = queue.popleft()
        self._held -= 1
        if not queue:
            del self._queues[subject]
        return one

    def delivered(self, one: Delivery, now: float) -> None:
        """The receiver has it. One that had failed with everything is asked for all that waits at once."""
        if self._failures >= FAILURES_UNTIL_PAUSE:
            for stored in self._stored.values():
                stored.next_at = min(stored.next_at, now)
        self._answers()
        self._done(one)

    def failed(self, one: Delivery, error: DeliveryError, now: float) -> FailedDelivery:
        """It was not taken. What is to be written: when it is tried again, or that it is a dead letter."""
        event, since = one.event, now if one.failing_since is None else one.failing_since
        if error.permanent:
            self._answers()
            self._done(one)
            return FailedDelivery(event.seq, error.words, since, None)
        self._fails(now)
        if now - since >= GIVE_UP_SECONDS:
            self._done(one)
            return FailedDelivery(event.seq, error.words, since, None)
        next_at = now + self._wait(one.attempts + 1, error.retry_after)
        if error.retry_after is not None:
            self.paused_until = max(self.paused_until, next_at)  # it speaks for itself, not for the subject
        self._running.pop(event.subject, None)
        self._drop(event.subject)
        stored = self._stored.get(event.subject)
        seq = event.seq - 1 if stored is None else min(event.seq - 1, stored.seq)
        self._stored[event.subject] = _Stored(seq, next_at)
        return FailedDelivery(event.seq, error.words, since, next_at)

    def reset(self) -> None:
        """Everything is to be loaded again, but for what is under way."""
        self.cursor = 0
        self.resets += 1
        self.paused_until = 0.0
        self._queues.clear()
        self._ready.clear()
        self._held = 0
        self._stored = {subject: _Stored(0, 0.0) for subject in self._running}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._running

    def _add(self, one: Delivery) -> None:
        subject = one.event.subject
        if subject not in self._queues:
            self._queues[subject] = deque()
            if subject not in self._running:
                self._ready.append(subject)
        self._queues[subject].append(one)
        self._held += 1

    def _done(self, one: Delivery) -> None:
        subject = one.event.subject
        self._running.pop(subject, None)
        if subject in self._queues:
            self._ready.append(subject)

    def _drop(self, subject: str) -> None:
        self._held -= len(self._queues.pop(subject, ()))

    def _answers(self) -> None:
        self._failures, self.failing_since, self.paused_until = 0, None, 0.0

    def _fails(self, now: float) -> None:
        """What was under way when the receiver began to fail says nothing new."""
        if not _is_over(self.paused_until, now):
            return
        self._failures += 1
        if self.failing_since is None:
            self.failing_since = now
        if self._failures >= FAILURES_UNTIL_PAUSE:
            self.paused_until = now + self._wait(self._failures - FAILURES_UNTIL_PAUSE + 1, None)

    def _wait(self, attempts: int, asked: float | None) -> float:
        """Longer after each failure, and never the same for two: what failed together does not come back together."""
        if asked is not None:
            return min(max(asked, LEAST_WAIT_SECONDS), LONGEST_ASKED_SECONDS)
        return wait_seconds(attempts, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS) * (0.8 + 0.4 * self._chance())


def _is_over(until: float, now: float) -> bool:
    """Whether a wait is over. One that is longer than any of ours is of a clock that was ahead."""
    return not now < until <= now + LONGEST_ASKED_SECONDS
