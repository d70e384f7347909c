"""The deliveries to one receiver: the next delivery, retries, and giving up. No I/O; time and chance are arguments.

    lane.load(deliveries, now)      adds deliveries from the store
    lane.next(now)                  returns a delivery to make now, or None
    lane.delivered(delivery, now)   or lane.failed(delivery, error, now): returns a retry or dead letter to store

Events of one subject are delivered one after another, to keep their order. After a failure, the subject's events stay
in the store until the retry, so a lane holds only a limited count of events. A receiver that always fails is paused,
and then tried with one event at a time until it accepts one.
"""

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
LONGEST_ASKED_SECONDS: Final = 3600.0  # a receiver may ask for no longer pause
GIVE_UP_SECONDS: Final = 86_400.0
FAILURES_UNTIL_PAUSE: Final = 5  # in a row, of any subjects


@dataclass(slots=True)
class _Stored:
    """A subject whose deliveries after `seq` are not loaded from the store until `next_at`."""

    seq: int
    next_at: float


class Lane:
    """The deliveries to one receiver. `chance()` returns a random value from 0 to 1.

    `cursor`: the position in the store up to which deliveries were loaded, or left in the store on purpose. `resets`:
    how many resets there were. Deliveries that were read before a reset must not be loaded after the reset.
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
        """Return how many more deliveries can be loaded."""
        return max(0, WINDOW - self._held - len(self._running))

    def load(self, deliveries: Sequence[Delivery], now: float, had: Collection[int] = ()) -> None:
        """Add the store's next deliveries after `cursor`. `had`: events already delivered, but not recorded yet."""
        for delivery in deliveries:
            self.cursor = max(self.cursor, delivery.event.seq)
            subject = delivery.event.subject
            if subject in self._stored or delivery.event.seq in had:
                continue
            if delivery.next_at is not None and not _is_over(delivery.next_at, now) and subject not in self._queues:
                self._stored[subject] = _Stored(delivery.event.seq - 1, delivery.next_at)
            else:
                self._add(delivery)

    def due(self, now: float) -> list[tuple[str, int]]:
        """Return the subjects to `refill`, each with the position after which to read. Call it once a second."""
        if not _is_over(self.paused_until, now):
            return []
        room = self.room // OF_SUBJECT
        waiting = (
            (subject, stored.seq)
            for subject, stored in self._stored.items()
            if _is_over(stored.next_at, now) and subject not in self._queues and subject not in self._running
        )
        return [place for place, _ in zip(waiting, range(room), strict=False)]

    def refill(self, subject: str, deliveries: Sequence[Delivery], had: Collection[int] = ()) -> None:
        """Add deliveries of a subject that `due` returned. `had`: events already delivered, but not recorded yet.

        Fewer than OF_SUBJECT deliveries mean that the store has no others.
        """
        if len(deliveries) < OF_SUBJECT:
            self._stored.pop(subject, None)
        else:
            self._stored[subject].seq = deliveries[-1].event.seq
        for delivery in deliveries:
            if delivery.event.seq not in had:
                self._add(delivery)

    def next(self, now: float) -> Delivery | None:
        """Return a delivery that can be made now, or None."""
        most = IN_FLIGHT if self._failures < FAILURES_UNTIL_PAUSE else 1
        if not _is_over(self.paused_until, now) or len(self._running) >= most or not self._ready:
            return None
        subject = self._ready.popleft()
        queue = self._queues[subject]
        delivery = self._running[subject] = queue.popleft()
        self._held -= 1
        if not queue:
            del self._queues[subject]
        return delivery

    def delivered(self, delivery: Delivery, now: float) -> None:
        """Record a successful delivery. After a series of failures, all waiting events become due."""
        if self._failures >= FAILURES_UNTIL_PAUSE:
            for stored in self._stored.values():
                stored.next_at = min(stored.next_at, now)
        self._note_answer()
        self._done(delivery)

    def failed(self, delivery: Delivery, error: DeliveryError, now: float) -> FailedDelivery:
        """Record a failed delivery, and return what to store: a retry, or a dead letter."""
        event, since = delivery.event, now if delivery.failing_since is None else delivery.failing_since
        if error.permanent:
            self._note_answer()
            self._done(delivery)
            return FailedDelivery(event.seq, error.words, since, None)
        self._note_failure(now)
        if now - since >= GIVE_UP_SECONDS:
            self._done(delivery)
            return FailedDelivery(event.seq, error.words, since, None)
        next_at = now + self._wait(delivery.attempts + 1, error.retry_after)
        if error.retry_after is not None:
            self.paused_until = max(self.paused_until, next_at)  # it asks for all events, not for one subject
        self._running.pop(event.subject, None)
        self._held -= len(self._queues.pop(event.subject, ()))
        stored = self._stored.get(event.subject)
        seq = event.seq - 1 if stored is None else min(event.seq - 1, stored.seq)
        self._stored[event.subject] = _Stored(seq, next_at)
        return FailedDelivery(event.seq, error.words, since, next_at)

    def reset(self) -> None:
        """Forget all deliveries except running ones, so that they are loaded from the store again."""
        self.cursor = 0
        self.resets += 1
        self.paused_until = 0.0
        self._queues.clear()
        self._ready.clear()
        self._held = 0
        self._stored = {subject: _Stored(0, 0.0) for subject in self._running}

    @property
    def is_idle(self) -> bool:
        """Return whether no delivery is running."""
        return not self._running

    def _add(self, delivery: Delivery) -> None:
        subject = delivery.event.subject
        if subject not in self._queues:
            self._queues[subject] = deque()
            if subject not in self._running:
                self._ready.append(subject)
        self._queues[subject].append(delivery)
        self._held += 1

    def _done(self, delivery: Delivery) -> None:
        subject = delivery.event.subject
        self._running.pop(subject, None)
        if subject in self._queues:
            self._ready.append(subject)

    def _note_answer(self) -> None:
        self._failures, self.failing_since, self.paused_until = 0, None, 0.0

    def _note_failure(self, now: float) -> None:
        if not _is_over(self.paused_until, now):
            return
        self._failures += 1
        if self.failing_since is None:
            self.failing_since = now
        if self._failures >= FAILURES_UNTIL_PAUSE:
            self.paused_until = now + self._wait(self._failures - FAILURES_UNTIL_PAUSE + 1, None)

    def _wait(self, attempts: int, asked: float | None) -> float:
        """Return the seconds before a retry: the pause `asked` for by the receiver, within limits, or a growing one."""
        if asked is not None:
            return min(max(asked, LEAST_WAIT_SECONDS), LONGEST_ASKED_SECONDS)
        return wait_seconds(attempts, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS) * (0.8 + 0.4 * self._chance())


def _is_over(until: float, now: float) -> bool:
    """Return whether a wait is over. A wait longer than the maximum comes from a wrong clock, so it counts as over."""
    return not now < until <= now + LONGEST_ASKED_SECONDS
