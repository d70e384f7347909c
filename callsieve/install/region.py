"""The country of a PBX: from the settings, an option, or the server's time zone and Asterisk's tone zone."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import TZPATH

from callsieve.install.plan import InstallError
from callsieve.pbx.config_files import read_text, walk
from callsieve.settings import Loaded
from policies.files import shown
from reputation.numbers import is_possible_region

_COUNTRY = re.compile(r"country\s*=>?\s*([A-Za-z]{2})\b")
_TONE_ZONES = {"UK": "GB"}  # tone zones whose name is not their country's code
_DEFAULT_ZONE = "US"


def region_of(
    loaded: Loaded, option: str | None, derived: str | None, ask: Callable[[str | None], str] | None = None
) -> str:
    """Return the country of this PBX. Raise InstallError if it is unknown, invalid, or not as in existing settings.

    The settings decide, then `option`, then `derived` (from the server), which `ask` lets somebody confirm or replace.
    """
    if loaded.file is not None:
        written = loaded.settings.numbers.region
        if option is not None and option.upper() != written.upper():
            raise InstallError(
                f"{loaded.file} exists already, with the region {written}: change [numbers] region there"
            )
        return written
    region = option or (ask(derived) if ask else derived)
    if region is None:
        raise InstallError("the country of this server is unknown: name it, for example --region GB")
    if not is_possible_region(region):
        raise InstallError(f"{shown(region)} is not a known country: use two letters such as US, GB or CN")
    return region.upper()


def derived_region(etc: Path, time_zone: str, tables: Sequence[str] = TZPATH) -> str | None:
    """Return the country of Asterisk's tone zone and of the time zone; None if the two differ or both are unknown."""
    regions = {region for region in (_by_tone_zone(etc), _by_time_zone(time_zone, tables)) if region is not None}
    region = regions.pop() if len(regions) == 1 else ""
    return region if is_possible_region(region) else None


def _by_tone_zone(etc: Path) -> str | None:
    matches = (_COUNTRY.match(line.text) for line in walk(etc, etc / "indications.conf"))
    zone = next((match[1].upper() for match in matches if match), _DEFAULT_ZONE)
    return None if zone == _DEFAULT_ZONE else _TONE_ZONES.get(zone, zone)


def _by_time_zone(time_zone: str, tables: Sequence[str]) -> str | None:
    for folder in tables:
        rows = (line.split("\t") for line in (read_text(Path(folder) / "zone.tab") or "").splitlines())
        for row in rows:
            if row[2:3] == [time_zone]:
                return row[0]
    return None


def time_zone_of(localtime: Path = Path("/etc/localtime")) -> str:
    """Return the server's time zone, such as `Europe/London`; empty if /etc/localtime is not a link to a time zone."""
    return str(localtime.resolve()).partition("/zoneinfo/")[2]
