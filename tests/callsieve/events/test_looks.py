"""What has to be looked for is told once for each change, however often somebody looks."""

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


def seen(
    db: sqlite3.Connection, at: float, telemetry: Telemetry | None = None, settings: Settings | None = None
) -> list[dict[str, Any]]:
    """What is told of two looks at that time."""
    last = max((event.seq for event in events_after(db, 0, 1000)), default=0)
    for _ in range(2):
        run_scheduled(db, settings or Settings(), telemetry, at, SCHEDULED)
    return [dict(event.data) for event in events_after(db, last, 1000)]


def test_an_appeal_is_told_before_it_is_due_and_when_it_was(db: sqlite3.Connection) -> None:
    filed = open_appeal(db, make_appeal())
    assert seen(db, NOW + 30 * DAY) == []
    accepted = take_step(db, filed.reference, AppealStep.ACCEPT, NOW)
    due = due_at(accepted)
    assert due is not None
    assert seen(db, due - DAY - 1) == []
    told = {"reference": filed.reference, "number": CALLER, "due_at": due}
    assert seen(db, due - DAY) == [told | {"overdue": False}]
    assert seen(db, due - 1) == []
    assert seen(db, due) == [told | {"overdue": True}]
    assert seen(db, due + DAY) == []
    decide(db, filed.reference, AppealRuling(False, "they were wrong"), due + DAY)
    assert seen(db, due + 2 * DAY) == []
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


def bring(db: sqlite3.Connection, at: float) -> None:
    db.execute("UPDATE import_source SET imported_at = ?, failed_at = NULL, format = 'csv'", (at,))


def test_a_company_is_told_when_it_goes_bad(db: sqlite3.Connection) -> None:
    replace_peers(db, {"partner": WantedPeer("key", 1.0, DAY)})
    assert seen(db, NOW) == []
    index = TakenIndex("key", "Partner Ltd", 1, "d", NOW, NOW + 9 * DAY)
    record_taken(db, "partner", index, NOW, NOW + DAY)
    assert seen(db, NOW + 2 * DAY) == []
    [stale] = seen(db, NOW + 5 * DAY)
    assert (stale["company"], stale["status"], stale["came_at"]) == ("partner", "stale", NOW)
    assert seen(db, NOW + 6 * DAY) == []
    [ended] = seen(db, NOW + 9 * DAY)
    assert ended["status"] == "expired"
    record_taken(db, "partner", index._replace(counts_until=NOW + 20 * DAY), NOW + 10 * DAY, NOW + 11 * DAY)
    assert seen(db, NOW + 10 * DAY) == []
    switch_peer_off(db, "partner", NOW, "{}")
    assert [item["status"] for item in seen(db, NOW + 10 * DAY)] == ["off"]
    replace_peers(db, {})
    assert seen(db, NOW + 20 * DAY) == []
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


@pytest.mark.parametrize(("failure", "status"), [("", "stale"), ("connection refused", "failed")])
def test_a_hub_that_was_never_reached_is_told(db: sqlite3.Connection, failure: str, status: str) -> None:
    """Since it was switched on, whether its process has tried or never run."""
    assert hub_seen(db, NOW) == []
    if failure:
        note_failure(db, NOW + 5, failure)
    assert hub_seen(db, NOW + 600) == []
    [told] = seen(db, NOW + 601, settings=HUB)
    assert (told["status"], told["exchanged_at"]) == (status, None)
    assert failure in told["detail"]
    assert hub_seen(db, NOW + 900) == []
    run_scheduled(db, Settings(), None, NOW + 901, SCHEDULED)  # it is switched off
    assert hub_seen(db, NOW + 902) == hub_seen(db, NOW + 1501) == []


def test_a_hub_is_told_once_when_nothing_is_exchanged(db: sqlite3.Connection) -> None:
    assert hub_seen(db, NOW) == []
    set_link(db, "berlin", "main", "hub")
    assert hub_seen(db, NOW) == []
    note_pulled(db, NOW)
    assert hub_seen(db, NOW + 600) == []
    told = {"status": "stale", "waiting": 0, "exchanged_at": NOW}
    assert hub_seen(db, NOW + 601) == [told]
    note_failure(db, NOW + 700, "connection refused")
    assert hub_seen(db, NOW + 701) == []  # the same standstill, known better
    note_pulled(db, NOW + 800)
    assert hub_seen(db, NOW + 800) == []
    note_failure(db, NOW + 900, "connection refused")
    assert hub_seen(db, NOW + 1400) == []
    assert hub_seen(db, NOW + 1401) == [told | {"status": "failed", "exchanged_at": NOW + 800}]
    assert seen(db, NOW + 1500) == []  # it was taken out of the settings
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


def hub_seen(db: sqlite3.Connection, at: float) -> list[dict[str, Any]]:
    told = seen(db, at, settings=HUB)
    return [{name: value for name, value in item.items() if name != "detail"} for item in told]


def test_a_feed_is_told_when_it_goes_bad(db: sqlite3.Connection) -> None:
    import_numbers(db, "ftc", "spam", [(CALLER, None, None, None)], lambda: NOW)
    bring(db, NOW)
    assert seen(db, NOW + DAY) == []
    (stale,) = seen(db, NOW + 40 * DAY)
    assert (stale["feed"], stale["status"], stale["imported_at"]) == ("ftc", "stale", NOW)
    bring(db, NOW + 40 * DAY)
    assert seen(db, NOW + 40 * DAY) == []
    record_failure(db, "ftc", NOW + 41 * DAY, '{"code": "nothing-usable"}')
    (failed,) = seen(db, NOW + 41 * DAY)
    assert (failed["status"], "no row can be used" in failed["detail"]) == ("failed", True)
    remove_source(db, "ftc")
    assert seen(db, NOW + 42 * DAY) == []
    assert db.execute("SELECT count(*) FROM event_state").fetchone() == (0,)


def test_trouble_of_the_daemon_is_told_whatever_its_figures(db: sqlite3.Connection) -> None:
    well = make_telemetry(NOW)

    def trouble(text: str) -> Telemetry:
        return msgspec.structs.replace(well, trouble=text)

    assert seen(db, NOW, None) == []
    assert seen(db, NOW, well) == []
    waits = "7 decisions wait in memory, 0 were lost"
    assert seen(db, NOW, trouble(waits)) == [{"trouble": waits, "running": True}]
    assert seen(db, NOW, trouble("1,204 decisions wait in memory, 3 were lost")) == []
    assert seen(db, NOW, well) == [{"trouble": "", "running": True}]
    assert seen(db, NOW + 60, well) == [{"trouble": NOT_RUNNING, "running": False}]
    assert seen(db, NOW, well) == [{"trouble": "", "running": True}]


def test_the_emergency_window_is_told_when_its_time_is_over(db: sqlite3.Connection) -> None:
    record_emergency(db, NOW)
    assert seen(db, NOW + 7100) == []
    record_emergency(db, NOW + 7150)
    assert seen(db, NOW + 7300) == []
    assert seen(db, NOW + 7150 + 7200) == [{"by": "time"}]
    (closed,) = [event for event in events_after(db, 0, 100) if event.kind is EventKind.EMERGENCY_CLOSED]
    assert closed.at == NOW + 7150 + 7200
