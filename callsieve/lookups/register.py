"""Which sources the settings name, for the store: what others said counts no longer than the settings name them."""

from __future__ import annotations

import sqlite3
from urllib.parse import urlsplit

from callsieve.lookup_settings import LookupTable
from callsieve.lookups.sources import PHONEBLOCK
from callsieve.reporting import operations as reporting
from callsieve.settings import Settings
from reputation.store.lookups import replace_sources
from reputation.store.reports import reports_to


def register_sources(db: sqlite3.Connection, settings: Settings) -> None:
    """Makes the sources in the store those of the settings. Call it in a transaction."""
    told = settings.reporting.phoneblock
    are_told = told.enabled or bool(reports_to(db, reporting.PHONEBLOCK))
    replace_sources(db, {one.name: not (are_told and _has_it(one, told.url)) for one in settings.lookup})


def _has_it(table: LookupTable, told: str) -> bool:
    """Whether what we report there may come back from this source: then it is not outside in the model's rule 1."""
    asked = urlsplit(table.url or PHONEBLOCK).hostname
    return table.kind == "phoneblock" or asked == urlsplit(told).hostname


def longest_budget_seconds(settings: Settings) -> float:
    """How long a call may wait for all of them; 0 where nobody is asked."""
    return max((table.budget_ms for table in settings.lookup), default=0) / 1000
