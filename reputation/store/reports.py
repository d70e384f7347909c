"""Reports about marked numbers, sent to services such as PhoneBlock. A report does not name the person who marked."""

import sqlite3
from typing import NamedTuple

from reputation.site_names import is_ours

COLUMNS = "number, rating, at, refused"
ALL = f"SELECT {COLUMNS} FROM report WHERE service = ? ORDER BY at DESC, number"
OF = f"SELECT {COLUMNS} FROM report WHERE service = ? AND number = ?"
SET = "INSERT OR REPLACE INTO report (service, number, rating, at, refused) VALUES (?, ?, ?, ?, ?)"
FORGET = "DELETE FROM report WHERE service = ? AND number = ?"
# Numbers that may be reported, and all that were reported before. Each site reports the marks of its own people.
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
    """A report about a number, sent to a service. `refused`: whether the service did not accept it."""

    number: str
    rating: str
    at: float
    refused: bool = False


class ReportService(NamedTuple):
    """The state of reporting to a service.

    Marks made before `since` are not reported. `looked_at`: when marks were last checked. `failed_at`, `failure`: when
    and why this last check failed; None if it did not.
    """

    service: str
    since: float
    looked_at: float | None = None
    failed_at: float | None = None
    failure: str | None = None


def reports_to(db: sqlite3.Connection, service: str) -> list[Report]:
    """Return all reports to the service, newest first."""
    return [_report(row) for row in db.execute(ALL, (service,))]


def report_of(db: sqlite3.Connection, service: str, number: str) -> Report | None:
    """Return the report about the number to the service, or None."""
    return next((_report(row) for row in db.execute(OF, (service, number))), None)


def set_report(db: sqlite3.Connection, service: str, report: Report) -> None:
    """Store that a number was reported to the service. A previous report about the number is replaced."""
    db.execute(SET, (service, *report))


def forget_report(db: sqlite3.Connection, service: str, number: str) -> None:
    """Delete a stored report, because it was withdrawn or the service may no longer have it."""
    db.execute(FORGET, (service, number))


def numbers_in_question(db: sqlite3.Connection, service: str, since: float) -> list[str]:
    """Return numbers to report or to check again: marked as spam here since `since`, or reported to the service."""
    return [number for (number,) in db.execute(IN_QUESTION, {"service": service, "since": since})]


def service_state(db: sqlite3.Connection, service: str) -> ReportService | None:
    """Return the state of reporting to the service; None if reporting is off."""
    return next((ReportService(*row) for row in db.execute(SERVICE, (service,))), None)


def begin_reporting(db: sqlite3.Connection, service: str, now: float) -> None:
    """Start reporting to the service. Only marks made from now on are reported. If reporting is on, nothing changes."""
    db.execute(BEGIN, (service, now))


def end_reporting(db: sqlite3.Connection, service: str) -> None:
    """Stop reporting to the service. If reporting is started again, older marks are not reported."""
    db.execute(END, (service,))


def record_reporting_run(db: sqlite3.Connection, service: str, now: float, failure: str | None) -> None:
    """Record that marks were checked for new reports to the service. `failure`: why the check failed, or None."""
    failed_at = None if failure is None else now
    db.execute(LOOKED, (now, failed_at, failure and failure[:FAILURE_CHARACTERS], service))


def _report(row: tuple[str, str, float, int]) -> Report:
    return Report(*row[:3], refused=bool(row[3]))
