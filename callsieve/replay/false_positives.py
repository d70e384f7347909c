"""Probable mistakes: calls that were stopped, or warned of, from numbers that somebody of ours wanted to hear from.

What speaks for a number is known only later, so all calls are counted first: `Stops` is told of them in time order and
then asked. The replay and `callsieve summary` share it.

A wanted machine (a reminder, an alarm, a lift) cannot press a digit and is hardly called back: of a number that sources
or people's lists do not stop, what its evidence says for it counts too, and machines come first. A number that was
asked only because nobody here knows it (preset `strangers`) needs less, and none is listed that then pressed the digit.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from reputation.families.counts import SIGNAL_WORDS
from reputation.model import Challenged, ChallengeResult, Direction, Identity, Level, SignalCategory, Verdict
from reputation.outcome import OutcomeRecord
from reputation.scoring import VERIFIED_LEVEL
from reputation.signals import ANOTHER_DAY_SECONDS, is_call_back, is_long_talk
from reputation.standing import Rows
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

# How likely it was wanted, by what speaks for it; of WANTED on, what its evidence says is enough by itself.
SURE, LIKELY, SOME, LITTLE = 6, 3, 2, 1
AGAINST_OF_MARK, AGAINST_OF_HANG_UP = 2, 1  # for each person
WANTED = 3
# Calls that often, on as many days, within so much of the time of day, to so few of our lines: nobody but a machine.
REGULAR_CALLS = 3
REGULAR_SECONDS = 1800.0
REGULAR_WITHIN_SECONDS = 30 * DAY_SECONDS
SAME_CALL_SECONDS = 60.0  # a challenge is dated by its call's beginning, a decision is later
FEW_LINES = 2
KEPT_TIMES = 12
BY_LISTS = frozenset({"blocklist", "callee-blocklist"})
# How to let a machine ring; NUMBER is its number. Codes for scripts.
REMEDIES = {
    "not-spam": "*38",
    "allow": 'callsieve list add allow NUMBER --note "machine, wanted"',
    "prove": "callsieve identity code NUMBER",
}

STOPPED = frozenset({"challenge", "route", "reject"})
WARNED = frozenset({"warn"})
MANY_TALKERS = 2


class DecidedCall(NamedTuple):
    """A decision about an inbound call to a number of ours. `level`: what the evidence alone would have justified."""

    number: str | None
    at: float
    action: str
    rule: str
    did: str | None
    level: str

    @property
    def is_asked_unsuspected(self) -> bool:
        """Whether the caller was asked to press a digit on no evidence: only because nobody here knows the number."""
        return self.action == "challenge" and self.level == Level.NONE.word


class KnownCallers(NamedTuple):
    """What the store says for a number. `is_own`: it is one of our own numbers."""

    is_contact: bool = False
    identity: Identity | None = None
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class FalsePositive:
    """A number whose calls should perhaps have gone through. `actions` and `rules` count those calls, `why` says so.

    `likelihood` orders them and is no probability. `is_machine`: it pressed nothing when it was challenged, or calls as
    only a machine does.
    """

    number: str
    actions: dict[str, int]
    rules: dict[str, int]
    last_at: float
    why: tuple[Wording, ...]
    likelihood: int = 0
    is_machine: bool = False

    @property
    def calls(self) -> int:
        """How many calls."""
        return sum(self.actions.values())


@dataclass(slots=True)
class _Of:
    """Calls of one number.

    Attributes:
        called_back: As many as there were when we last called the number and talked.
        unsuspected: How many of them were asked on no evidence.
    """

    actions: Counter[str] = field(default_factory=Counter)
    unsuspected: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0
    called_back: Counter[str] = field(default_factory=Counter)
    times: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))
    lines: set[str] = field(default_factory=set)


class Stops:
    """Counts, in time order, the calls on which one of `actions` was ordered, and what happened with their numbers."""

    def __init__(self, actions: frozenset[str] = STOPPED) -> None:
        self.calls = 0
        self._actions = actions
        self._of: dict[str, _Of] = {}

    def add_call(self, call: DecidedCall) -> None:
        """Count a call, if one of the actions was ordered on it."""
        if call.action not in self._actions:
            return
        self.calls += 1
        if call.number is None:
            return
        of = self._of.get(call.number)
        if of is None:
            of = self._of[call.number] = _Of()
        of.actions[call.action] += 1
        of.rules[call.rule] += 1
        of.unsuspected += call.is_asked_unsuspected
        of.last_at = call.at
        of.times.append(call.at)
        if len(of.lines) <= FEW_LINES:
            of.lines.add(call.did or "")

    def call_back(self, number: str) -> None:
        """One of us calls the number and talks."""
        of = self._of.get(number)
        if of is not None:
            of.called_back = of.actions.copy()

    def mistakes(
        self,
        long_talks: Callable[[str], int],
        known_of: Callable[[str], KnownCallers],
        rows_of: Callable[[str], Rows] = lambda _number: Rows(),
    ) -> list[FalsePositive]:
        """The numbers that something speaks for: machines first, the likeliest of them, then by calls.

        `long_talks`: with how many of us a number talked long; `rows_of`: its evidence.
        """
        found = [
            mistake
            for number, of in self._of.items()
            if (mistake := _mistake(number, of, long_talks(number), known_of(number), rows_of(number)))
        ]
        return sorted(found, key=_rank)


class Talks:
    """Who of ours has talked long with which number."""

    def __init__(self) -> None:
        self._people: dict[str, set[str]] = {}

    def add(self, outcome: OutcomeRecord) -> None:
        """One call, inbound or not."""
        if is_long_talk(outcome) and outcome.direction is Direction.INBOUND and outcome.number and outcome.person:
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


def remedies(number: str) -> dict[str, str]:
    """How to let a machine with this number ring, by code."""
    return {code: how.replace("NUMBER", number) for code, how in REMEDIES.items()}


def _rank(one: FalsePositive) -> tuple[object, ...]:
    return not one.is_machine, -one.likelihood if one.is_machine else 0, -one.calls, one.number


Reason = tuple[int, Wording]


def _mistake(number: str, of: _Of, talkers: int, known: KnownCallers, rows: Rows) -> FalsePositive | None:
    if of.unsuspected == of.actions.total() and _with_result(rows, ChallengeResult.PASSED):
        return None
    sure = [*_reasons_of_store(known), *_reasons_of_talks(talkers)]
    is_listed = of.rules.keys() <= BY_LISTS
    failed, regular = _fails_in_silence(rows), [] if is_listed else list(_reasons_of_times(of, rows))
    shown = [] if is_listed else [*regular, *_reasons_of_evidence(rows, talkers)]
    if shown and of.unsuspected:
        shown.append((LITTLE, Wording("it was asked only because nobody here knows it")))
    if of.called_back:
        sure.insert(0, (SURE, Wording("one of our people called it back later and talked")))
    likelihood = sum(points for points, _ in [*sure, *shown]) - _against(rows)
    is_wanted = bool(shown) and likelihood >= WANTED
    if not sure and not is_wanted:
        return None
    # What speaks for the number at any time speaks for all of its calls; a call-back for those before it.
    only_called_back = bool(of.called_back) and len(sure) == 1 and not is_wanted
    actions = of.called_back if only_called_back else of.actions
    why = [*(words for _, words in sure), *(words for _, words in shown if is_wanted), *failed]
    return FalsePositive(
        number=number,
        actions=dict(actions.most_common()),
        rules=dict(of.rules.most_common()),
        last_at=of.last_at,
        why=tuple(why),
        likelihood=likelihood,
        is_machine=bool(failed or regular),
    )


def _reasons_of_store(known: KnownCallers) -> Iterator[Reason]:
    if known.is_contact:
        yield SURE, Wording("it is a contact of somebody here")
    if known.identity is not None and known.identity.level >= VERIFIED_LEVEL:
        yield SURE, Wording("it is verified as {name}", {"name": known.identity.name})
    if known.is_own:
        yield SURE, Wording("it is one of our own numbers")


def _reasons_of_talks(people: int) -> Iterator[Reason]:
    if people >= MANY_TALKERS:
        yield LIKELY, Wording("{people} of our people talked with it for more than a minute", {"people": people})


def _reasons_of_times(of: _Of, rows: Rows) -> Iterator[Reason]:
    """Yield whether its calls were as regular as only a machine's are; earlier calls that were challenged count too."""
    begin, end = of.last_at - REGULAR_WITHIN_SECONDS, of.times[0] - SAME_CALL_SECONDS
    earlier = [one for one in rows.challenges if one.linkedid and begin < one.at < end]
    at = sorted([*(one.at for one in earlier), *of.times])[-KEPT_TIMES:]
    days = 1 + sum(after - before >= ANOTHER_DAY_SECONDS for before, after in pairwise(at))
    if days < REGULAR_CALLS or len(of.lines | {one.did for one in earlier}) > FEW_LINES:
        return
    times = sorted(one % DAY_SECONDS for one in at)
    gaps = [after - before for before, after in pairwise((*times, times[0] + DAY_SECONDS))]
    if DAY_SECONDS - max(gaps) <= REGULAR_SECONDS:
        yield LIKELY, Wording("it calls the same number at the same time every day")


def _reasons_of_evidence(rows: Rows, talkers: int) -> Iterator[Reason]:
    """What people heard of it, who neither marked it nor hung up on it at once."""
    by_category = Counter(signal.category for signal in rows.signals)
    if said := by_category[SignalCategory.NOT_SPAM]:
        yield SURE, SIGNAL_WORDS["not-spam"].of(said)
    if left := by_category[SignalCategory.VOICEMAIL] or len(_with_result(rows, ChallengeResult.MESSAGE)):
        yield SOME, SIGNAL_WORDS["voicemail"].of(left)
    if talked := by_category[SignalCategory.SECOND_TALK]:
        yield SOME, SIGNAL_WORDS["second-talk"].of(talked)
    heard = {one.callee for one in rows.answered} - _marked(rows) - _hung_up(rows)
    if heard and talkers < MANY_TALKERS:
        one, many = (
            "one of our people answered it and did not mark it",
            "{n} of our people answered it and did not mark it",
        )
        yield LITTLE, Wording(one) if len(heard) == 1 else Wording(many, {"n": len(heard)})


def _fails_in_silence(rows: Rows) -> list[Wording]:
    """What it did when it was challenged, if that is what a machine does."""
    if _with_result(rows, ChallengeResult.PASSED):
        return []
    failed = _with_result(rows, ChallengeResult.SILENT, ChallengeResult.MESSAGE)
    return [Wording("it pressed nothing when it was challenged, as machines do")] if failed else []


def _with_result(rows: Rows, *results: ChallengeResult) -> list[Challenged]:
    return [one for one in rows.challenges if one.result in results]


def _marked(rows: Rows) -> set[str]:
    return {mark.reporter for mark in rows.marks if mark.verdict is Verdict.SPAM}


def _hung_up(rows: Rows) -> set[str]:
    return {signal.callee for signal in rows.signals if signal.category is SignalCategory.HUNG_UP_ON}


def _against(rows: Rows) -> int:
    return AGAINST_OF_MARK * len(_marked(rows)) + AGAINST_OF_HANG_UP * len(_hung_up(rows) - _marked(rows))
