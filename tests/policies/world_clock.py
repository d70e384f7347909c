"""An independent clock: thirty places, their hours from UTC in 2026 from a calendar, minutes counted one by one.

Nothing here knows of zoneinfo, of phonenumbers or of the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

MINUTE = 60
HOUR, DAY = 3600, 86_400


@cache
def utc(text: str) -> int:
    """`2026-03-08 07:00`, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Somewhere:
    """A number, its hours from UTC at the beginning of 2026, and at which instants they become others.

    `open`: minutes of a weekday, a Saturday and a Sunday during which people may be called there. `closed`: days on
    which nobody is to be called, as month and day of 2026.
    """

    number: str
    hours: float
    changes: tuple[tuple[str, float], ...] = ()
    open: tuple[tuple[tuple[int, int], ...], ...] = (((480, 1260),),) * 3
    closed: tuple[str, ...] = ()

    def offset(self, at: int) -> int:
        """Seconds ahead of UTC."""
        hours = self.hours
        for since, then in self.changes:
            if at >= utc(since):
                hours = then
        return int(hours * HOUR)

    def is_open(self, at: int) -> bool:
        """By arithmetic on seconds: 1970-01-01 was a Thursday."""
        local = at + self.offset(at)
        weekday, minute = (local // DAY + 3) % 7, local % DAY // MINUTE
        if f"{datetime.fromtimestamp(local, UTC):%m-%d}" in self.closed:
            return False
        spans = self.open[0 if weekday < 5 else weekday - 4]
        return any(first <= minute < last for first, last in spans)

    def next_open(self, at: int) -> int:
        """Minute by minute."""
        if self.is_open(at):
            return at
        at += -at % MINUTE
        while not self.is_open(at):
            at += MINUTE
        return at

    def date(self, at: int) -> int:
        """The local day, in days since 1970."""
        return (at + self.offset(at)) // DAY


def _us(standard: float) -> tuple[tuple[str, float], ...]:
    """Two in the morning, local time, on 8 March and on 1 November."""
    spring, autumn = int(2 - standard), int(1 - standard)
    return ((f"2026-03-08 {spring:02d}:00", standard + 1), (f"2026-11-01 {autumn:02d}:00", standard))


def _eu(standard: float) -> tuple[tuple[str, float], ...]:
    """All of the EU and Britain at 01:00 UTC on 29 March and on 25 October."""
    return (("2026-03-29 01:00", standard + 1), ("2026-10-25 01:00", standard))


FRENCH = (((600, 780), (840, 1200)), (), ())
CANADIAN = (((540, 1290),), ((600, 1080),), ((600, 1080),))
AUSTRALIAN = (((540, 1200),), ((540, 1020),), ())
# By the calendar: Easter Sunday was on 5 April.
FRENCH_DAYS = ("01-01", "04-06", "05-01", "05-08", "05-14", "05-25", "07-14", "08-15", "11-01", "11-11", "12-25")
AUSTRALIAN_DAYS = ("01-01", "01-26", "04-03", "04-06", "04-25", "12-25", "12-26")

PLACES = {
    "New York": Somewhere("+12125550123", -5, _us(-5)),
    "Chicago": Somewhere("+13125550123", -6, _us(-6)),
    "Denver": Somewhere("+13035550123", -7, _us(-7)),
    "Phoenix": Somewhere("+16025550123", -7),
    "Los Angeles": Somewhere("+12135550123", -8, _us(-8)),
    "Honolulu": Somewhere("+18085550123", -10),
    "Toronto": Somewhere("+14165550123", -5, _us(-5), CANADIAN),
    "Halifax": Somewhere("+19025550123", -4, _us(-4), CANADIAN),
    "London": Somewhere("+442071838750", 0, _eu(0)),
    "Paris": Somewhere("+33140205050", 1, _eu(1), FRENCH, FRENCH_DAYS),
    "Berlin": Somewhere("+4930123456", 1, _eu(1)),
    "Rome": Somewhere("+390612345678", 1, _eu(1)),
    "Madrid": Somewhere("+34911234567", 1, _eu(1)),
    "Stockholm": Somewhere("+4613123456", 1, _eu(1)),
    "Athens": Somewhere("+302101234567", 2, _eu(2)),
    "Helsinki": Somewhere("+358912345678", 2, _eu(2)),
    "Jerusalem": Somewhere("+97221234567", 2, (("2026-03-27 00:00", 3), ("2026-10-24 23:00", 2))),
    "Sydney": Somewhere(
        "+61280001234", 11, (("2026-04-04 16:00", 10), ("2026-10-03 16:00", 11)), AUSTRALIAN, AUSTRALIAN_DAYS
    ),
    "Auckland": Somewhere("+6498001234", 13, (("2026-04-04 14:00", 12), ("2026-09-26 14:00", 13))),
    "Santiago": Somewhere("+56221234567", -3, (("2026-04-05 03:00", -4), ("2026-09-06 04:00", -3))),
    "Tokyo": Somewhere("+81312345678", 9),
    "Shanghai": Somewhere("+862112345678", 8),
    "Kolkata": Somewhere("+911123456789", 5.5),
    "Kathmandu": Somewhere("+97714123456", 5.75),
    "Dubai": Somewhere("+97142123456", 4),
    "Tehran": Somewhere("+982112345678", 3.5),
    "Nairobi": Somewhere("+254201234567", 3),
    "Johannesburg": Somewhere("+27111234567", 2),
    "Buenos Aires": Somewhere("+541112345678", -3),
    "Bangkok": Somewhere("+6621234567", 7),
}
