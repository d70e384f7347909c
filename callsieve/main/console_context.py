"""Makes the console's desk: templates of every capability, and the services that their pages share."""

from __future__ import annotations

import time
from collections.abc import Callable

from callsieve.calls.disputes import appeal_in_words
from callsieve.calls.live import LiveCalls
from callsieve.calls.views_overview import ActivityCache
from callsieve.doctor.watch import HealthWatch
from callsieve.replay.trial_jobs import TrialJobs
from callsieve.settings import Loaded
from callsieve.users.half_logins import HalfLogins
from callsieve.users.web.password_check import LoginTries
from callsieve.web.desk import Desk
from callsieve.web.rendering import Templates

# The capabilities that have templates: `lists/page.html` is in callsieve/lists/web/templates.
CAPABILITIES = (
    *("appeals", "audit", "calls", "doctor", "identities", "imports", "lists", "numbers", "own_numbers"),
    *("policy", "users"),
)


def make_templates() -> Templates:
    """All templates of the console."""
    return Templates(CAPABILITIES, {"appeal": appeal_in_words})


def make_desk(load: Callable[[], Loaded], clock: Callable[[], float] = time.time) -> Desk:
    """The desk of a console with these settings."""
    desk = Desk(load, make_templates(), HealthWatch(load), clock)
    desk.provide(LiveCalls(desk.shelf, clock), ActivityCache(), TrialJobs(), HalfLogins(), LoginTries())
    return desk
