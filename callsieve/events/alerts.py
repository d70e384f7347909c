"""Alert rules: which events are told to whom, when not, and at most how often.

A rule and one of its receivers are a receiver of their own: what cannot be delivered to one is tried again for that one
alone. How often it was told is kept in the store, so that a restart repeats nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final, Protocol

import msgspec

from callsieve.events.kinds import DELIVER_SECONDS, DeliveryError, Event, Receiver, event_words
from callsieve.integration_settings import (
    FIELD_BY_CONDITION,
    NUMBER_FIELDS,
    AlertTable,
    WhenTable,
    alert_receiver,
    conditions_of,
    values_of,
)
from callsieve.text.times import when
from callsieve.web.i18n import translated, translations_of
from callsieve.web.rendering import mask_numbers
from reputation.events import ID_PREFIX
from reputation.model import Level
from reputation.numbers import spaced
from reputation.own.hours import QuietHours
from reputation.store.errors import StoreError
from reputation.store.event_deliveries import NUMBERS, PEOPLE
from reputation.weights import QuietWeights
from reputation.wording import Places, Wording

ALERT_PREFIX: Final = "alert_"
ALERT: Final = "alert"  # what an alert adds to the data of its event
LINE_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """That a rule of this name fired. `suppressed`: how often it would have since `since` and was kept quiet."""

    name: str
    suppressed: int = 0
    since: float = 0.0


NAMED = frozenset({*PEOPLE, *NUMBERS})


def with_alert(event: Event, alert: Alert) -> Event:
    """The event as receivers of an alert get it: its id and its data say so, the same at each attempt."""
    told = {"name": alert.name, "event": event.id, "suppressed": alert.suppressed, "since": alert.since}
    # An id of its own: a receiver may be told of the event itself, too, and leave out what it knows.
    rule = sha256(alert.name.encode()).hexdigest()[:8].upper()
    return replace(
        event, id=f"{ALERT_PREFIX}{event.id.removeprefix(ID_PREFIX)}_{rule}", data={**event.data, ALERT: told}
    )


def alert_of(event: Event) -> Alert | None:
    """The alert that the event is told for; None: it is told for itself."""
    told = event.data.get(ALERT)
    return Alert(told["name"], told["suppressed"], told["since"]) if told else None


def event_in_words(event: Event, language: str, *, mask: bool) -> str:
    """One line. What others wrote is in it as text: without controls, and not endless."""
    data = {
        name: in_words(value, event.names, mask=mask) if name in NAMED and isinstance(value, str) else value
        for name, value in event.data.items()
    }
    words = event_words(event.kind, data)
    alert = alert_of(event)
    if alert is not None and alert.suppressed:
        held: Places = {"what": words, "count": alert.suppressed, "when": when(alert.since)}
        words = Wording("{what} (kept quiet since {when}: {count:,})", held)
    return one_line(words.said(partial(translated, catalogue=translations_of(language))), mask=mask)


def said(words: Wording, language: str) -> str:
    """A text of ours in a language."""
    return words.said(partial(translated, catalogue=translations_of(language)))


def one_line(text: str, *, mask: bool) -> str:
    """Text as a header or a line may have it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LINE_CHARACTERS]
    return mask_numbers(line) if mask else line


def in_words(text: str, names: Mapping[str, str], *, mask: bool) -> str:
    """Return a person or a number as people know it: `Alice (201)`, `+1 201 555 0123 (Joe's Loans)`.

    Who may not see numbers is not told whose they are.
    """
    if not text.startswith("+"):
        return f"{names[text]} ({text})" if text in names else text
    if mask:
        return text
    return f"{spaced(text)} ({names[text]})" if text in names else spaced(text)


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
