"""Waiting times before a retry, which double after each failure, and a circuit breaker for the store. No I/O."""

from dataclasses import dataclass

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0


def wait_seconds(failures: int, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> float:
    """Return the wait after the `failures`-th failure in a row (1 or more)."""
    return min(first * (1 << min(failures - 1, 16)), longest)


FAILURES_TO_OPEN = 5  # docs/contributing/failures.md
REST_SECONDS = 2.0


@dataclass(slots=True)
class Breaker:
    """A circuit breaker: after five failures in a row calls do without the store, and one call every 2 s tries it."""

    _failures: int = 0
    _try_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls do without the store."""
        return self._failures >= FAILURES_TO_OPEN

    def allows(self, now: float) -> bool:
        """Return whether this call may use the store, perhaps as the call that tries it. `now` is monotonic."""
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
        """Record that the store did not answer in time, or with an error."""
        self._failures += 1
        if self._failures == FAILURES_TO_OPEN:
            self._try_at = now + REST_SECONDS
