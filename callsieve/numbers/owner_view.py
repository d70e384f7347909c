"""What the owner of a number is told about it: what speaks for and against it, what would change that, when it fades.

Counts and dates only: nobody of ours is named, no source, no text that somebody wrote, and no call.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from callsieve.numbers.calls_now import calls_now
from callsieve.settings import Loaded
from callsieve.simulate import Ours, Question, call_of, situation_about
from callsieve.wiring import site_of
from policies.decision import Action
from policies.engine import STEP_OF_LISTS
from policies.policy import PolicyError
from policies.situation import query_of
from reputation.encoding import Instant
from reputation.explaining import fades_of, more_marks, parts_of
from reputation.model import Family, Level, LevelChange, Reputation, Witnesses
from reputation.owner_sentence import owner_sentence
from reputation.store.facts import evidence_of
from reputation.store.site import people_here
from reputation.wording import Places, Wording, listed


class MarksToLevel(NamedTuple):
    """How many more people must mark a number.

    Attributes:
        people: How many.
        level: The level then.
    """

    people: int
    level: Level


class FadesTo(NamedTuple):
    """When a level is lower by itself.

    Attributes:
        at: When.
        level: The level then.
    """

    at: Instant
    level: Level


@dataclass(frozen=True, slots=True)
class OwnerView:
    """What may be told to the owner of a number at an instant.

    Attributes:
        number: The number.
        at: The instant.
        level: What the evidence alone would justify.
        points: The evidence as people see it.
        action: What a call gets now, null where the policy cannot be used.
        observed: That is only written down.
        listed: An administrator's list decides it.
        against: What speaks against it, with the points of each.
        in_favour: What speaks for it, with the points of each.
        neutral: What has no weight yet.
        witnesses: How many have something against it, null where nobody has.
        better_if: What would make the level lower.
        worse_if: What would make the level higher.
        marks: How many more people must mark it until it is worse, null: it is never by marks alone.
        fades: When it is better by itself.
        appeal: An appeal is in force.
        expects: What the owner may expect.
    """

    number: str
    at: Instant
    level: Level
    points: int
    action: Action | None
    observed: bool
    listed: bool
    against: tuple[Wording, ...]
    in_favour: tuple[Wording, ...]
    neutral: tuple[Wording, ...]
    witnesses: Witnesses | None
    better_if: tuple[LevelChange, ...]
    worse_if: tuple[LevelChange, ...]
    marks: MarksToLevel | None
    fades: tuple[FadesTo, ...]
    appeal: bool
    expects: Wording | str

    @property
    def action_words(self) -> Wording:
        """What happens to its calls now."""
        if self.action is None:
            return Wording("what happens to its calls cannot be determined now")
        told = Wording("its next call: {action}", {"action": Wording(self.action.word)})
        if self.observed:
            return Wording("{told}; this is only recorded, and the call is put through", {"told": told})
        if self.listed:
            return Wording("{told}; an administrator's list decides this, regardless of what follows", {"told": told})
        return told

    @property
    def level_words(self) -> Wording:
        """Its level and points."""
        return Wording(
            "level {level}, {points} points",
            {"level": Wording(self.level.word), "points": f"{self.points:+d}" if self.points else "0"},
        )

    @property
    def marks_words(self) -> Wording:
        """What more marks would do."""
        if self.marks is None:
            return Wording("more marks alone, without hang-ups, make it no worse")
        people, level = self.marks
        places: Places = {"n": people, "level": Wording(level.word)}
        if people == 1:
            return Wording("one more person who answers and marks it: {level}", places)
        return Wording("{n} more people who answer and mark it: {level}", places)


def _with_points(family: Family) -> Wording | None:
    """Return what a family of evidence says and how much it contributes; None for nothing."""
    what = listed(list(parts_of(family)), "{some}; {more}")
    if not what:
        return None
    points = Reputation(family.log_odds).points
    return Wording("{what} ({points} points)", {"what": what, "points": f"{points:+d}" if points else "0"})


def owner_view_of(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> OwnerView:
    """The view of a number that calls here, for an ordinary, unsigned call."""
    call = call_of(Question(number), site_of(loaded.settings))
    ours = Ours.of(loaded)
    situation = situation_about(db, call, now, ours, at_its_hour=False)
    evidence, circumstances = evidence_of(db, query_of(call, now, None, plan=ours.plan), ours.weights)
    reputation = situation.facts.reputation
    said = [(family.log_odds, words) for family in reputation.families if (words := _with_points(family))]
    action, observed, listed = None, False, False
    try:
        calls = calls_now(db, loaded, number, now)
        action, observed = calls.decision.would_be, calls.decision.observed
        listed = calls.decision.step == STEP_OF_LISTS
    except PolicyError:  # whoever runs it hears of that elsewhere
        pass
    asked = (evidence, circumstances, ours.weights, now)
    more = more_marks(*asked)
    return OwnerView(
        number=number,
        at=now,
        level=reputation.level,
        points=reputation.points,
        action=action,
        observed=observed,
        listed=listed,
        against=tuple(words for weight, words in said if weight > 0),
        in_favour=tuple(words for weight, words in said if weight < 0),
        neutral=tuple(words for weight, words in said if weight == 0),
        witnesses=reputation.witnesses,
        better_if=reputation.would_change,
        worse_if=reputation.would_raise,
        marks=MarksToLevel(*more) if more else None,
        fades=tuple(FadesTo(*one) for one in fades_of(*asked)),
        appeal=reputation.appeal is not None,
        expects=owner_sentence(ours.weights, people_here(db)),
    )
