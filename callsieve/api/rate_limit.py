"""How often one token may ask: so many requests in a window of time, which may also come at once. Pure.

Of each token one instant is kept: when its requests would be spread out if they came evenly (GCRA). Tokens are few, so
the memory is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

WINDOW_SECONDS = 60.0
MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of it. `wait_seconds`: until the next request may come, 0 where this one may."""

    per_minute: int
    remaining: int
    reset_seconds: int
    wait_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), and when to ask again."""
        told = {
            "RateLimit-Policy": f'"token";q={self.per_minute};w={WINDOW_SECONDS:.0f}',
            "RateLimit": f'"token";r={self.remaining};t={self.reset_seconds}',
        }
        return told | {"Retry-After": str(self.wait_seconds)} if self.wait_seconds else told


class RateLimits:
    """By the id of a token. `now` is in seconds of a clock that only goes forward."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window = window_seconds
        self._even_until: dict[int | str, float] = {}

    def __len__(self) -> int:
        """How many tokens are kept."""
        return len(self._even_until)

    def ask(self, token_id: int | str, allowed: int, now: float) -> Quota:
        """Counts a request, if it may come: `allowed` may within the window."""
        step = self._window / allowed
        even_until = max(self._even_until.get(token_id, now), now)
        ahead = even_until + step - now
        if ahead > self._window + step / 2:  # half a step: so many requests are whole, whatever is rounded
            wait = ceil(ahead - self._window)
            return Quota(allowed, 0, ceil(even_until - now), max(1, wait))
        if token_id not in self._even_until and len(self._even_until) >= MOST_KEPT:
            self._forget(now)
        self._even_until[token_id] = even_until + step
        return Quota(allowed, max(0, int((self._window - ahead) / step + 0.5)), ceil(ahead), 0)

    def _forget(self, now: float) -> None:
        """Those that are even with the clock have nothing to remember; else the one that is nearest to it goes."""
        self._even_until = {key: at for key, at in self._even_until.items() if at > now}
        if len(self._even_until) >= MOST_KEPT:
            del self._even_until[min(self._even_until, key=lambda key: self._even_until[key])]
