"""How often somebody may try to log in: per name and per address, with a wait that doubles.

In memory and bounded: an attacker must not be able to write to the store, which calls need.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from reputation.backoff import wait_seconds

FREE_TRIES = 5
FIRST_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 900.0
FORGOTTEN_SECONDS = 3600.0
MOST_KEPT = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    at: float


class Throttle:
    """Failures by key: a name, or an address. Keys are short: so many of them are kept."""

    def __init__(self, free_tries: int = FREE_TRIES) -> None:
        self._free_tries = free_tries
        self._by_key: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are kept."""
        return len(self._by_key)

    def wait_seconds(self, key: str, now: float) -> float:
        """How long the key has still to wait; 0: it may try."""
        failures = self._of(key, now)
        if failures is None or failures.count < self._free_tries:
            return 0.0
        wait = wait_seconds(failures.count - self._free_tries + 1, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
        return max(0.0, failures.at + wait - now)

    def failed(self, key: str, now: float) -> None:
        """Another failure."""
        failures = self._of(key, now) or _Failures(0, now)
        self._by_key[key] = _Failures(failures.count + 1, now)
        self._by_key.move_to_end(key)
        while len(self._by_key) > MOST_KEPT:
            self._by_key.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """It was the right one: what failed before is forgotten."""
        self._by_key.pop(key, None)

    def take_back(self, key: str) -> None:
        """The last one was none after all. Those before it still count: one's own account must not pay for others."""
        failures = self._by_key.get(key)
        if failures is not None:
            failures.count = max(0, failures.count - 1)

    def _of(self, key: str, now: float) -> _Failures | None:
        failures = self._by_key.get(key)
        if failures is not None and now - failures.at > FORGOTTEN_SECONDS:
            del self._by_key[key]
            return None
        return failures
