"""What the calls of a number showed, by distinct callees (docs/explanation/model.md)."""

from __future__ import annotations

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker, counted_keys
from reputation.formulas import bounded, decayed
from reputation.model import Family, Level
from reputation.standing import Standing
from reputation.weights import DAY_SECONDS, BehaviourWeights
from reputation.wording import Counted, Wording

NAME = "behaviour"

SIGNAL_WORDS = {
    "hung-up-on": Counted("one hung up within 6 s", "{n} hung up within 6 s"),
    "one-ring": Counted("it rang one of us once and gave up", "it rang {n} of us once and gave up"),
    "unanswered": Counted("one did not answer", "{n} did not answer"),
    "voicemail": Counted("it left a message", "it left {n} messages"),
    "long-talk": Counted("one talked for over a minute", "{n} talked for over a minute"),
    "called-back": Counted("one called it back", "{n} called it back"),
    "not-spam": Counted("a colleague marked it as not spam", "{n} colleagues marked it as not spam"),
    "second-talk": Counted("one talked with it again on another day", "{n} talked with it again on another day"),
}
# Which signals are heard, by whether the family speaks for the caller: the heaviest first.
_SPOKEN = {
    False: (("hung-up-on", "hung-up"), ("one-ring", "one-ring"), ("unanswered", "unanswered")),
    True: (
        ("called-back", "called-back"),
        ("not-spam", "not-spam"),
        ("second-talk", "second-talk"),
        ("long-talk", "long-talk"),
        ("voicemail", None),
    ),
}
_CALLED_BACK = frozenset({"called-back", "not-spam"})


def behaviour_of(standing: Standing, weights: BehaviourWeights, now: float) -> Family | None:
    """The family now; None where no call showed anything."""
    if not standing.signals:
        return None
    raw = _lasting(standing, weights, now)
    if standing.one_ring:
        raw += decayed(standing.one_ring, standing.at, now, weights.one_ring_half_life_hours * 3600.0)
    counts = tuple([(category._value_, count) for category, count in standing.signals])
    return Family(NAME, bounded(raw, weights.contamination), counts)


def lasting_behaviour_of(standing: Standing, weights: BehaviourWeights, now: float) -> float:
    """The same without one-ring calls, which nobody of ours has a part in: they lead to a warning and no further."""
    return bounded(_lasting(standing, weights, now), weights.contamination) if standing.signals else 0.0


def _lasting(standing: Standing, weights: BehaviourWeights, now: float) -> float:
    return decayed(standing.behaviour, standing.at, now, weights.half_life_days * DAY_SECONDS)


def _compute(subject: Subject) -> Family | None:
    standing = subject.evidence.standing
    return None if standing is None else behaviour_of(standing, subject.weights.behaviour, subject.now)


def _words(counts: Counts) -> Iterator[Wording]:
    for category, count in counts.items():
        words = SIGNAL_WORDS.get(category)
        unknown = Wording("{n} x {category}", {"n": count, "category": category})  # a category of another version
        yield unknown if words is None else words.of(count)
    if not _CALLED_BACK & counts.keys():
        yield Wording("nobody called back")


def _spoken(counts: Counts, speaks_for: bool) -> Iterator[Prompts]:
    for category, name in _SPOKEN[speaks_for]:
        count = counts.get(category, 0)
        if count:
            yield counted_keys(count, name) if name else (f"explain-{category}",)
    if not speaks_for and not _CALLED_BACK & counts.keys():
        yield ("explain-nobody-called-back",)


BEHAVIOUR = FamilyKind(NAME, Speaker.OUR_PEOPLE, Level.REJECT, _compute, _words, _spoken, needs=("standing",))
