"""The information for the owner of a number: the evidence for and against the number, and how its level may change.

The information consists of counts and dates: no calls, no names of people or sources, no texts written by people.
"""

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from callsieve.numbers.calls_now import calls_now
from callsieve.settings import Loaded
from callsieve.simulate import Question, SettingsFacts, call_of, situation_about
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
    """The next level that a number can reach by marks alone. `people`: how many more people must mark the number."""

    people: int
    level: Level


class FadesTo(NamedTuple):
    """A lower level that the number reaches at the time `at` if nothing new happens."""

    at: Instant
    level: Level


@dataclass(frozen=True, slots=True)
class OwnerView:
    """The information for the owner of a number.

    Attributes:
        level: The action that the evidence alone would justify.
        action: The action for a call now; null if the policy is not valid.
        observed: Whether the policy only observes. If so, `action` is recorded, but calls ring.
        listed: Whether the organisation's lists decide about calls from the number.
        neutral: Evidence that does not count yet.
        witnesses: How many independent witnesses speak against the number; null for none.
        better_if: Events that would lower the level, with the new levels.
        worse_if: Events that would raise the level, with the new levels.
        marks: How many more people must mark the number for a higher level; null if marks alone are not enough.
        fades: When the level falls, and to which level, if nothing new happens.
        appeal: Whether an appeal is in force.
        expects: A sentence about the effect of marks on any number.
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
        """The current action for calls from the number, in words."""
        if self.action is None:
            return Wording("the action for the number's calls cannot be determined now")
        next_call = Wording("the next call from the number: {action}", {"action": Wording(self.action.word)})
        if self.observed:
            return Wording("{call}; this is only recorded, and the call is put through", {"call": next_call})
        if self.listed:
            return Wording(
                "{call}; an administrator's list decides this, whatever the evidence below says", {"call": next_call}
            )
        return next_call

    @property
    def level_words(self) -> Wording:
        """The level and points, in words."""
        return Wording(
            "level {level}, {points} points",
            {"level": Wording(self.level.word), "points": f"{self.points:+d}" if self.points else "0"},
        )

    @property
    def marks_words(self) -> Wording:
        """How further marks would change the level, in words."""
        if self.marks is None:
            return Wording("more marks alone, without hang-ups, do not raise the level")
        people, level = self.marks
        places: Places = {"n": people, "level": Wording(level.word)}
        if people == 1:
            return Wording("one more person who answers and marks the number: {level}", places)
        return Wording("{n} more people who answer and mark the number: {level}", places)


def _with_points(family: Family) -> Wording | None:
    what = listed(list(parts_of(family)), "{some}; {more}")
    if not what:
        return None
    points = Reputation(family.log_odds).points
    return Wording("{what} ({points} points)", {"what": what, "points": f"{points:+d}" if points else "0"})


def owner_view_of(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> OwnerView:
    """Return the information for the owner of a number. `action` is the action for an ordinary, unsigned call."""
    call = call_of(Question(number), site_of(loaded.settings))
    ours = SettingsFacts.of(loaded)
    situation = situation_about(db, call, now, ours, at_its_hour=False)
    evidence, circumstances = evidence_of(db, query_of(call, now, None, plan=ours.plan), ours.weights)
    reputation = situation.facts.reputation
    parts = [(family.log_odds, words) for family in reputation.families if (words := _with_points(family))]
    action, observed, listed = None, False, False
    try:
        calls = calls_now(db, loaded, number, now)
        action, observed = calls.decision.would_be, calls.decision.observed
        listed = calls.decision.step == STEP_OF_LISTS
    except PolicyError:  # reported elsewhere
        pass
    arguments = (evidence, circumstances, ours.weights, now)
    more = more_marks(*arguments)
    return OwnerView(
        number=number,
        at=now,
        level=reputation.level,
        points=reputation.points,
        action=action,
        observed=observed,
        listed=listed,
        against=tuple(words for weight, words in parts if weight > 0),
        in_favour=tuple(words for weight, words in parts if weight < 0),
        neutral=tuple(words for weight, words in parts if weight == 0),
        witnesses=reputation.witnesses,
        better_if=reputation.would_change,
        worse_if=reputation.would_raise,
        marks=MarksToLevel(*more) if more else None,
        fades=tuple(FadesTo(*fade) for fade in fades_of(*arguments)),
        appeal=reputation.appeal is not None,
        expects=owner_sentence(ours.weights, people_here(db)),
    )
