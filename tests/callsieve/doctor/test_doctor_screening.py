"""The doctor checks that inbound calls were decided, and that a policy does not act too early."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callsieve.daemon.background import write_telemetry
from callsieve.doctor.finding import CheckContext
from callsieve.doctor.screening import DAY, are_decided, can_read_callers, receives_verstat
from callsieve.health import CheckStatus
from callsieve.policy.catalogue import FEW_DECISIONS, may_act
from callsieve.settings import Loaded, parse_settings
from reputation.store.audit import Change, add_audit
from reputation.store.calls import Screened, screened_by_number
from reputation.store.database import open_store
from tests.callsieve.daemon.test_telemetry import make_telemetry

NOW = 1_790_000_000.0
SALES, FAX = "+442071838750", "+442071838751"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as db:
        yield db


def make_context(
    tmp_path: Path, settings: str = "", off: str = "Database entry not found.\n", dialplan: str = ""
) -> CheckContext:
    loaded = Loaded(settings=parse_settings(settings, "test"), file=None, state=tmp_path)
    return CheckContext(loaded, {"database get callsieve off": off, "dialplan show": dialplan}.__getitem__, NOW)


def add_call(
    db: sqlite3.Connection, at: float, /, did: str | None = SALES, *, decided: bool = True, **changed: Any
) -> None:
    """A call and its outcome; `changed` columns of the outcome."""
    row = {
        "linkedid": f"{at:.3f}.{did}", "at": at, "direction": "inbound", "disposition": "answered",
        "caller_kind": "number", "did": did, "rung": "[]", "forked": 0, "ring_seconds": 1.0, "talk_seconds": 1.0,
        "voicemail_left": 0, "transferred": 0, "parked": 0, "conference": 0, "complete": 1, "source": "ami",
        "auth_class": "none", **changed,
    }  # fmt: skip
    db.execute(f"INSERT INTO outcome ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    if decided:
        add_decision(db, at + 0.005, str(row["linkedid"]))


def add_decision(db: sqlite3.Connection, at: float, linkedid: str = "") -> None:
    db.execute(
        "INSERT INTO decision (id, at, linkedid, caller_kind, auth_class, action, would_be, rule, reason, level,"
        " log_odds, vector, policy, elapsed_ms)"
        " VALUES (?, ?, ?, 'number', 'none', 'allow', 'allow', 'default', '', 'none', 0, '', 'observe', 1)",
        (f"{linkedid}-{at}", at, linkedid),
    )


def test_number_of_an_unscreened_route_is_not_missed(tmp_path: Path, db: sqlite3.Connection) -> None:
    add_call(db, NOW - 3600, did=FAX, decided=False)
    add_call(db, NOW - 7200)
    assert are_decided(make_context(tmp_path)).status is CheckStatus.FAIL
    route = (
        "[ Context 'ext-did-0002' created by 'x' ]\n  '442071838751' => 1. Set(__FROM_DID=1) [x:1]\n"
        "     2. Set(CDR(did)=${FROM_DID}) [x:1]\n"
    )
    assert are_decided(make_context(tmp_path, dialplan=route)).status is CheckStatus.OK


def test_decided_calls_are_ok(tmp_path: Path, db: sqlite3.Connection) -> None:
    for hour in range(1, 4):
        add_call(db, NOW - 3600 * hour)
    db.commit()
    found = are_decided(make_context(tmp_path))
    assert found.status is CheckStatus.OK
    assert "2 of 2" in str(found.detail)  # the first call began before the first decision


def test_number_with_undecided_calls_is_named(tmp_path: Path, db: sqlite3.Connection) -> None:
    add_decision(db, NOW - 6 * DAY)
    add_call(db, NOW - 7200)
    add_call(db, NOW - 5 * DAY, "+442071838799")
    add_call(db, NOW - 3600, "+442071838799", decided=False)
    db.commit()
    found = are_decided(make_context(tmp_path))
    assert found.status is CheckStatus.FAIL
    assert "+4420******99" in str(found.detail)
    assert "8799" not in str(found.detail)
    assert found.remedy


def test_unallocated_number_is_not_missed(tmp_path: Path, db: sqlite3.Connection) -> None:
    """The front context answers "not found" without screening: a wrong digit must not turn the doctor red."""
    add_call(db, NOW - 7200)
    add_call(db, NOW - 3600)
    add_call(db, NOW - 60, "+442071838799", decided=False, disposition="failed", cause=1)
    db.commit()
    assert are_decided(make_context(tmp_path)).status is CheckStatus.OK


def test_past_undecided_calls_are_a_warning(tmp_path: Path, db: sqlite3.Connection) -> None:
    add_call(db, NOW - 6 * DAY - 60)
    add_call(db, NOW - 2 * DAY, decided=False)
    add_call(db, NOW - 3600)
    db.commit()
    assert are_decided(make_context(tmp_path)).status is CheckStatus.WARN


def test_one_undecided_call_in_200_is_ok(tmp_path: Path, db: sqlite3.Connection) -> None:
    add_call(db, NOW - 2 * DAY, decided=False)
    for number in range(200):
        add_call(db, NOW - 3 * DAY if number == 0 else NOW - 60 * number)
    db.commit()
    assert are_decided(make_context(tmp_path)).status is CheckStatus.OK


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"direction": "internal"}, id="internal"),
        pytest.param({"direction": "outbound"}, id="outbound"),
        pytest.param({"complete": 0}, id="incomplete"),
        pytest.param({"waits_since": NOW - 1}, id="its-decision-is-on-its-way"),
        pytest.param({"source": "cdr"}, id="imported"),
        pytest.param({"at": NOW - 6 * DAY}, id="before-the-first-decision"),
        pytest.param({"at": NOW - 8 * DAY}, id="long-ago"),
        pytest.param({"did": FAX}, id="screen-false"),
    ],
)
def test_calls_that_need_no_decision_are_not_missed(db: sqlite3.Connection, changed: dict[str, Any]) -> None:
    db.execute("INSERT INTO did (number, screen, source) VALUES (?, 0, 'settings')", (FAX,))
    add_decision(db, NOW - 5 * DAY)
    add_call(db, NOW - 7200)
    add_call(db, NOW - 3600, decided=False, **changed)
    assert screened_by_number(db, NOW - 7 * DAY, NOW) == [Screened(SALES, 1, 0, NOW - 7200, None)]


def test_calls_without_a_did_are_counted(db: sqlite3.Connection) -> None:
    add_decision(db, NOW - DAY)
    add_call(db, NOW - 3600, decided=False, did=None)
    assert screened_by_number(db, NOW - 7 * DAY, NOW) == [Screened(None, 1, 1, NOW - 3600, NOW - 3600)]


def test_calls_are_not_missed_while_screening_is_off(tmp_path: Path, db: sqlite3.Connection) -> None:
    add_decision(db, NOW - 6 * DAY)
    add_call(db, NOW - 3600, decided=False)
    db.commit()
    assert are_decided(make_context(tmp_path, off=f"Value: {NOW + 60:.0f}\n")).status is CheckStatus.OK


@pytest.mark.parametrize("ended_by", ["time", "hand"])
def test_calls_count_from_the_end_of_the_off_switch(tmp_path: Path, db: sqlite3.Connection, ended_by: str) -> None:
    context = make_context(tmp_path, off=f"Value: {NOW - 1800:.0f}\n") if ended_by == "time" else make_context(tmp_path)
    add_decision(db, NOW - 6 * DAY)
    add_call(db, NOW - 3600, decided=False)
    if ended_by == "hand":
        add_audit(db, Change("on"), "joe", NOW - 1800)
    db.commit()
    assert are_decided(context).status is CheckStatus.OK
    add_call(db, NOW - 900, decided=False)
    db.commit()
    assert are_decided(context).status is CheckStatus.FAIL


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        pytest.param({"invalid": 6, "number": 4, "withheld": 9}, CheckStatus.WARN, id="most-cannot-be-read"),
        pytest.param({"invalid": 5, "number": 5}, CheckStatus.OK, id="half"),
        pytest.param({"invalid": 9, "withheld": 9}, CheckStatus.OK, id="few"),
        pytest.param({}, CheckStatus.OK, id="none"),
    ],
)
def test_mostly_unreadable_callers_are_a_warning(
    tmp_path: Path, db: sqlite3.Connection, kinds: dict[str, int], status: CheckStatus
) -> None:
    for kind, count in kinds.items():
        for number in range(count):
            add_decision(db, NOW - number, kind)
            db.execute("UPDATE decision SET caller_kind = ? WHERE linkedid = ?", (kind, kind))
    db.commit()
    found = can_read_callers(make_context(tmp_path))
    assert found.status is status
    if status is CheckStatus.WARN:
        assert "6 of the last 10" in str(found.detail)
        assert "callsieve.toml: `region` in [numbers] is US" in str(found.remedy)


ACTS, OBSERVES = '[policy]\nname = "cautious"\n', '[policy]\nname = "observe"\n'


@pytest.mark.parametrize(
    ("settings", "days", "decisions", "status"),
    [
        pytest.param(ACTS, 0, 0, CheckStatus.WARN, id="empty"),
        pytest.param(ACTS, 6, FEW_DECISIONS - 1, CheckStatus.WARN, id="young-and-few"),
        pytest.param(ACTS, 8, 20, CheckStatus.OK, id="old-enough"),
        pytest.param(ACTS, 6, FEW_DECISIONS, CheckStatus.OK, id="many-calls"),
        pytest.param(OBSERVES, 0, 0, CheckStatus.OK, id="observes"),
        pytest.param(
            f'{OBSERVES}[[did]]\nnumber = "{SALES}"\n[[scope]]\ndid = "{SALES}"\npolicy = "strict"\n',
            1, 1, CheckStatus.WARN, id="one-scope-acts",
        ),
    ],
)  # fmt: skip
def test_policy_that_acts_too_early_is_a_warning(
    tmp_path: Path, db: sqlite3.Connection, settings: str, days: float, decisions: int, status: CheckStatus
) -> None:
    for number in range(decisions):
        add_decision(db, NOW - days * DAY + number)
    db.commit()
    assert may_act(make_context(tmp_path, settings)).status is status


VERSTAT = """
[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"
verstat = true

[[trunk]]
name = "other"
channels = "PJSIP/other-*"
"""


@pytest.mark.parametrize(
    ("settings", "heard", "status"),
    [
        pytest.param("", {}, CheckStatus.OK, id="no-such-trunk"),
        pytest.param(VERSTAT, {}, CheckStatus.OK, id="no-call-yet"),
        pytest.param(VERSTAT, {"carrier": (49, 0)}, CheckStatus.OK, id="few-calls"),
        pytest.param(VERSTAT, {"carrier": (50, 0)}, CheckStatus.WARN, id="never"),
        pytest.param(VERSTAT, {"carrier": (5000, 1)}, CheckStatus.OK, id="once"),
        pytest.param(
            VERSTAT, {"carrier": (5000, 1), "other": (50, 0)}, CheckStatus.OK, id="other-trunk-without-verstat"
        ),
    ],
)
def test_trunk_without_verstat_is_a_warning(
    tmp_path: Path, settings: str, heard: dict[str, tuple[int, int]], status: CheckStatus
) -> None:
    write_telemetry(tmp_path, msgspec.structs.replace(make_telemetry(), by_carrier=heard))
    found = receives_verstat(make_context(tmp_path, settings))
    assert found.status is status
    assert ("CALLSIEVE_VERSTAT_HEADER" in str(found.remedy)) == (status is CheckStatus.WARN)
