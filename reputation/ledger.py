"""Evidence rows in memory, for a replay: the same keys and the same rules as the store's (reputation/store).

    ledger.learn(outcome); ledger.add_mark(mark)                 in any order, more than once
    ledger.evidence(number, auth_class, now) -> Evidence         what is known of a number in a class of calls

What a call shows is what one witness says: a standing that was asked for moves by that, and is folded from all rows of
the number only where that does not do (reputation.standing.with_witness).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import inf

from reputation.families.block import is_bad
from reputation.levels import Evidence
from reputation.model import Answered, AuthClass, Direction, Mark, OutcomeRecord, Signal, SignalCategory, Verdict
from reputation.signals import (
    ANOTHER_DAY_SECONDS,
    ONE_RING_GUARD_SECONDS,
    RELATIONSHIP_SECONDS,
    Lessons,
    latest_by_key,
    lessons_of,
    signal_of_mark,
)
from reputation.standing import Rows, Standing, standing_of, with_witness
from reputation.weights import DEFAULT, Weights

SignalKey = tuple[AuthClass, str, SignalCategory]


@dataclass(slots=True)
class _Known:
    """All rows of one number. `standings` are folds that are still good."""

    marks: dict[tuple[AuthClass, str], Mark] = field(default_factory=dict)
    signals: dict[SignalKey, Signal] = field(default_factory=dict)
    category_of_call: dict[str, SignalCategory] = field(default_factory=dict)
    answered: dict[tuple[AuthClass, str], Answered] = field(default_factory=dict)
    talks: dict[str, float] = field(default_factory=dict)
    talks_from: dict[tuple[AuthClass, str], tuple[float, float, str]] = field(default_factory=dict)
    one_rings: set[tuple[float, AuthClass]] = field(default_factory=set)
    called_back_at: float = -inf  # the latest, for one-ring calls that come to be known later
    standings: dict[AuthClass, Standing | None] = field(default_factory=dict)


class Ledger:
    """What calls and marks have shown so far. Of one epoch; `trust` is that in a reporter."""

    def __init__(self, weights: Weights = DEFAULT, trust: Callable[[str], float] = lambda _reporter: 1.0) -> None:
        self.weights = weights
        self._trust = trust
        self._known: defaultdict[str, _Known] = defaultdict(_Known)
        self._blocks: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, outcome: OutcomeRecord) -> Signal | None:
        """Adds all that the call shows, and returns the signal that it is."""
        lessons = lessons_of(outcome)
        if outcome.number is None or not any(lessons):
            return None
        known = self._known_of(outcome.number)
        said = lessons.answered or lessons.signal
        moved = self._parts(known, said.callee, outcome) if said is not None else {}
        signal = _learnt(known, lessons, outcome.auth_class)
        for auth_class, before in moved.items():
            after = self._part(known, said.callee, auth_class) if said is not None else None
            total = known.standings.pop(auth_class)
            changed = total and with_witness(total, before, after, self.weights)
            if changed is not None:
                known.standings[auth_class] = changed
        return signal

    def add_mark(self, mark: Mark) -> None:
        """What a person says; what was said later stays, at equal times a retraction."""
        known = self._known_of(mark.number)
        known.standings.clear()
        key = (mark.auth_class, mark.reporter)
        other = known.marks.get(key)
        if other is None or _precedence(mark) > _precedence(other):
            known.marks[key] = mark

    def evidence(
        self, number: str, auth_class: AuthClass, now: float, listed: Collection[str] = frozenset()
    ) -> Evidence:
        """What is known of the number in this class of calls. `listed`: its neighbours that are on a feed."""
        neighbours = self._bad_neighbours(number, auth_class, now, listed)
        return Evidence(standing=self.standing(number, auth_class), bad_neighbours=neighbours)

    def standing(self, number: str, auth_class: AuthClass) -> Standing | None:
        """The fold over the number's rows in this class."""
        known = self._known.get(number)
        if known is None:
            return None
        if auth_class not in known.standings:
            known.standings[auth_class] = standing_of(_all_rows(known), auth_class, self.weights, trust=self._trust)
        return known.standings[auth_class]

    def rows(self, number: str) -> Rows:
        """The rows of the number, as they count."""
        return _all_rows(self._known[number]) if number in self._known else Rows()

    def numbers(self) -> Iterator[str]:
        """Every number of which something is known."""
        return iter(self._known)

    def talks(self, number: str, now: float) -> list[tuple[str, float]]:
        """Who of us has called the number and talked within 180 days, and when last."""
        known = self._known.get(number)
        if known is None or not known.talks:
            return []
        return [
            (who, at)
            for who, at in known.talks.items()
            if at > now - RELATIONSHIP_SECONDS and not _is_guarded(known, at)
        ]

    def one_ring_at(self, number: str, now: float) -> float | None:
        """When the number last rang once and gave up, if that is less than a day ago."""
        known = self._known.get(number)
        if known is None or not known.one_rings:
            return None
        return max((at for at, _ in known.one_rings if at > now - ONE_RING_GUARD_SECONDS), default=None)

    def marks(self, number: str) -> list[Mark]:
        """What people say about the number."""
        return list(self._known[number].marks.values()) if number in self._known else []

    def _known_of(self, number: str) -> _Known:
        self._blocks[number[:-3]].add(number)
        return self._known[number]

    def _parts(self, known: _Known, witness: str, outcome: OutcomeRecord) -> dict[AuthClass, Standing | None]:
        """What the witness says until now, in the classes whose standing is known and may move by the call.

        Calls of the number speak in their own class, a call-back in others too.
        """
        if outcome.direction is Direction.OUTBOUND:
            return {one: self._part(known, witness, one) for one in known.standings}
        one = outcome.auth_class
        return {one: self._part(known, witness, one)} if one in known.standings else {}

    def _part(self, known: _Known, witness: str, auth_class: AuthClass) -> Standing | None:
        """The standing that the number would have if nobody else had said anything."""
        own, back = (auth_class, witness), (AuthClass.UNKNOWN, witness, SignalCategory.CALLED_BACK)
        signals = [known.signals.get((*own, category)) for category in SignalCategory]
        if auth_class is not AuthClass.UNKNOWN:
            signals.append(known.signals.get(back))
        marks = [known.marks.get((one, witness)) for one in AuthClass] if known.marks else ()
        rows = _rows(known, filter(None, marks), filter(None, signals), filter(None, (known.answered.get(own),)))
        return standing_of(rows, auth_class, self.weights, trust=self._trust)

    def _bad_neighbours(self, number: str, auth_class: AuthClass, now: float, listed: Collection[str]) -> int:
        """Distinct bad numbers of the block, as far as it is worth counting."""
        neighbours = self._blocks.get(number[:-3], set[str]())
        if len(neighbours) + len(listed) < self.weights.block.some:
            return 0
        bad = len(listed)
        for one in neighbours:
            if bad >= self.weights.block.many:
                break
            if one != number and one not in listed and len(one) == len(number):
                bad += is_bad(self.standing(one, auth_class), (), self.weights, now)
        return bad


def _learnt(known: _Known, lessons: Lessons, auth_class: AuthClass) -> Signal | None:
    """Puts what a call shows where it belongs. The signal that it is."""
    if lessons.answered is not None:
        key = (lessons.answered.auth_class, lessons.answered.callee)
        known.answered[key] = max(known.answered.get(key, lessons.answered), lessons.answered, key=_at)
    if lessons.talk_to is not None:
        who, at = lessons.talk_to.callee, lessons.talk_to.at
        known.talks[who] = max(known.talks.get(who, at), at)
    if lessons.one_ring_at is not None:
        known.one_rings.add((lessons.one_ring_at, auth_class))
        if known.called_back_at >= lessons.one_ring_at:
            known.standings.clear()
    signal = lessons.signal
    if lessons.talk_from is not None:
        signal = _second_talk(known, lessons.talk_from) or signal
    if signal is not None:
        _add_signal(known, signal)
    return signal


def _second_talk(known: _Known, talk: Signal) -> Signal | None:
    key = (talk.auth_class, talk.callee)
    first_at, at, linkedid = known.talks_from.get(key, (talk.at, talk.at, talk.linkedid))
    first_at = min(first_at, talk.at)
    at, linkedid = max((at, linkedid), (talk.at, talk.linkedid))
    known.talks_from[key] = (first_at, at, linkedid)
    if at - first_at < ANOTHER_DAY_SECONDS:
        return None
    dropped = known.signals.pop((*key, SignalCategory.LONG_TALK), None)
    if dropped is not None:
        known.category_of_call.pop(dropped.linkedid, None)
    return replace(talk, at=at, linkedid=linkedid)


def _add_signal(known: _Known, signal: Signal) -> None:
    """Of a callee and category the latest; a call that is told otherwise by another source adds nothing."""
    if known.category_of_call.get(signal.linkedid, signal.category) is not signal.category:
        return
    key = (signal.auth_class, signal.callee, signal.category)
    other = known.signals.get(key)
    if other is not None and (other.at, other.linkedid) >= (signal.at, signal.linkedid):
        return
    if other is not None:
        known.category_of_call.pop(other.linkedid, None)
    known.signals[key] = signal
    if signal.category is SignalCategory.CALLED_BACK:
        known.called_back_at = max(known.called_back_at, signal.at)
    known.category_of_call[signal.linkedid] = signal.category


def _all_rows(known: _Known) -> Rows:
    return _rows(known, known.marks.values(), known.signals.values(), known.answered.values())


def _rows(known: _Known, marks: Iterable[Mark], signals: Iterable[Signal], answered: Iterable[Answered]) -> Rows:
    """Of these rows of a number those that count, with what "not spam" says besides."""
    marks = tuple(marks)
    shown = [
        signal
        for signal in signals
        if signal.category is not SignalCategory.CALLED_BACK or not _is_asked_for(known, signal.at)
    ]
    said = [signal for mark in marks if (signal := signal_of_mark(mark))]
    return Rows(marks, latest_by_key([*shown, *said]) if said else shown, tuple(answered))


def _is_guarded(known: _Known, at: float) -> bool:
    """Whether a talk came within a day after a one-ring call, which is what such calls are for."""
    return any(at - ONE_RING_GUARD_SECONDS < rang <= at for rang, _ in known.one_rings)


def _is_asked_for(known: _Known, at: float) -> bool:
    """The same for a call-back as evidence: a one-ring call with a borrowed number says nothing of the owner."""
    return any(
        at - ONE_RING_GUARD_SECONDS < rang <= at and auth_class is not AuthClass.UNAUTHENTICATED
        for rang, auth_class in known.one_rings
    )


def _at(answered: Answered) -> float:
    return answered.at


def _precedence(mark: Mark) -> tuple[object, ...]:
    """The later wins; at equal times a retraction, then the text that comes last (as in the store)."""
    words = (mark.group or "", mark.category or "", mark.reason, mark.linkedid or "")
    return (mark.at, mark.verdict is Verdict.RETRACTED, mark.verdict.value, mark.channel.value, *words)
