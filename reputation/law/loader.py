"""The law of each country on calls that companies make, read from the files of this package.

Each row names its source and the days on which it is in force. The files are checked when they are read.

An administrator changes hours in the settings ([[hours]]) and not here, so that differences from the law are visible.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TypeVar

import msgspec

from reputation.numbers import country_of
from reputation.own.hours import Hours, HoursTable, parse_spans, read_apart


class LawSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page on which rows are based. `read`: the day on which we read it. `cite`: its short name, used in reasons."""

    name: str
    cite: str
    title: str
    url: str
    read: date


class LawRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of all kinds of rows. A row is in force from its first to its last day, both included, in UTC.

    `area` is the country or a state (US-FL). `prefixes` are the first digits of the area's numbers, empty for the whole
    country. A row without a `source` or with `advice` is good practice: it is shown, but by default not enforced.
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
        """Whether the check of outgoing calls enforces the row by default."""
        return bool(self.source) and not self.advice

    @property
    def begins_at(self) -> float:
        """When the row comes into force, in UTC seconds."""
        return -float("inf") if self.valid_from is None else _midnight(self.valid_from)

    @property
    def ends_at(self) -> float:
        """When the row stops being in force, in UTC seconds."""
        return float("inf") if self.valid_until is None else _midnight(self.valid_until + timedelta(days=1))

    def holds(self, at: float) -> bool:
        """Return whether the row is in force at the instant `at`."""
        return self.begins_at <= at < self.ends_at


class HoursRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The hours in which people may be called, such as `10:00-13:00 14:00-20:00`. An empty text: never.

    `holidays`: the hours on holidays; `None`: holidays are like other days.
    """

    weekdays: str
    saturday: str
    sunday: str
    holidays: str | None = None


class LimitRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A limit on how many calls a person may get within `days` times 24 hours."""

    calls: int
    days: int


class RefusalRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule that says for at least how many days a do-not-call request stays valid."""

    days: int


class ConsentRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule that sales calls need the person's consent."""


class RegisterRow(LawRow, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A public register of people who do not want calls. `max_days`: how many days old a copy of it may be."""

    name: str
    title: str
    max_days: int


class LawFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The law of a country. `read` is the day of the last review. `unverified` lists questions without an answer."""

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
        """All rows of the law, of every kind."""
        return (*self.hours, *self.limit, *self.refusal, *self.consent, *self.register)

    def cite(self, row: LawRow) -> str:
        """Return the name of the row's source as shown in reasons, with `(advice)` if the row is not binding."""
        named = next((source.cite for source in self.source if source.name == row.source), f"{row.area}: good practice")
        return named if row.is_binding else f"{named} (advice)"


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


R = TypeVar("R", bound=LawRow)


class LawError(ValueError):
    """The error for an unusable law file. The text has the name of the file and the cause."""


def parse_law(raw: bytes, name: str) -> LawFile:
    """Parse a law file. Raise LawError if it is unusable."""
    try:
        law = msgspec.toml.decode(raw, type=LawFile)
    except msgspec.MsgspecError as error:
        raise LawError(f"{name}: {error}") from None
    except ValueError as error:
        raise LawError(f"{name}: not TOML: {error}") from None
    known = {source.name for source in law.source}
    for row in law.rows:
        if row.source and row.source not in known:
            raise LawError(f"{name}: there is no [[source]] named {row.source!r}: add a [[source]] with this name")
        if row.area.partition("-")[0] != law.country:
            raise LawError(f"{name}: area {row.area!r} is not in {law.country}: begin the area with this country")
        if row.valid_from and row.valid_until and row.valid_until < row.valid_from:
            raise LawError(
                f"{name}: `valid_until` is before `valid_from`: correct one of them (both days are included)"
            )
    return law


@lru_cache(maxsize=1)
def shipped_laws() -> tuple[LawFile, ...]:
    """Return the laws of all countries, ordered by country code."""
    laws = (entry for entry in files("reputation.law").iterdir() if entry.name.endswith(".toml"))
    return tuple(parse_law(entry.read_bytes(), entry.name) for entry in sorted(laws, key=lambda entry: entry.name))


def law_of(country: str) -> LawFile | None:
    """Return the law of the country with this two-letter code, or None."""
    return next((law for law in shipped_laws() if law.country == country), None)


def law_of_number(number: str) -> LawFile | None:
    """Return the law of a number's country, or None."""
    return law_of(country_of(number) or "")


def row_for(rows: Iterable[R], number: str, at: float) -> R | None:
    """Return the row for this number in force at `at`, or None. Prefer a binding row, then a row with prefixes."""
    matching = [row for row in rows if row.holds(at) and (not row.prefixes or number.startswith(row.prefixes))]
    return max(matching, key=lambda row: (row.is_binding, bool(row.prefixes)), default=None)


def binding(rows: Sequence[R], number: str, at: float) -> R | None:
    """Return the binding row for this number that is in force at `at`, chosen as in `row_for`, or None."""
    return row_for([row for row in rows if row.is_binding], number, at)


def source_cited(cite: str) -> LawSource | None:
    """Return the law source whose short name a reason cites; None if no source has this name."""
    named = cite.removesuffix(" (advice)")
    return next((source for law in shipped_laws() for source in law.source if source.cite == named), None)


def register_named(name: str) -> tuple[LawFile, RegisterRow] | None:
    """Return the law and the row of the national do-not-call register with this name; None if the name is unknown."""
    registers = ((law, row) for law in shipped_laws() for row in law.register)
    return next(((law, row) for law, row in registers if row.name == name), None)


def register_names() -> tuple[str, ...]:
    """Return the names of all known do-not-call registers."""
    return tuple(row.name for law in shipped_laws() for row in law.register)


# The hours of the law files in the form that the guard uses.
#
# local, advised = hours_by_law()      by the start of numbers (+1305) or by country (FR)


@lru_cache(maxsize=1)
def hours_by_law() -> tuple[HoursTable, HoursTable]:
    """Return two tables of calling hours by prefix or country: the binding hours, and the hours of good practice."""
    local: dict[str, tuple[Hours, ...]] = {}
    advised: dict[str, tuple[Hours, ...]] = {}
    for law in shipped_laws():
        for row in law.hours:
            table = local if row.is_binding else advised
            for key in row.prefixes or (law.country,):
                table[key] = (*table.get(key, ()), _hours_of(law, row))
    return local, advised


def read_holidays(at: float) -> None:
    """Read the holidays of all areas in the year of `at` and the years beside it, so that no call waits for them."""
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
