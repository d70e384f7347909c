"""Alert rules: which receivers get which events, at which hours, and how often.

The store keeps when each rule sent alerts to each receiver, so a restart repeats no alert.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final, Protocol

import msgspec

from callsieve.events.kinds import DELIVER_SECONDS, DeliveryError, Event, Receiver, event_words, without_words
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
ALERT: Final = "alert"  # the field that an alert adds to the data of its event
LINE_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert about an event. `name`: the name of the alert rule that sends the alert.

    `suppressed`: how many alerts of this rule to the same receiver were not sent since `since`.
    """

    name: str
    suppressed: int = 0
    since: float = 0.0


NAMED = frozenset({*PEOPLE, *NUMBERS})


def with_alert(event: Event, alert: Alert) -> Event:
    """Return the event with the alert's data added and an id of its own, which is the same in retries.

    A receiver that also gets the event itself would otherwise drop the alert, because it knows the id.
    """
    about = {"name": alert.name, "event": event.id, "suppressed": alert.suppressed, "since": alert.since}
    # An id of its own: the receiver may also get the event itself, and drop repeated ids.
    rule = sha256(alert.name.encode()).hexdigest()[:8].upper()
    return replace(
        event, id=f"{ALERT_PREFIX}{event.id.removeprefix(ID_PREFIX)}_{rule}", data={**event.data, ALERT: about}
    )


def alert_of(event: Event) -> Alert | None:
    """Return the alert in the event's data; None if no alert rule sent the event."""
    about = event.data.get(ALERT)
    return Alert(about["name"], about["suppressed"], about["since"]) if about else None


def event_in_words(event: Event, language: str, *, mask: bool) -> str:
    """Return the event as one line of text. Data from outside is shortened, and control characters are removed."""
    data = {
        name: in_words(value, event.names, mask=mask) if name in NAMED and isinstance(value, str) else value
        for name, value in (without_words(event.kind, event.data) if mask else event.data).items()
    }
    words = event_words(event.kind, data)
    alert = alert_of(event)
    if alert is not None and alert.suppressed:
        held: Places = {"what": words, "count": alert.suppressed, "when": when(alert.since)}
        words = Wording("{what} (similar alerts suppressed since {when}: {count:,})", held)
    return one_line(words.in_language(partial(translated, catalogue=translations_of(language))), mask=mask)


def translate(words: Wording, language: str) -> str:
    """Return the text in this language."""
    return words.in_language(partial(translated, catalogue=translations_of(language)))


def one_line(text: str, *, mask: bool) -> str:
    """Return a text as a single line, for a header or a list. `mask`: whether to mask phone numbers in the text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LINE_CHARACTERS]
    return mask_numbers(line) if mask else line


def in_words(text: str, names: Mapping[str, str], *, mask: bool) -> str:
    """Return a person or number with its name: `Alice (201)`, `+1 201 555 0123 (Joe's Loans)`. `mask`: hide digits."""
    if not text.startswith("+"):
        return f"{names[text]} ({text})" if text in names else text
    if mask:
        return text
    return f"{spaced(text)} ({names[text]})" if text in names else spaced(text)


SECONDS_BY_UNIT: Final = {"min": 60.0, "h": 3600.0, "d": 86_400.0}
RANK: Final = {level.word: rank for rank, level in enumerate(Level)}
ANYBODY: Final = "whoever"


class StateStore(Protocol):
    """Storage for the state of each alert rule with each receiver (AlertState)."""

    async def read(self, key: str) -> str | None:
        """Return the last value stored under a key, or None. Raise StoreError."""
        ...

    async def write(self, key: str, value: str, at: float) -> None:
        """Store a value under a key. Raise StoreError."""
        ...


class NoStates:
    """Storage for the states of test alerts, which stores nothing."""

    async def read(self, _key: str) -> str | None:
        """Return None: no state is stored."""
        return None

    async def write(self, _key: str, _value: str, _at: float) -> None:
        """Do nothing."""


class AlertState(msgspec.Struct, frozen=True):
    """The alerts of one rule to one receiver: when they were sent, and how many were not sent since `since`."""

    told: tuple[float, ...] = ()
    suppressed: int = 0
    since: float = 0.0


class AlertReceiver:
    """One receiver of an alert rule. `to`: name of the receiver. `usual`: the site's quiet hours and time zone."""

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
        self._state_lock = asyncio.Lock()  # one mail may contain many alerts
        self._sending_at: list[float] = []
        self._reporting = 0  # held alerts that the alerts under way report
        self.name = alert_receiver(rule.name, to)
        self.reads_names = bool(getattr(target, "reads_names", False))
        self.deliver_seconds = getattr(target, "deliver_seconds", DELIVER_SECONDS)

    async def deliver(self, event: Event) -> bool:
        """Send the event if the rule allows it now. Return whether it was sent. Raise DeliveryError on failure."""
        if not is_met(self._rule.when, event):
            return False
        now = self._clock()
        try:
            alert = await self._begin(now)
            if alert is None:
                return False
            try:
                await self._target.deliver(with_alert(event, alert))
                await self._note_sent(now, alert)
            finally:
                self._sending_at.remove(now)
                self._reporting -= alert.suppressed
        except StoreError as error:
            raise DeliveryError(f"the store: {error}") from None
        return True

    async def _begin(self, now: float) -> Alert | None:
        rule = self._rule
        async with self._state_lock:
            state = state_from(await self._store.read(self.name))
            if is_quiet_now(rule, self._usual, now) or is_too_often(
                rule.at_most, (*state.told, *self._sending_at), now
            ):
                since = state.since if state.suppressed else now
                await self._keep(AlertState(state.told, state.suppressed + 1, since), now)
                return None
            unreported = max(0, state.suppressed - self._reporting)
            self._sending_at.append(now)
            self._reporting += unreported
            return Alert(rule.name, unreported, state.since if unreported else 0.0)

    async def _note_sent(self, now: float, alert: Alert) -> None:
        """Record a sent alert. If the process crashes before the record, the alert is sent again and not lost."""
        async with self._state_lock:
            state = state_from(await self._store.read(self.name))
            sent_at = (*_lately(self._rule.at_most, state.told, now), now)
            left = max(0, state.suppressed - alert.suppressed)
            since = state.since if left == state.suppressed else now
            await self._keep(AlertState(sent_at, left, since if left else 0.0), now)

    async def _keep(self, state: AlertState, now: float) -> None:
        await self._store.write(self.name, msgspec.json.encode(state).decode(), now)


def is_met(when: WhenTable, event: Event) -> bool:
    """Return whether all conditions hold for the event. A condition on a field that the event lacks does not hold."""
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
    """Return whether `now` is in the rule's quiet hours. `usual`: the quiet hours and time zone of the site."""
    if rule.quiet_hours is None:
        return False
    return QuietHours.of(usual, {ANYBODY: rule.quiet_hours}).is_resting(ANYBODY, now)


def is_too_often(at_most: str, sent_at: tuple[float, ...], now: float) -> bool:
    """Return whether another alert would exceed the limit `at_most`, such as `3/h`."""
    return len(_lately(at_most, sent_at, now)) >= int(at_most.partition("/")[0])


def _lately(at_most: str, sent_at: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Return the times in `sent_at` within the limit's period. Future times, from a wrong clock, do not count."""
    seconds = SECONDS_BY_UNIT[at_most.partition("/")[2]]
    return tuple(at for at in sent_at if now - seconds < at <= now)


def state_from(text: str | None) -> AlertState:
    """Parse a stored state. Return an empty state if the format is unknown."""
    try:
        return msgspec.json.decode(text or "{}", type=AlertState)
    except msgspec.ValidationError:
        return AlertState()
