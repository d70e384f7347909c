"""The tables of marks, and what is told to an owner, as pages by themselves: to print, to send, to put on a website."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from callsieve.numbers.mark_effects import TITLE, MarkEffects, Table, introduction, tables_of
from callsieve.numbers.owner_view import OwnerView
from callsieve.text.times import day, when
from callsieve.web.i18n import LANGUAGES as LANGUAGES
from callsieve.web.i18n import TAGS, translated, translations_of
from callsieve.web.rendering import document_of
from reputation.model import LevelChange
from reputation.wording import Wording

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
        Part(Wording("What has no weight yet"), view.neutral),
        Part(Wording("What would make the level lower"), tuple(map(_changed, view.better_if))),
        Part(Wording("When it fades, if nothing more happens"), fades),
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
    tables: tuple[Table, ...],
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
