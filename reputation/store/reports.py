"""What was reported to services of others: the number, what was said of it, and nothing of who said so."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from reputation.site_names import is_ours

COLUMNS = "number, rating, at, refused"
ALL = f"SELECT {COLUMNS} FROM report WHERE service = ? ORDER BY at DESC, number"
OF = f"SELECT {COLUMNS} FROM report WHERE service = ? AND number = ?"
SET = "INSERT OR REPLACE INTO report (service, number, rating, at, refused) VALUES (?, ?, ?, ?, ?)"
FORGET = "DELETE FROM report WHERE service = ? AND number = ?"
# Numbers that may be reported, and all that were: each is looked at. What other sites mark they report themselves.
IN_QUESTION = f"""
SELECT number FROM report WHERE service = :service
UNION SELECT number FROM mark WHERE at >= :since AND verdict = 'spam' AND number LIKE '+%' AND {is_ours("reporter")}
ORDER BY number
"""
SERVICE = "SELECT service, since, looked_at, failed_at, failure FROM report_service WHERE service = ?"
BEGIN = "INSERT INTO report_service (service, since) VALUES (?, ?) ON CONFLICT (service) DO NOTHING"
END = "DELETE FROM report_service WHERE service = ?"
LOOKED = "UPDATE report_service SET looked_at = ?, failed_at = ?, failure = ? WHERE service = ?"
FAILURE_CHARACTERS = 300


class Report(NamedTuple):
    """What a service has of us about a number, and since when. `refused`: it did not want that."""

    number: str
    rating: str
    at: float
    refused: bool = False


class ReportService(NamedTuple):
    """`since`: marks of before are not reported; `failed_at`, `failure`: of the last look, if that failed, in words."""

    service: str
    since: float
    looked_at: float | None = None
    failed_at: float | None = None
    failure: str | None = None


def reports_to(db: sqlite3.Connection, service: str) -> list[Report]:
    """All that the service has of us, the latest first."""
    return [_report(row) for row in db.execute(ALL, (service,))]


def report_of(db: sqlite3.Connection, service: str, number: str) -> Report | None:
    """What it has of us about the number."""
    return next((_report(row) for row in db.execute(OF, (service, number))), None)


def set_report(db: sqlite3.Connection, service: str, report: Report) -> None:
    """The service has this now."""
    db.execute(SET, (service, *report))


def forget_report(db: sqlite3.Connection, service: str, number: str) -> None:
    """The service has nothing of us about the number, or we no longer know that it has."""
    db.execute(FORGET, (service, number))


def numbers_in_question(db: sqlite3.Connection, service: str, since: float) -> list[str]:
    """Numbers that were marked as spam since, and those that the service was told of."""
    return [number for (number,) in db.execute(IN_QUESTION, {"service": service, "since": since})]


def service_state(db: sqlite3.Connection, service: str) -> ReportService | None:
    """How reporting to the service goes; None before it was begun."""
    return next((ReportService(*row) for row in db.execute(SERVICE, (service,))), None)


def begin_reporting(db: sqlite3.Connection, service: str, now: float) -> None:
    """From now on marks may be reported to it, unless they may already."""
    db.execute(BEGIN, (service, now))


def end_reporting(db: sqlite3.Connection, service: str) -> None:
    """Nothing is reported to it any more: begun again, it is begun anew."""
    db.execute(END, (service,))


def note_look(db: sqlite3.Connection, service: str, now: float, failure: str | None) -> None:
    """It was looked what is to be reported, and that went well or failed."""
    failed_at = None if failure is None else now
    db.execute(LOOKED, (now, failed_at, failure and failure[:FAILURE_CHARACTERS], service))


def _report(row: tuple[str, str, float, int]) -> Report:
    return Report(*row[:3], refused=bool(row[3]))
