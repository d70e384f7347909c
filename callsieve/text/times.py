"""Parse and format durations and times. Times are UTC seconds, shown in the server's time zone.

2h 30d 2w               a duration
2026-12-31              a day: its beginning or, as an expiry, its end
2026-12-31T18:00, 18:00 a time, in the server's time zone unless the text names another zone
"""

import re
from datetime import UTC, date, datetime, time, timedelta

from reputation.wording import N_, Wording

SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
LONGEST_SECONDS = 100 * 365 * 86400

_SPAN = re.compile(r"([0-9]{1,9}) ?([smhdwy])")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")

# Lengths of a time as text, up to its day, its minute and its second.
DAYS, MINUTES, SECONDS = 10, 16, 19

# The units of spans, the largest first.
UNITS = ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class TimeError(ValueError):
    """Raised if a text is not a time. `words`: the allowed forms; `{text}` stands for the wrong text."""

    def __init__(self, template: str, text: str) -> None:
        self.words = Wording(template, {"text": repr(text)})
        super().__init__(str(self.words))


def expiry_of(text: str, now: float) -> float:
    """Parse an expiry: a duration from now, the end of a day, or a time. Raise TimeError unless it is in the future."""
    text = text.strip().lower()
    span = _SPAN.fullmatch(text)
    if span:
        at = now + int(span[1]) * SECONDS_BY_UNIT[span[2]]
    elif (at_end := _end_of_day(text)) is not None:
        at = at_end
    else:
        at = _instant(text, N_("{text} is not an expiry time: write it as 2h, 30d, 2026-12-31 or 2026-12-31T18:00"))
    if at <= now:
        raise TimeError(N_("{text} is in the past"), text)
    if at > now + LONGEST_SECONDS:
        raise TimeError(N_("{text} is more than a hundred years away: omit the expiry"), text)
    return at


def instant_of(text: str, now: float) -> float:
    """Parse a time such as `2026-12-31T18:00`, or `18:00` for today. Raise TimeError for a text of another form."""
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        today = _local(now).date()
        return _seconds(datetime.combine(today, time(int(clock[1]), int(clock[2]))))
    return _instant(text.strip(), N_("{text} is not a time: write it as 18:00 or 2026-12-31T18:00"))


def since_of(text: str, now: float) -> float:
    """Parse a time in the same way as `moment_of`. Raise TimeError if the time is in the future."""
    at = moment_of(text, now)
    if at > now:
        raise TimeError(N_("{text} is in the future"), text)
    return at


def moment_of(text: str, now: float) -> float:
    """Parse a duration before now, the beginning of a day, or a time. Raise TimeError for a text of another form."""
    span = _SPAN.fullmatch(text.strip().lower())
    if span:
        return now - int(span[1]) * SECONDS_BY_UNIT[span[2]]
    if _CLOCK.fullmatch(text.strip()):
        return instant_of(text, now)
    return _instant(text.strip(), N_("{text} is not a time: write it as 1h, 7d, 18:00, 2026-12-31 or 2026-12-31T18:00"))


def when(at: float) -> str:
    """Format a time in the server's time zone, as `2026-12-31 18:00`."""
    return _format(at, MINUTES)


def day(at: float) -> str:
    """Format a time as its day in the server's time zone, such as `2026-12-31`."""
    return _format(at, DAYS)


def when_with_zone(at: float) -> str:
    """Format a time as `2026-12-31 18:00 CET`, for texts that also name other time zones."""
    return _format(at, MINUTES, has_zone=True)


def when_exactly(at: float) -> str:
    """Format a time as `2026-12-31 18:00:07 CET`."""
    return _format(at, SECONDS, has_zone=True)


def iso(at: float) -> str:
    """Format a time in the server's time zone as `2026-12-31T18:00:07`, which the parsers of this module accept."""
    return _format(at, SECONDS, "T")


def iso_with_zone(at: float) -> str:
    """Format a time as `2026-12-31T18:00:07+01:00`. Return an empty text for a time outside the calendar."""
    try:
        return _local(at).replace(microsecond=0).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def span_words(seconds: float) -> Wording:
    """Format a duration in its largest whole unit: `3 d`, `2 h`, `40 s`."""
    return _counted(seconds, "{count} ")


def ago(at: float, now: float) -> Wording:
    """Format a time as `3 d ago`, `in 2 h` or `just now`, compared with `now`."""
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
        raise TimeError(N_("{text} is not a day of the calendar"), text) from None


def _instant(text: str, otherwise: str) -> float:
    try:
        return _seconds(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError, OSError):
        raise TimeError(otherwise, text) from None


def _seconds(moment: datetime) -> float:
    """Convert to UTC seconds. A time without a zone is in the server's time zone."""
    return moment.astimezone(UTC).timestamp()


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()


def _format(at: float, length: int, between: str = " ", *, has_zone: bool = False) -> str:
    try:
        local = _local(at)
    except (ValueError, OverflowError, OSError):
        return f"@{at:.0f}"  # outside the calendar's range
    text = local.isoformat(between)[:length]  # six times as fast as strftime, and some pages show a hundred times
    return f"{text} {local.tzname()}" if has_zone else text
