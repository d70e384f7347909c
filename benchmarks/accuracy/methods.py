"""The methods that are compared: CallSieve's real code, and simple methods that other systems use.

A method learns from the calls of a number, and returns a level at each inbound call. A call with the level CHALLENGE or
higher counts as stopped. Simple methods either stop a call or let it ring.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.accuracy.call_outcomes import NUMBER
from benchmarks.accuracy.parameters import DAY_SECONDS
from reputation.evidence import NO_CIRCUMSTANCES
from reputation.formulas import wilson as wilson_interval
from reputation.memory_store import MemoryStore
from reputation.model import AuthClass, Disposition, Level, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.scoring import reputation_of
from reputation.signals import LONG_TALK_SECONDS
from reputation.weights import DEFAULT, Weights

WILSON_Z = 1.96  # 95 %


class Method(Protocol):
    """A method that judges a number by its past calls and marks."""

    def learn(self, outcome: OutcomeRecord) -> object: ...
    def add_mark(self, mark: Mark) -> None: ...
    def level(self, callee: str, now: float) -> Level: ...


class Model:
    """CallSieve's model, but without blocks, feeds, signatures and quiet hours.

    It includes one-ring calls and the ties of callees.
    """

    def __init__(self, weights: Weights = DEFAULT) -> None:
        self._ledger = MemoryStore(weights)
        self._weights = weights

    def learn(self, outcome: OutcomeRecord) -> object:
        return self._ledger.learn(outcome)

    def add_mark(self, mark: Mark) -> None:
        self._ledger.add_mark(mark)

    def level(self, callee: str, now: float) -> Level:
        """Return the level for a call to `callee`.

        The level is NONE if this callee has called the number before and talked (step 6 of the policies' order of
        precedence).
        """
        if self._is_related(callee, now):
            return Level.NONE
        evidence = self._ledger.evidence(NUMBER, AuthClass.UNKNOWN, now)
        return reputation_of(evidence, NO_CIRCUMSTANCES, self._weights, now).level

    def _is_related(self, callee: str, now: float) -> bool:
        return (
            any(who == callee for who, _ in self._ledger.talks(NUMBER, now))
            and self._ledger.one_ring_at(NUMBER, now) is None
        )


@dataclass(slots=True)
class Tally:
    """Counts about a number that simple methods use.

    `good_talks`: conversations of more than a minute, in either direction.
    """

    marks: int = 0
    good_talks: int = 0
    reporters: dict[str, tuple[float, Verdict]] = field(default_factory=dict)
    reported: deque[float] = field(default_factory=deque)

    def distinct(self, now: float, days: float, verdict: Verdict = Verdict.SPAM) -> int:
        """Return how many different people gave this verdict in the last `days` days."""
        since = now - days * DAY_SECONDS
        return sum(at >= since and given is verdict for at, given in self.reporters.values())


Rule = Callable[[Tally, float], bool]


class Simple:
    """A method that stops the number's calls to everybody while a rule holds."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._tally = Tally()

    def learn(self, outcome: OutcomeRecord) -> object:
        answered = outcome.disposition is Disposition.ANSWERED
        self._tally.good_talks += answered and outcome.talk_seconds > LONG_TALK_SECONDS
        return None

    def add_mark(self, mark: Mark) -> None:
        self._tally.marks += mark.verdict is Verdict.SPAM
        self._tally.reporters[mark.reporter] = (mark.at, mark.verdict)

    def level(self, callee: str, now: float) -> Level:
        return Level.CHALLENGE if self._rule(self._tally, now) else Level.NONE


def any_mark(tally: Tally, _now: float) -> bool:
    """Return whether anybody ever marked the number, like FreePBX's blacklist if everybody may add numbers."""
    return tally.marks >= 1


def three_marks(tally: Tally, _now: float) -> bool:
    return tally.marks >= 3


def three_reporters(tally: Tally, now: float) -> bool:
    return tally.distinct(now, 14) >= 3


def beta(tally: Tally, _now: float) -> bool:
    """Return whether the mean of Beta(1 + marks, 1 + good talks) is 0.8 or more (Josang & Ismail 2002).

    Repeated marks by the same person count.
    """
    return (1 + tally.marks) / (2 + tally.marks + tally.good_talks) >= 0.8


def wilson(tally: Tally, now: float) -> bool:
    """Return whether half of the people who marked in the last 125 days say spam, by the lower Wilson bound."""
    return wilson_bound(tally.distinct(now, 125), tally.distinct(now, 125, Verdict.OK)) >= 0.5


def wilson_bound(bad: int, good: int, z: float = WILSON_Z) -> float:
    """Return the lower bound of the Wilson interval for `bad / (bad + good)`; 0 if both are 0."""
    return wilson_interval(bad, bad + good, z).low


BASELINES: Mapping[str, Callable[[], Method]] = {
    "FreePBX blacklist (one mark blocks the number for everybody and for ever)": lambda: Simple(any_mark),
    "3 marks or more": lambda: Simple(three_marks),
    "marks by 3 people or more in 14 days": lambda: Simple(three_reporters),
    "Beta mean >= 0.8 (marks, compared with conversations of more than a minute)": lambda: Simple(beta),
    "Wilson bound >= 0.5 (share who say spam, of the people who marked in 125 days)": lambda: Simple(wilson),
}
MODEL = "CallSieve"
