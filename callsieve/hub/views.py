"""Descriptions of the hub, its sites and their evidence, for the terminal and as JSON. Pure."""

from __future__ import annotations

from typing import Any

from callsieve.cli.output import plural
from callsieve.hub.operations import LinkShown
from callsieve.text.times import when
from reputation.store.hub.sites import SiteState
from reputation.store.other_sites import SiteFigures

# A process reports to the hub every 10 s.
UP_SECONDS = 30.0
TWIN_SECONDS = 60.0  # each of the two reports every 10 s
FIGURES = ("marks", "people", "signals", "answered", "numbers", "agreed", "disagreed", "retracted", "wrong", "last_at")


def is_up(site: SiteState) -> bool:
    """Return whether the site's process reported lately."""
    return site.expelled_at is None and site.seen_at is not None and site.now - site.seen_at < UP_SECONDS


def state_of(site: SiteState) -> str:
    """Return the site's state in one word."""
    if site.expelled_at is not None:
        return "expelled"
    return "up" if is_up(site) else "down" if site.seen_at is not None else "never seen"


def lag_of(site: SiteState) -> float | None:
    """Return the seconds since the site had everything that others shared, or None if it never had."""
    return None if site.pulled_at is None else max(0.0, site.now - site.pulled_at)


def remarks_on(site: SiteState) -> list[str]:
    """Return problems that the administrator should solve."""
    remarks = []
    if site.twin_at is not None and site.now - site.twin_at < TWIN_SECONDS:
        remarks.append("two PBXs take part under this name: rename one, or set standby = true")
    if 0 < site.most_rows <= site.rows_kept:
        remarks.append(f"the hub keeps at most {site.most_rows:,} rows of it: callsieve hub quota {site.name} ROWS")
    if site.offset_seconds:
        remarks.append(f"its clock is {site.offset_seconds:+,.0f} s off the hub's")
    return remarks


def site_as_json(site: SiteState, figures: SiteFigures | None = None) -> dict[str, Any]:
    """Return everything that the hub knows of a site, and the figures of what it shared here."""
    shared = None if figures is None else {name: getattr(figures, name) for name in FIGURES}
    return {
        "told": shared,
        "site": site.name,
        "state": state_of(site),
        "central": site.is_central,
        "joined_at": site.joined_at,
        "expelled_at": site.expelled_at,
        "seen_at": site.seen_at,
        "pushed_at": site.pushed_at,
        "pulled_at": site.pulled_at,
        "lag_seconds": lag_of(site),
        "outbox": site.outbox,
        "rows": site.rows_pushed,
        "program": site.program,
        "clock_seconds": site.offset_seconds,
        "rows_kept": site.rows_kept,
        "most_rows": site.most_rows,
        "twin_at": site.twin_at,
    }


def link_as_json(shown: LinkShown) -> dict[str, Any]:
    """Return this site's part in the hub."""
    link = shown.link
    return {
        "site": link.site if link else None,
        "organisation": link.organisation if link else None,
        "hub": link.hub if link else None,
        "outbox": shown.waiting,
        "filling": shown.is_filling,
        "pushed_at": link.pushed_at if link else None,
        "pulled_at": link.pulled_at if link else None,
        "failed_at": link.failed_at if link else None,
        "failure": link.failure if link else "",
        "refused": link.refused if link else 0,
        "full_at": link.full_at if link else 0,
        "twin": bool(link and link.has_twin),
        "sites": list(shown.sites),
    }


def figures_as_json(figures: SiteFigures) -> dict[str, Any]:
    """Return all figures of a site."""
    ignored = figures.ignored
    return {
        "site": figures.site,
        "marks": figures.marks,
        "signals": figures.signals,
        "answered": figures.answered,
        "people": figures.people,
        "numbers": figures.numbers,
        "last_at": figures.last_at,
        "marked": figures.marked,
        "agreed": figures.agreed,
        "disagreed": figures.disagreed,
        "retracted": figures.retracted,
        "wrong": figures.wrong,
        "rulings": figures.settled._asdict(),
        "ignored": ignored and ignored._asdict(),
    }


def remarks_on_evidence(figures: SiteFigures) -> str:
    """Return remarks about a site that its figures do not show."""
    remarks = []
    if figures.ignored is not None:
        remarks.append(f"ignored since {when(figures.ignored.at)}: {figures.ignored.reason}")
    if figures.settled.disagree:
        remarks.append(f"{plural(figures.settled.disagree, 'ruling')} here against its marks: it is trusted less")
    return "; ".join(remarks)
