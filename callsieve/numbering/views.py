"""Numbering plans as the page, the commands and JSON show them."""

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

# The purposes of ranges in words.
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
    Purpose.DO_NOT_ORIGINATE: Wording("never makes calls"),
}

# After this long somebody should check whether a plan still holds.
OLD_DAYS = 365
# Shown per row. North America has 250 unassigned area codes.
MOST_PREFIXES = 24
SHIPPED, REPLACED, OWN = N_("comes with CallSieve"), N_("replaces the shipped plan"), N_("rows added by you")
EVIDENCE, LABEL = N_("evidence, for a tag"), N_("shown only, not evidence")


class Ranges(NamedTuple):
    """Rows of a plan that differ only in their prefix. `row`: the first of these rows."""

    prefixes: tuple[str, ...]
    row: PlanRow

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the first MOST_PREFIXES prefixes in the notation of allowlists and blocklists, such as `+33162*`."""
        return tuple(f"{prefix}*" for prefix in self.prefixes[:MOST_PREFIXES])


@dataclass(frozen=True, slots=True)
class ListedPlan:
    """A plan without its ranges. `is_shipped`: whether the plan comes with CallSieve."""

    plan: Annotated[PlanFile, FLAT]
    is_shipped: bool = False


class PlanShown(NamedTuple):
    """A row of the table of plans.

    `origin`: where the plan comes from. `evidence`: how many ranges are evidence against callers. `over`: how many
    ranges are no longer valid. `is_old`: whether nobody has checked the plan against its source for a year.
    """

    plan: PlanFile
    origin: str
    evidence: int
    over: int
    is_old: bool


@dataclass(frozen=True, slots=True)
class PlansShown:
    """The content of the page of plans. `country`: the chosen country, if it has a plan. `ranges`: the country's.

    `problems`: errors in plan files. `unverified`: facts of the country's plan that no public page confirms.
    """

    plans: tuple[PlanShown, ...]
    problems: tuple[Wording, ...]
    latest: tuple[Latest, ...]
    country: str = ""
    ranges: tuple[Ranges, ...] = ()
    unverified: tuple[str, ...] = ()

    def weight_of(self, row: PlanRow) -> str:
        """Return whether the row is evidence against callers or is only shown, in words."""
        return EVIDENCE if speaks_against(row) else LABEL


def plans_shown(db: sqlite3.Connection, loaded: Loaded, country: str, now: float) -> PlansShown:
    """Return the active plans, and the ranges of a country if it has a plan."""
    plans = plans_of(loaded)
    shipped = set(shipped_plans())
    files = sorted(plans.plan.files, key=lambda file: (file.country, file.adds))
    shown = tuple(_plan_shown(file, shipped, now) for file in files)
    country = country_with_plan(plans.plan, country)
    rows = rows_of(plans.plan, country)
    return PlansShown(
        shown,
        plans.problems,
        latest_changes(db, PLANS),
        country if rows else "",
        tuple(ranges_of(rows)),
        unverified_of(plans.plan, country),
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
    """Return whether the row is evidence against callers."""
    return row.is_evidence and row.purpose in AGAINST_CALLERS


def country_with_plan(plan: NumberPlan, country: str) -> str:
    """Return the country whose plan includes `country`. Canada, for example, is in the plan of the United States."""
    if any(file.country == country for file in plan.files):
        return country
    code = calling_code_of(country)
    return next((file.country for file in plan.files if file.calling_code == code), country)


def rows_of(plan: NumberPlan, country: str) -> list[PlanRow]:
    """Return the ranges of a country. Rows that the administrator added come last."""
    return [row for file in plan.files if file.country == country for row in file.rows]


def unverified_of(plan: NumberPlan, country: str) -> tuple[str, ...]:
    """Return the facts in a country's plan files that no public page confirms."""
    return tuple(text for file in plan.files if file.country == country for text in file.unverified)


def ranges_of(rows: Iterable[PlanRow]) -> list[Ranges]:
    """Join consecutive rows that differ only by prefix."""
    groups = ([*group] for _, group in groupby(rows, lambda row: replace(row, prefix="")))
    return [Ranges(tuple(row.prefix for row in group), group[0]) for group in groups]


def range_of(row: PlanRow) -> str:
    """Return a range as text, such as `+33162* (9 digits)`."""
    return f"{row.prefix}*{f' ({digits_of(row)})' if row.digits else ''}"


def digits_of(row: PlanRow) -> str:
    """Return how many digits follow the calling code, such as `9 digits`; empty if unknown."""
    return f"{' or '.join(map(str, sorted(row.digits)))} digits" if row.digits else ""


def days_of(row: PlanRow) -> str:
    """Return the period in which a range is valid, such as `from 2024-01-01`; empty if it is always valid."""
    since = "" if row.valid_from is None else f"from {row.valid_from}"
    until = "" if row.valid_until is None else f"until {row.valid_until}"
    return " ".join(filter(None, (since, until)))
