"""What the numbering plans say, as people and scripts read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, NamedTuple

from callsieve.changes.undo import Latest, latest_changes
from callsieve.numbering.capability import PLANS
from callsieve.plan_files import plans_of
from callsieve.settings import Loaded
from callsieve.web.i18n import N_
from reputation.encoding import FLAT
from reputation.numbers import calling_code_of
from reputation.plan.loader import shipped_plans
from reputation.plan.rows import AGAINST_CALLERS, NumberPlan, PlanFile, PlanRow, Purpose
from reputation.wording import Wording

# What the numbers of a range are, in words.
PURPOSE_WORDS = {
    Purpose.TELEMARKETING: Wording("telemarketing"),
    Purpose.CALL_CENTRE: Wording("call centre"),
    Purpose.BANK: Wording("bank service line"),
    Purpose.GOVERNMENT: Wording("government service line"),
    Purpose.SERVICE: Wording("service line"),
    Purpose.PREMIUM: Wording("premium rate"),
    Purpose.PERSONAL: Wording("personal number"),
    Purpose.VOIP: Wording("internet telephony"),
    Purpose.MACHINE: Wording("machines"),
    Purpose.UNALLOCATED: Wording("unallocated"),
    Purpose.DO_NOT_ORIGINATE: Wording("never calls"),
}

# After so long somebody should look whether a plan still holds.
OLD_DAYS = 365
# Of one row of the table; North America has 250 area codes that nobody has.
MOST_PREFIXES = 24
SHIPPED, REPLACED, OWN = N_("comes with CallSieve"), N_("in the place of ours"), N_("own rows")
EVIDENCE, LABEL = N_("evidence, for a tag"), N_("a label only")


class Ranges(NamedTuple):
    """Rows of a plan that say the same of different prefixes; `row` is the first."""

    prefixes: tuple[str, ...]
    row: PlanRow

    @property
    def shown(self) -> tuple[str, ...]:
        """The first prefixes, as they are written on lists."""
        return tuple(f"{prefix}*" for prefix in self.prefixes[:MOST_PREFIXES])


@dataclass(frozen=True, slots=True)
class ListedPlan:
    """A plan, without its ranges. `is_shipped`: it comes with CallSieve."""

    plan: Annotated[PlanFile, FLAT]
    is_shipped: bool = False


class PlanShown(NamedTuple):
    """A plan as the table of all has it. `origin`: where it comes from. `over`: how many of its ranges are no more.

    `is_old`: nobody has looked through it for a year.
    """

    plan: PlanFile
    origin: str
    evidence: int
    over: int
    is_old: bool


@dataclass(frozen=True, slots=True)
class PlansShown:
    """The page: all plans; `ranges` of the country that was asked for; files that were left out."""

    plans: tuple[PlanShown, ...]
    problems: tuple[str, ...]
    latest: tuple[Latest, ...]
    country: str = ""
    ranges: tuple[Ranges, ...] = ()
    unverified: tuple[str, ...] = ()

    def weight_of(self, row: PlanRow) -> str:
        """Return whether the presets tag calls from the range, or only name it."""
        return EVIDENCE if speaks_against(row) else LABEL


def plans_shown(db: sqlite3.Connection, loaded: Loaded, country: str, now: float) -> PlansShown:
    """The plans in force, and the ranges of a country; of one without a plan there are none."""
    found = plans_of(loaded)
    shipped = set(shipped_plans())
    files = sorted(found.plan.files, key=lambda one: (one.country, one.adds))
    plans = tuple(_plan_shown(one, shipped, now) for one in files)
    country = country_with_plan(found.plan, country)
    rows = rows_of(found.plan, country)
    return PlansShown(
        plans,
        found.problems,
        latest_changes(db, PLANS),
        country if rows else "",
        tuple(ranges_of(rows)),
        unverified_of(found.plan, country),
    )


def _plan_shown(plan: PlanFile, shipped: set[PlanFile], now: float) -> PlanShown:
    today = datetime.fromtimestamp(now, UTC).date()
    return PlanShown(
        plan,
        SHIPPED if plan in shipped else OWN if plan.adds else REPLACED,
        sum(speaks_against(row) for row in plan.rows),
        sum(row.ends_at <= now for row in plan.rows),
        (today - plan.read).days > OLD_DAYS,
    )


def speaks_against(row: PlanRow) -> bool:
    """Return whether the range speaks against a caller, by a source: what the presets tag."""
    return row.is_evidence and row.purpose in AGAINST_CALLERS


def country_with_plan(plan: NumberPlan, country: str) -> str:
    """The country in whose plan its numbers are: Canada is in that of the United States."""
    if any(one.country == country for one in plan.files):
        return country
    code = calling_code_of(country)
    return next((one.country for one in plan.files if one.calling_code == code), country)


def rows_of(plan: NumberPlan, country: str) -> list[PlanRow]:
    """Its ranges, the administrator's last."""
    return [row for one in plan.files if one.country == country for row in one.rows]


def unverified_of(plan: NumberPlan, country: str) -> tuple[str, ...]:
    """What no page could be read about."""
    return tuple(text for one in plan.files if one.country == country for text in one.unverified)


def ranges_of(rows: Iterable[PlanRow]) -> list[Ranges]:
    """Rows that stand together and differ by their prefix only, as one."""
    groups = ([*group] for _, group in groupby(rows, lambda row: replace(row, prefix="")))
    return [Ranges(tuple(one.prefix for one in group), group[0]) for group in groups]


def range_of(row: PlanRow) -> str:
    """`+33162* (9 digits)`."""
    return f"{row.prefix}*{f' ({digits_of(row)})' if row.digits else ''}"


def digits_of(row: PlanRow) -> str:
    """`9 digits`: how many follow the calling code. Empty where the row does not say."""
    return f"{' or '.join(map(str, sorted(row.digits)))} digits" if row.digits else ""


def days_of(row: PlanRow) -> str:
    """Since when and until when, empty where the row does not say."""
    since = "" if row.valid_from is None else f"from {row.valid_from}"
    until = "" if row.valid_until is None else f"until {row.valid_until}"
    return " ".join(filter(None, (since, until)))
