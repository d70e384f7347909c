"""`callsieve explain`: how many marks take effect, and what may be told to the owner of a number."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    check_new,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.output import bold, dim, print_pairs, print_table, say
from callsieve.numbers.mark_effects import (
    LANGUAGES,
    MarkEffects,
    effects_page,
    introduction,
    mark_effects_here,
    owner_page,
    tables_of,
)
from callsieve.numbers.owner_view import OwnerView, owner_view_of
from callsieve.system.files import complete_file
from callsieve.text.times import when
from policies.files import nearest
from reputation.wording import Wording

FILE_MODE = 0o644
LABEL = 12
MOST_PEOPLE = 1_000_000

OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write a page to print, or to show to others.")
]
LanguageOption = Annotated[str, typer.Option("--language", metavar="en|zh", help="That of the page.")]


def marks(
    people: Annotated[
        int | None, typer.Option("--people", min=0, max=MOST_PEOPLE, help="For an office of so many, else ours.")
    ] = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show how many marks by how many people take effect, and what they never do: for everybody to see."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        shown = mark_effects_here(db, loaded, people)
    if out is not None:
        _write(out, effects_page(shown, _known(language)))
    elif as_json:
        print_json(shown)
    else:
        _show_effects(shown)


def number(
    number: Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.")],
    out: OutOption = None,
    language: LanguageOption = "en",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what may be told to the owner of a number: what speaks for and against it, and when that fades."""
    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db:
        view = owner_view_of(db, loaded, e164, time.time())
    if out is not None:
        _write(out, owner_page(view, _known(language)))
    elif as_json:
        print_json(view)
    else:
        _show_view(view)


def _known(language: str) -> str:
    if language not in LANGUAGES:
        raise CommandError(f"--language does not know {language[:20]!r}{nearest(language, LANGUAGES)}")
    return language


def _write(path: Path, page: str) -> None:
    check_new(path)
    with complete_file(path, FILE_MODE) as file:
        file.write(page.encode())
    say(f"{path}: open it in a browser and print it.")


def _show_effects(shown: MarkEffects) -> None:
    for sentence in introduction(shown):
        say(_sentence(sentence))
    for table in tables_of(shown):
        say()
        say(bold(str(table.title)))
        say(dim(_sentence(table.note)))
        print_table(tuple(map(str, table.heads)), [tuple(map(str, row)) for row in table.rows], keep=(0, 1))


def _show_view(view: OwnerView) -> None:
    say(bold(view.number), "  ", str(view.level_words))
    say(_sentence(view.action_words))
    say()
    pairs: list[tuple[str, str]] = []

    def add(label: str, texts: list[str]) -> None:
        pairs.extend((label if i == 0 else "", text) for i, text in enumerate(texts))

    add("against", [str(words) for words in view.against] or ["nothing"])
    add("for", [str(words) for words in view.in_favour] or ["nothing"])
    add("no weight", [str(words) for words in view.neutral])
    add("better if", [f"{one.words}: {one.level.word}" for one in view.better_if])
    add("fades", [f"{when(at)}: {level.word}" for at, level in view.fades])
    add("worse if", [str(view.marks_words), *(f"{one.words}: {one.level.word}" for one in view.worse_if)])
    print_pairs(pairs, LABEL)
    say()
    say(str(view.expects))


def _sentence(words: Wording) -> str:
    text = str(words)
    return f"{text[:1].upper()}{text[1:]}."
