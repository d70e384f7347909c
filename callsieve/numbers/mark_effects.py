"""How many marks until it takes effect: the tables, made of the running weights, for everybody to see.

They hold nothing of this site but how many people work here, and what is done by the policy in force.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

from callsieve.numbers.owner_view import OwnerView
from callsieve.settings import Loaded
from callsieve.text.times import day, when
from callsieve.web.i18n import LANGUAGES as LANGUAGES
from callsieve.web.i18n import TAGS, translated, translations_of
from callsieve.web.rendering import document_of
from callsieve.wiring import policies_of
from policies.decision import Action
from policies.loader import PRESETS, load_policy
from policies.mark_effects import Effect, MarkedNumber, MarkKind, action_under, effect_of, least_people, strongest
from policies.policy import Policy, PolicyError
from reputation.model import Level, LevelChange, LowerIn
from reputation.store.site import people_here
from reputation.weights import Weights
from reputation.wording import Wording

ANSWERED = (10, 50, 200)
MARKS = (1, 2, 3, 5, 10, 20)
# What can come together, in the words of the table; each is looked at with as many people as make the most of it.
COMBINED: tuple[tuple[Wording, MarkedNumber], ...] = (
    (Wording("marks alone, however many"), MarkedNumber(1)),
    (Wording("marks alone, many within an hour, before a review"), MarkedNumber(1, at_once=True)),
    (Wording("short hang-ups alone"), MarkedNumber(0, 1)),
    (Wording("marks and short hang-ups"), MarkedNumber(1, 1)),
    (Wording("marks, and an outside source"), MarkedNumber(1, listed=True)),
    (Wording("marks and short hang-ups, and a failed challenge"), MarkedNumber(1, 1, failed=True)),
    (Wording("marks and short hang-ups, and an outside source"), MarkedNumber(1, 1, listed=True)),
    (Wording("all of these, marks of one group of people"), MarkedNumber(1, 1, groups=1, listed=True, failed=True)),
    (Wording("all of these, marks of several groups"), MarkedNumber(1, 1, listed=True, failed=True)),
    (Wording("all of these, while an appeal is in force"), MarkedNumber(1, 1, listed=True, failed=True, appealed=True)),
    (Wording("all of these, but the owner is verified"), MarkedNumber(1, 1, listed=True, failed=True, verified=True)),
    (
        Wording("all of these, but a challenge was passed afterwards"),
        MarkedNumber(1, 1, listed=True, failed=True, passed=True),
    ),
)
NEVER = Wording("never by these alone")
IMPOSSIBLE = "-"


class Least(NamedTuple):
    """The least number of people that it takes.

    Attributes:
        answered: How many answered.
        by: How they say that they do not want the call.
        label: How many it takes for a label, null: not even all of them.
        challenge: How many it takes for a challenge, null: not even all of them.
    """

    answered: int
    by: MarkKind
    label: int | None
    challenge: int | None


class Combination(NamedTuple):
    """The most that can come of it.

    Attributes:
        what: What speaks against the number.
        level: The level.
        actions: What each policy then orders.
    """

    what: Wording
    level: Level
    actions: Mapping[str, Action]


class Example(NamedTuple):
    """One made-up number, and what comes of it.

    Attributes:
        marks: How many people marked it.
        hang_ups: How many others hung up within seconds.
        answered: How many answered.
        level: The level.
        log_odds: The evidence.
        lower_in: When the level falls by itself, null for never.
    """

    marks: int
    hang_ups: int
    answered: int
    level: Level
    log_odds: float
    lower_in: LowerIn | None

    @classmethod
    def of(cls, case: MarkedNumber, effect: Effect) -> Example:
        """Return what comes of a case."""
        falls = LowerIn(*effect.lower_in) if effect.lower_in else None
        return cls(case.marks, case.hung_up, case.answered, effect.level, round(effect.reputation.log_odds, 3), falls)


@dataclass(frozen=True, slots=True)
class MarkEffects:
    """How many marks take effect.

    Attributes:
        people: How many people work here.
        policy: The policy in force; empty where that cannot be told.
        least: The least number of people that it takes.
        examples: What comes of some numbers of marks.
        most: The most that can come of it, by policy.
    """

    people: int
    policy: str
    least: tuple[Least, ...]
    examples: tuple[Example, ...]
    most: tuple[Combination, ...]


class TextTable(NamedTuple):
    """A table for any door: a heading, what to know about it, the heads of the columns and the rows."""

    title: Wording
    note: Wording
    heads: tuple[str | Wording, ...]
    rows: tuple[tuple[str | Wording, ...], ...]


def mark_effects(weights: Weights, people: int, policy: Policy | None = None) -> MarkEffects:
    """Made by the scorer and the policies; what takes a while is kept until the weights or the office change."""
    policies = dict(_presets())
    if policy is not None:
        policies[policy.name] = policy
    least, examples = _of_people(weights, people)
    combined = []
    for words, case in COMBINED:
        case = strongest(case, weights, people)
        actions = {name: action_under(one, case, weights, people) for name, one in policies.items()}
        combined.append(Combination(words, effect_of(case, weights, people).level, actions))
    return MarkEffects(people, "" if policy is None else policy.name, least, examples, tuple(combined))


def mark_effects_here(db: sqlite3.Connection, loaded: Loaded, people: int | None = None) -> MarkEffects:
    """Those of this site, or of an office of so many."""
    return mark_effects(loaded.settings.reputation, people_here(db) if people is None else people, _in_force(loaded))


def _in_force(loaded: Loaded) -> Policy | None:
    """That of the PBX; of one that cannot be used `policy check` and `doctor` speak."""
    try:
        return policies_of(loaded).default
    except PolicyError:
        return None


@lru_cache(maxsize=1)
def _presets() -> tuple[tuple[str, Policy], ...]:
    """Return the presets by name, without the one that asks strangers: marks do what they do under balanced there."""
    return tuple((name, load_policy(name)) for name in PRESETS if name != "strangers")


@lru_cache(maxsize=16)
def _of_people(weights: Weights, people: int) -> tuple[tuple[Least, ...], tuple[Example, ...]]:
    """What no policy has a part in."""
    least = tuple(
        Least(answered, kind, *(least_people(kind, answered, level, weights, people) for level in _ASKED))
        for answered in ANSWERED
        for kind in MarkKind
    )
    cases = [
        MarkedNumber(marks, hung_up, answered)
        for marks in MARKS
        for hung_up in (0, marks)
        for answered in ANSWERED
        if marks + hung_up <= answered
    ]
    return least, tuple(Example.of(case, effect_of(case, weights, people)) for case in cases)


_ASKED = (Level.WARN, Level.CHALLENGE)


# For people. ----------------------------------------------------------------------------------------------

TITLE = Wording("How many marks until it takes effect?")
KIND_WORDS = {
    MarkKind.MARKS: Wording("marks"),
    MarkKind.HANG_UPS: Wording("hang-ups"),
    MarkKind.BOTH: Wording("half marks, half hang-ups"),
}


def introduction(shown: MarkEffects) -> Iterator[Wording]:
    """What to know before the tables, a sentence each without a full stop."""
    yield Wording(
        "these tables come from the same calculation that decides about calls, with the current weights, "
        "for {people} people who work here",
        {"people": shown.people},
    )
    yield Wording(
        "everybody counts once: more marks by the same person add nothing, and a person who hung up and "
        "marked counts as one"
    )
    yield Wording("if an outside source lists the number or its signature is false, fewer people are enough")
    if shown.policy:
        yield Wording("the policy in force is {policy}", {"policy": shown.policy})


def tables_of(shown: MarkEffects) -> tuple[TextTable, ...]:
    """The tables, for any door."""
    return _least_table(shown), _examples_table(shown), _combined_table(shown)


def _least_table(shown: MarkEffects) -> TextTable:
    rows = [
        (
            f"{one.answered}" if i % len(MarkKind) == 0 else "",
            KIND_WORDS[one.by],
            _count(one.label),
            _count(one.challenge),
        )
        for i, one in enumerate(shown.least)
    ]
    return TextTable(
        Wording("The least number of people"),
        Wording(
            "among those who answered. A hang-up is a call ended within 6 seconds by somebody who did "
            "not mark the number"
        ),
        (Wording("answered"), Wording("by"), Wording("for a label"), Wording("for a challenge")),
        tuple(rows),
    )


def _count(people: int | None) -> str | Wording:
    return NEVER if people is None else f"{people}"


def _examples_table(shown: MarkEffects) -> TextTable:
    effects = {(one.marks, one.hang_ups, one.answered): one for one in shown.examples}
    rows = []
    for marks in MARKS:
        for hung_up in (0, marks):
            cells = (_cell(effects.get((marks, hung_up, answered))) for answered in ANSWERED)
            rows.append((f"{marks}", f"{hung_up}", *cells))
    of_people = (Wording("of {n} who answered", {"n": answered}) for answered in ANSWERED)
    return TextTable(
        Wording("Result"),
        Wording("with the days until the level falls if nothing new happens, for marks more than an hour apart"),
        (Wording("marks"), Wording("hang-ups"), *of_people),
        tuple(rows),
    )


def _cell(effect: Example | None) -> str | Wording:
    if effect is None:
        return IMPOSSIBLE
    level = Wording(effect.level.word)
    if effect.lower_in is None:
        return level
    return Wording("{level}, {days} d", {"level": level, "days": effect.lower_in.days})


def _combined_table(shown: MarkEffects) -> TextTable:
    names = list(shown.most[0].actions)
    rows = [(one.what, *(Wording(action.word) for action in one.actions.values())) for one in shown.most]
    return TextTable(
        Wording("The most severe action, by policy"),
        Wording("for any number of people. An administrator's own list or rule can go further. observe only records"),
        (Wording("what speaks against a number"), *names),
        tuple(rows),
    )


NOTHING = Wording("nothing")


class Part(NamedTuple):
    """Several lines below a heading."""

    title: Wording
    lines: tuple[Wording, ...]


def parts_of_view(view: OwnerView) -> tuple[Part, ...]:
    """What is told to the owner, in its order; a part that is empty is left out."""
    fades = tuple(
        Wording("from {time} on: {level}", {"time": when(at), "level": Wording(level.word)}) for at, level in view.fades
    )
    parts = (
        Part(Wording("What speaks against it"), view.against or (NOTHING,)),
        Part(Wording("What speaks for it"), view.in_favour or (NOTHING,)),
        Part(Wording("What does not count yet"), view.neutral),
        Part(Wording("What would make the level lower"), tuple(map(_changed, view.better_if))),
        Part(Wording("When it fades, if nothing new happens"), fades),
        Part(Wording("What would make the level higher"), (view.marks_words, *map(_changed, view.worse_if))),
    )
    return tuple(part for part in parts if part.lines)


def _changed(change: LevelChange) -> Wording:
    return Wording("{what}: {level}", {"what": change.words, "level": Wording(change.level.word)})


def effects_page(shown: MarkEffects, language: str) -> str:
    """How many marks until it takes effect."""
    return _page(language, TITLE, tuple(introduction(shown)), (), tables_of(shown), "")


def owner_page(view: OwnerView, language: str) -> str:
    """What is told to the owner of a number."""
    title = Wording("What is known here about {number}", {"number": view.number})
    lead = (view.level_words, view.action_words)
    return _page(language, title, lead, parts_of_view(view), (), view.expects, day(view.at))


def _page(
    language: str,
    title: Wording,
    lead: tuple[Wording, ...],
    parts: tuple[Part, ...],
    tables: tuple[TextTable, ...],
    end: Wording | str,
    date: str = "",
) -> str:
    translate = partial(translated, catalogue=translations_of(language))

    def said(text: Wording | str) -> str:
        return text.said(translate) if isinstance(text, Wording) else text

    def sentence(text: Wording | str) -> str:
        words = said(text)
        return said(Wording("{sentence}.", {"sentence": f"{words[:1].upper()}{words[1:]}"}))

    shown = {
        "title": said(title),
        "lead": [sentence(one) for one in lead],
        "parts": [(said(part.title), [said(line) for line in part.lines]) for part in parts],
        "tables": [
            (
                said(one.title),
                sentence(one.note),
                [said(head) for head in one.heads],
                [map(said, row) for row in one.rows],
            )
            for one in tables
        ],
        "end": said(end),
        "date": date,
    }
    return document_of("numbers", "marks.html", TAGS[language], shown)
