"""The hours of the law files in the form that calls are judged by.

local, advised = hours_by_law()      by the start of numbers (+1305) or by country (FR)
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from reputation.law.holiday_calendar import read_apart
from reputation.law.loader import shipped_laws
from reputation.law.rows import HoursRow, LawFile
from reputation.own.hours import Hours, HoursTable, parse_spans


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
