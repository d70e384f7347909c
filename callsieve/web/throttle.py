"""Rate limits: logins by name and address, API requests by token, and visitors of the public page.

Counters are kept in memory and bounded, so that an attacker cannot fill the store, which calls need.

After failed logins the wait doubles each time. Requests with a token are limited per window of time, but may come in
one burst. One timestamp per token is enough: the time at which its requests would end at an even rate (GCRA).

docs/how-to/public-page.md computes how many guesses an attacker needs to find a reference despite the limits.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

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
    """Failed attempts by key (a user name or an address). After some free tries, each failure doubles the wait."""

    def __init__(self, free_tries: int = FREE_TRIES) -> None:
        self._free_tries = free_tries
        self._by_key: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def wait_seconds(self, key: str, now: float) -> float:
        """Return the seconds until the key may try again; 0 if it may try now."""
        failures = self._of(key, now)
        if failures is None or failures.count < self._free_tries:
            return 0.0
        wait = wait_seconds(failures.count - self._free_tries + 1, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
        return max(0.0, failures.at + wait - now)

    def failed(self, key: str, now: float) -> None:
        """Count a failed attempt."""
        failures = self._of(key, now) or _Failures(0, now)
        self._by_key[key] = _Failures(failures.count + 1, now)
        self._by_key.move_to_end(key)
        while len(self._by_key) > MOST_KEPT:
            self._by_key.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failed attempts of a key."""
        self._by_key.pop(key, None)

    def take_back(self, key: str) -> None:
        """Remove only a key's latest failure, so that a login to one account does not clear guesses at others."""
        failures = self._by_key.get(key)
        if failures is not None:
            failures.count = max(0, failures.count - 1)

    def _of(self, key: str, now: float) -> _Failures | None:
        failures = self._by_key.get(key)
        if failures is not None and now - failures.at > FORGOTTEN_SECONDS:
            del self._by_key[key]
            return None
        return failures


WINDOW_SECONDS = 60.0
MOST_TOKENS_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Quota:
    """The state of a rate limit after a request. `wait_seconds`: how long the client must wait; 0 if it is allowed."""

    per_minute: int
    remaining: int
    reset_seconds: int
    wait_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """The `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers), with `Retry-After` after a refusal."""
        limits = {
            "RateLimit-Policy": f'"token";q={self.per_minute};w={WINDOW_SECONDS:.0f}',
            "RateLimit": f'"token";r={self.remaining};t={self.reset_seconds}',
        }
        return limits | {"Retry-After": str(self.wait_seconds)} if self.wait_seconds else limits


class RateLimits:
    """Rate limits by token. `now`: seconds of a monotonic clock."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window = window_seconds
        self._even_until: dict[int | str, float] = {}

    def __len__(self) -> int:
        return len(self._even_until)

    def ask(self, token_id: int | str, allowed: int, now: float) -> Quota:
        """Count a request if it is within the limit. `allowed`: how many requests are allowed per window."""
        step = self._window / allowed
        even_until = max(self._even_until.get(token_id, now), now)
        ahead = even_until + step - now
        if ahead > self._window + step / 2:  # half a step more, so that rounding never costs a request
            wait = ceil(ahead - self._window)
            return Quota(allowed, 0, ceil(even_until - now), max(1, wait))
        if token_id not in self._even_until and len(self._even_until) >= MOST_TOKENS_KEPT:
            self._forget(now)
        self._even_until[token_id] = even_until + step
        return Quota(allowed, max(0, int((self._window - ahead) / step + 0.5)), ceil(ahead), 0)

    def _forget(self, now: float) -> None:
        """Remove tokens without recent requests. If all tokens remain, remove the one that used least of its limit."""
        self._even_until = {key: at for key, at in self._even_until.items() if at > now}
        if len(self._even_until) >= MOST_TOKENS_KEPT:
            del self._even_until[min(self._even_until, key=lambda key: self._even_until[key])]


MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
REQUESTS_A_MINUTE = 120  # of one network
FILED_A_DAY = 3  # of one network
CODES_A_DAY = 5  # of one appeal; each adds an audit row
UPLOADS_AT_ONCE = 20  # in total; each holds up to 1 MB of memory
CALLS_A_DAY = 5  # call-backs per network; the helper has limits as well
CALLS_AN_HOUR = 20  # in total


class Count:
    """A limit on how many events a key may have in a period of time."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._by_key: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str, now: float) -> bool:
        """Count an event of the key. If the key has used its limit, return False without counting."""
        began, count = self._of(key, now)
        if count >= self._most:
            return False
        self._by_key[key] = (began, count + 1)
        self._by_key.move_to_end(key)
        while len(self._by_key) > MOST_KEPT:
            self._by_key.popitem(last=False)
        return True

    def give_back(self, key: str) -> None:
        """Undo the counting of the key's latest event."""
        began, count = self._by_key.get(key, (0.0, 0))
        if count:
            self._by_key[key] = (began, count - 1)

    def _of(self, key: str, now: float) -> tuple[float, int]:
        began, count = self._by_key.get(key, (now, 0))
        return (now, 0) if not 0 <= now - began < self._seconds else (began, count)


class Limits:
    """Rate limits of the public page. Parameter `network`: the visitor's network, from `web.connections.network_of`."""

    def __init__(self) -> None:
        self.requests = Count(REQUESTS_A_MINUTE, MINUTE)
        self.filings = Count(FILED_A_DAY, DAY)
        self.uploads: set[str] = set()  # links with an upload in progress
        self._calls = Count(CALLS_A_DAY, DAY)
        self._calls_of_all = Count(CALLS_AN_HOUR, HOUR)
        self._wrong = Throttle()

    def take_call(self, network: str, now: float) -> bool:
        """Count a requested call-back. Return False if the limit is reached."""
        return self._calls.take(network, now) and self._calls_of_all.take("", now)

    def take_wrong(self, network: str, now: float) -> bool:
        """Count a visitor's wrong reference to a stopped call. Return False if the visitor's network must wait.

        After five wrong references, each further one doubles the wait. Correct references are never counted and never
        wait, so nobody can lock others out of the page by guessing.
        """
        if self._wrong.wait_seconds(network, now) > 0:
            return False
        self._wrong.failed(network, now)
        return True
