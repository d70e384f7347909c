"""Find probable mistakes: stopped or warned calls from numbers that people wanted to hear from.

Often a later call shows that a number was wanted. So all calls are counted first, in time order, and judged at the end.
A wanted automated caller (a reminder, an alarm, a lift) cannot press a digit, and people rarely call it back. So
evidence in favour of a number can suffice to count its calls as mistakes, unless a blocklist stopped all of them. A
number that was challenged without any evidence (preset `strangers`) needs less evidence in its favour. Such a number
does not count if the caller later pressed the digit.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from reputation.encoding import Instant, encoded
from reputation.families.counts import SIGNAL_WORDS
from reputation.model import Challenged, ChallengeResult, Direction, Identity, Level, SignalCategory, Verdict
from reputation.outcome import OutcomeRecord
from reputation.scoring import VERIFIED_LEVEL
from reputation.signals import ANOTHER_DAY_SECONDS, is_call_back, is_long_talk
from reputation.standing import Rows
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

# Likelihood that a number was wanted, by the kind of reason. From WANTED on, evidence alone is enough.
SURE, LIKELY, SOME, LITTLE = 6, 3, 2, 1
AGAINST_OF_MARK, AGAINST_OF_HANG_UP = 2, 1  # for each person
WANTED = 3
# Calls on at least so many days, within this part of the day, to few of our lines: only machines call like that.
REGULAR_CALLS = 3
REGULAR_SECONDS = 1800.0
REGULAR_WITHIN_SECONDS = 30 * DAY_SECONDS
SAME_CALL_SECONDS = 60.0  # a challenge has the time at which its call began, a decision a later one
FEW_LINES = 2
KEPT_TIMES = 12
BY_LISTS = frozenset({"blocklist", "callee-blocklist"})
# How to let a machine ring, by codes for scripts.
REMEDIES = {
    "not-spam": "*38",
    "allow": 'callsieve list add allow NUMBER --note "machine, wanted"',
    "prove": "callsieve identity code NUMBER",
}

STOPPED = frozenset({"challenge", "route", "reject"})
WARNED = frozenset({"warn"})
MANY_TALKERS = 2


class DecidedCall(NamedTuple):
    """A decision about an incoming call. `level`: the action that the evidence alone would have justified."""

    number: str | None
    at: float
    action: str
    rule: str
    did: str | None
    level: str

    @property
    def is_asked_unsuspected(self) -> bool:
        """Whether the caller was challenged without any evidence, only because nobody here knows the number."""
        return self.action == "challenge" and self.level == Level.NONE.word


class KnownCallers(NamedTuple):
    """Facts about a number that speak in its favour. `is_own`: whether the number is one of our own numbers.

    `confirmed_at`: when somebody here last confirmed that calls from the number were treated correctly.
    """

    is_contact: bool = False
    identity: Identity | None = None
    is_own: bool = False
    confirmed_at: float | None = None


@dataclass(frozen=True, slots=True)
class FalsePositive:
    """A number whose calls should perhaps have rung. `why`: the facts that suggest that its calls were wanted.

    `actions`, `rules`: how many of its calls got each action, and how many each rule decided. `likelihood`: the points
    of these facts, minus points for marks and hang-ups; not a probability. `is_machine`: whether the caller pressed
    nothing when challenged or calls like an automated caller.
    """

    number: str
    actions: dict[str, int]
    rules: dict[str, int]
    last_at: Instant
    why: tuple[Wording, ...]
    likelihood: int = 0
    is_machine: bool = False

    @property
    @encoded
    def calls(self) -> int:
        """How many calls of this number were probably stopped or warned about by mistake."""
        return sum(self.actions.values())

    @property
    @encoded
    def remedies(self) -> dict[str, str]:
        """Ways to let an automated caller ring, by code; empty for a person."""
        return {code: how.replace("NUMBER", self.number) for code, how in REMEDIES.items()} if self.is_machine else {}


class ProbableMistakes(NamedTuple):
    """How many calls were probably stopped or warned about by mistake, and the numbers from which they came."""

    calls: int
    numbers: Sequence[FalsePositive]

    @classmethod
    def of(cls, mistakes: Sequence[FalsePositive]) -> ProbableMistakes:
        """Return these mistakes with the total count of their calls."""
        return cls(count_of(mistakes), mistakes)


@dataclass(slots=True)
class _NumberCalls:
    """The calls of one number. `unsuspected`: how many calls were challenged without evidence.

    `called_back`: how many calls got each action before somebody here last called the number back and talked.
    """

    actions: Counter[str] = field(default_factory=Counter)
    unsuspected: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0
    called_back: Counter[str] = field(default_factory=Counter)
    times: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))
    lines: set[str] = field(default_factory=set)


class Stops:
    """The calls that got one of `actions`, and facts in favour of their numbers. Calls must be added in time order."""

    def __init__(self, actions: frozenset[str] = STOPPED) -> None:
        self.calls = 0
        self._actions = actions
        self._calls_of: dict[str, _NumberCalls] = {}

    def add_call(self, call: DecidedCall) -> None:
        """Count a call if its action is one of the actions to count."""
        if call.action not in self._actions:
            return
        self.calls += 1
        if call.number is None:
            return
        calls = self._calls_of.get(call.number)
        if calls is None:
            calls = self._calls_of[call.number] = _NumberCalls()
        calls.actions[call.action] += 1
        calls.rules[call.rule] += 1
        calls.unsuspected += call.is_asked_unsuspected
        calls.last_at = call.at
        calls.times.append(call.at)
        if len(calls.lines) <= FEW_LINES:
            calls.lines.add(call.did or "")

    def call_back(self, number: str) -> None:
        """Record that somebody here called the number and talked."""
        calls = self._calls_of.get(number)
        if calls is not None:
            calls.called_back = calls.actions.copy()

    def mistakes(
        self,
        long_talks: Callable[[str], int],
        known_of: Callable[[str], KnownCallers],
        rows_of: Callable[[str], Rows] = lambda _number: Rows(),
    ) -> list[FalsePositive]:
        """Return the numbers with facts in their favour: automated callers first, then by likelihood and calls.

        `long_talks` returns how many people here talked with a number for more than a minute. `rows_of` returns the
        evidence about a number.
        """
        mistakes = [
            mistake
            for number, calls in self._calls_of.items()
            if (mistake := _mistake(number, calls, long_talks(number), known_of(number), rows_of(number)))
        ]
        return sorted(mistakes, key=_rank)


class Talks:
    """For each number, the people who answered a call from it and talked for more than a minute."""

    def __init__(self) -> None:
        self._people: dict[str, set[str]] = {}

    def add(self, outcome: OutcomeRecord) -> None:
        """Add a call. Only incoming calls count."""
        if is_long_talk(outcome) and outcome.direction is Direction.INBOUND and outcome.number and outcome.person:
            self._people.setdefault(outcome.number, set()).add(outcome.person)

    def of(self, number: str) -> int:
        """Return how many people talked with the number for more than a minute."""
        return len(self._people.get(number, ()))


def call_back_number(outcome: OutcomeRecord, one_ring_at: Callable[[str, float], float | None]) -> str | None:
    """Return the number that a person here called and talked to.

    Return None for other calls, and if the number had let a phone ring only once in the day before (a one-ring call).
    """
    if outcome.direction is not Direction.OUTBOUND or outcome.number is None or not is_call_back(outcome):
        return None
    return outcome.number if one_ring_at(outcome.number, outcome.at) is None else None


def count_of(mistakes: Iterable[FalsePositive]) -> int:
    """Return the total count of calls that were probably stopped or warned about by mistake."""
    return sum(mistake.calls for mistake in mistakes)


def _rank(mistake: FalsePositive) -> tuple[object, ...]:
    return not mistake.is_machine, -mistake.likelihood if mistake.is_machine else 0, -mistake.calls, mistake.number


Reason = tuple[int, Wording]


def _mistake(number: str, calls: _NumberCalls, talkers: int, known: KnownCallers, rows: Rows) -> FalsePositive | None:
    if known.confirmed_at is not None and calls.last_at <= known.confirmed_at:
        return None
    if calls.unsuspected == calls.actions.total() and _with_result(rows, ChallengeResult.PASSED):
        return None
    sure = [*_reasons_of_store(known), *_reasons_of_talks(talkers)]
    is_listed = calls.rules.keys() <= BY_LISTS
    failed, regular = _fails_in_silence(rows), [] if is_listed else list(_reasons_of_times(calls, rows))
    shown = [] if is_listed else [*regular, *_reasons_of_evidence(rows, talkers)]
    if shown and calls.unsuspected:
        shown.append((LITTLE, Wording("the call was challenged only because nobody here knows the number")))
    if calls.called_back:
        sure.insert(0, (SURE, Wording("one of our people called the number back later and talked")))
    likelihood = sum(points for points, _ in [*sure, *shown]) - _against(rows)
    is_wanted = bool(shown) and likelihood >= WANTED
    if not sure and not is_wanted:
        return None
    # Most reasons speak for all calls of the number. A call-back only speaks for those before it.
    only_called_back = bool(calls.called_back) and len(sure) == 1 and not is_wanted
    actions = calls.called_back if only_called_back else calls.actions
    why = [*(words for _, words in sure), *(words for _, words in shown if is_wanted), *failed]
    return FalsePositive(
        number=number,
        actions=dict(actions.most_common()),
        rules=dict(calls.rules.most_common()),
        last_at=calls.last_at,
        why=tuple(why),
        likelihood=likelihood,
        is_machine=bool(failed or regular),
    )


def _reasons_of_store(known: KnownCallers) -> Iterator[Reason]:
    if known.is_contact:
        yield SURE, Wording("the number is a contact of somebody here")
    if known.identity is not None and known.identity.level >= VERIFIED_LEVEL:
        yield SURE, Wording("the number is verified as {name}", {"name": known.identity.name})
    if known.is_own:
        yield SURE, Wording("the number is one of our own numbers")


def _reasons_of_talks(people: int) -> Iterator[Reason]:
    if people >= MANY_TALKERS:
        yield (
            LIKELY,
            Wording("{people} of our people talked with the caller for more than a minute", {"people": people}),
        )


def _reasons_of_times(calls: _NumberCalls, rows: Rows) -> Iterator[Reason]:
    """Yield a reason if the calls came too regularly for a person. Earlier challenged calls count too."""
    begin, end = calls.last_at - REGULAR_WITHIN_SECONDS, calls.times[0] - SAME_CALL_SECONDS
    earlier = [challenge for challenge in rows.challenges if challenge.linkedid and begin < challenge.at < end]
    at = sorted([*(challenge.at for challenge in earlier), *calls.times])[-KEPT_TIMES:]
    days = 1 + sum(after - before >= ANOTHER_DAY_SECONDS for before, after in pairwise(at))
    if days < REGULAR_CALLS or len(calls.lines | {challenge.did for challenge in earlier}) > FEW_LINES:
        return
    times = sorted(challenge % DAY_SECONDS for challenge in at)
    gaps = [after - before for before, after in pairwise((*times, times[0] + DAY_SECONDS))]
    if DAY_SECONDS - max(gaps) <= REGULAR_SECONDS:
        yield LIKELY, Wording("the caller calls the same number at the same time every day")


def _reasons_of_evidence(rows: Rows, talkers: int) -> Iterator[Reason]:
    by_category = Counter(signal.category for signal in rows.signals)
    if not_spam := by_category[SignalCategory.NOT_SPAM]:
        yield SURE, SIGNAL_WORDS["not-spam"].of(not_spam)
    if left := by_category[SignalCategory.VOICEMAIL] or len(_with_result(rows, ChallengeResult.MESSAGE)):
        yield SOME, SIGNAL_WORDS["voicemail"].of(left)
    if talked := by_category[SignalCategory.SECOND_TALK]:
        yield SOME, SIGNAL_WORDS["second-talk"].of(talked)
    heard = {call.callee for call in rows.answered} - _marked(rows) - _hung_up(rows)
    if heard and talkers < MANY_TALKERS:
        singular, many = (
            "one of our people answered a call and did not mark the number",
            "{n} of our people answered a call and did not mark the number",
        )
        yield LITTLE, Wording(singular) if len(heard) == 1 else Wording(many, {"n": len(heard)})


def _fails_in_silence(rows: Rows) -> list[Wording]:
    if _with_result(rows, ChallengeResult.PASSED):
        return []
    failures = _with_result(rows, ChallengeResult.SILENT, ChallengeResult.MESSAGE)
    return [Wording("the caller pressed nothing when challenged, as an automated caller does")] if failures else []


def _with_result(rows: Rows, *results: ChallengeResult) -> list[Challenged]:
    return [challenge for challenge in rows.challenges if challenge.result in results]


def _marked(rows: Rows) -> set[str]:
    return {mark.reporter for mark in rows.marks if mark.verdict is Verdict.SPAM}


def _hung_up(rows: Rows) -> set[str]:
    return {signal.callee for signal in rows.signals if signal.category is SignalCategory.HUNG_UP_ON}


def _against(rows: Rows) -> int:
    return AGAINST_OF_MARK * len(_marked(rows)) + AGAINST_OF_HANG_UP * len(_hung_up(rows) - _marked(rows))
