"""When people may be called, by the clock where they are. Pure; zones and countries come from the number itself.

    AS_INSTALLED.place_of("+33123456789") -> CalledPlace(zones=("Europe/Paris",), hours=weekdays 10-13 and 14-20)
    next_good_time(place, now) -> the earliest instant at which it is a good time everywhere the number may be

By the wall clock: what daylight saving does to it is zoneinfo's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reputation.numbers import country_of, time_zones_of

DAY_SECONDS = 86_400.0
DAYS_AHEAD = 9  # nobody may be closed for longer
SATURDAY, SUNDAY = 5, 6


class HourSpan(NamedTuple):
    """From a minute of the day until before another: 480 to 1260 is eight until nine in the evening."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Hours:
    """When people may be called. `source` says who says so."""

    weekdays: tuple[HourSpan, ...]
    saturday: tuple[HourSpan, ...]
    sunday: tuple[HourSpan, ...]
    source: str = field(default="", compare=False)

    def on(self, weekday: int) -> tuple[HourSpan, ...]:
        """The spans of a day; 0 is Monday."""
        return {SATURDAY: self.saturday, SUNDAY: self.sunday}.get(weekday, self.weekdays)


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
# Countries whose rules are narrower, for calls that nobody asked for. Public holidays are not known here.
LOCAL_HOURS: Mapping[str, Hours] = {
    "FR": Hours(parse_spans("10:00-13:00 14:00-20:00"), (), (), "France, decree 2022-1313: weekdays 10-13, 14-20 h"),
    "AU": Hours(
        parse_spans("09:00-20:00"), parse_spans("09:00-17:00"), (), "Australia, Telemarketing Industry Standard 2017"
    ),
    "CA": Hours(
        parse_spans("09:00-21:30"),
        parse_spans("10:00-18:00"),
        parse_spans("10:00-18:00"),
        "Canada, CRTC Unsolicited Telecommunications Rules",
    ),
}


@dataclass(frozen=True, slots=True)
class CalledPlace:
    """Where a called person may be, and when people may be called there. `zones` is empty when nobody knows."""

    zones: tuple[str, ...]
    hours: Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingHours:
    """When people may be called in each country: the guard and the figures go by the same (callsieve/wiring.py).

    `local` are countries with other hours than the `usual` ones; `home_zones` where a number is looked for that is in
    no zone of its own.
    """

    usual: Hours = USUAL
    local: Mapping[str, Hours] = field(default_factory=lambda: LOCAL_HOURS)
    home_zones: tuple[str, ...] = ()

    def place_of(self, e164: str) -> CalledPlace:
        """Where a called person may be, and when people may be called there."""
        zones = time_zones_of(e164) or self.home_zones
        return CalledPlace(zones, self.local.get(country_of(e164) or "", self.usual))


AS_INSTALLED = CallingHours()


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
    return any(first <= minute < last for first, last in hours.on(local.weekday()))


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
        for first, _ in hours.on(day.weekday()):
            opening = datetime.combine(day, time(first // 60, first % 60), info).timestamp()
            if opening >= at:
                yield opening


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
