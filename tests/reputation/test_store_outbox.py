"""The outbox of events: who gets them, its bounds, and what was delivered."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reputation.events import DATA, EmergencyOpened, Event, EventKind, FeedStale, new_event_id
from reputation.store.database import open_store
from reputation.store.event_deliveries import (
    REREAD,
    FailedDelivery,
    Progress,
    count_dead_letters,
    dead_letters,
    deliveries_after,
    deliveries_of_subject,
    receiver_states,
    record_deliveries,
    replay,
    switch_off,
    switch_on,
)
from reputation.store.outbox import (
    MOST_EVENTS,
    TRIM_EVERY,
    add_event,
    emit_change,
    event_of,
    event_weights,
    events_after,
    expire_events,
    is_wanted,
    places,
    state_of,
    trim,
    use_receivers,
    use_stream,
)
from reputation.weights import DEFAULT, Thresholds, Weights
from tests.reputation.store_builders import DAY, NOW

OPENED, STALE = EventKind.EMERGENCY_OPENED, EventKind.FEED_STALE


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        yield opened


def add(db: sqlite3.Connection, subject: str = "emergency", at: float = NOW) -> Event:
    event = add_event(db, OPENED, subject, at, EmergencyOpened(by="Asterisk"))
    assert event is not None
    return event


def waiting(db: sqlite3.Connection, receiver: str) -> list[int]:
    return [delivery.event.seq for delivery in deliveries_after(db, receiver, 0, 100)]


def test_every_kind_has_its_data() -> None:
    assert set(DATA) == set(EventKind)


def test_ids_sort_by_time_and_are_never_the_same() -> None:
    ids = [new_event_id(NOW + step) for step in range(50) for _ in range(20)]
    assert len(set(ids)) == len(ids)
    assert [id_[:16] for id_ in ids] == sorted(id_[:16] for id_ in ids)
    assert all(re.fullmatch("evt_[0-9A-F]{26}", id_) for id_ in ids)


def test_unwanted_events_are_not_written(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [STALE]})
    assert add_event(db, OPENED, "emergency", NOW, EmergencyOpened(by="Asterisk")) is None
    assert (is_wanted(db, OPENED), is_wanted(db, OPENED, STALE)) == (False, True)
    assert places(db) == (0, 0)


def test_an_event_waits_for_each_receiver_that_wants_it(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [OPENED], "pager": [OPENED, STALE], "log": [STALE]})
    event = add(db)
    assert event_of(db, event.id) == event
    assert event.data == {"by": "Asterisk"}
    assert [waiting(db, name) for name in ("crm", "pager", "log")] == [[1], [1], []]
    record_deliveries(db, "crm", Progress([1], []), NOW)
    assert [waiting(db, name) for name in ("crm", "pager")] == [[], [1]]
    assert events_after(db, 0, 10) == [event]


def test_the_stream_gets_events_without_receivers(db: sqlite3.Connection) -> None:
    use_stream(db, [OPENED])
    use_receivers(db, {})
    event = add(db)
    assert (events_after(db, 0, 10), events_after(db, event.seq, 10)) == ([event], [])
    assert receiver_states(db) == []


def test_a_receiver_removed_from_the_settings_is_dropped(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [OPENED], "pager": [OPENED]})
    add(db)
    use_receivers(db, {"pager": [STALE]})
    assert [state.name for state in receiver_states(db)] == ["pager"]
    assert (waiting(db, "crm"), waiting(db, "pager")) == ([], [1])
    assert receiver_states(db)[0].kinds == (STALE,)


def test_level_events_use_the_weights_of_the_settings(db: sqlite3.Connection) -> None:
    assert event_weights(db) is DEFAULT
    use_receivers(db, {}, Weights(levels=Thresholds(tag=0.5)))
    assert event_weights(db).levels.tag == 0.5


def test_a_state_emits_one_event_per_change(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [STALE]})
    data = FeedStale(feed="ftc", status="stale", detail="late", imported_at=NOW)
    told = [
        emit_change(db, "feed/ftc", value, STALE, "feed/ftc", NOW, data) is not None
        for value in ("stale", "stale", "ok", "stale")
    ]
    assert told == [True, False, True, True]
    assert state_of(db, "feed/ftc") == "stale"


def test_attempts_are_counted_until_the_event_is_a_dead_letter(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [OPENED]})
    event = add(db, "a")
    later = add(db, "a")
    record_deliveries(db, "crm", Progress([], [FailedDelivery(event.seq, "HTTP 503", NOW, NOW + 5)]), NOW)
    (first, second) = deliveries_of_subject(db, "crm", "a", 0, later.seq, 10)
    assert (first.attempts, first.failing_since, first.next_at, second.attempts) == (1, NOW, NOW + 5, 0)
    record_deliveries(db, "crm", Progress([], [FailedDelivery(event.seq, "HTTP 400", NOW, None)]), NOW + 5)
    (letter,) = dead_letters(db, 10)
    assert (letter.receiver, letter.attempts, letter.error, letter.event) == ("crm", 2, "HTTP 400", event)
    assert waiting(db, "crm") == [later.seq]
    (state,) = receiver_states(db)
    assert (state.failed, state.dead, state.dead_letters, state.waiting, state.error) == (2, 1, 1, 1, "HTTP 400")


@pytest.mark.parametrize(("of_receiver", "by_id", "left"), [(None, False, 0), ("crm", False, 1), (None, True, 0)])
def test_a_dead_letter_is_delivered_again_on_request(
    db: sqlite3.Connection, of_receiver: str | None, by_id: bool, left: int
) -> None:
    use_receivers(db, {"crm": [OPENED], "pager": [OPENED]})
    event = add(db)
    for name in ("crm", "pager"):
        record_deliveries(db, name, Progress([], [FailedDelivery(event.seq, "no", NOW, None)]), NOW)
    assert replay(db, event.id if by_id else None, of_receiver, NOW) == 2 - left
    assert count_dead_letters(db) == left
    assert waiting(db, "crm") == [event.seq]
    assert deliveries_after(db, "crm", 0, 1)[0].attempts == 0
    assert state_of(db, REREAD) is not None
    assert replay(db, "evt_none", None, NOW) == 0


def test_a_receiver_that_is_switched_off_gets_nothing(db: sqlite3.Connection) -> None:
    wanted = {"crm": [OPENED]}
    use_receivers(db, wanted)
    add(db)
    switch_off(db, "crm", "HTTP 410", NOW)
    use_receivers(db, wanted)
    assert add_event(db, OPENED, "emergency", NOW, EmergencyOpened(by="Asterisk")) is None
    (state,) = receiver_states(db)
    assert (state.off, state.waiting, state.dead_letters) == ("HTTP 410", 0, 1)
    assert [switch_on(db, "crm", [OPENED], NOW) for _ in range(2)] == [True, False]
    add(db)
    assert waiting(db, "crm") == [2]


def test_trimming_drops_delivered_events_first(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [OPENED]})
    for _ in range(10):
        add(db)
    record_deliveries(db, "crm", Progress([4, 5, 6], []), NOW)
    assert trim(db, 8) == 0
    assert [event.seq for event in events_after(db, 0, 100)] == [1, 2, 3, 6, 7, 8, 9, 10]
    assert trim(db, 4) == 3
    assert [event.seq for event in events_after(db, 0, 100)] == [7, 8, 9, 10]
    assert [(state.lost, state.waiting) for state in receiver_states(db)] == [(3, 4)]
    assert trim(db, 4) == 0


FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO event (id, kind, subject, at, data) SELECT 'evt_' || i, 'emergency.opened', 'emergency', 0, '{}' FROM n
"""


def test_the_outbox_is_bounded_without_housekeeping(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [OPENED]})
    db.execute(FILL, (MOST_EVENTS + 900,))
    db.execute("INSERT INTO event_delivery (receiver, seq) SELECT 'crm', seq FROM event")
    for _ in range(TRIM_EVERY):
        add(db)
    assert db.execute("SELECT count(*) FROM event").fetchone()[0] <= MOST_EVENTS + TRIM_EVERY
    (state,) = receiver_states(db)
    assert state.lost >= 1000
    assert state.waiting + state.lost == MOST_EVENTS + 900 + TRIM_EVERY


def test_old_events_expire_and_undelivered_ones_are_counted(db: sqlite3.Connection) -> None:
    use_receivers(db, {"crm": [OPENED]})
    for days in (9, 8, 6, 1):
        add(db, at=NOW - days * DAY)
    record_deliveries(db, "crm", Progress([1], []), NOW)
    assert expire_events(db, NOW) == {"event": 2, "event not delivered": 1}
    assert expire_events(db, NOW) == {"event": 0, "event not delivered": 0}
    assert [(state.lost, state.waiting) for state in receiver_states(db)] == [(1, 2)]
    assert add(db).seq == 5
