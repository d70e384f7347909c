"""The law of a country on calls that a company makes: rows with their days and sources, and the files they come from.

The files come with CallSieve. They are checked when they are read, and each by the tests.

    law_of("FR").hours -> its rows;   binding(law_of("US").limit, "+13055550123", now) -> the row that holds, or None

An administrator changes hours in the settings ([[hours]]) and no file: what differs from the law is seen there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TypeVar

import msgspec

from reputation.numbers import country_of
from reputation.own.hours import Hours, HoursTable, parse_spans, read_apart


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


R = TypeVar("R", bound=LawRow)


class LawError(ValueError):
    """A file that cannot be used, with its name and what is wrong."""


def parse_law(raw: bytes, name: str) -> LawFile:
    """The law that a file holds. LawError."""
    try:
        law = msgspec.toml.decode(raw, type=LawFile)
    except msgspec.MsgspecError as error:
        raise LawError(f"{name}: {error}") from None
    except ValueError as error:
        raise LawError(f"{name}: not TOML: {error}") from None
    known = {source.name for source in law.source}
    for row in law.rows:
        if row.source and row.source not in known:
            raise LawError(f"{name}: there is no [[source]] named {row.source!r}: add it")
        if row.area.partition("-")[0] != law.country:
            raise LawError(f"{name}: area {row.area!r} is not in {law.country}")
        if row.valid_from and row.valid_until and row.valid_until < row.valid_from:
            raise LawError(f"{name}: valid_until is before valid_from: both days are included")
    return law


@lru_cache(maxsize=1)
def shipped_laws() -> tuple[LawFile, ...]:
    """All countries, by their codes."""
    found = (entry for entry in files("reputation.law").iterdir() if entry.name.endswith(".toml"))
    return tuple(parse_law(entry.read_bytes(), entry.name) for entry in sorted(found, key=lambda entry: entry.name))


def law_of(country: str) -> LawFile | None:
    """The law of a country, by its code of two letters; None where we have none."""
    return next((law for law in shipped_laws() if law.country == country), None)


def law_of_number(number: str) -> LawFile | None:
    """The law where a number is."""
    return law_of(country_of(number) or "")


def row_for(rows: Iterable[R], number: str, at: float) -> R | None:
    """The row for this number at that instant: that of the longest prefix, a binding one before advice."""
    found = [row for row in rows if row.holds(at) and (not row.prefixes or number.startswith(row.prefixes))]
    return max(found, key=lambda row: (row.is_binding, bool(row.prefixes)), default=None)


def binding(rows: Sequence[R], number: str, at: float) -> R | None:
    """As `row_for`, of what binds only."""
    return row_for([row for row in rows if row.is_binding], number, at)


def source_cited(cite: str) -> LawSource | None:
    """The source that a reason names."""
    named = cite.removesuffix(" (advice)")
    return next((source for law in shipped_laws() for source in law.source if source.cite == named), None)


def register_named(name: str) -> tuple[LawFile, RegisterRow] | None:
    """A national do-not-call register, by its name."""
    found = ((law, row) for law in shipped_laws() for row in law.register)
    return next(((law, row) for law, row in found if row.name == name), None)


def register_names() -> tuple[str, ...]:
    """Those that we know the law of."""
    return tuple(row.name for law in shipped_laws() for row in law.register)


# The hours of the law files in the form that calls are judged by.
#
# local, advised = hours_by_law()      by the start of numbers (+1305) or by country (FR)


@lru_cache(maxsize=1)
def hours_by_law() -> tuple[HoursTable, HoursTable]:
    """The hours that bind, and those that are good practice."""
    local: dict[str, tuple[Hours, ...]] = {}
    advised: dict[str, tuple[Hours, ...]] = {}
    for law in shipped_laws():
        for row in law.hours:
            table = local if row.is_binding else advised
            for key in row.prefixes or (law.country,):
                table[key] = (*table.get(key, ()), _hours_of(law, row))
    return local, advised


def read_holidays(at: float) -> None:
    """Reads the holidays of the year and those beside it for all places that have rules for them, so that no call waits
    for that.
    """
    year = datetime.fromtimestamp(at, UTC).year
    areas = {row.area for law in shipped_laws() for row in law.hours if row.holidays is not None}
    read_apart(areas, (year, year + 1, year - 1))


def _hours_of(law: LawFile, row: HoursRow) -> Hours:
    return Hours(
        parse_spans(row.weekdays),
        parse_spans(row.saturday),
        parse_spans(row.sunday),
        law.cite(row),
        None if row.holidays is None else parse_spans(row.holidays),
        row.area,
        row.begins_at,
        row.ends_at,
    )
