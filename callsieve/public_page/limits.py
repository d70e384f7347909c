"""How often strangers may ask the public page. In memory and bounded; what the store must not exceed is counted there
(operations.py).

docs/how-to/public-page.md computes what guessing a reference would take under these figures.
"""

from __future__ import annotations

from collections import OrderedDict

from callsieve.web.throttle import Throttle

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
REQUESTS_A_MINUTE = 120  # of one network
FILED_A_DAY = 3  # of one network
CODES_A_DAY = 5  # of one appeal: each is a row of the audit
UPLOADS_AT_ONCE = 20  # of all: each holds up to 1 MB of memory
CALLS_A_DAY = 5  # calls back that one network asks for; the helper has limits of its own
CALLS_AN_HOUR = 20  # of all together
MOST_KEPT = 10_000


class Count:
    """At most so many in each stretch of so many seconds, by key."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._by_key: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str, now: float) -> bool:
        """Counts one more; False, and not counted, where the key has had all."""
        began, count = self._of(key, now)
        if count >= self._most:
            return False
        self._by_key[key] = (began, count + 1)
        self._by_key.move_to_end(key)
        while len(self._by_key) > MOST_KEPT:
            self._by_key.popitem(last=False)
        return True

    def give_back(self, key: str) -> None:
        """The last one was none after all."""
        began, count = self._by_key.get(key, (0.0, 0))
        if count:
            self._by_key[key] = (began, count - 1)

    def _of(self, key: str, now: float) -> tuple[float, int]:
        began, count = self._by_key.get(key, (now, 0))
        return (now, 0) if not 0 <= now - began < self._seconds else (began, count)


class Limits:
    """`network`: whose address it is, callsieve/web/connections.py."""

    def __init__(self) -> None:
        self.requests = Count(REQUESTS_A_MINUTE, MINUTE)
        self.filings = Count(FILED_A_DAY, DAY)
        self.uploads: set[str] = set()  # links whose documents are under way
        self._calls = Count(CALLS_A_DAY, DAY)
        self._calls_of_all = Count(CALLS_AN_HOUR, HOUR)
        self._wrong = Throttle()

    def take_call(self, network: str, now: float) -> bool:
        """Counts a call back that is asked for; False where there were too many."""
        return self._calls.take(network, now) and self._calls_of_all.take("", now)

    def take_wrong(self, network: str, now: float) -> bool:
        """Count a wrong reference; False where the network has to wait, after five and for a time that doubles.

        Right ones are never counted and never wait: nobody can close the page for others by trying wrong ones.
        """
        if self._wrong.wait_seconds(network, now) > 0:
            return False
        self._wrong.failed(network, now)
        return True
