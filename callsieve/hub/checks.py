"""The health check of the hub. It reads only the state that the hub process stores, and never waits for PostgreSQL."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ScheduledCheck, fail, ok, unknown, warn
from callsieve.health import CheckStatus
from callsieve.hub.operations import UPDATE, HubFigures, hub_figures, secret_source, sites_of
from callsieve.monitoring.metrics import MetricFamily, single
from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.outside.secrets import secret_of
from callsieve.policy.central import site_policies
from callsieve.setting_types import SECRET_IN_FILE
from callsieve.settings import Loaded, Settings
from callsieve.source_health import SourceStatus
from callsieve.text.times import ago
from reputation.events import EventKind, HubStale
from reputation.store.hub.link import forget_first_try, link_of, note_first_try
from reputation.store.hub.rows import Unfit
from reputation.store.outbox import emit_change, forget_state, set_state
from reputation.wording import N_, Places, Wording

HUB = "hub"
OFF = Wording("off: this PBX shares nothing")
JOIN = "callsieve hub join"
LEAVE = "callsieve hub leave"
ERASURES = "callsieve hub erasures"
START = Wording("start the exchange: systemctl enable --now callsieve-hub; to check it: callsieve hub status")
RESTART = Wording(
    "restart the exchange: systemctl restart callsieve-hub; until it works, calls are decided with this site's own data"
)
ASK = Wording(
    "to query the hub now: callsieve hub status; until it answers, calls are decided with this site's own data"
)
TWIN = Wording(
    "give one of the two another `site` in [hub] and run `callsieve hub join` there, or set `standby = "
    "true` in [hub] of the standby"
)
QUOTA = Wording("the database's administrator can raise the limit: callsieve hub quota SITE ROWS")
NOT_USABLE: Mapping[Unfit, str] = {
    Unfit.NEWER: N_("rows that a newer CallSieve wrote at {sites} and this version cannot use: {count}"),
    Unfit.OLDER: N_("rows that an older CallSieve wrote at {sites} and this version cannot use: {count}"),
    Unfit.ODD: N_("rows of {sites} that no version of CallSieve writes: {count}"),
}


def is_exchanged(context: CheckContext) -> Finding:
    """Check that rows are exchanged with the other sites."""
    loaded = context.loaded
    if not loaded.settings.hub.address:
        return context.judge_store(lambda db, _now: _off(db))
    trouble = _trouble_with_secret(loaded)
    return trouble or context.judge_store(lambda db, now: _judged_all(db, loaded, now))


def _judged_all(db: sqlite3.Connection, loaded: Loaded, now: float) -> Finding:
    finding = _judged(hub_figures(db, loaded.settings.hub, now), now)
    unusable = ", ".join(policy.name for policy in site_policies(db, loaded) if policy.problem)
    if finding.status is not CheckStatus.OK or not unusable:
        return finding
    return warn(Wording("unusable policies of other sites: {names}", {"names": unusable}), "callsieve policy list")


def _off(db: sqlite3.Connection) -> Finding:
    if link_of(db) is None:
        return ok(OFF)
    return warn(Wording("[hub] has no address, but this site has not left the hub: its changes pile up here"), LEAVE)


def _trouble_with_secret(loaded: Loaded) -> Finding | None:
    """Return the problem with the file of this site's login, or None. A login in the environment is not checked."""
    source = secret_source(loaded)
    if not source.startswith(SECRET_IN_FILE):
        return None
    path = Path(source.removeprefix(SECRET_IN_FILE))
    if path.exists() and not os.access(path, os.R_OK):
        return unknown(Wording("this user cannot read {file}", {"file": str(path)}), Wording("run the command as root"))
    try:
        secret_of(source)
    except OutsideError as error:
        if error.code == OutsideProblem.SECRET_READABLE.code:
            return fail(error.words, f"chmod 0600 {path}")
        if not path.exists():
            return warn(Wording("this PBX has not joined the hub: {file} does not exist", {"file": str(path)}), JOIN)
        return warn(error.words, JOIN)
    return None


def _judged(figures: HubFigures, now: float) -> Finding:
    link, health = figures.link, figures.health
    waiting: Places = {"why": health.detail or "", "count": figures.waiting}
    # The last exchange took everything there was, so the waiting rows came after it.
    late = (
        Wording("{why}; rows that wait to be sent since then: {count}", waiting)
        if figures.waiting
        else health.detail or ""
    )
    if health.health is SourceStatus.FAILED:
        return warn(late, ASK)
    if health.health is SourceStatus.STALE:
        return warn(late, RESTART)
    if link is None or link.pulled_at is None:
        first_exchange = Wording("{why}; rows that wait to be sent: {count}", waiting)
        return warn(health.detail or "", START) if link is None else ok(first_exchange)
    if link.has_twin:
        return warn(Wording("another PBX also takes part in the hub as {site}", {"site": link.site}), TWIN)
    if link.full_at:
        full: Places = {"most": link.full_at, "count": figures.waiting}
        return warn(
            Wording("the hub keeps at most {most} rows of this site; further rows that wait here: {count}", full), QUOTA
        )
    if figures.erasures:
        return warn(
            Wording("erasures by other sites that wait for your confirmation: {count}", {"count": figures.erasures}),
            ERASURES,
        )
    for unfit, words in NOT_USABLE.items():
        if refused := [figure for figure in figures.refused if figure.unfit is unfit]:
            count: Places = {"sites": sites_of(refused), "count": sum(figure.rows for figure in refused)}
            return warn(Wording(words, count), UPDATE[unfit])
    about: Places = {"site": link.site, "organisation": link.organisation, "when": ago(link.pulled_at, now)}
    return ok(
        Wording(
            "{site} of {organisation}: last complete exchange {when}, rows that wait to be sent: {count}",
            {**about, "count": figures.waiting},
        )
    )


def _emit_late(db: sqlite3.Connection, settings: Settings, now: float) -> None:
    if not settings.hub.address:
        forget_first_try(db)
        forget_state(db, HUB)
        return
    note_first_try(db, now)
    figures = hub_figures(db, settings.hub, now)
    if not figures.is_late:
        set_state(db, HUB, "ok", now)
        return
    exchanged_at = None if figures.link is None else figures.link.pulled_at
    status, detail = figures.health.health.value, str(figures.health.detail or "")
    data = HubStale(status=status, detail=detail, waiting=figures.waiting, exchanged_at=exchanged_at)
    emit_change(db, HUB, "late", EventKind.HUB_STALE, HUB, now, data)


def hub_metrics(figures: HubFigures) -> Iterator[MetricFamily]:
    """Yield the metrics of the exchange with the hub."""
    yield single("hub_up", "1 while the exchange with the hub works.", figures.health.is_ok)
    yield single("hub_outbox_rows", "Rows of this site that wait to be sent.", figures.waiting)
    if figures.link is not None and figures.link.pulled_at is not None:
        at = figures.link.pulled_at
        yield single("hub_last_exchange_timestamp_seconds", "Unix time of the last complete exchange with the hub.", at)


def metrics(db: sqlite3.Connection, loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return the metrics of the exchange with the hub; empty if this site uses no hub."""
    table = loaded.settings.hub
    return hub_metrics(hub_figures(db, table, now)) if table.address else iter(())


CHECKS = (HealthCheck(place=350, name="hub", find=is_exchanged),)
SCHEDULED = (ScheduledCheck((EventKind.HUB_STALE,), _emit_late),)
