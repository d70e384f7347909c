"""Waiting times before a retry, which double after each failure, and a circuit breaker for a slow store. No I/O."""

from dataclasses import dataclass

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0


def wait_seconds(failures: int, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> float:
    """Return how long to wait before the next try, after `failures` consecutive failures (1 or more)."""
    return min(first * (1 << min(failures - 1, 16)), longest)


FAILURES_TO_OPEN = 5  # docs/contributing/failures.md
REST_SECONDS = 2.0


@dataclass(slots=True)
class Breaker:
    """A circuit breaker: after five store failures in a row, calls bypass the store. Every 2 s a call tries it."""

    _failures: int = 0
    _try_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls bypass the store."""
        return self._failures >= FAILURES_TO_OPEN

    def allows(self, now: float) -> bool:
        """Return whether this call may use the store, perhaps as a trial. `now` is a time of the monotonic clock."""
        if not self.is_open:
            return True
        if now < self._try_at:
            return False
        self._try_at = now + REST_SECONDS
        return True

    def succeeded(self) -> None:
        """Record that the store answered."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """Record that the store answered too late or with an error."""
        self._failures += 1
        if self._failures == FAILURES_TO_OPEN:
            self._try_at = now + REST_SECONDS
