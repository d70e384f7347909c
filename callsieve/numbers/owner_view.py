"""What the owner of a number is told about it: what speaks for and against it, what would change that, when it fades.

Counts and dates only: nobody of ours is named, no source, no text that somebody wrote, and no call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from callsieve.numbers.calls_now import calls_now
from callsieve.settings import Loaded
from callsieve.simulate import Ours, Question, call_of, situation_about
from callsieve.wiring import site_of
from policies.decision import Action
from policies.engine import STEP_OF_LISTS
from policies.policy import PolicyError
from policies.situation import query_of
from reputation.explaining import fades_of, more_marks, parts_of
from reputation.families import behaviour
from reputation.model import Family, Level, LevelChange, SignalCategory, Witnesses
from reputation.owner_sentence import owner_sentence
from reputation.store.facts import evidence_of
from reputation.store.site import people_here
from reputation.weights import Weights
from reputation.wording import Places, Wording


@dataclass(frozen=True, slots=True)
class OwnerView:
    """The view at an instant. `against` and `in_favour`, what is said; `neutral`, what says nothing yet.

    `action`: what a call gets now, None where a policy cannot be used; `observed`: it is only written down; `listed`:
    an administrator's list decides it. `marks`: how many more people must mark it until it is worse, and how much
    worse; None: never by marks alone. `fades`: when it is better by itself.
    """

    number: str
    at: float
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
    marks: tuple[int, Level] | None
    fades: tuple[tuple[float, Level], ...]
    appeal: bool
    expects: Wording | str

    @property
    def action_words(self) -> Wording:
        """What happens to its calls now."""
        if self.action is None:
            return Wording("what happens to its calls cannot be told now")
        told = Wording("a call of it now: {action}", {"action": Wording(self.action.word)})
        if self.observed:
            return Wording("{told}; this is only written down, and the call goes on", {"told": told})
        if self.listed:
            return Wording("{told}; a list of the administrator decides that, whatever is said below", {"told": told})
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


def owner_view_of(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> OwnerView:
    """The view of a number that calls here, for an ordinary, unsigned call."""
    call = call_of(Question(number), site_of(loaded.settings))
    ours = Ours.of(loaded)
    situation = situation_about(db, call, now, ours, at_its_hour=False)
    evidence, circumstances = evidence_of(db, query_of(call, now, None, plan=ours.plan), ours.weights)
    reputation = situation.facts.reputation
    said = [(weight, words) for family in reputation.families for weight, words in _said(family, ours.weights)]
    action, observed, listed = None, False, False
    try:
        calls = calls_now(db, loaded, number, now)
        action, observed = calls.decision.would_be, calls.decision.observed
        listed = calls.decision.step == STEP_OF_LISTS
    except PolicyError:  # whoever runs it hears of that elsewhere
        pass
    asked = (evidence, circumstances, ours.weights, now)
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
        marks=more_marks(*asked),
        fades=fades_of(*asked),
        appeal=reputation.appeal is not None,
        expects=owner_sentence(ours.weights, people_here(db)),
    )


def _said(family: Family, weights: Weights) -> Iterator[tuple[float, Wording]]:
    """What a family says, with the direction of each part: what calls showed may speak either way."""
    if family.name != behaviour.NAME:
        yield from ((family.log_odds, words) for words in parts_of(family))
        return
    for category, count in family.counts:
        try:
            weight = weights.behaviour.by_category[SignalCategory(category)]
        except (ValueError, KeyError):  # of another version
            weight = 0.0
        words, *_ = parts_of(Family(family.name, weight, ((category, count),)))
        yield weight, words


def view_as_json(view: OwnerView) -> dict[str, Any]:
    """All of it for scripts."""

    def change(one: LevelChange) -> dict[str, Any]:
        return {"what": one.what.code, "level": one.level.word, "people": one.people or None}

    return {
        "number": view.number,
        "at": view.at,
        "level": view.level.word,
        "points": view.points,
        "action": view.action and view.action.word,
        "observed": view.observed,
        "listed": view.listed,
        "against": [str(words) for words in view.against],
        "for": [str(words) for words in view.in_favour],
        "neutral": [str(words) for words in view.neutral],
        "witnesses": view.witnesses and view.witnesses._asdict(),
        "better_if": [change(one) for one in view.better_if],
        "worse_if": [change(one) for one in view.worse_if],
        "marks": view.marks and {"people": view.marks[0], "level": view.marks[1].word},
        "fades": [{"at": round(at), "level": level.word} for at, level in view.fades],
        "appeal": view.appeal,
        "expects": str(view.expects),
    }
