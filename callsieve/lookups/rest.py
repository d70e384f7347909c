"""When a source that fails is left alone. Pure: the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reputation.backoff import wait_seconds

FAILURES: Final = 3
FIRST_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 900.0


@dataclass(slots=True)
class Rest:
    """After three failures in a row the source rests, 10 s at first, twice as long each time, 15 min at most; then one
    request tries it again.
    """

    _failures: int = 0
    _until: float = 0.0
    _is_trying: bool = False

    def is_resting(self, now: float) -> bool:
        """Whether it is left alone at that monotonic instant."""
        return self._failures >= FAILURES and now < self._until

    def allows(self, now: float) -> bool:
        """Whether a request may be made; the one that tries again is let through here."""
        if self._failures < FAILURES:
            return True
        if self.is_resting(now) or self._is_trying:
            return False
        self._is_trying = True
        return True

    def succeeded(self) -> None:
        """It answered."""
        self._failures = 0

    def ended(self) -> None:
        """The request is over, and perhaps was never made."""
        self._is_trying = False

    def failed(self, now: float) -> None:
        """It did not, or with nothing that can be used. Those under way when it began to rest say nothing new."""
        if self.is_resting(now):
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + wait_seconds(self._failures - FAILURES + 1, FIRST_SECONDS, LONGEST_SECONDS)
