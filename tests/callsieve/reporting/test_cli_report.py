"""`callsieve report` against a PhoneBlock on loopback: what leaves, when, and what is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsieve.doctor.checks import examine
from callsieve.doctor.finding import CheckContext
from callsieve.reporting.checks import CHECKS
from reputation.store.reports import Report, begin_reporting, set_report
from tests.callsieve.program import Program
from tests.callsieve.reporting.phoneblock_server import TOKEN, PhoneBlockServer, phoneblock
from tests.office import CALLER, SETTINGS

OTHER = "+12017421835"


@pytest.fixture
def server() -> Iterator[PhoneBlockServer]:
    with phoneblock() as there:
        yield there


class ReportingOffice(Program):
    """It reports to that PhoneBlock, and has done so for long."""

    def __init__(self, folder: Path, server: PhoneBlockServer) -> None:
        self.token = folder / "token"
        super().__init__(folder)
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        self.settings_say(server, enabled=True)
        self.write(begin_reporting, "phoneblock", 0.0)

    def settings_say(self, server: PhoneBlockServer, *, enabled: bool) -> None:
        table = f'enabled = {str(enabled).lower()}\ntoken = "file:{self.token}"\nurl = "{server.url}"\nprivate = true\n'
        self.config.write_text(f"{SETTINGS}[reporting.phoneblock]\n{table}")

    def mark(self, *typed: str, hours_ago: float = 2.0) -> None:
        """A mark of the command line, made so long ago."""
        self.ok("mark", *typed)
        self.write(lambda db: db.execute("UPDATE mark SET at = at - ?", (hours_ago * 3600,)))

    def sent(self) -> dict[str, Any]:
        """What became of what was due."""
        return dict(self("report", "send", "--json").json)


@pytest.fixture
def callsieve(tmp_path: Path, server: PhoneBlockServer) -> ReportingOffice:
    return ReportingOffice(tmp_path, server)


def test_mark_is_reported_once_without_the_reporter(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201", "--category", "scam", "--reason", "he said he was the bank")
    assert callsieve.sent()["reported"] == 1
    assert callsieve.sent()["reported"] == 0
    assert server.bodies == [{"phone": CALLER, "rating": "G_FRAUD"}]
    assert CALLER in callsieve.ok("report", "list")


def test_mark_removed_in_time_is_not_reported(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201", hours_ago=0.5)
    assert callsieve.sent()["reported"] == 0
    callsieve.ok("unmark", CALLER, "--as", "201")
    callsieve.write(lambda db: db.execute("UPDATE mark SET at = at - 36000"))
    assert callsieve.sent()["reported"] == 0
    assert server.bodies == []


def test_removed_mark_is_withdrawn_from_the_service(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.sent()
    callsieve.ok("unmark", CALLER, "--as", "201")
    assert callsieve.sent()["withdrawn"] == 1
    assert server.ratings == {}
    assert callsieve.sent()["withdrawn"] == 0


def test_undoing_a_mark_withdraws_the_report(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.ok("mark", CALLER, "spam", "--as", "201")
    server.ratings[CALLER] = "B_MISSED"
    callsieve.write(set_report, "phoneblock", Report(CALLER, "B_MISSED", 1.0))
    [row] = callsieve("audit", "--json").json
    callsieve.ok("undo", str(row["id"]))
    assert callsieve.sent()["withdrawn"] == 1
    assert server.ratings == {}


def test_report_lost_before_recording_is_sent_again(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    """As if we had been killed in between: there it is one rating all the same."""
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.sent()
    callsieve.write(lambda db: db.execute("DELETE FROM report"))
    assert callsieve.sent()["reported"] == 1
    assert server.ratings == {CALLER: "B_MISSED"}


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_failed_report_is_retried(callsieve: ReportingOffice, server: PhoneBlockServer, status: int) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.mark(OTHER, "spam", "--as", "201")
    server.status = status
    result = callsieve("report", "send")
    assert result.code == 2
    assert "2 numbers left" in result.err
    assert TOKEN not in result.err
    assert "PhoneBlock" in callsieve("report", "list").err
    server.status = 0
    assert callsieve.sent()["reported"] == 2


def test_refused_number_does_not_block_other_reports(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.mark(OTHER, "spam", "--as", "201")
    server.refuses = CALLER
    sent = callsieve.sent()
    assert (sent["reported"], sent["refused"]) == (1, 1)
    assert callsieve.sent()["refused"] == 0


def test_token_file_readable_by_others_is_not_used(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.token.chmod(0o644)
    assert "others can read or change it" in callsieve("report", "send").err
    assert server.bodies == []


def test_reporting_is_off_by_default(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.ok("mark", CALLER, "spam", "--as", "201")
    assert "Reporting is off" in callsieve.ok("report", "send")
    assert "Reporting is off" in callsieve.ok("report", "list")


def test_reporting_switched_on_again_starts_anew(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.settings_say(server, enabled=False)
    callsieve.sent()
    callsieve.settings_say(server, enabled=True)
    assert callsieve.sent()["reported"] == 0, "marks of before were made without that in mind"
    assert server.bodies == []


def test_erased_number_is_not_reported(callsieve: ReportingOffice) -> None:
    callsieve.mark(CALLER, "spam", "--as", "201")
    callsieve.sent()
    assert callsieve("privacy", "export", CALLER).json["tables"]["report"]
    callsieve.ok("privacy", "erase", CALLER, "--yes")
    assert callsieve("report", "list", "--json").json["reported"] == []


def test_doctor_warns_if_reports_are_not_sent(callsieve: ReportingOffice, server: PhoneBlockServer) -> None:
    def found(now: float = 2e9) -> str:
        [check] = examine(CHECKS, CheckContext(callsieve.load(), lambda _command: "", now))
        return check.status

    assert found() == "warn"
    callsieve.sent()
    [at] = callsieve.read(lambda db: [at for (at,) in db.execute("SELECT looked_at FROM report_service")])
    assert found(at + 60) == "ok"
    callsieve.mark(CALLER, "spam", "--as", "201")
    server.status = 401
    callsieve("report", "send")
    assert found(at + 60) == "warn"
    callsieve.settings_say(server, enabled=False)
    assert found() == "ok"
