"""Public holidays of a country or one of its states, by the package `holidays`, which is imported here only.

    holidays_of("FR", 2026) -> the dates, as date.toordinal()

Importing takes 90 ms and 11 MB, so it is done when somebody asks, and for the daemon in another process that ends
(`read_apart`). Then a country takes 2 ms, and a year of it 0.2 ms, once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec, module_from_spec

_COUNTRIES = "holidays.countries"
_APART = "import sys; from reputation.law.holiday_calendar import print_holidays; print_holidays(sys.argv[1:])"
_APART_SECONDS = 60.0

# By area and year, what another process read.
_READ: dict[tuple[str, int], frozenset[int]] = {}


def holidays_of(area: str, year: int) -> frozenset[int]:
    """The holidays of FR or US-LA; none where the package knows no such place."""
    found = _READ.get((area, year))
    return _read(area, year) if found is None else found


def read_apart(areas: Iterable[str], years: Iterable[int]) -> None:
    """Reads all of them in another process. Where that fails, whoever asks for one imports the package."""
    keys = [f"{area}:{year}" for year in years for area in sorted(areas)]
    command = (sys.executable, "-P", "-c", _APART, *keys)
    try:
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_APART_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return
    for line in said.splitlines():
        key, *days = line.split()
        area, _, year = key.rpartition(":")
        _READ[area, int(year)] = frozenset(map(int, days))


def print_holidays(keys: Iterable[str]) -> None:
    """What the other process does: each area and year with its holidays, a line each."""
    for key in keys:
        area, _, year = key.rpartition(":")
        print(key, *sorted(holidays_of(area, int(year))))


@lru_cache(maxsize=512)
def _read(area: str, year: int) -> frozenset[int]:
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
