"""How this site's part in the hub is, by what `callsieve hub run` has written into the store. Pure.

PostgreSQL is not asked: who looks waits for nothing. A process that cannot log in for the first time has no row in the
store to write to; that is `waiting`, as if it had never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from callsieve.text.times import span_words
from reputation.store.hub.link import Link
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


def health_of(link: Link | None, poll_seconds: float, now: float) -> HubHealth:
    """How it is at that time. None: it has not taken part yet."""
    if link is None:
        return HubHealth(HubStatus.WAITING, Wording("nothing was exchanged yet"))
    since = link.failed_at if link.pulled_at is None else link.pulled_at
    if since is None:
        return HubHealth(HubStatus.WAITING, Wording("the first exchange goes on"))
    age = max(0.0, now - since)
    is_late = age > max(LATE_AFTER * poll_seconds, LEAST_LATE_SECONDS)
    late = Wording("nothing was exchanged for {span}", {"span": span_words(age)})
    if link.failure:
        why = Wording("{late}: {failure}", {"late": late, "failure": link.failure})
        return HubHealth(HubStatus.FAILED, why, is_late)
    return HubHealth(HubStatus.STALE, late, is_late) if is_late else HubHealth(HubStatus.OK)
