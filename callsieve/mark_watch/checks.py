"""The health check of the mark watch: somebody looks at what others show of our own numbers."""

from __future__ import annotations

import sqlite3

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ok, warn
from reputation.own.register import NumberState
from reputation.store.audit import last_change
from reputation.store.own_labels import latest_looks, looks_due
from reputation.store.own_register import register_of
from reputation.wording import Wording

ASKED = "own watch ask"
ASKED_LATE_SECONDS = 3 * 86_400.0  # the timer asks every morning
WATCH_TIMER = Wording("systemctl enable --now callsieve-watch.timer, or callsieve own watch ask by cron")


def watches_our_numbers(ground: CheckContext) -> Finding:
    """Somebody looks what others show of our own numbers when it is time, and where others can be asked, they are."""
    can_ask = bool(ground.loaded.settings.lookup)
    return ground.judge_store(lambda db, now: _watch_found(db, now, can_ask))


def _watch_found(db: sqlite3.Connection, now: float, can_ask: bool) -> Finding:
    ours = [one for one in register_of(db) if one.state is not NumberState.RETIRED]
    asked = last_change(db, ASKED)
    if ours and can_ask and (asked is None or now - asked > ASKED_LATE_SECONDS):
        return warn(Wording("nobody asks what others show of our numbers: the timer does not run"), WATCH_TIMER)
    late = looks_due(latest_looks(db), now - ASKED_LATE_SECONDS)
    if late:
        return warn(
            Wording("platforms to be looked at again for days: {count}", {"count": len(late)}),
            "callsieve own watch due",
        )
    return ok(Wording("numbers watched: {count}", {"count": len(ours)}) if ours else NONE)


CHECKS = (HealthCheck(place=450, name="mark watch", find=watches_our_numbers),)
