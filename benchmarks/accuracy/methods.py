"""What is compared: the real code, and the simple methods that people use. Each learns from one number's stream.

A method is asked at each inbound call for a level; CHALLENGE or more is "stopped". The simple ones know one level.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.accuracy.happening import NUMBER
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
    """One way to judge a number."""

    def learn(self, outcome: OutcomeRecord) -> object: ...
    def add_mark(self, mark: Mark) -> None: ...
    def level(self, callee: str, now: float) -> Level: ...


class Model:
    """CallSieve: the seven counts, one-ring calls and relationship; no block, feeds, attestation or quiet hours."""

    def __init__(self, weights: Weights = DEFAULT) -> None:
        self._ledger = MemoryStore(weights)
        self._weights = weights

    def learn(self, outcome: OutcomeRecord) -> object:
        return self._ledger.learn(outcome)

    def add_mark(self, mark: Mark) -> None:
        self._ledger.add_mark(mark)

    def level(self, callee: str, now: float) -> Level:
        """The level, none for a callee who has called the number and talked (step 6 of the precedence)."""
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
    """What the simple methods look at. `good_talks`: of more than a minute, whoever called."""

    marks: int = 0
    good_talks: int = 0
    reporters: dict[str, tuple[float, Verdict]] = field(default_factory=dict)
    reported: deque[float] = field(default_factory=deque)

    def distinct(self, now: float, days: float, verdict: Verdict = Verdict.SPAM) -> int:
        """How many people have said so lately."""
        since = now - days * DAY_SECONDS
        return sum(at >= since and said is verdict for at, said in self.reporters.values())


Rule = Callable[[Tally, float], bool]


class Simple:
    """A method that stops a number, for everybody, while a rule holds."""

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
    """FreePBX's blacklist as everybody's handset can fill it: one mark, for all, for ever."""
    return tally.marks >= 1


def three_marks(tally: Tally, _now: float) -> bool:
    """Three marks by whomever."""
    return tally.marks >= 3


def three_reporters(tally: Tally, now: float) -> bool:
    """Three distinct people within 14 days."""
    return tally.distinct(now, 14) >= 3


def beta(tally: Tally, _now: float) -> bool:
    """The mean of Beta(1 + marks, 1 + good talks), repeats and all (Josang & Ismail 2002), is 0.8 or more."""
    return (1 + tally.marks) / (2 + tally.marks + tally.good_talks) >= 0.8


def wilson(tally: Tally, now: float) -> bool:
    """The lower Wilson bound of the share of distinct voters within 125 days who say spam is 0.5 or more."""
    return wilson_bound(tally.distinct(now, 125), tally.distinct(now, 125, Verdict.OK)) >= 0.5


def wilson_bound(bad: int, good: int, z: float = WILSON_Z) -> float:
    """The lower end of Wilson's interval of the share `bad / (bad + good)`; 0 of nothing."""
    return wilson_interval(bad, bad + good, z).low


BASELINES: Mapping[str, Callable[[], Method]] = {
    "FreePBX blacklist (one mark, for all, for ever)": lambda: Simple(any_mark),
    "3 marks or more": lambda: Simple(three_marks),
    "3 distinct reporters or more in 14 d": lambda: Simple(three_reporters),
    "plain Beta >= 0.8": lambda: Simple(beta),
    "distinct reporters in 125 d, Wilson >= 0.5": lambda: Simple(wilson),
}
MODEL = "CallSieve"
