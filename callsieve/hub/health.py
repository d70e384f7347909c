"""How this site's part in the hub is, by what `callsieve hub run` has written into the store. Pure.

PostgreSQL is not asked: who looks waits for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from callsieve.text.times import span_words
from reputation.store.hub.link import FirstTry, Link
from reputation.wording import Wording

# An exchange is late after so many of its usual times, and no less than ten minutes: a database that is restarted is
# no news.
LATE_AFTER = 3.0
LEAST_LATE_SECONDS = 600.0


class HubStatus(StrEnum):
    """`waiting`: the first exchange is not complete; `failed`: the last try had no success; `stale`: nobody tries."""

    OK = "ok"
    WAITING = "waiting"
    FAILED = "failed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class HubHealth:
    """How it is, and why; no words where it is well. `is_late`: the last exchange is too long ago."""

    status: HubStatus
    detail: Wording | None = None
    is_late: bool = False


def health_of(link: Link | None, poll_seconds: float, now: float, first_try: FirstTry | None = None) -> HubHealth:
    """How it is at that time. No `link`: it has not taken part yet, and tries to since `first_try`."""
    if link is None:
        since, failure = (None, "") if first_try is None else first_try
        going_on = Wording("nothing was exchanged yet")
    else:
        since, failure = link.failed_at if link.pulled_at is None else link.pulled_at, link.failure
        going_on = Wording("the first exchange goes on")
    if since is None:
        return HubHealth(HubStatus.WAITING, going_on)
    age = max(0.0, now - since)
    is_late = age > max(LATE_AFTER * poll_seconds, LEAST_LATE_SECONDS)
    late = Wording("nothing was exchanged for {span}", {"span": span_words(age)})
    if failure:
        return HubHealth(HubStatus.FAILED, Wording("{late}: {failure}", {"late": late, "failure": failure}), is_late)
    if is_late:
        return HubHealth(HubStatus.STALE, late, is_late)
    return HubHealth(HubStatus.WAITING, going_on) if link is None else HubHealth(HubStatus.OK)
