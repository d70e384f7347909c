"""Local hours when people may be called, quiet hours, and public holidays. Pure functions.

Legal hours are data (reputation/law). In quiet hours, strangers do not ring the phones of people who want quiet
(policies/quiet_hours.py), and their calls are a little suspect (reputation/families/quiet.py).

Only this module imports the package `holidays`, and only on demand: the import takes 90 ms and 11 MB. The daemon starts
a short-lived process for it (`read_apart`). After that, a country's first use takes 2 ms, each of its years 0.2 ms.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.util import find_spec, module_from_spec
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from reputation.numbers import Number
from reputation.weights import DEFAULT, QuietWeights, zone_of

_COUNTRIES = "holidays.countries"
_APART = "import sys; from reputation.own.hours import print_holidays; print_holidays(sys.argv[1:])"
_APART_SECONDS = 60.0

# By area and year, what another process read.
_READ: dict[tuple[str, int], frozenset[int]] = {}


def holidays_of(area: str, year: int) -> frozenset[int]:
    """Return the holidays of an area such as FR or US-LA as `date` ordinals; an empty set if the area is unknown."""
    days = _READ.get((area, year))
    return _read(area, year) if days is None else days


def read_apart(areas: Iterable[str], years: Iterable[int]) -> None:
    """Read the holidays in another process. If that fails, `holidays_of` imports the package in this process."""
    keys = [f"{area}:{year}" for year in years for area in sorted(areas)]
    command = (sys.executable, "-P", "-c", _APART, *keys)
    try:
        printed = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_APART_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return
    for line in printed.splitlines():
        key, *days = line.split()
        area, _, year = key.rpartition(":")
        _READ[area, int(year)] = frozenset(map(int, days))


def print_holidays(keys: Iterable[str]) -> None:
    """Print one line per area and year, with its holidays. Runs in the process that `read_apart` starts."""
    for key in keys:
        area, _, year = key.rpartition(":")
        print(key, *sorted(holidays_of(area, int(year))))


@lru_cache(maxsize=512)
def _read(area: str, year: int) -> frozenset[int]:
    import holidays

    _import_no_country()
    country, _, state = area.partition("-")
    try:
        days = holidays.country_holidays(country, subdiv=state or None, years=year)
    except NotImplementedError:
        return frozenset()
    return frozenset(day.toordinal() for day in days)


def _import_no_country() -> None:
    """Replace the package's index of 250 countries by an empty module: importing the index takes 90 ms and 8 MB."""
    spec = find_spec(_COUNTRIES) if _COUNTRIES not in sys.modules else None
    if spec is not None:
        sys.modules[_COUNTRIES] = module_from_spec(spec)


DAY_SECONDS = 86_400.0
DAYS_AHEAD = 9  # nobody may be closed for longer
SATURDAY, SUNDAY = 5, 6


class HourSpan(NamedTuple):
    """A part of a day in minutes: 480 to 1260 is from 8:00 until just before 21:00."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours when people may be called. They apply from `begins_at` until before `ends_at`, in UTC seconds.

    `source`: the law or document with the hours. `holidays`: the hours on public holidays of `area`, a country or state
    such as FR or US-LA; None: as on any other day.
    """

    weekdays: tuple[HourSpan, ...]
    saturday: tuple[HourSpan, ...]
    sunday: tuple[HourSpan, ...]
    source: str = field(default="", compare=False)
    holidays: tuple[HourSpan, ...] | None = None
    area: str = ""
    begins_at: float = -float("inf")
    ends_at: float = float("inf")

    def on(self, day: date) -> tuple[HourSpan, ...]:
        """Return the calling hours of a day."""
        if self.is_holiday(day):
            return self.holidays or ()
        return {SATURDAY: self.saturday, SUNDAY: self.sunday}.get(day.weekday(), self.weekdays)

    def is_holiday(self, day: date) -> bool:
        """Return whether the day is a public holiday with calling hours of its own."""
        return self.holidays is not None and day.toordinal() in holidays_of(self.area, day.year)


def daily(first_hour: int, last_hour: int, source: str = "") -> Hours:
    """Return calling hours that are the same every day, from `first_hour` until `last_hour`."""
    spans = (HourSpan(60 * first_hour, 60 * last_hour),)
    return Hours(spans, spans, spans, source)


_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


def parse_spans(text: str) -> tuple[HourSpan, ...]:
    """Parse hours such as `10:00-13:00 14:00-20:00`. An empty text means never. Raise ValueError if invalid."""
    spans = []
    for word in text.split():
        match = _SPAN.fullmatch(word)
        first, last = (60 * int(match[1]) + int(match[2]), 60 * int(match[3]) + int(match[4])) if match else (0, 0)
        if not first < last <= 24 * 60:
            raise ValueError(f"{word[:40]!r} is not a span of hours: write it as 09:00-20:00")
        spans.append(HourSpan(first, last))
    return tuple(spans)


# Where nothing is said of a country: what the FTC and the FCC permit, and most codes of conduct.
USUAL = daily(8, 21, "8 to 21 h, as in 47 CFR 64.1200(c)(1)")
# By the start of numbers (+1305) or the country (FR): those of one key in turn, each for its own time.
HoursTable = Mapping[str, tuple[Hours, ...]]
_LONGEST_PREFIX = 7


@dataclass(frozen=True, slots=True)
class CalledPlace:
    """The place of a called person, and the hours in which people may be called there.

    `zones`: the time zones in which the person may be, perhaps none. `advised`: hours of good practice, not binding.
    """

    zones: tuple[str, ...]
    hours: Hours
    advised: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingHours:
    """The hours when people may be called, by country. The check of outgoing calls and the statistics use these hours.

    `local`: the hours of places that differ from the `usual` hours. `advised`: hours of good practice that are not
    binding. `home_zones`: the time zones of numbers without a zone of their own.
    """

    usual: Hours = USUAL
    local: HoursTable = field(default_factory=dict)
    advised: HoursTable = field(default_factory=dict)
    home_zones: tuple[str, ...] = ()

    def place_of(self, number: Number, at: float) -> CalledPlace:
        """Return where the called person may be, and the calling hours in force there at `at`."""
        zones = number.time_zones or self.home_zones
        hours = _of_number(self.local, number, at) or self.usual
        return CalledPlace(zones, hours, _of_number(self.advised, number, at) if self.advised else None)


def _of_number(table: HoursTable, number: Number, at: float) -> Hours | None:
    key = number.key or ""
    keys = (*(key[:length] for length in range(_LONGEST_PREFIX, 1, -1)), number.country or "")
    candidates = (hours for key in keys for hours in table.get(key, ()))
    return next((hours for hours in candidates if hours.begins_at <= at < hours.ends_at), None)


AS_INSTALLED = CallingHours()  # where only the zones count


def local_date_number(place: CalledPlace, at: float) -> int:
    """Return the called person's local day as days since 1970-01-01; the UTC day if the zone is unknown."""
    zone = _zone(place.zones[0]) if place.zones else None
    return datetime.fromtimestamp(at, zone or UTC).date().toordinal() - _EPOCH


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date().toordinal()


def is_surely_outside(place: CalledPlace, at: float) -> bool:
    """Return whether `at` is outside the calling hours in all zones of the number; False if no zone is known."""
    return bool(place.zones) and not any(is_open(place.hours, zone, at) for zone in place.zones)


def is_good_time(place: CalledPlace, at: float) -> bool:
    """Return whether people of this place may be called at the time `at`. It must be allowed in all their time zones.

    If the zones have no common hour, one zone is enough.
    """
    if not place.zones:
        return True
    opened = [is_open(place.hours, zone, at) for zone in place.zones]
    return all(opened) or (any(opened) and not _is_ever_good(place, int(at // DAY_SECONDS)))


def next_good_time(place: CalledPlace, at: float) -> float | None:
    """Return the earliest good time from `at` on, or None if the next nine days have no good time."""
    if is_good_time(place, at):
        return at
    return next((opening for opening in _openings(place, at) if is_good_time(place, opening)), None)


def next_morning(place: CalledPlace, at: float) -> float | None:
    """Return the earliest good time from the called person's next day on, or None, as in `next_good_time`."""
    zone = _zone(place.zones[0]) if place.zones else None
    tomorrow = datetime.fromtimestamp(at, zone or UTC).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time(), zone or UTC).timestamp()
    return next_good_time(place, max(midnight, at))


def is_open(hours: Hours, zone: str, at: float) -> bool:
    """Return whether people in this time zone may be called at `at`; True if this server does not know the zone."""
    info = _zone(zone)
    if info is None:
        return True
    local = datetime.fromtimestamp(at, info)
    minute = 60 * local.hour + local.minute
    return any(first <= minute < last for first, last in hours.on(local.date()))


def is_holiday(place: CalledPlace, at: float) -> bool:
    """Return whether the place has a public holiday at `at` for which it has other calling hours."""
    zones = [zone for zone in map(_zone, place.zones) if zone is not None]
    return any(place.hours.is_holiday(datetime.fromtimestamp(at, zone).date()) for zone in zones)


@lru_cache(maxsize=4096)
def _is_ever_good(place: CalledPlace, day: int) -> bool:
    """Return whether the zones have a common calling hour around this day. Zones of toll-free numbers never have."""
    zones = place.zones
    return any(
        all(is_open(place.hours, zone, opening) for zone in zones) for opening in _openings(place, day * DAY_SECONDS)
    )


def _openings(place: CalledPlace, at: float) -> list[float]:
    return sorted({opening for zone in place.zones for opening in _openings_in(place.hours, zone, at)})


def _openings_in(hours: Hours, zone: str, at: float) -> Iterator[float]:
    info = _zone(zone)
    if info is None:
        return
    today = datetime.fromtimestamp(at, info).date()
    for days in range(DAYS_AHEAD):
        day = today + timedelta(days=days)
        for first, _ in hours.on(day):
            opening = datetime.combine(day, time(first // 60, first % 60), info).timestamp()
            if opening >= at:
                yield opening


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


QUARTER_SECONDS = 900
WRITTEN = r"^([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-4])\Z"  # as in `22-7`


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The usual quiet hours, and the quiet hours that people have set themselves, by extension."""

    usual: QuietWeights = DEFAULT.quiet
    own: Mapping[str, QuietWeights] = field(default_factory=dict)

    @classmethod
    def of(cls, usual: QuietWeights, written: Mapping[str, str]) -> QuietHours:
        """Return the quiet hours of all people. `usual`: the hours of people who have set none.

        `written`: people's own hours by extension, in the stored form `22-7`.
        """
        return cls(usual, {extension: _parse(text, usual) for extension, text in written.items()})

    def is_resting(self, extension: str, now: float) -> bool:
        """Return whether the quiet hours of this person include `now`."""
        hours = self.own.get(extension, self.usual)
        return is_quiet(hour_at(now, hours), hours)


def is_quiet(hour: int, weights: QuietWeights) -> bool:
    """Return whether the hour is a quiet hour. Quiet hours may cross midnight. Equal limits mean no quiet hours."""
    first, last = weights.first_hour, weights.last_hour
    return first <= hour < last if first <= last else hour >= first or hour < last


def hour_at(at: float, weights: QuietWeights) -> int:
    """Return the hour of the day at the instant `at`, in the time zone of the quiet hours."""
    return _hour_of_quarter(int(at // QUARTER_SECONDS), weights.time_zone)


@lru_cache(maxsize=1024)
def _hour_of_quarter(quarter: int, time_zone: str) -> int:
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone_of(time_zone)).hour


def _parse(text: str, usual: QuietWeights) -> QuietWeights:
    first, last = text.split("-")
    return msgspec.structs.replace(usual, first_hour=int(first), last_hour=int(last) % 24)
