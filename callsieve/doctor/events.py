"""The doctor's check of events: somebody sends them, receivers take them, and nothing waits for a look."""

from __future__ import annotations

import sqlite3

from callsieve.doctor.finding import NONE, CheckContext, Finding, and_more, ok, warn
from callsieve.doctor.service import told_by_store
from callsieve.receiver_health import EventsShown, ReceiverHealth, events_shown
from callsieve.text.times import ago, when
from reputation.wording import Places, Wording

START = "systemctl enable --now callsieve-events"
LIST = "callsieve events list"


def are_delivered(ground: CheckContext) -> Finding:
    """Receivers of the settings are told what happens."""
    settings = ground.loaded.settings

    def judge(db: sqlite3.Connection, now: float) -> Finding:
        return _judged(events_shown(db, settings, now))

    return told_by_store(ground, judge)


def _judged(shown: EventsShown) -> Finding:
    if not shown.receivers:
        return ok(NONE)
    if not shown.is_sent:
        return warn(Wording("nobody sends them to the receivers of the settings"), START)
    failing = sorted(
        (one.failing_since or 0.0, one.name) for one in shown.receivers if one.health is ReceiverHealth.FAILING
    )
    if failing:
        told: Places = {
            "receivers": ", ".join(name for _, name in failing),
            "when": when(failing[0][0]),
            "count": shown.dead_letters,
        }
        return warn(Wording("{receivers}: failing since {when}; dead letters: {count:,}", told), LIST)
    ill = [one for one in shown.receivers if one.health is not ReceiverHealth.OK]
    if ill:
        about: Places = {"receiver": ill[0].name, "health": Wording(ill[0].health.value)}
        return warn(and_more(Wording("{receiver}: {health}", about), len(ill) - 1), LIST)
    if shown.dead_letters:
        words = Wording("events that a receiver did not take: {count}", {"count": shown.dead_letters})
        return warn(words, "callsieve events dead")
    latest = max((one.state.delivered_at or 0.0 for one in shown.receivers if one.state is not None), default=0.0)
    count: Places = {"count": len(shown.receivers)}
    if not latest:
        return ok(Wording("receivers: {count}, none was told anything yet", count))
    return ok(Wording("receivers: {count}, told last {when}", {**count, "when": ago(latest, shown.now)}))
