"""What is to be reported, and that it was. Nobody changes anything by it: no row of the audit comes of it."""

from __future__ import annotations

import sqlite3

from callsieve.integration_settings import PhoneBlockReporting
from callsieve.reporting.rule import DueReport, NumberCase, ReportStep, due_of
from callsieve.settings import Loaded
from callsieve.wiring import known_own_numbers
from reputation.facts import FactsQuery
from reputation.model import AuthClass
from reputation.numbers import stored_number
from reputation.site_names import site_of
from reputation.store.appeals import appeals_of
from reputation.store.evidence_rows import marks_of, rows_of
from reputation.store.facts import facts_of
from reputation.store.ownership import epoch_of
from reputation.store.reports import (
    Report,
    begin_reporting,
    end_reporting,
    forget_report,
    numbers_in_question,
    report_of,
    reports_to,
    service_state,
    set_report,
)
from reputation.store.reviews import numbers_to_review

PHONEBLOCK = "phoneblock"


def reporting_to(loaded: Loaded) -> PhoneBlockReporting:
    """The settings of it."""
    return loaded.settings.reporting.phoneblock


def begin(db: sqlite3.Connection, loaded: Loaded, now: float) -> bool:
    """Notes since when marks may be reported, which is when somebody looked first. False: it is off, and over."""
    if reporting_to(loaded).enabled:
        begin_reporting(db, PHONEBLOCK, now)
        return True
    end_reporting(db, PHONEBLOCK)
    return False


def due_reports(db: sqlite3.Connection, loaded: Loaded, now: float) -> list[DueReport]:
    """All that is to be done now."""
    state = service_state(db, PHONEBLOCK)
    if state is None or not reporting_to(loaded).enabled:
        return []
    ours, delay = known_own_numbers(db, loaded), 60.0 * reporting_to(loaded).delay_minutes
    numbers = numbers_in_question(db, PHONEBLOCK, state.since)
    found = (due_of(one, _case(db, one, ours, now), state.since, now, delay) for one in numbers)
    return [due for due in found if due is not None]


def note_done(db: sqlite3.Connection, due: DueReport, now: float, *, refused: bool = False) -> None:
    """They have it now, or have refused it."""
    if due.step is ReportStep.REPORT:
        set_report(db, PHONEBLOCK, Report(due.number, due.rating, now, refused))
    else:
        forget_report(db, PHONEBLOCK, due.number)


def reported(db: sqlite3.Connection) -> list[Report]:
    """What they have of us."""
    return reports_to(db, PHONEBLOCK)


def _case(db: sqlite3.Connection, number: str, ours: frozenset[str], now: float) -> NumberCase:
    epoch = epoch_of(db, number)
    mine = [mark for mark in rows_of(db, number).marks if not site_of(mark.reporter)]  # other sites report their own
    counting = [mark for mark in mine if epoch is None or mark.at >= epoch.at]
    facts = facts_of(db, FactsQuery(stored_number(number), AuthClass.UNKNOWN, None, now))
    return NumberCase(
        marks=[mark for mark in marks_of(db, number) if not site_of(mark.reporter)],
        counting=counting,
        facts=facts._replace(own_number=facts.own_number or number in ours),
        appeals=appeals_of(db, number),
        waits=bool(numbers_to_review(db, number)),
        reported=report_of(db, PHONEBLOCK, number),
    )
