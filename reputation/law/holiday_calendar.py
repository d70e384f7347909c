"""Public holidays of a country or one of its states, by the package `holidays`, which is imported here only.

    holidays_of("FR", 2026) -> the dates, as date.toordinal()

Importing takes 90 ms and 11 MB, so it is done when somebody asks; the daemon asks in a thread when it starts. Then a
country takes 2 ms, and a year of it 0.2 ms, once.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.util import find_spec, module_from_spec

_COUNTRIES = "holidays.countries"


@lru_cache(maxsize=512)
def holidays_of(area: str, year: int) -> frozenset[int]:
    """The holidays of FR or US-LA; none where the package knows no such place."""
    import holidays

    _import_no_country()
    country, _, state = area.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=state or None, years=year)
    except NotImplementedError:
        return frozenset()
    return frozenset(day.toordinal() for day in found)


def _import_no_country() -> None:
    """Keeps the first country from importing all 250, which takes 90 ms and 8 MB: the package that they are in does
    that, so it stands there without having been run.
    """
    spec = find_spec(_COUNTRIES) if _COUNTRIES not in sys.modules else None
    if spec is not None:
        sys.modules[_COUNTRIES] = module_from_spec(spec)
