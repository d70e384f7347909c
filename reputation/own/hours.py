"""When people may be called, by the clock where they are. Pure; zones and countries come from the number itself.

    hours.place_of("+33123456789", now) -> CalledPlace(zones=("Europe/Paris",), hours=weekdays 10-13 and 14-20)
    next_good_time(place, now) -> the earliest instant at which it is a good time everywhere the number may be

By the wall clock: what daylight saving does to it is zoneinfo's business. What the law says is data (reputation/law).

Quiet hours: when strangers do not ring the phones of those who want that, and when an unknown caller is a little
suspect. Pure. What they do to a call: policies/quiet_hours.py; what they say of a caller: reputation/families/quiet.py.

Public holidays of a country or one of its states, by the package `holidays`, which is imported here only.

    holidays_of("FR", 2026) -> the dates, as date.toordinal()

Importing takes 90 ms and 11 MB, so it is done when somebody asks, and for the daemon in another process that ends
(`read_apart`). Then a country takes 2 ms, and a year of it 0.2 ms, once.
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


DAY_SECONDS = 86_400.0
DAYS_AHEAD = 9  # nobody may be closed for longer
SATURDAY, SUNDAY = 5, 6


class HourSpan(NamedTuple):
    """From a minute of the day until before another: 480 to 1260 is eight until nine in the evening."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Hours:
    """When people may be called. `holidays`: on public holidays of `area` (FR, US-LA); None: as on any other day.

    `source` says who says so. It holds from `begins_at` until before `ends_at`, UTC seconds.
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
        """The spans of a day."""
        if self.is_holiday(day):
            return self.holidays or ()
        return {SATURDAY: self.saturday, SUNDAY: self.sunday}.get(day.weekday(), self.weekdays)

    def is_holiday(self, day: date) -> bool:
        """Whether the day has hours of its own, as a public holiday."""
        return self.holidays is not None and day.toordinal() in holidays_of(self.area, day.year)


def daily(first_hour: int, last_hour: int, source: str = "") -> Hours:
    """The same every day."""
    spans = (HourSpan(60 * first_hour, 60 * last_hour),)
    return Hours(spans, spans, spans, source)


_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


def parse_spans(text: str) -> tuple[HourSpan, ...]:
    """`10:00-13:00 14:00-20:00`; empty text: never. ValueError for what is no such thing."""
    spans = []
    for word in text.split():
        match = _SPAN.fullmatch(word)
        first, last = (60 * int(match[1]) + int(match[2]), 60 * int(match[3]) + int(match[4])) if match else (0, 0)
        if not first < last <= 24 * 60:
            raise ValueError(f"{word[:40]!r} is no span of a day: write it as 09:00-20:00")
        spans.append(HourSpan(first, last))
    return tuple(spans)


# Where nothing is said of a country: what the FTC and the FCC permit, and most codes of conduct.
USUAL = daily(8, 21, "8 to 21 h, as in 47 CFR 64.1200(c)(1)")
# By the start of numbers (+1305) or the country (FR): those of one key in turn, each for its own time.
HoursTable = Mapping[str, tuple[Hours, ...]]
_LONGEST_PREFIX = 7


@dataclass(frozen=True, slots=True)
class CalledPlace:
    """Where a called person may be, and when people may be called there. `zones` is empty when nobody knows.

    `advised`: hours that are good practice there and bind nobody.
    """

    zones: tuple[str, ...]
    hours: Hours
    advised: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingHours:
    """When people may be called in each country: the guard and the figures go by the same (callsieve/wiring.py).

    `local` are places with other hours than the `usual` ones, `advised` those that bind nobody; `home_zones` where a
    number is looked for that is in no zone of its own.
    """

    usual: Hours = USUAL
    local: HoursTable = field(default_factory=dict)
    advised: HoursTable = field(default_factory=dict)
    home_zones: tuple[str, ...] = ()

    def place_of(self, number: Number, at: float) -> CalledPlace:
        """Return where a called person may be, and when people may be called there by the rules of that instant."""
        zones = number.time_zones or self.home_zones
        hours = _of_number(self.local, number, at) or self.usual
        return CalledPlace(zones, hours, _of_number(self.advised, number, at) if self.advised else None)


def _of_number(table: HoursTable, number: Number, at: float) -> Hours | None:
    key = number.key or ""
    keys = (*(key[:length] for length in range(_LONGEST_PREFIX, 1, -1)), number.country or "")
    found = (hours for key in keys for hours in table.get(key, ()))
    return next((hours for hours in found if hours.begins_at <= at < hours.ends_at), None)


AS_INSTALLED = CallingHours()  # where only the zones count


def local_date_number(place: CalledPlace, at: float) -> int:
    """The called person's day, as days since 1970-01-01; UTC's where the zone is not known."""
    zone = _zone(place.zones[0]) if place.zones else None
    return datetime.fromtimestamp(at, zone or UTC).date().toordinal() - _EPOCH


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date().toordinal()


def is_surely_outside(place: CalledPlace, at: float) -> bool:
    """Whether it is a bad time wherever the number may be. Of a number in no known zone nobody can say so."""
    return bool(place.zones) and not any(is_open(place.hours, zone, at) for zone in place.zones)


def is_good_time(place: CalledPlace, at: float) -> bool:
    """Whether it is a good time everywhere the number may be; where that is never so, somewhere."""
    if not place.zones:
        return True
    opened = [is_open(place.hours, zone, at) for zone in place.zones]
    return all(opened) or (any(opened) and not _is_ever_good(place, int(at // DAY_SECONDS)))


def next_good_time(place: CalledPlace, at: float) -> float | None:
    """The earliest good time from then on: `at` itself if it is one. None: not within nine days."""
    if is_good_time(place, at):
        return at
    return next((opening for opening in _openings(place, at) if is_good_time(place, opening)), None)


def next_morning(place: CalledPlace, at: float) -> float | None:
    """The first good time of the called person's next day."""
    zone = _zone(place.zones[0]) if place.zones else None
    tomorrow = datetime.fromtimestamp(at, zone or UTC).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time(), zone or UTC).timestamp()
    return next_good_time(place, max(midnight, at))


def is_open(hours: Hours, zone: str, at: float) -> bool:
    """Whether people in this zone may be called now. A zone that this machine does not know is no obstacle."""
    info = _zone(zone)
    if info is None:
        return True
    local = datetime.fromtimestamp(at, info)
    minute = 60 * local.hour + local.minute
    return any(first <= minute < last for first, last in hours.on(local.date()))


def is_holiday(place: CalledPlace, at: float) -> bool:
    """Whether it is a public holiday with hours of its own in one of the zones."""
    zones = [zone for zone in map(_zone, place.zones) if zone is not None]
    return any(place.hours.is_holiday(datetime.fromtimestamp(at, zone).date()) for zone in zones)


@lru_cache(maxsize=4096)
def _is_ever_good(place: CalledPlace, day: int) -> bool:
    """Whether all zones are ever open at once around this day (since 1970): those of toll-free numbers never are."""
    zones = place.zones
    return any(
        all(is_open(place.hours, zone, opening) for zone in zones) for opening in _openings(place, day * DAY_SECONDS)
    )


def _openings(place: CalledPlace, at: float) -> list[float]:
    """When a span begins in one of the zones, in order, from then on."""
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
    """Those of everybody, and of people who have others, by extension."""

    usual: QuietWeights = DEFAULT.quiet
    own: Mapping[str, QuietWeights] = field(default_factory=dict)

    @classmethod
    def of(cls, usual: QuietWeights, written: Mapping[str, str]) -> QuietHours:
        """`written`: the hours of single people, by extension, as WRITTEN has them."""
        return cls(usual, {extension: _parse(text, usual) for extension, text in written.items()})

    def is_resting(self, extension: str, now: float) -> bool:
        """Whether it is one of the person's quiet hours."""
        hours = self.own.get(extension, self.usual)
        return is_quiet(hour_at(now, hours), hours)


def is_quiet(hour: int, weights: QuietWeights) -> bool:
    """Whether the hour lies in the quiet ones, which may go over midnight. First and last the same: there are none."""
    first, last = weights.first_hour, weights.last_hour
    return first <= hour < last if first <= last else hour >= first or hour < last


def hour_at(at: float, weights: QuietWeights) -> int:
    """The hour of the callee's day at that instant."""
    return _hour_of_quarter(int(at // QUARTER_SECONDS), weights.time_zone)


@lru_cache(maxsize=1024)
def _hour_of_quarter(quarter: int, time_zone: str) -> int:
    """That of a quarter of an hour since 1970: no zone's offset is finer."""
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone_of(time_zone)).hour


def _parse(text: str, usual: QuietWeights) -> QuietWeights:
    first, last = text.split("-")
    return msgspec.structs.replace(usual, first_hour=int(first), last_hour=int(last) % 24)
