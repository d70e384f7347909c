"""Alert rules: conditions, quiet hours, limits and restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.events.alerts import (
    Alert,
    AlertReceiver,
    alert_of,
    is_met,
    is_quiet_now,
    is_too_often,
    state_from,
    with_alert,
)
from callsieve.events.kinds import DeliveryError, Event, EventKind
from callsieve.integration_settings import AlertTable, WhenTable
from reputation.store.errors import StoreError
from reputation.weights import QuietWeights
from tests.waiting import until

CALLER = "+12017421834"
NOON = 1_795_694_400.0  # 2026-11-26 12:00 UTC
UTC = QuietWeights(time_zone="UTC")
DECISION = {
    "caller": CALLER,
    "action": "reject",
    "level": "challenge",
    "rule": "level-challenge",
    "did": "+442071838750",
    "trunk": "carrier",
}


def make_event(data: dict[str, Any], kind: EventKind = EventKind.DECISION_TAKEN) -> Event:
    return Event("evt_1", kind, CALLER, NOON, data)


@pytest.mark.parametrize(
    ("when", "data", "holds"),
    [
        pytest.param({}, DECISION, True, id="none"),
        pytest.param({"action": ["reject", "route"]}, DECISION, True, id="one-of-several"),
        pytest.param({"action": ["warn"]}, DECISION, False, id="another-action"),
        pytest.param({"action": "reject"}, DECISION, True, id="one-word"),
        pytest.param({"action": "rejected"}, DECISION, False, id="part-of-a-word"),
        pytest.param({"prefix": "+1201"}, DECISION, True, id="one-prefix"),
        pytest.param({"action": ["reject"], "trunk": ["other"]}, DECISION, False, id="all-must-hold"),
        pytest.param({"level_at_least": "warn"}, DECISION, True, id="level"),
        pytest.param({"level_at_least": "challenge"}, DECISION, True, id="that-very-level"),
        pytest.param({"level_at_least": "reject"}, DECISION, False, id="lower-level"),
        pytest.param({"level_at_least": "tag"}, {"level": None}, False, id="no-level"),
        pytest.param({"prefix": ["+1900", "+1201"]}, DECISION, True, id="prefix"),
        pytest.param({"prefix": ["+44"]}, DECISION, False, id="dialled-number-is-not-the-caller"),
        pytest.param({"prefix": ["+1"]}, {"caller": None}, False, id="withheld"),
        pytest.param({"grade": ["at_risk"]}, {"grade": "at_risk"}, True, id="grade"),
        pytest.param({"grade": ["at_risk"]}, {"grade": None}, False, id="no-grade"),
        pytest.param({"status": ["failed"]}, {"status": "failed"}, True, id="status"),
    ],
)
def test_conditions_are_evaluated(when: dict[str, Any], data: dict[str, Any], holds: bool) -> None:
    assert is_met(msgspec.convert(when, WhenTable), make_event(data)) is holds


@pytest.mark.parametrize(
    ("at_most", "told", "is_it"),
    [
        ("1/h", [], False),
        ("1/h", [NOON - 3599], True),
        ("1/h", [NOON - 3600], False),
        ("2/min", [NOON - 59], False),
        ("2/min", [NOON - 59, NOON - 1], True),
        ("1/d", [NOON - 86_399], True),
        ("1/h", [NOON + 1e6], False),
    ],
)
def test_at_most_limits_alerts(at_most: str, told: list[float], is_it: bool) -> None:
    assert is_too_often(at_most, tuple(told), NOON) is is_it


@pytest.mark.parametrize(
    ("hours", "at", "is_it"),
    [
        (None, NOON, False),
        ("9-17", NOON, True),
        ("22-7", NOON, False),
        ("22-7", NOON + 11 * 3600, True),
        ("22-7", NOON - 6 * 3600, True),
        ("22-7", NOON - 5 * 3600, False),
    ],
)
def test_quiet_hours_are_evaluated(hours: str | None, at: float, is_it: bool) -> None:
    rule = AlertTable(name="x", event=EventKind.DECISION_TAKEN, to=("mail",), quiet_hours=hours)
    assert is_quiet_now(rule, UTC, at) is is_it


class StoredStates:
    """The stored states of alerts."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.fails = False

    async def read(self, key: str) -> str | None:
        if self.fails:
            raise StoreError("locked")
        return self.states.get(key)

    async def write(self, key: str, value: str, _at: float) -> None:
        self.states[key] = value


class FakeReceiver:
    """A receiver."""

    name = "mail"

    def __init__(self) -> None:
        self.alerts: list[Alert | None] = []
        self.fails = False
        self.begun = 0
        self.gate: asyncio.Event | None = None

    async def deliver(self, event: Event) -> None:
        self.begun += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise DeliveryError("the server is down")
        self.alerts.append(alert_of(event))


class RuleUnderTest:
    """A rule with its receiver, and a clock."""

    def __init__(self, store: StoredStates, **fields: Any) -> None:
        self.table = AlertTable(name="stopped", event=EventKind.DECISION_TAKEN, to=("mail",), **fields)
        self.store, self.target, self.now, self.failed = store, FakeReceiver(), NOON, 0
        self.receiver = AlertReceiver(self.table, "mail", self.target, store, UTC, lambda: self.now)

    async def deliver_at(self, *times: float, data: dict[str, Any] = DECISION) -> None:
        for self.now in times:
            try:
                await self.receiver.deliver(make_event(data))
            except DeliveryError:
                self.failed += 1
                raise


async def test_suppressed_alerts_are_counted_in_the_next() -> None:
    rule = RuleUnderTest(StoredStates(), at_most="1/h")
    await rule.deliver_at(NOON, NOON + 60, NOON + 120, NOON + 3600)
    assert rule.target.alerts == [Alert("stopped"), Alert("stopped", 2, NOON + 60)]


async def test_alert_after_quiet_hours_has_the_count() -> None:
    rule = RuleUnderTest(StoredStates(), quiet_hours="22-7")
    night = NOON + 12 * 3600
    await rule.deliver_at(night, night + 60, night + 8 * 3600)
    assert rule.target.alerts == [Alert("stopped", 2, night)]


async def test_event_that_does_not_match_changes_no_state() -> None:
    rule = RuleUnderTest(StoredStates(), at_most="1/h", when=WhenTable(action=("warn",)))
    await rule.deliver_at(NOON, NOON + 1)
    assert (rule.target.alerts, rule.store.states) == ([], {})


async def test_restart_repeats_no_alert() -> None:
    store = StoredStates()
    await RuleUnderTest(store, at_most="1/h").deliver_at(NOON, NOON + 60)
    again = RuleUnderTest(store, at_most="1/h")
    await again.deliver_at(NOON + 120, NOON + 3601)
    assert again.target.alerts == [Alert("stopped", 2, NOON + 60)]


async def test_failed_alert_does_not_count_against_the_limit() -> None:
    rule = RuleUnderTest(StoredStates(), at_most="1/h")
    rule.target.fails = True
    with pytest.raises(DeliveryError):
        await rule.deliver_at(NOON)
    rule.target.fails = False
    await rule.deliver_at(NOON + 5)
    assert rule.target.alerts == [Alert("stopped")]


async def test_suppressed_count_survives_a_failed_alert() -> None:
    rule = RuleUnderTest(StoredStates(), at_most="1/h")
    await rule.deliver_at(NOON, NOON + 60)
    rule.target.fails = True
    with pytest.raises(DeliveryError):
        await rule.deliver_at(NOON + 3700)
    rule.target.fails = False
    await rule.deliver_at(NOON + 3800, NOON + 9000)
    assert rule.target.alerts == [Alert("stopped"), Alert("stopped", 1, NOON + 60), Alert("stopped")]


async def test_cancelled_delivery_keeps_the_suppressed_count() -> None:
    """The sender cancels a delivery that takes too long."""
    rule = RuleUnderTest(StoredStates(), at_most="1/h")
    await rule.deliver_at(NOON, NOON + 60)
    rule.target.gate, rule.now = asyncio.Event(), NOON + 3700
    going = asyncio.create_task(rule.receiver.deliver(make_event(DECISION)))
    await until(lambda: rule.target.begun == 2)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    rule.target.gate.set()
    await rule.deliver_at(NOON + 3800)
    assert rule.target.alerts == [Alert("stopped"), Alert("stopped", 1, NOON + 60)]


async def test_alerts_within_the_limit_are_sent_together() -> None:
    """One mail can then hold them all."""
    rule = RuleUnderTest(StoredStates(), at_most="3/h")
    rule.target.gate = asyncio.Event()
    going = [asyncio.create_task(rule.receiver.deliver(make_event(DECISION))) for _ in range(5)]
    await until(lambda: rule.target.begun == 3 and sum(task.done() for task in going) == 2)
    rule.target.gate.set()
    await asyncio.gather(*going)
    await rule.deliver_at(NOON + 3600)
    assert rule.target.alerts[3:] == [Alert("stopped", 2, NOON)]


async def test_store_error_fails_the_delivery() -> None:
    rule = RuleUnderTest(StoredStates())
    rule.store.fails = True
    with pytest.raises(DeliveryError):
        await rule.deliver_at(NOON)
    assert rule.target.alerts == []


STEPS = st.lists(st.tuples(st.floats(0, 4000), st.booleans()), max_size=60)


@given(STEPS, st.sampled_from(["1/min", "2/h", "3/h"]))
def test_alerts_stay_within_the_limit_and_are_all_counted(steps: list[tuple[float, bool]], at_most: str) -> None:
    async def run() -> None:
        rule, told, now = RuleUnderTest(StoredStates(), at_most=at_most), [], NOON
        for seconds, fails in steps:
            now += seconds
            rule.target.fails = fails
            before = len(rule.target.alerts)
            try:
                await rule.deliver_at(now)
            except DeliveryError:
                continue
            told += [now] * (len(rule.target.alerts) - before)
        most, span = int(at_most[0]), {"min": 60.0, "h": 3600.0}[at_most[2:]]
        assert all(sum(at - span < other <= at for other in told) <= most for at in told)
        said = sum(alert.suppressed for alert in rule.target.alerts if alert is not None)
        left = state_from(rule.store.states.get("alert/stopped/mail")).suppressed
        assert said + left + len(told) + rule.failed == len(steps)

    asyncio.run(run())


async def test_concurrent_events_send_one_alert() -> None:
    rule = RuleUnderTest(StoredStates(), at_most="1/h")
    await asyncio.gather(*(rule.receiver.deliver(make_event(DECISION)) for _ in range(50)))
    await rule.deliver_at(NOON + 3600)
    assert rule.target.alerts == [Alert("stopped"), Alert("stopped", 49, NOON)]


async def test_unreadable_state_is_ignored() -> None:
    store = StoredStates()
    store.states["alert/stopped/mail"] = '{"told": "yesterday"}'
    rule = RuleUnderTest(store)
    await rule.deliver_at(NOON)
    assert rule.target.alerts == [Alert("stopped")]


def test_alert_has_its_own_stable_id() -> None:
    """A receiver that skips known ids still gets the event and each alert."""
    event = make_event(DECISION)
    first, again, other = (with_alert(event, Alert(name)) for name in ("risk", "risk", "another"))
    assert first.id == again.id
    assert len({event.id, first.id, other.id}) == 3
    assert first.data["alert"]["event"] == event.id
