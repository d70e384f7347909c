"""What the law of a country says of calls that a company makes: each row with its days and who says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec


class LawSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page that was read, on that day. `cite`: what a reason names it by."""

    name: str
    cite: str
    title: str
    url: str
    read: date


class LawRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every row has. It holds from the first day to the last, both included, in UTC.

    `area`: the country, or a state of it (US-FL); `prefixes`: where its numbers begin, all of the country's if empty.
    Without a `source`, or with `advice`, it is good practice and no law: said, and not acted upon.
    """

    area: str
    prefixes: tuple[str, ...] = ()
    source: str = ""
    advice: bool = False
    valid_from: date | None = None
    valid_until: date | None = None
    note: str = ""

    @property
    def is_binding(self) -> bool:
        """Whether the guard acts by it as installed."""
        return bool(self.source) and not self.advice

    @property
    def begins_at(self) -> float:
        """The first instant at which it holds, UTC seconds."""
        return -float("inf") if self.valid_from is None else _midnight(self.valid_from)

    @property
    def ends_at(self) -> float:
        """The first instant at which it holds no more, UTC seconds."""
        return float("inf") if self.valid_until is None else _midnight(self.valid_until + timedelta(days=1))

    def holds(self, at: float) -> bool:
        """Whether it is in force at that instant."""
        return self.begins_at <= at < self.ends_at


class HoursRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Spans of the day, `10:00-13:00 14:00-20:00`; empty: never. `holidays`: None is as on any other day."""

    weekdays: str
    saturday: str
    sunday: str
    holidays: str | None = None


class LimitRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """At most so many calls to one person within so many days of 24 hours."""

    calls: int
    days: int


class RefusalRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """For how many days at least a person who wants no more calls is not to be called."""

    days: int


class ConsentRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who has not agreed before is not to be called to be sold something."""


class RegisterRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A public register of people who do not want calls. `max_days`: how old a copy may be when one calls."""

    name: str
    title: str
    max_days: int


class LawFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The law of a country. `read`: when it was last looked through; `unverified`: what no page could be read about."""

    country: str
    read: date
    unverified: tuple[str, ...] = ()
    source: tuple[LawSource, ...] = ()
    hours: tuple[HoursRow, ...] = ()
    limit: tuple[LimitRow, ...] = ()
    refusal: tuple[RefusalRow, ...] = ()
    consent: tuple[ConsentRow, ...] = ()
    register: tuple[RegisterRow, ...] = ()

    @property
    def rows(self) -> tuple[LawRow, ...]:
        """All of them, of every kind."""
        return (*self.hours, *self.limit, *self.refusal, *self.consent, *self.register)

    def cite(self, row: LawRow) -> str:
        """What a reason names the row's source by; `(advice)` of one that binds nobody."""
        named = next((one.cite for one in self.source if one.name == row.source), f"{row.area}: good practice")
        return named if row.is_binding else f"{named} (advice)"


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
