"""In which country this PBX is, as far as the machine says: by whose plan numbers without a country code are read.

`country=us` in Asterisk's indications.conf says nothing, because every installation begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import TZPATH

from callsieve.install.plan import InstallError
from callsieve.pbx.config_files import read_text, walk
from callsieve.settings import Loaded
from policies.hints import shown
from reputation.numbers import is_possible_region

_COUNTRY = re.compile(r"country\s*=>?\s*([A-Za-z]{2})\b")
_TONE_ZONES = {"UK": "GB"}  # where the name of a tone zone is not the code of its country
_NOTHING_SAID = "US"


def region_of(
    loaded: Loaded, said: str | None, derived: str | None, ask: Callable[[str | None], str] | None = None
) -> str:
    """The country of this PBX: as the settings have it, as an option says, or as the machine does; InstallError else.

    `ask` is for somebody at a terminal, who sees what the machine says.
    """
    if loaded.file is not None:
        written = loaded.settings.numbers.region
        if said is not None and said.upper() != written.upper():
            raise InstallError(f"{loaded.file} is there already, with the region {written}: set [numbers] region there")
        return written
    region = said or (ask(derived) if ask else derived)
    if region is None:
        raise InstallError("nothing on this machine says which country it is in: name yours, as with --region GB")
    if not is_possible_region(region):
        raise InstallError(f"{shown(region)} is no country that we know: use two letters such as US, GB or CN")
    return region.upper()


def derived_region(etc: Path, time_zone: str, tables: Sequence[str] = TZPATH) -> str | None:
    """The country, where Asterisk's tone zone and the machine's time zone do not name two; None: nobody can tell.

    `tables` are the directories of zone.tab.
    """
    found = {region for region in (_by_tone_zone(etc), _by_time_zone(time_zone, tables)) if region is not None}
    region = found.pop() if len(found) == 1 else ""
    return region if is_possible_region(region) else None


def _by_tone_zone(etc: Path) -> str | None:
    found = (_COUNTRY.match(line.text) for line in walk(etc, etc / "indications.conf"))
    said = next((match[1].upper() for match in found if match), _NOTHING_SAID)
    return None if said == _NOTHING_SAID else _TONE_ZONES.get(said, said)


def _by_time_zone(time_zone: str, tables: Sequence[str]) -> str | None:
    for folder in tables:
        rows = (line.split("\t") for line in (read_text(Path(folder) / "zone.tab") or "").splitlines())
        for row in rows:
            if row[2:3] == [time_zone]:
                return row[0]
    return None


def time_zone_of(localtime: Path = Path("/etc/localtime")) -> str:
    """The machine's time zone, as Europe/London; empty where its link says none."""
    return str(localtime.resolve()).partition("/zoneinfo/")[2]
