"""Events on the page of receivers, in the metrics and in the doctor."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.events.checks import are_delivered, event_metrics
from callsieve.events.kinds import CALLER, KINDS, EventKind
from callsieve.events.operations import HEARTBEAT, events_shown
from callsieve.monitoring.metrics import exposition
from callsieve.settings import Loaded, Settings, parse_settings
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.event_deliveries import (
    FailedDelivery,
    Progress,
    count_dead_letters,
    record_deliveries,
    switch_off,
)
from reputation.store.outbox import add_event, note_state, use_receivers
from reputation.store.transaction import transaction
from tests.callsieve.browsing import NOW, Browser, Console, Office
from tests.callsieve.monitoring.test_web_probes import samples_in
from tests.integration.test_hostile import PAYLOADS

HOOK = '\n[[webhook]]\nname = "crm"\nurl = "https://crm.example.com/"\nsecret = "env:X"\n'
KIND = EventKind.NUMBER_MARKED
KEY = ("receiver", "webhook/crm")


def settings(text: str = HOOK) -> Settings:
    return parse_settings(text, "test")


def fail_all(db: sqlite3.Connection, error: str, at: float = NOW) -> None:
    seqs = [seq for (seq,) in db.execute("SELECT seq FROM event_delivery")]
    record_deliveries(db, "webhook/crm", Progress([], [FailedDelivery(seq, error, at, None) for seq in seqs]), at)


def add_events(db: sqlite3.Connection, count: int = 1, at: float = NOW) -> list[str]:
    use_receivers(db, {"webhook/crm": [KIND]})
    found = (add_event(db, KIND, CALLER, at, KINDS[KIND].sample) for _ in range(count))
    return [event.id for event in found if event is not None]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.config.write_text(made.config.read_text() + HOOK)
    return made


@pytest.fixture
def ada(console: Console) -> Browser:
    return console.browser("administrator")


def test_receiver_is_shown_with_its_deliveries(console: Console, ada: Browser) -> None:
    assert ">waiting</td>" in ada.text("/events")
    console.office.write(add_events, 3)
    console.office.write(record_deliveries, "webhook/crm", Progress([1], []), NOW)
    page = ada.text("/events")
    assert "webhook/crm" in page
    assert "systemctl enable --now callsieve-events" in page
    console.office.write(note_state, HEARTBEAT, "1", NOW)
    assert "systemctl" not in ada.text("/events")


def test_dead_letters_are_delivered_again(console: Console, ada: Browser) -> None:
    first, _, _ = console.office.write(add_events, 3)
    console.office.write(fail_all, "it answers 422")
    assert "it answers 422" in ada.text("/events")
    assert "The dead letters are delivered again." in ada.done("/events/replay", event=first).text
    assert console.office.read(count_dead_letters) == 2
    ada.done("/events/replay")
    assert console.office.read(count_dead_letters) == 0
    assert "There are no dead letters." in ada.done("/events/replay", event=first).text
    assert ada.post("/events/replay", event="evt_none").status_code == 404
    rows = console.office.read(audit_rows)
    assert [(row.who, row.what) for row in rows][:2] == [("ada (console)", "events replay")] * 2


def test_hostile_answer_is_escaped(console: Console, ada: Browser) -> None:
    console.office.write(add_events)
    for payload in PAYLOADS:
        console.office.write(fail_all, payload)
        page = ada.text("/events").partition("<main")[2]
        assert "<script" not in page
        assert "<img" not in page


def test_metrics_name_the_receiver(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        with transaction(db):
            add_events(db, 3)
            fail_all(db, "it answers 422")
            add_events(db, 2)
            record_deliveries(db, "webhook/crm", Progress([4], []), NOW)
        shown = events_shown(db, settings(), NOW)
    text = exposition(None, event_metrics(shown), NOW).decode()
    told = samples_in(text)
    assert told["callsieve_events_sender_up", ()] == 0
    assert told["callsieve_events_delivered_total", (KEY,)] == 1
    assert told["callsieve_events_attempts_failed_total", (KEY,)] == 3
    assert told["callsieve_events_given_up_total", (KEY,)] == 3
    assert told["callsieve_events_dead_letters", (KEY,)] == 3
    assert told["callsieve_events_waiting", (KEY,)] == 1
    assert CALLER[1:] not in text


def test_metrics_without_receivers_are_absent(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        shown = events_shown(db, Settings(), NOW)
    assert b"callsieve_events" not in exposition(None, event_metrics(shown), NOW)


def doctor_finding(tmp_path: Path, text: str = HOOK) -> tuple[str, str, str]:
    loaded = Loaded(settings=settings(text), file=None, state=tmp_path)
    found = are_delivered(CheckContext(loaded, lambda _command: "", NOW))
    return found.status.value, str(found.detail), str(found.remedy)


def test_doctor_reports_sender_and_receivers(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        assert doctor_finding(tmp_path, "")[:2] == ("ok", "none")
        status, words, way = doctor_finding(tmp_path)
        assert (status, bool(words), way) == ("warn", True, "systemctl enable --now callsieve-events")
        note_state(db, HEARTBEAT, "1", NOW - 30)
        assert doctor_finding(tmp_path)[:2] == ("warn", "webhook/crm: waiting")
        add_events(db, at=NOW - 5)
        assert doctor_finding(tmp_path)[:2] == ("ok", "receivers: 1, no event sent yet")
        add_events(db, at=NOW - 3600)
        assert doctor_finding(tmp_path)[:2] == ("warn", "webhook/crm: stale")
        record_deliveries(db, "webhook/crm", Progress([1, 2], []), NOW - 60)
        assert doctor_finding(tmp_path)[:2] == ("ok", "receivers: 1, last event 1 min ago")
        add_events(db)
        fail_all(db, "it answers 422")
        _, words, way = doctor_finding(tmp_path)
        assert ("webhook/crm: failing since" in words, "letters: 1" in words, way) == (
            True,
            True,
            "callsieve events list",
        )
        record_deliveries(db, "webhook/crm", Progress([0], []), NOW)
        assert doctor_finding(tmp_path)[1:] == ("dead letters: 1", "callsieve events dead")
        switch_off(db, "webhook/crm", "it answers 410", NOW)
        assert doctor_finding(tmp_path)[:2] == ("warn", "webhook/crm: switched off")
        note_state(db, HEARTBEAT, "1", NOW - 300)
        assert doctor_finding(tmp_path)[0] == "warn"
