"""Events from scheduled checks are sent once for each change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callsieve.events.checks import NOT_RUNNING, run_scheduled, scheduled_checks
from callsieve.events.kinds import EventKind
from callsieve.integration_settings import HubTable
from callsieve.main.capabilities import ALL
from callsieve.settings import Settings
from callsieve.telemetry import Telemetry
from reputation.appeals import AppealStep, due_at
from reputation.store.appeals import AppealRuling, decide, open_appeal, take_step
from reputation.store.database import open_store
from reputation.store.hub.link import note_failure, note_pulled, set_link
from reputation.store.imports import import_numbers, remove_source
from reputation.store.outbox import events_after, use_receivers
from reputation.store.peers import TakenIndex, WantedPeer, record_taken, replace_peers, switch_peer_off
from reputation.store.site import record_emergency
from reputation.store.sources import record_failure
from tests.callsieve.daemon.test_telemetry import make_telemetry
from tests.reputation.store_builders import CALLER, DAY, NOW, make_appeal

SCHEDULED = scheduled_checks(ALL)
HUB = Settings(hub=HubTable(address="postgresql://127.0.0.1:1/hub", site="berlin"))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        wanted = set(EventKind) - {EventKind.APPEAL_OPENED, EventKind.APPEAL_DECIDED, EventKind.DIGEST_READY}
        use_receivers(opened, {"crm": tuple(wanted)})
        yield opened


def events_at(
    db: sqlite3.Connection, at: float, telemetry: Telemetry | None = None, settings: Settings | None = None
) -> list[dict[str, Any]]:
    """Return the data of new events after two checks at that time."""
    last = max((event.seq for event in events_after(db, 0, 1000)), default=0)
    for _ in range(2):
        run_scheduled(db, settings or Settings(), telemetry, at, SCHEDULED)
    return [dict(event.data) for event in events_after(db, last, 1000)]


def test_appeal_event_before_due_and_when_due(db: sqlite3.Connection) -> None:
    filed = open_appeal(db, make_appeal())
    assert events_at(db, NOW + 30 * DAY) == []
    accepted = take_step(db, filed.reference, AppealStep.ACCEPT, NOW)
    due = due_at(accepted)
    assert due is not None
    assert events_at(db, due - DAY - 1) == []
    told = {"reference": filed.reference, "number": CALLER, "due_at": due}
    assert events_at(db, due - DAY) == [told | {"overdue": False}]
    assert events_at(db, due - 1) == []
    assert events_at(db, due) == [told | {"overdue": True}]
    assert events_at(db, due + DAY) == []
    decide(db, filed.reference, AppealRuling(False, "they were wrong"), due + DAY)
    assert events_at(db, due + 2 * DAY) == []
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


def mark_imported(db: sqlite3.Connection, at: float) -> None:
    db.execute("UPDATE import_source SET imported_at = ?, failed_at = NULL, format = 'csv'", (at,))


def test_company_event_when_evidence_gets_old(db: sqlite3.Connection) -> None:
    replace_peers(db, {"partner": WantedPeer("key", 1.0, DAY)})
    assert events_at(db, NOW) == []
    index = TakenIndex("key", "Partner Ltd", 1, "d", NOW, NOW + 9 * DAY)
    record_taken(db, "partner", index, NOW, NOW + DAY)
    assert events_at(db, NOW + 2 * DAY) == []
    [stale] = events_at(db, NOW + 5 * DAY)
    assert (stale["company"], stale["status"], stale["came_at"]) == ("partner", "stale", NOW)
    assert events_at(db, NOW + 6 * DAY) == []
    [ended] = events_at(db, NOW + 9 * DAY)
    assert ended["status"] == "expired"
    record_taken(db, "partner", index._replace(counts_until=NOW + 20 * DAY), NOW + 10 * DAY, NOW + 11 * DAY)
    assert events_at(db, NOW + 10 * DAY) == []
    switch_peer_off(db, "partner", NOW, "{}")
    assert [item["status"] for item in events_at(db, NOW + 10 * DAY)] == ["off"]
    replace_peers(db, {})
    assert events_at(db, NOW + 20 * DAY) == []
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


@pytest.mark.parametrize(("failure", "status"), [("", "stale"), ("connection refused", "failed")])
def test_hub_event_if_never_reached(db: sqlite3.Connection, failure: str, status: str) -> None:
    """The time counts from enabling, whether or not the process has run."""
    assert hub_events_at(db, NOW) == []
    if failure:
        note_failure(db, NOW + 5, failure)
    assert hub_events_at(db, NOW + 600) == []
    [told] = events_at(db, NOW + 601, settings=HUB)
    assert (told["status"], told["exchanged_at"]) == (status, None)
    assert failure in told["detail"]
    assert hub_events_at(db, NOW + 900) == []
    run_scheduled(db, Settings(), None, NOW + 901, SCHEDULED)  # it is switched off
    assert hub_events_at(db, NOW + 902) == hub_events_at(db, NOW + 1501) == []


def test_hub_event_once_when_exchange_stops(db: sqlite3.Connection) -> None:
    assert hub_events_at(db, NOW) == []
    set_link(db, "berlin", "main", "hub")
    assert hub_events_at(db, NOW) == []
    note_pulled(db, NOW)
    assert hub_events_at(db, NOW + 600) == []
    told = {"status": "stale", "waiting": 0, "exchanged_at": NOW}
    assert hub_events_at(db, NOW + 601) == [told]
    note_failure(db, NOW + 700, "connection refused")
    assert hub_events_at(db, NOW + 701) == []  # the same standstill, known better
    note_pulled(db, NOW + 800)
    assert hub_events_at(db, NOW + 800) == []
    note_failure(db, NOW + 900, "connection refused")
    assert hub_events_at(db, NOW + 1400) == []
    assert hub_events_at(db, NOW + 1401) == [told | {"status": "failed", "exchanged_at": NOW + 800}]
    assert events_at(db, NOW + 1500) == []  # it was taken out of the settings
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


def hub_events_at(db: sqlite3.Connection, at: float) -> list[dict[str, Any]]:
    told = events_at(db, at, settings=HUB)
    return [{name: value for name, value in item.items() if name != "detail"} for item in told]


def test_feed_event_when_stale_or_failed(db: sqlite3.Connection) -> None:
    import_numbers(db, "ftc", "spam", [(CALLER, None, None, None)], lambda: NOW)
    mark_imported(db, NOW)
    assert events_at(db, NOW + DAY) == []
    (stale,) = events_at(db, NOW + 40 * DAY)
    assert (stale["feed"], stale["status"], stale["imported_at"]) == ("ftc", "stale", NOW)
    mark_imported(db, NOW + 40 * DAY)
    assert events_at(db, NOW + 40 * DAY) == []
    record_failure(db, "ftc", NOW + 41 * DAY, '{"code": "nothing-usable"}')
    (failed,) = events_at(db, NOW + 41 * DAY)
    assert (failed["status"], "no row can be used" in failed["detail"]) == ("failed", True)
    remove_source(db, "ftc")
    assert events_at(db, NOW + 42 * DAY) == []
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


def test_daemon_event_when_trouble_changes(db: sqlite3.Connection) -> None:
    well = make_telemetry(NOW)

    def trouble(text: str) -> Telemetry:
        return msgspec.structs.replace(well, trouble=text)

    assert events_at(db, NOW, None) == []
    assert events_at(db, NOW, well) == []
    waits = "7 decisions wait in memory, 0 were lost"
    assert events_at(db, NOW, trouble(waits)) == [{"trouble": waits, "running": True}]
    assert events_at(db, NOW, trouble("1,204 decisions wait in memory, 3 were lost")) == []
    assert events_at(db, NOW, well) == [{"trouble": "", "running": True}]
    assert events_at(db, NOW + 60, well) == [{"trouble": NOT_RUNNING, "running": False}]
    assert events_at(db, NOW, well) == [{"trouble": "", "running": True}]


def test_emergency_event_when_the_window_ends(db: sqlite3.Connection) -> None:
    record_emergency(db, NOW)
    assert events_at(db, NOW + 7100) == []
    record_emergency(db, NOW + 7150)
    assert events_at(db, NOW + 7300) == []
    assert events_at(db, NOW + 7150 + 7200) == [{"by": "time"}]
    (closed,) = [event for event in events_after(db, 0, 100) if event.kind is EventKind.EMERGENCY_CLOSED]
    assert closed.at == NOW + 7150 + 7200
