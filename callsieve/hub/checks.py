"""The health check of the hub: this site has a login that nobody else can read, and still exchanges with the others.

It looks at the store alone, where the process that exchanges says how it goes, and so never waits for PostgreSQL.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ScheduledCheck, fail, ok, unknown, warn
from callsieve.health import CheckStatus
from callsieve.hub.operations import HubFigures, HubStatus, hub_figures, secret_source
from callsieve.monitoring.metrics import MetricFamily, single
from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.outside.secrets import secret_of
from callsieve.policy.central import site_policies
from callsieve.setting_types import SECRET_IN_FILE
from callsieve.settings import Loaded, Settings
from callsieve.text.times import ago
from reputation.events import EventKind, HubStale
from reputation.store.hub.link import forget_first_try, link_of, note_first_try
from reputation.store.outbox import forget_state, set_state, tell_change
from reputation.wording import Places, Wording

HUB = "hub"
OFF = Wording("off: nothing is shared")
JOIN = "callsieve hub join"
LEAVE = "callsieve hub leave"
ERASURES = "callsieve hub erasures"
START = Wording("systemctl enable --now callsieve-hub; callsieve hub status asks the hub itself")
RESTART = Wording("systemctl restart callsieve-hub; calls are decided as ever, from what is here")
ASK = Wording("callsieve hub status asks it now; calls are decided as ever, from what is here")
TWIN = Wording("give one of both another [hub] site and callsieve hub join, or standby = true if it is the standby")
QUOTA = Wording("the database's administrator may let it keep more: callsieve hub quota SITE ROWS")
NEWER = Wording("update CallSieve here: callsieve hub sites --json says the version of each site")


def is_exchanged(context: CheckContext) -> Finding:
    """What people say here is told to other sites, and what they say comes here."""
    loaded = context.loaded
    if not loaded.settings.hub.address:
        return context.judge_store(lambda db, _now: _off(db))
    trouble = _trouble_with_secret(loaded)
    return trouble or context.judge_store(lambda db, now: _judged_all(db, loaded, now))


def _judged_all(db: sqlite3.Connection, loaded: Loaded, now: float) -> Finding:
    finding = _judged(hub_figures(db, loaded.settings.hub, now), now)
    unusable = ", ".join(one.name for one in site_policies(db, loaded) if one.problem)
    if finding.status is not CheckStatus.OK or not unusable:
        return finding
    return warn(
        Wording("policies of other sites that cannot be used: {names}", {"names": unusable}), "callsieve policy list"
    )


def _off(db: sqlite3.Connection) -> Finding:
    if link_of(db) is None:
        return ok(OFF)
    return warn(Wording("[hub] has no address, and this site has not left the hub: what changes is kept for it"), LEAVE)


def _trouble_with_secret(loaded: Loaded) -> Finding | None:
    """One in the environment of the service cannot be seen from here."""
    source = secret_source(loaded)
    if not source.startswith(SECRET_IN_FILE):
        return None
    path = Path(source.removeprefix(SECRET_IN_FILE))
    if path.exists() and not os.access(path, os.R_OK):
        return unknown(Wording("{file}: this user may not look", {"file": str(path)}), Wording("run this as root"))
    try:
        secret_of(source)
    except OutsideError as error:
        if error.code == OutsideProblem.SECRET_READABLE.code:
            return fail(error.words, f"chmod 0600 {path}")
        if not path.exists():
            return warn(Wording("this PBX has not joined: there is no {file}", {"file": str(path)}), JOIN)
        return warn(error.words, JOIN)
    return None


def _judged(figures: HubFigures, now: float) -> Finding:
    link, health = figures.link, figures.health
    waiting: Places = {"why": health.detail or "", "count": figures.waiting}
    # What waits came after the last exchange, which took all that there was.
    late = Wording("{why}; rows that wait since then: {count}", waiting) if figures.waiting else health.detail or ""
    if health.status is HubStatus.FAILED:
        return warn(late, ASK)
    if health.status is HubStatus.STALE:
        return warn(late, RESTART)
    if link is None or link.pulled_at is None:
        going_on = Wording("{why}; rows that wait: {count}", waiting)
        return warn(health.detail or "", START) if link is None else ok(going_on)
    if link.has_twin:
        return warn(Wording("another PBX takes part as {site}, too", {"site": link.site}), TWIN)
    if link.full_at:
        full: Places = {"most": link.full_at, "count": figures.waiting}
        return warn(Wording("the hub keeps {most} rows of this site and no more; rows that wait: {count}", full), QUOTA)
    if figures.erasures:
        return warn(
            Wording("erasures of other sites that wait for a yes: {count}", {"count": figures.erasures}), ERASURES
        )
    if link.refused:
        return warn(Wording("rows of other sites that cannot be used: {count}", {"count": link.refused}), NEWER)
    about: Places = {"site": link.site, "organisation": link.organisation, "when": ago(link.pulled_at, now)}
    return ok(
        Wording(
            "{site} of {organisation}: complete {when}, rows that wait: {count}", {**about, "count": figures.waiting}
        )
    )


def _tell_late(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    """Tell once when the last exchange is too long ago, and not when there is one again."""
    if not settings.hub.address:
        forget_first_try(db)
        forget_state(db, HUB)
        return
    note_first_try(db, now)
    figures = hub_figures(db, settings.hub, now)
    if not figures.health.is_late:
        set_state(db, HUB, "ok", now)
        return
    exchanged_at = None if figures.link is None else figures.link.pulled_at
    status, detail = figures.health.status.value, str(figures.health.detail or "")
    data = HubStale(status=status, detail=detail, waiting=figures.waiting, exchanged_at=exchanged_at)
    tell_change(db, HUB, "late", EventKind.HUB_STALE, HUB, now, data)


def hub_metrics(figures: HubFigures) -> Iterator[MetricFamily]:
    """Return how this site's part in the hub is."""
    yield single("hub_up", "1 while all is exchanged with the hub.", figures.health.status is HubStatus.OK)
    yield single("hub_outbox_rows", "Rows of ours that wait to be told.", figures.waiting)
    if figures.link is not None and figures.link.pulled_at is not None:
        at = figures.link.pulled_at
        yield single("hub_last_exchange_timestamp_seconds", "When all was exchanged last, UTC seconds.", at)


def metrics(db: sqlite3.Connection, loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return what /metrics shows of the hub."""
    table = loaded.settings.hub
    return hub_metrics(hub_figures(db, table, now)) if table.address else iter(())


CHECKS = (HealthCheck(place=350, name="hub", find=is_exchanged),)
SCHEDULED = (ScheduledCheck((EventKind.HUB_STALE,), _tell_late),)
