"""Probable mistakes: calls that were stopped, or warned of, from numbers that somebody of ours wanted to hear from.

What speaks for a number is known only later, so all calls are counted first: `Stops` is told of them in time order and
then asked. The replay and `callsieve summary` share it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from reputation.model import Direction, Identity, OutcomeRecord
from reputation.scoring import VERIFIED_LEVEL
from reputation.signals import is_call_back, is_long_talk
from reputation.wording import Wording

STOPPED = frozenset({"challenge", "route", "reject"})
WARNED = frozenset({"warn"})
MANY_TALKERS = 2


class KnownCallers(NamedTuple):
    """What the store says for a number."""

    is_contact: bool = False
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class FalsePositive:
    """A number whose calls should perhaps have gone through. `actions` and `rules` count those calls, `why` says so."""

    number: str
    actions: dict[str, int]
    rules: dict[str, int]
    last_at: float
    why: tuple[Wording, ...]

    @property
    def calls(self) -> int:
        """How many calls."""
        return sum(self.actions.values())


@dataclass(slots=True)
class _Of:
    """Calls of one number. `called_back`: as many as there were when we last called the number and talked."""

    actions: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0
    called_back: Counter[str] = field(default_factory=Counter)


class Stops:
    """Counts, in time order, the calls on which one of `actions` was ordered, and what happened with their numbers."""

    def __init__(self, actions: frozenset[str] = STOPPED) -> None:
        self.calls = 0
        self._actions = actions
        self._of: dict[str, _Of] = {}

    def add_call(self, number: str | None, at: float, action: str, rule: str) -> None:
        """One decision about an inbound call."""
        if action not in self._actions:
            return
        self.calls += 1
        if number is None:
            return
        of = self._of.get(number)
        if of is None:
            of = self._of[number] = _Of()
        of.actions[action] += 1
        of.rules[rule] += 1
        of.last_at = at

    def call_back(self, number: str) -> None:
        """One of us calls the number and talks."""
        of = self._of.get(number)
        if of is not None:
            of.called_back = of.actions.copy()

    def mistakes(
        self, long_talks: Callable[[str], int], known_of: Callable[[str], KnownCallers]
    ) -> list[FalsePositive]:
        """The numbers that something speaks for, most calls first. `long_talks`: with how many of us it talked long."""
        found = [
            mistake
            for number, of in self._of.items()
            if (mistake := _mistake(number, of, long_talks, known_of(number)))
        ]
        return sorted(found, key=lambda mistake: (-mistake.calls, mistake.number))


class Talks:
    """Who of ours has talked long with which number."""

    def __init__(self) -> None:
        self._people: dict[str, set[str]] = {}

    def add(self, outcome: OutcomeRecord) -> None:
        """One call, inbound or not."""
        if outcome.direction is Direction.INBOUND and is_long_talk(outcome) and outcome.number and outcome.person:
            self._people.setdefault(outcome.number, set()).add(outcome.person)

    def of(self, number: str) -> int:
        """With how many of us the number has talked long."""
        return len(self._people.get(number, ()))


def call_back_number(outcome: OutcomeRecord, one_ring_at: Callable[[str, float], float | None]) -> str | None:
    """The number, when the call is one of ours to a number that we wanted to talk to: not after a one-ring call."""
    if outcome.direction is not Direction.OUTBOUND or outcome.number is None or not is_call_back(outcome):
        return None
    return outcome.number if one_ring_at(outcome.number, outcome.at) is None else None


def count_of(mistakes: Iterable[FalsePositive]) -> int:
    """How many calls they are."""
    return sum(mistake.calls for mistake in mistakes)


def _mistake(number: str, of: _Of, long_talks: Callable[[str], int], known: KnownCallers) -> FalsePositive | None:
    why = [*_words_for(known), *_words_of_talks(long_talks(number))]
    # What speaks for the number at any time speaks for all of its calls; a call-back for those before it.
    actions = of.actions if why else of.called_back
    if of.called_back:
        why.insert(0, Wording("we called it back later and talked"))
    if not why:
        return None
    return FalsePositive(number, dict(actions.most_common()), dict(of.rules.most_common()), of.last_at, tuple(why))


def _words_for(known: KnownCallers) -> Iterator[Wording]:
    if known.is_contact:
        yield Wording("it is a contact of somebody here")
    if known.identity is not None and known.identity.level >= VERIFIED_LEVEL:
        yield Wording("it is verified as {name}", {"name": known.identity.name})


def _words_of_talks(people: int) -> Iterator[Wording]:
    if people >= MANY_TALKERS:
        yield Wording("{people} of us talked with it for more than a minute", {"people": people})
