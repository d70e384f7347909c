"""Which sources the settings name, for the store: what others said counts no longer than the settings name them."""

from __future__ import annotations

from callsieve.lookup_settings import LookupTable
from callsieve.settings import Settings


def outside_of(settings: Settings) -> dict[str, bool]:
    """By name, whether a source is outside in rule 1 of the model: never where our own marks may come back from."""
    return {table.name: is_outside(table) for table in settings.lookup}


def is_outside(table: LookupTable) -> bool:
    """PhoneBlock is what our people's marks can be reported to."""
    return table.kind != "phoneblock"


def longest_budget_seconds(settings: Settings) -> float:
    """How long a call may wait for all of them; 0 where nobody is asked."""
    return max((table.budget_ms for table in settings.lookup), default=0) / 1000
