"""Spans and instants as people type and read them. Instants are UTC seconds; what is shown is in the machine's zone.

2h 30d 2w               a span
2026-12-31              a day: of an expiry, until it ends
2026-12-31T18:00, 18:00 an instant, in the machine's zone unless it says another
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from reputation.wording import Wording

SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
LONGEST_SECONDS = 100 * 365 * 86400

_SPAN = re.compile(r"([0-9]{1,9}) ?([smhdwy])")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")

# What an amount of time is called, from the largest unit down.
UNITS = ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class TimeError(ValueError):
    """The text is no time. It says what is allowed."""


def expiry_of(text: str, now: float) -> float:
    """Until when: after a span from now, at the end of a day, or at an instant. TimeError unless that is to come."""
    text = text.strip().lower()
    span = _SPAN.fullmatch(text)
    if span:
        at = now + int(span[1]) * SECONDS_BY_UNIT[span[2]]
    elif (at_end := _end_of_day(text)) is not None:
        at = at_end
    else:
        at = _instant(text, f"{text!r} is no expiry: write it as 2h, 30d, 2026-12-31 or 2026-12-31T18:00")
    if at <= now:
        raise TimeError(f"{text!r} is in the past")
    if at > now + LONGEST_SECONDS:
        raise TimeError(f"{text!r} is more than a hundred years away: leave the expiry out")
    return at


def instant_of(text: str, now: float) -> float:
    """`2026-12-31T18:00`, or `18:00` for today."""
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        today = _local(now).date()
        return _seconds(datetime.combine(today, time(int(clock[1]), int(clock[2]))))
    return _instant(text.strip(), f"{text!r} is no time: write it as 18:00 or 2026-12-31T18:00")


def since_of(text: str, now: float) -> float:
    """Since when, as `moment_of` reads it. TimeError unless that is past."""
    at = moment_of(text, now)
    if at > now:
        raise TimeError(f"{text!r} is to come")
    return at


def moment_of(text: str, now: float) -> float:
    """A span before now, the beginning of a day, or an instant. TimeError."""
    span = _SPAN.fullmatch(text.strip().lower())
    if span:
        return now - int(span[1]) * SECONDS_BY_UNIT[span[2]]
    if _CLOCK.fullmatch(text.strip()):
        return instant_of(text, now)
    return _instant(text.strip(), f"{text!r} is no time: write it as 1h, 7d, 18:00, 2026-12-31 or 2026-12-31T18:00")


def when(at: float) -> str:
    """`2026-12-31 18:00`."""
    return _format(at, "%Y-%m-%d %H:%M")


def day(at: float) -> str:
    """`2026-12-31`."""
    return _format(at, "%Y-%m-%d")


def when_there(at: float) -> str:
    """`2026-12-31 18:00 CET`: where another zone is spoken of too."""
    return _format(at, "%Y-%m-%d %H:%M %Z")


def when_exactly(at: float) -> str:
    """`2026-12-31 18:00:07 CET`."""
    return _format(at, "%Y-%m-%d %H:%M:%S %Z")


def iso(at: float) -> str:
    """`2026-12-31T18:00:07`: as it can be typed again."""
    return _format(at, "%Y-%m-%dT%H:%M:%S")


def iso_with_zone(at: float) -> str:
    """`2026-12-31T18:00:07+01:00`: the same instant wherever it is read."""
    try:
        return _local(at).replace(microsecond=0).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def span_words(seconds: float) -> Wording:
    """`3 d`, `2 h`, `40 s`: the largest whole unit."""
    return _counted(seconds, "{count} ")


def ago(at: float, now: float) -> Wording:
    """`3 d ago`, `in 2 h`, `just now`."""
    if abs(now - at) < 1:
        return Wording("just now")
    return _counted(now - at, "{count} ", " ago") if at < now else _counted(at - now, "in {count} ")


def _counted(seconds: float, before: str, after: str = "") -> Wording:
    size, unit = next(((size, unit) for size, unit in UNITS if abs(seconds) >= size), UNITS[-1])
    return Wording(f"{before}{unit}{after}", {"count": int(abs(seconds) // size)})


def _end_of_day(text: str) -> float | None:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        return _seconds(datetime.combine(date.fromisoformat(text) + timedelta(days=1), time()))
    except (ValueError, OverflowError):
        raise TimeError(f"{text!r} is no day of the calendar") from None


def _instant(text: str, otherwise: str) -> float:
    try:
        return _seconds(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError, OSError):
        raise TimeError(otherwise) from None


def _seconds(moment: datetime) -> float:
    """A moment that names no zone is in the machine's."""
    return moment.astimezone(UTC).timestamp()


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()


def _format(at: float, form: str) -> str:
    try:
        return f"{_local(at):{form}}"
    except (ValueError, OverflowError, OSError):
        return f"@{at:.0f}"  # far outside of what a calendar knows
