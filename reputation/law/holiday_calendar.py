"""Public holidays of a country or one of its states, by the package `holidays`, which is imported here only.

    holidays_of("FR", 2026) -> the dates, as date.toordinal()

Importing takes 90 ms, a first country 90 more, so it is done when somebody asks; the daemon asks in a thread when it
starts. Then a year of a country takes 0.2 ms, once.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=512)
def holidays_of(area: str, year: int) -> frozenset[int]:
    """The holidays of FR or US-LA; none where the package knows no such place."""
    import holidays

    country, _, state = area.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=state or None, years=year)
    except NotImplementedError:
        return frozenset()
    return frozenset(day.toordinal() for day in found)
