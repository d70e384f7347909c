"""Tables that explain the effect of marks: how many marks each action needs, with the weights in the settings.

The only data of this site in the tables are how many people work here, and the actions of the active policy.
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
# Combinations of evidence, each computed for the number of people that makes it strongest.
COMBINED: tuple[tuple[Wording, MarkedNumber], ...] = (
    (Wording("marks alone, however many"), MarkedNumber(1)),
    (Wording("marks alone, many within an hour, before a review"), MarkedNumber(1, at_once=True)),
    (Wording("short hang-ups alone"), MarkedNumber(0, 1)),
    (Wording("marks and short hang-ups"), MarkedNumber(1, 1)),
    (Wording("marks, and an outside source"), MarkedNumber(1, listed=True)),
    (Wording("marks and short hang-ups, and a failed challenge"), MarkedNumber(1, 1, failed=True)),
    (Wording("marks and short hang-ups, and an outside source"), MarkedNumber(1, 1, listed=True)),
    (
        Wording("all of these together, if all marks come from one group of people"),
        MarkedNumber(1, 1, groups=1, listed=True, failed=True),
    ),
    (Wording("all of these, marks of several groups"), MarkedNumber(1, 1, listed=True, failed=True)),
    (Wording("all of these, while an appeal is in force"), MarkedNumber(1, 1, listed=True, failed=True, appealed=True)),
    (Wording("all of these, but the owner is verified"), MarkedNumber(1, 1, listed=True, failed=True, verified=True)),
    (
        Wording("all of these, but a challenge was passed afterwards"),
        MarkedNumber(1, 1, listed=True, failed=True, passed=True),
    ),
)
NEVER = Wording("never by this evidence alone")
IMPOSSIBLE = "-"


class Least(NamedTuple):
    """How many people, of those who answered calls from a number, are enough for a tag or a challenge.

    Attributes:
        answered: How many people answered.
        by: How people show that they do not want the call.
        label: How many of them are enough for a tag; null if even all are too few.
        challenge: How many of them are enough for a challenge; null if even all are too few.
    """

    answered: int
    by: MarkKind
    label: int | None
    challenge: int | None


class Combination(NamedTuple):
    """The highest level that a combination of evidence (`what`) reaches, and the action that each policy then takes."""

    what: Wording
    level: Level
    actions: Mapping[str, Action]


class Example(NamedTuple):
    """An invented number: how many people marked it, hung up and answered, and the resulting level.

    `lower_in`: when the level falls if nothing new happens; null for never.
    """

    marks: int
    hang_ups: int
    answered: int
    level: Level
    log_odds: float
    lower_in: LowerIn | None

    @classmethod
    def of(cls, case: MarkedNumber, effect: Effect) -> Example:
        """Return the example for an invented number and its computed effect."""
        falls = LowerIn(*effect.lower_in) if effect.lower_in else None
        return cls(case.marks, case.hung_up, case.answered, effect.level, round(effect.reputation.log_odds, 3), falls)


@dataclass(frozen=True, slots=True)
class MarkEffects:
    """Tables of the effects of marks. `people`: how many work here. `policy`: the active policy; empty if invalid."""

    people: int
    policy: str
    least: tuple[Least, ...]
    examples: tuple[Example, ...]
    most: tuple[Combination, ...]


class TextTable(NamedTuple):
    """A table for the terminal and pages: title, note, column headings and rows."""

    title: Wording
    note: Wording
    heads: tuple[str | Wording, ...]
    rows: tuple[tuple[str | Wording, ...], ...]


def mark_effects(weights: Weights, people: int, policy: Policy | None = None) -> MarkEffects:
    """Return what marks cause under preset policies and `policy`, if so many `people` work here. Parts are cached."""
    policies = dict(_presets())
    if policy is not None:
        policies[policy.name] = policy
    least, examples = _of_people(weights, people)
    combined = []
    for words, case in COMBINED:
        case = strongest(case, weights, people)
        actions = {name: action_under(tried, case, weights, people) for name, tried in policies.items()}
        combined.append(Combination(words, effect_of(case, weights, people).level, actions))
    return MarkEffects(people, "" if policy is None else policy.name, least, examples, tuple(combined))


def mark_effects_here(db: sqlite3.Connection, loaded: Loaded, people: int | None = None) -> MarkEffects:
    """Return what marks cause at this site. `people`: how many people to assume; None: as many as work here."""
    return mark_effects(loaded.settings.reputation, people_here(db) if people is None else people, _in_force(loaded))


def _in_force(loaded: Loaded) -> Policy | None:
    # `policy check` and `doctor` report a policy that is not valid.
    try:
        return policies_of(loaded).default
    except PolicyError:
        return None


@lru_cache(maxsize=1)
def _presets() -> tuple[tuple[str, Policy], ...]:
    """Return the presets by name, except `strangers`, in which marks have the same effect as in `balanced`."""
    return tuple((name, load_policy(name)) for name in PRESETS if name != "strangers")


@lru_cache(maxsize=16)
def _of_people(weights: Weights, people: int) -> tuple[tuple[Least, ...], tuple[Example, ...]]:
    # Everything that does not depend on a policy.
    least = tuple(
        Least(answered, kind, *(least_people(kind, answered, level, weights, people) for level in _LEVELS))
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


_LEVELS = (Level.WARN, Level.CHALLENGE)
TITLE = Wording("How many marks are needed for an effect?")
KIND_WORDS = {
    MarkKind.MARKS: Wording("marks"),
    MarkKind.HANG_UPS: Wording("hang-ups"),
    MarkKind.BOTH: Wording("half marks, half hang-ups"),
}


def introduction(shown: MarkEffects) -> Iterator[Wording]:
    """Yield the sentences above the tables about marks, without full stops."""
    yield Wording(
        "these tables use the same calculation as decisions about calls, with the current weights, "
        "for {people} people who work here",
        {"people": shown.people},
    )
    yield Wording(
        "everybody counts once: more marks by the same person add nothing, and a person who hung up and "
        "marked counts as one"
    )
    yield Wording(
        "if an outside source lists the number or the signature of a call failed verification, fewer people are enough"
    )
    if shown.policy:
        yield Wording("the policy in force is {policy}", {"policy": shown.policy})


def tables_of(shown: MarkEffects) -> tuple[TextTable, ...]:
    """Return the tables about marks as text, for the terminal and pages."""
    return _least_table(shown), _examples_table(shown), _combined_table(shown)


def _least_table(shown: MarkEffects) -> TextTable:
    rows = [
        (
            f"{least.answered}" if i % len(MarkKind) == 0 else "",
            KIND_WORDS[least.by],
            _count(least.label),
            _count(least.challenge),
        )
        for i, least in enumerate(shown.least)
    ]
    return TextTable(
        Wording("How many people are needed"),
        Wording(
            "number of people needed among those who answered. A hang-up is a call ended within 6 seconds by "
            "somebody who did "
            "not mark the number"
        ),
        (
            Wording("answered"),
            Wording("kind of evidence"),
            Wording("needed for a label"),
            Wording("needed for a challenge"),
        ),
        tuple(rows),
    )


def _count(people: int | None) -> str | Wording:
    return NEVER if people is None else f"{people}"


def _examples_table(shown: MarkEffects) -> TextTable:
    effects = {(example.marks, example.hang_ups, example.answered): example for example in shown.examples}
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
    rows = [
        (combination.what, *(Wording(action.word) for action in combination.actions.values()))
        for combination in shown.most
    ]
    return TextTable(
        Wording("The most severe action, by policy"),
        Wording(
            "whatever the number of people. An administrator's own list or rule can go further. The policy "
            "observe only records"
        ),
        (Wording("what speaks against a number"), *names),
        tuple(rows),
    )


NOTHING = Wording("nothing")


class Part(NamedTuple):
    """A section of a page: a heading and lines."""

    title: Wording
    lines: tuple[Wording, ...]


def parts_of_view(view: OwnerView) -> tuple[Part, ...]:
    """Return the non-empty sections of the information for a number's owner, in order."""
    fades = tuple(
        Wording("from {time} on: {level}", {"time": when(at), "level": Wording(level.word)}) for at, level in view.fades
    )
    parts = (
        Part(Wording("Evidence against the number"), view.against or (NOTHING,)),
        Part(Wording("Evidence for the number"), view.in_favour or (NOTHING,)),
        Part(Wording("Evidence that does not count yet"), view.neutral),
        Part(Wording("The level would become lower if"), tuple(map(_changed, view.better_if))),
        Part(Wording("How the evidence fades if nothing new happens"), fades),
        Part(Wording("The level would become higher if"), (view.marks_words, *map(_changed, view.worse_if))),
    )
    return tuple(part for part in parts if part.lines)


def _changed(change: LevelChange) -> Wording:
    return Wording("{what}: {level}", {"what": change.words, "level": Wording(change.level.word)})


def effects_page(shown: MarkEffects, language: str) -> str:
    """Return the tables about marks as an HTML page."""
    return _page(language, TITLE, tuple(introduction(shown)), (), tables_of(shown), "")


def owner_page(view: OwnerView, language: str) -> str:
    """Return the information for a number's owner as an HTML page."""
    title = Wording("Information about {number}", {"number": view.number})
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

    def localized(text: Wording | str) -> str:
        return text.in_language(translate) if isinstance(text, Wording) else text

    def sentence(text: Wording | str) -> str:
        words = localized(text)
        return localized(Wording("{sentence}.", {"sentence": f"{words[:1].upper()}{words[1:]}"}))

    shown = {
        "title": localized(title),
        "lead": [sentence(text) for text in lead],
        "parts": [(localized(part.title), [localized(line) for line in part.lines]) for part in parts],
        "tables": [
            (
                localized(table.title),
                sentence(table.note),
                [localized(head) for head in table.heads],
                [map(localized, row) for row in table.rows],
            )
            for table in tables
        ],
        "end": localized(end),
        "date": date,
    }
    return document_of("numbers", "marks.html", TAGS[language], shown)
