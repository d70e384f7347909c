"""Alert rules: which events are told to whom, when not, and at most how often.

A rule and one of its receivers are a receiver of their own: what cannot be delivered to one is tried again for that one
alone. How often it was told is kept in the store, so that a restart repeats nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from callsieve.events.kinds import DELIVER_SECONDS, DeliveryError, Event, Receiver
from callsieve.events.messages import Alert, with_alert
from callsieve.integration_settings import (
    FIELD_BY_CONDITION,
    NUMBER_FIELDS,
    AlertTable,
    WhenTable,
    alert_receiver,
    conditions_of,
    values_of,
)
from reputation.model import Level
from reputation.own.hours import QuietHours
from reputation.store.errors import StoreError
from reputation.weights import QuietWeights

SECONDS_BY_UNIT: Final = {"min": 60.0, "h": 3600.0, "d": 86_400.0}
RANK: Final = {level.word: rank for rank, level in enumerate(Level)}
WHOEVER: Final = "whoever"


class StateStore(Protocol):
    """What the states of alerts are kept in."""

    async def read(self, key: str) -> str | None:
        """The value that was kept last. StoreError."""
        ...

    async def write(self, key: str, value: str, at: float) -> None:
        """Keeps it. StoreError."""
        ...


class NoStates:
    """For a try, which counts as nothing."""

    async def read(self, _key: str) -> str | None:
        """None."""
        return None

    async def write(self, _key: str, _value: str, _at: float) -> None:
        """Keeps nothing."""


class AlertState(msgspec.Struct, frozen=True):
    """When it was told lately, and how often it was kept quiet since `since`."""

    told: tuple[float, ...] = ()
    suppressed: int = 0
    since: float = 0.0


class AlertReceiver:
    """A rule, and one of those whom it tells, which it calls `to`. `usual`: the site's quiet hours, for their zone."""

    def __init__(
        self,
        rule: AlertTable,
        to: str,
        target: Receiver,
        store: StateStore,
        usual: QuietWeights,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rule = rule
        self._target = target
        self._store = store
        self._usual = usual
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()  # reads and writes of the state; many may be told at once, in one mail
        self._being_told: list[float] = []
        self._being_said = 0  # of those that were kept quiet, how many are being told of now
        self.name = alert_receiver(rule.name, to)
        self.reads_names = bool(getattr(target, "reads_names", False))
        self.deliver_seconds = getattr(target, "deliver_seconds", DELIVER_SECONDS)

    async def deliver(self, event: Event) -> bool:
        """Return whether the receiver has it now, or need not be told. DeliveryError."""
        if not is_met(self._rule.when, event):
            return False
        now = self._clock()
        try:
            alert = await self._begin(now)
            if alert is None:
                return False
            try:
                await self._target.deliver(with_alert(event, alert))
                await self._told(now, alert)
            finally:
                self._being_told.remove(now)
                self._being_said -= alert.suppressed
        except StoreError as error:
            raise DeliveryError(f"the store: {error}") from None
        return True

    async def _begin(self, now: float) -> Alert | None:
        """What the receiver is to be told; None: it is kept quiet, and counted. StoreError."""
        rule = self._rule
        async with self._one_at_a_time:
            state = state_from(await self._store.read(self.name))
            if is_quiet_now(rule, self._usual, now) or is_too_often(
                rule.at_most, (*state.told, *self._being_told), now
            ):
                since = state.since if state.suppressed else now
                await self._keep(AlertState(state.told, state.suppressed + 1, since), now)
                return None
            unsaid = max(0, state.suppressed - self._being_said)
            self._being_told.append(now)
            self._being_said += unsaid
            return Alert(rule.name, unsaid, state.since if unsaid else 0.0)

    async def _told(self, now: float, alert: Alert) -> None:
        """It and what it said count once it was taken: a crash before this tells once more, and never once less."""
        async with self._one_at_a_time:
            state = state_from(await self._store.read(self.name))
            told = (*_lately(self._rule.at_most, state.told, now), now)
            left = max(0, state.suppressed - alert.suppressed)
            since = state.since if left == state.suppressed else now
            await self._keep(AlertState(told, left, since if left else 0.0), now)

    async def _keep(self, state: AlertState, now: float) -> None:
        await self._store.write(self.name, msgspec.json.encode(state).decode(), now)


def is_met(when: WhenTable, event: Event) -> bool:
    """Whether all conditions hold; what an event does not say holds for none."""
    return all(_holds(condition, when, event) for condition in conditions_of(when))


def _holds(condition: str, when: WhenTable, event: Event) -> bool:
    wanted = values_of(when, condition)
    if condition == "prefix":
        numbers = [event.data.get(field) for field in NUMBER_FIELDS]
        return any(number.startswith(wanted) for number in numbers if isinstance(number, str))
    value = event.data.get(FIELD_BY_CONDITION.get(condition, condition))
    if condition == "level_at_least":
        return RANK.get(value, -1) >= RANK[wanted[0]] if isinstance(value, str) else False
    return value in wanted


def is_quiet_now(rule: AlertTable, usual: QuietWeights, now: float) -> bool:
    """Whether it is one of the rule's quiet hours."""
    if rule.quiet_hours is None:
        return False
    return QuietHours.of(usual, {WHOEVER: rule.quiet_hours}).is_resting(WHOEVER, now)


def is_too_often(at_most: str, told: tuple[float, ...], now: float) -> bool:
    """Whether it was told so often already that once more is too much. `at_most` as in `3/h`."""
    return len(_lately(at_most, told, now)) >= int(at_most.partition("/")[0])


def _lately(at_most: str, told: tuple[float, ...], now: float) -> tuple[float, ...]:
    """When it was told within the time that counts; a clock that was set back counts nothing for ever."""
    seconds = SECONDS_BY_UNIT[at_most.partition("/")[2]]
    return tuple(at for at in told if now - seconds < at <= now)


def state_from(kept: str | None) -> AlertState:
    """Of a CallSieve that kept something else: none."""
    try:
        return msgspec.json.decode(kept or "{}", type=AlertState)
    except msgspec.ValidationError:
        return AlertState()
