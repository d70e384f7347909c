"""The deliveries to one receiver: order, waiting, giving up. No clock and no chance: both are arguments."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsieve.events.kinds import DeliveryError, Event, EventKind
from callsieve.events.lane import (
    FAILURES_UNTIL_PAUSE,
    FIRST_WAIT_SECONDS,
    GIVE_UP_SECONDS,
    IN_FLIGHT,
    LONGEST_ASKED_SECONDS,
    LONGEST_WAIT_SECONDS,
    OF_SUBJECT,
    WINDOW,
    Lane,
)
from reputation.store.event_deliveries import Delivery

NOW = 1_795_780_800.0
BUSY = DeliveryError("it answers 503")


def make_delivery(seq: int, subject: str = "a", **others: float) -> Delivery:
    return Delivery(Event(f"evt_{seq}", EventKind.FEED_STALE, subject, NOW, {}, seq), **others)  # type: ignore[arg-type]


def make_lane(*deliveries: Delivery, chance: float = 0.5) -> Lane:
    lane = Lane("crm", lambda: chance)
    lane.load(deliveries, NOW)
    return lane


def all_next(lane: Lane, now: float = NOW) -> list[int]:
    found = []
    while (one := lane.next(now)) is not None:
        found.append(one.event.seq)
    return found


def test_one_delivery_per_subject_at_a_time() -> None:
    first, second, other = make_delivery(1), make_delivery(2), make_delivery(3, "b")
    lane = make_lane(first, second, other)
    assert all_next(lane) == [1, 3]
    lane.delivered(first, NOW)
    assert all_next(lane) == [2]


def test_concurrent_deliveries_are_limited() -> None:
    lane = make_lane(*(make_delivery(seq, str(seq)) for seq in range(1, 2 * IN_FLIGHT)))
    assert len(all_next(lane)) == IN_FLIGHT


def test_failed_delivery_delays_only_its_subject() -> None:
    first, second, other = make_delivery(1), make_delivery(2), make_delivery(3, "b")
    lane = make_lane(first, second, other)
    all_next(lane)
    failed = lane.failed(first, BUSY, NOW)
    assert (failed.seq, failed.error, failed.failing_since) == (1, "it answers 503", NOW)
    assert failed.next_at == NOW + FIRST_WAIT_SECONDS
    lane.delivered(other, NOW)
    lane.load([make_delivery(4), make_delivery(5, "b")], NOW)
    assert all_next(lane) == [5]
    assert (lane.due(NOW + 4.9), lane.due(NOW + 5.0)) == ([], [("a", 0)])
    lane.refill("a", [make_delivery(1, attempts=1, failing_since=NOW), second, make_delivery(4)])
    assert all_next(lane, NOW + 5.0) == [1]


@pytest.mark.parametrize(
    ("attempts", "asked", "chance", "expected"),
    [
        (0, None, 0.5, 5.0),
        (1, None, 0.5, 10.0),
        (2, None, 0.0, 16.0),
        (2, None, 1.0, 24.0),
        (30, None, 0.5, LONGEST_WAIT_SECONDS),
        (0, 120.0, 0.5, 120.0),
        (0, 0.0, 0.5, 1.0),
        (0, 1e9, 0.5, LONGEST_ASKED_SECONDS),
    ],
)
def test_retry_delay_grows_with_attempts(attempts: int, asked: float | None, chance: float, expected: float) -> None:
    one = make_delivery(1, attempts=attempts)
    lane = make_lane(one, chance=chance)
    lane.next(NOW)
    assert lane.failed(one, DeliveryError("busy", retry_after=asked), NOW).next_at == pytest.approx(NOW + expected)


def test_retry_after_delays_all_subjects() -> None:
    first, other = make_delivery(1), make_delivery(2, "b")
    lane = make_lane(first, other)
    assert lane.next(NOW) == first
    lane.failed(first, DeliveryError("it answers 429", retry_after=60.0), NOW)
    assert (lane.next(NOW + 59.0), lane.next(NOW + 60.0)) == (None, other)


@pytest.mark.parametrize(
    ("error", "since", "is_dead"),
    [
        (DeliveryError("it answers 400", True), None, True),
        (DeliveryError("it answers 410", gone=True), None, True),
        (BUSY, NOW - GIVE_UP_SECONDS + 1.0, False),
        (BUSY, NOW - GIVE_UP_SECONDS, True),
    ],
)
def test_delivery_is_given_up_after_permanent_or_long_failure(
    error: DeliveryError, since: float | None, is_dead: bool
) -> None:
    first, second = make_delivery(1)._replace(failing_since=since), make_delivery(2)
    lane = make_lane(first, second)
    lane.next(NOW)
    assert (lane.failed(first, error, NOW).next_at is None) is is_dead
    assert all_next(lane) == ([2] if is_dead else [])


def test_receiver_is_paused_after_many_failures() -> None:
    ones = [make_delivery(seq, str(seq)) for seq in range(1, 100)]
    lane = make_lane(*ones)
    started = all_next(lane)
    for seq in started:
        lane.failed(ones[seq - 1], BUSY, NOW)
    assert lane.paused_until == NOW + FIRST_WAIT_SECONDS  # those that were under way do not make it longer
    assert lane.next(NOW + 4.9) is None
    probe = lane.next(NOW + 5.0)
    assert probe is not None
    assert lane.next(NOW + 5.0) is None
    lane.failed(probe, BUSY, NOW + 5.0)
    assert lane.next(NOW + 14.9) is None
    probe = lane.next(NOW + 15.0)
    assert probe is not None
    lane.delivered(probe, NOW + 15.0)
    assert len(all_next(lane, NOW + 15.0)) == IN_FLIGHT
    assert {subject for subject, _ in lane.due(NOW + 15.0)} <= {str(seq) for seq in started} | {"33"}


def test_refused_event_resets_the_failure_count() -> None:
    ones = [make_delivery(seq, str(seq)) for seq in range(1, 20)]
    lane = make_lane(*ones)
    for one_ in ones[: FAILURES_UNTIL_PAUSE - 1]:
        lane.next(NOW)
        lane.failed(one_, BUSY, NOW)
    lane.next(NOW)
    lane.failed(ones[4], DeliveryError("it answers 422", True), NOW)
    lane.next(NOW)
    lane.failed(ones[5], BUSY, NOW)
    assert lane.paused_until <= NOW


def test_retry_time_survives_a_restart() -> None:
    lane = make_lane(make_delivery(1, next_at=NOW + 30.0), make_delivery(2), make_delivery(3, "b"))
    assert all_next(lane) == [3]
    assert (lane.due(NOW + 29.0), lane.due(NOW + 30.0)) == ([], [("a", 0)])


def test_clock_set_back_delays_nothing() -> None:
    first, second = make_delivery(1, next_at=NOW + 365 * 86_400.0), make_delivery(2, "b")
    lane = make_lane(first, second)
    assert all_next(lane) == [1, 2]
    lane.failed(first, BUSY, NOW)
    assert lane.due(NOW - 86_400.0) == [("a", 0)]


def test_reset_reloads_all_but_running_deliveries() -> None:
    first, second = make_delivery(1), make_delivery(2, "b")
    lane = make_lane(first, second, make_delivery(3))
    assert lane.next(NOW) == first
    lane.reset()
    lane.load([first, second, make_delivery(3)], NOW)
    assert all_next(lane) == [2]
    lane.delivered(first, NOW)
    assert lane.due(NOW) == [("a", 0)]
    lane.refill("a", [first, make_delivery(3)], had={1})
    assert all_next(lane) == [3]


def test_failure_after_a_reset_keeps_earlier_events() -> None:
    earlier, first = make_delivery(1), make_delivery(2)
    lane = make_lane(first)
    assert lane.next(NOW) == first
    lane.reset()
    lane.load([earlier, first], NOW)
    lane.failed(first, BUSY, NOW)
    assert lane.due(NOW + FIRST_WAIT_SECONDS) == [("a", 0)]


@dataclass
class Office:
    """A fake store and sender: rows are deleted when they are delivered."""

    rows: dict[int, Delivery] = field(default_factory=dict)
    got: list[int] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)

    def run(self, lane: Lane, chance: random.Random, fails: float, now: float) -> None:
        for subject, seq in lane.due(now):
            ours = [
                item
                for key, item in sorted(self.rows.items())
                if seq < key <= lane.cursor and item.event.subject == subject
            ]
            lane.refill(subject, ours[:OF_SUBJECT])
        lane.load([item for key, item in sorted(self.rows.items()) if key > lane.cursor][: lane.room], now)
        running = []
        while (one := lane.next(now)) is not None:
            running.append(one)
        assert len({item.event.subject for item in running}) == len(running) <= IN_FLIGHT
        chance.shuffle(running)
        for one in running:
            if chance.random() >= fails:
                self.got.append(self.rows.pop(one.event.seq).event.seq)
                lane.delivered(one, now)
                continue
            failed = lane.failed(one, DeliveryError("no", permanent=chance.random() < 0.05), now)
            if failed.next_at is None:
                self.dead.append(self.rows.pop(one.event.seq).event.seq)
            else:
                self.rows[one.event.seq] = one._replace(
                    attempts=one.attempts + 1, failing_since=failed.failing_since, next_at=failed.next_at
                )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.floats(0.0, 0.9), st.integers(0, 400))
def test_every_event_is_delivered_once_and_in_order(seed: int, subjects: int, fails: float, count: int) -> None:
    chance, office, now = random.Random(seed), Office(), NOW
    lane, written = Lane("crm", chance.random), 0
    of: dict[int, str] = {}
    for turn in range(20_000):
        if written < count:
            written += 1
            of[written] = str(chance.randrange(subjects))
            office.rows[written] = make_delivery(written, of[written])
        elif not office.rows:
            break
        if turn in (70, 200):
            lane.reset()
        office.run(lane, chance, fails if turn < 2000 else 0.0, now)
        assert lane.room <= WINDOW
        now += chance.random() * 20.0
    assert sorted([*office.got, *office.dead]) == list(range(1, count + 1))
    for subject in set(of.values()):
        ours = [seq for seq in office.got if of[seq] == subject]
        assert ours == sorted(ours)


def test_memory_is_bounded() -> None:
    chance, office = random.Random(1), Office()
    office.rows = {seq: make_delivery(seq, str(seq % 7)) for seq in range(1, 5000)}
    lane, now = Lane("crm", chance.random), NOW
    for _ in range(300):
        office.run(lane, chance, 0.5, now)
        assert 0 <= lane.room <= WINDOW
        now += 5.0
    while office.rows:
        office.run(lane, chance, 0.0, now)
        now += 1000.0
    assert len(office.got) + len(office.dead) == 4999
