"""Evidence rows in memory, for a replay, with the same keys and rules as in the store (reputation/store).

A call changes the rows of a single witness. If possible, only this change is added to the number's cached standing.
Otherwise the standing is computed from all rows of the number (reputation.standing.with_witness).
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import inf

from reputation.evidence import Evidence
from reputation.families.block import is_bad, may_be_bad
from reputation.fold import standing_of
from reputation.model import Answered, AuthClass, Challenged, Mark, SignalCategory, TrapCall, Verdict, Voice
from reputation.numbers import block_of
from reputation.outcome import OutcomeRecord, Signal
from reputation.signals import (
    ANOTHER_DAY_SECONDS,
    CALLED_BACK,
    NO_LESSONS,
    ONE_RING,
    ONE_RING_GUARD_SECONDS,
    RELATIONSHIP_SECONDS,
    SPAMWARD,
    VOICE_SECONDS,
    Lessons,
    latest_by_key,
    lessons_of,
    signal_of_mark,
)
from reputation.site_names import site_of
from reputation.standing import (
    HOUR_SECONDS,
    LIMITED,
    Rows,
    Standing,
    WitnessAccount,
    account_of,
    with_challenges,
    with_witness,
)
from reputation.weights import DEFAULT, Weights


@dataclass(slots=True)
class _Watched:
    """A block in one auth class. `suspects`: its numbers that may be bad. `moved`: its numbers to check again."""

    moved: set[str]
    suspects: set[str] = field(default_factory=set)


class Neighbours:
    """The numbers with evidence in each block of 1000 numbers, and which of them may be bad."""

    def __init__(self, may_be_bad: Callable[[str, AuthClass], bool]) -> None:
        self._may_be_bad = may_be_bad
        self._numbers: defaultdict[str, set[str]] = defaultdict(set)
        self._watched: defaultdict[str, dict[AuthClass, _Watched]] = defaultdict(dict)

    def move(self, number: str) -> None:
        """Record that the evidence about the number has changed, so that the number is checked again."""
        block = block_of(number)
        if block is None:
            return
        self._numbers[block].add(number)
        if block in self._watched:
            for watched in self._watched[block].values():
                watched.moved.add(number)

    def count(self, block: str) -> int:
        """Return how many numbers of the block have evidence."""
        return len(self._numbers.get(block, ()))

    def suspects(self, block: str, auth_class: AuthClass) -> Collection[str]:
        """Return the numbers of the block that may be bad, now or after evidence in favour of the caller has faded."""
        watched = self._watched[block].get(auth_class)
        if watched is None:
            watched = self._watched[block][auth_class] = _Watched(set(self._numbers.get(block, ())))
        for number in watched.moved:
            if self._may_be_bad(number, auth_class):
                watched.suspects.add(number)
            else:
                watched.suspects.discard(number)
        watched.moved.clear()
        return watched.suspects


# Until Python 3.12 a member costs ten times as much as a global name, and every call uses these.
AUTHENTICATED, UNKNOWN, NOT_SPAM = AuthClass.AUTHENTICATED, AuthClass.UNKNOWN, Verdict.OK

Witness = tuple[AuthClass, str]  # a callee, in one class of calls


@dataclass(slots=True)
class _Known:
    """All evidence rows of a number.

    Attributes:
        signals: One signal per witness and category.
        challenges: The challenges by auth class and linkedid.
        busy: How many signals each hour has in each category with an hourly limit.
        one_rings: The times of one-ring calls, in order.
        owned_one_rings: The same without unauthenticated calls, which may be spoofed.
        standings: The sums of the rows by auth class.
    """

    marks: dict[Witness, Mark] = field(default_factory=dict)
    signals: dict[Witness, tuple[Signal, ...]] = field(default_factory=dict)
    category_of_call: dict[str, SignalCategory] = field(default_factory=dict)
    answered: dict[Witness, Answered] = field(default_factory=dict)
    talks: dict[str, float] = field(default_factory=dict)
    talks_from: dict[Witness, tuple[float, float, str]] = field(default_factory=dict)
    challenges: dict[tuple[AuthClass, str], Challenged] = field(default_factory=dict)
    traps: dict[str, TrapCall] = field(default_factory=dict)
    busy: dict[tuple[AuthClass, SignalCategory, float], int] = field(default_factory=dict)
    one_rings: list[float] = field(default_factory=list)
    owned_one_rings: list[float] = field(default_factory=list)
    called_back_at: float = -inf  # the latest, for one-ring calls that arrive later
    standings: dict[AuthClass, Standing | None] = field(default_factory=dict)


class MemoryStore:
    """The evidence from the calls and marks added so far. It assumes that a number never changes its owner.

    `trust`: a function that returns the trust in a reporter.
    """

    def __init__(self, weights: Weights = DEFAULT, trust: Callable[[str], float] = lambda _reporter: 1.0) -> None:
        self.weights = weights
        self._trust = trust
        self._known: defaultdict[str, _Known] = defaultdict(_Known)
        self._voices: defaultdict[str, dict[AuthClass, tuple[float, str, Voice]]] = defaultdict(dict)
        self._neighbours = Neighbours(self._may_be_bad)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, outcome: OutcomeRecord) -> Signal | None:
        """Add the evidence of a call, and return the signal that the call gave, if any."""
        lessons = lessons_of(outcome)
        if outcome.voice is not None and outcome.caller is not None:
            heard = (outcome.at, outcome.linkedid, outcome.voice)
            by_class = self._voices[outcome.caller]
            by_class[outcome.auth_class] = max(by_class.get(outcome.auth_class, heard), heard)
        if lessons == NO_LESSONS or (number := outcome.number) is None:
            return None
        known = self._known_of(number)
        if lessons.challenged is not None:
            self.add_challenge(lessons.challenged)
        if lessons.trap is not None:
            known.traps[lessons.trap.linkedid] = lessons.trap
            known.standings.pop(outcome.auth_class, None)
        shown = lessons.answered or lessons.signal or lessons.talk_to
        if shown is None:
            return _learnt(known, lessons, outcome.auth_class)
        # Calls of the number count in their own class, a call-back in others too.
        is_ours = lessons.talk_to is not None
        classes = known.standings if is_ours else (shown.auth_class,) if shown.auth_class in known.standings else ()
        before = [(known_class, _account_in(known, shown.callee, known_class)) for known_class in classes]
        signal = _learnt(known, lessons, outcome.auth_class)
        for auth_class, account in before:
            self._move(known, shown.callee, auth_class, account)
        return signal

    def add_challenge(self, challenged: Challenged) -> None:
        """Add the result of a call's challenge, or a proof of control (signals.proofs_of_control)."""
        known = self._known_of(challenged.number)
        known.challenges[challenged.auth_class, challenged.linkedid] = challenged
        rows, kept = _all_rows(known), dict[AuthClass, Standing | None]()
        for auth_class, standing in known.standings.items():  # a pass counts in every class
            moved = None if standing is None else with_challenges(standing, rows, auth_class, self.weights)
            if moved is not None:
                kept[auth_class] = moved
        known.standings = kept

    def add_mark(self, mark: Mark) -> None:
        """Add a mark, unless the person has a later mark. If two marks have the same time, a retraction wins."""
        known = self._known_of(mark.number)
        known.standings.clear()
        key = (mark.auth_class, mark.reporter)
        other = known.marks.get(key)
        if other is None or _precedence(mark) > _precedence(other):
            known.marks[key] = mark

    def evidence(self, number: str, auth_class: AuthClass, now: float) -> Evidence:
        """Return the evidence about the number as it applies to calls of this auth class."""
        standing, bad_neighbours = self.standing(number, auth_class), self._bad_neighbours(number, auth_class, now)
        return Evidence(standing, (), None, 0, bad_neighbours)

    def standing(self, number: str, auth_class: AuthClass) -> Standing | None:
        """Return the sums of the number's rows in this auth class; None if no row has an effect."""
        known = self._known.get(number)
        if known is None:
            return None
        if auth_class not in known.standings:
            known.standings[auth_class] = standing_of(_all_rows(known), auth_class, self.weights, trust=self._trust)
        return known.standings[auth_class]

    def rows(self, number: str) -> Rows:
        """Return the rows that count as evidence about the number."""
        return _all_rows(self._known[number]) if number in self._known else Rows()

    def numbers(self) -> Iterator[str]:
        """Yield every number that has evidence."""
        return iter(self._known)

    def has_words(self, number: str) -> bool:
        """Return whether anybody here has marked the number, or has called the number and talked."""
        known = self._known.get(number)
        return known is not None and bool(known.talks or known.marks)

    def talks(self, number: str, now: float, person: str | None = None) -> list[tuple[str, float]]:
        """Return the people here who called the number within 180 days and talked, each with the time of the last call.

        `person`: if given, only this person is returned.
        """
        known = self._known.get(number)
        if known is None or not known.talks:
            return []
        talks = known.talks
        about = talks.items() if person is None else [(person, talks[person])] if person in talks else ()
        return [(who, at) for who, at in about if _is_relationship(known, at, now)]

    def has_talked(self, number: str, now: float) -> bool:
        """Return whether anybody here has called the number within the last 180 days and talked."""
        known = self._known.get(number)
        return known is not None and any(_is_relationship(known, at, now) for at in known.talks.values())

    def not_spam_at(self, number: str, auth_class: AuthClass, person: str) -> float | None:
        """Return when the person marked the number "not spam" in this class; None if their latest mark is different."""
        known = self._known.get(number)
        mark = None if known is None else known.marks.get((auth_class, person))
        return mark.at if mark is not None and mark.verdict is NOT_SPAM and not site_of(person) else None

    def has_not_spam(self, number: str, auth_class: AuthClass) -> bool:
        """Return whether anybody's latest mark of the number in this auth class is "not spam"."""
        known = self._known.get(number)
        return known is not None and any(
            mark.verdict is NOT_SPAM and mark.auth_class is auth_class and not site_of(mark.reporter)
            for mark in known.marks.values()
        )

    def one_ring_at(self, number: str, now: float) -> float | None:
        """Return the time of the number's latest one-ring call within the last day, or None."""
        known = self._known.get(number)
        if known is None or not known.one_rings:
            return None
        latest = known.one_rings[-1]
        return latest if latest > now - ONE_RING_GUARD_SECONDS else None

    def voice(self, number: str, auth_class: AuthClass, now: float) -> Voice | None:
        """Return the kind of speaker last heard in calls of this number and class; None if nobody spoke for 30 days."""
        if not self._voices or number not in self._voices:
            return None
        at, _, voice = self._voices[number].get(auth_class, (-inf, "", None))
        return voice if at > now - VOICE_SECONDS else None

    def marks(self, number: str) -> Collection[Mark]:
        """Return the latest mark of each person and auth class for the number."""
        known = self._known.get(number)
        return () if known is None else known.marks.values()

    def _known_of(self, number: str) -> _Known:
        self._neighbours.move(number)
        return self._known[number]

    def _move(self, known: _Known, witness: str, auth_class: AuthClass, before: WitnessAccount | None) -> None:
        """Update the cached standing after a change of one witness's rows, or drop it if it must be computed anew."""
        total, after = known.standings.pop(auth_class, None), _account_in(known, witness, auth_class)
        if total is None or before is None or after is None:
            if known.challenges:
                known.standings.clear()  # a person who marked and answers after a pass may end it, in every class
            return
        for signal in (*before.signals, *after.signals):
            if signal.category in LIMITED and self._is_crowded(known, signal):
                return
        moved = with_witness(total, before, after, self.weights)
        if moved is not None:
            known.standings[auth_class] = moved

    def _may_be_bad(self, number: str, auth_class: AuthClass) -> bool:
        standing = self.standing(number, auth_class)
        return standing is not None and may_be_bad(standing, self.weights)

    def _bad_neighbours(self, number: str, auth_class: AuthClass, now: float) -> int:
        block, bad = block_of(number), 0
        if block is None or self._neighbours.count(block) < self.weights.block.some:
            return 0
        for other in self._neighbours.suspects(block, auth_class):
            if bad >= self.weights.block.many:
                break
            if other != number:
                bad += is_bad(self.standing(other, auth_class), self.weights, now)
        return bad

    def _is_crowded(self, known: _Known, signal: Signal) -> bool:
        """Return whether the signal's hour has so many signals that a limit may apply. Then all rows must be summed."""
        limits = self.weights.counts
        if signal.category is ONE_RING:
            return bool(known.challenges) or known.busy.get(_hour_of(signal), 0) >= limits.one_ring_an_hour
        return known.busy.get(_hour_of(signal), 0) >= limits.unanswered_an_hour


def _account_in(known: _Known, witness: str, auth_class: AuthClass) -> WitnessAccount | None:
    """Return the witness's rows in this auth class; None for a witness who made marks or is at another site."""
    if ":" in witness or (known.marks and any((known_class, witness) in known.marks for known_class in AuthClass)):
        return None
    signals = known.signals.get((auth_class, witness), ())
    if auth_class is AUTHENTICATED:  # a call-back, of class `unknown`, reached the owner
        owners = known.signals.get((UNKNOWN, witness), ())
        signals += tuple([signal for signal in owners if signal.category is CALLED_BACK])
    if known.talks or known.owned_one_rings:
        signals = tuple([signal for signal in signals if _counts(known, signal)])
    return account_of(signals, known.answered.get((auth_class, witness)))


def _learnt(known: _Known, lessons: Lessons, auth_class: AuthClass) -> Signal | None:
    if lessons.answered is not None:
        key = (lessons.answered.auth_class, lessons.answered.callee)
        known.answered[key] = max(known.answered.get(key, lessons.answered), lessons.answered, key=_at)
    if lessons.talk_to is not None:
        who, at = lessons.talk_to.callee, lessons.talk_to.at
        known.talks[who] = max(known.talks.get(who, at), at)
    if lessons.one_ring_at is not None:
        insort(known.one_rings, lessons.one_ring_at)
        if auth_class is not AuthClass.UNAUTHENTICATED:
            insort(known.owned_one_rings, lessons.one_ring_at)
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
    dropped = _signal_of(known, key, SignalCategory.LONG_TALK)
    if dropped is not None:
        known.signals[key] = _without(dropped, known.signals[key])
        known.category_of_call.pop(dropped.linkedid, None)
    return talk._replace(at=at, linkedid=linkedid)


def _add_signal(known: _Known, signal: Signal) -> None:
    """Keep the signal if it is the latest of its callee and category. Of each call, only one category is kept."""
    if known.category_of_call.get(signal.linkedid, signal.category) is not signal.category:
        return
    key = (signal.auth_class, signal.callee)
    other = _signal_of(known, key, signal.category)
    if other is not None and (other.at, other.linkedid) >= (signal.at, signal.linkedid):
        return
    if other is not None:
        known.category_of_call.pop(other.linkedid, None)
        if other.category in LIMITED:
            known.busy[_hour_of(other)] -= 1
    if signal.category in LIMITED:
        hour = _hour_of(signal)
        known.busy[hour] = known.busy.get(hour, 0) + 1
    known.signals[key] = (*_without(other, known.signals.get(key, ())), signal)
    if signal.category is CALLED_BACK:
        known.called_back_at = max(known.called_back_at, signal.at)
    known.category_of_call[signal.linkedid] = signal.category


def _hour_of(signal: Signal) -> tuple[AuthClass, SignalCategory, float]:
    return signal.auth_class, signal.category, signal.at // HOUR_SECONDS


def _signal_of(known: _Known, witness: Witness, category: SignalCategory) -> Signal | None:
    return next((signal for signal in known.signals.get(witness, ()) if signal.category is category), None)


def _without(signal: Signal | None, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
    return signals if signal is None else tuple(other for other in signals if other is not signal)


def _all_rows(known: _Known) -> Rows:
    signals = chain.from_iterable(known.signals.values())
    rows = _rows(known, known.marks.values(), signals, known.answered.values())
    if not known.challenges and not known.traps:
        return rows
    return rows._replace(challenges=tuple(known.challenges.values()), traps=tuple(known.traps.values()))


def _rows(known: _Known, marks: Iterable[Mark], signals: Iterable[Signal], answered: Iterable[Answered]) -> Rows:
    """Return the rows of the number that have an effect. Each "not spam" mark also gives a signal."""
    marks = tuple(marks)
    shown = [signal for signal in signals if _counts(known, signal)]
    from_marks = [signal for mark in marks if (signal := signal_of_mark(mark))]
    return Rows(marks, latest_by_key([*shown, *from_marks]) if from_marks else shown, tuple(answered))


def _counts(known: _Known, signal: Signal) -> bool:
    if signal.category is CALLED_BACK:
        return not _rang_within_a_day(known.owned_one_rings, signal.at)
    talked_at = known.talks.get(signal.callee) if signal.category in SPAMWARD else None
    if talked_at is None or talked_at <= signal.at - RELATIONSHIP_SECONDS:
        return True
    return _rang_within_a_day(known.one_rings, talked_at)


def _is_relationship(known: _Known, talked_at: float, now: float) -> bool:
    return talked_at > now - RELATIONSHIP_SECONDS and not _rang_within_a_day(known.one_rings, talked_at)


def _rang_within_a_day(one_rings: list[float], at: float) -> bool:
    if not one_rings:
        return False
    before = bisect_right(one_rings, at)
    return before > 0 and one_rings[before - 1] > at - ONE_RING_GUARD_SECONDS


def _at(answered: Answered) -> float:
    return answered.at


def _precedence(mark: Mark) -> tuple[object, ...]:
    words = (mark.group or "", mark.category or "", mark.reason, mark.linkedid or "")
    return (mark.at, mark.verdict is Verdict.RETRACTED, mark.verdict.value, mark.channel.value, *words)
