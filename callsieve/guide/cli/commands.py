"""`callsieve guide`: the page for everybody with a phone, to be printed and pinned up."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from markdown_it import MarkdownIt
from markupsafe import Markup

from agi.speech import ENGLISH, MANDARIN
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, check_new, settings_of
from callsieve.guide.pages import documentation, read_page
from callsieve.prompts.catalogue import PromptError, known_language
from callsieve.system.files import complete_file
from callsieve.web.rendering import document_of

FILE_BY_LANGUAGE = {ENGLISH: "phone.md", MANDARIN: "phone.zh.md"}
_OTHER_LANGUAGE = re.compile(r" · \[[^\]]+\]\([^)]+\)$", re.MULTILINE)  # a link, which paper has no use for
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)

# Signs are sentences in the first table, and keys and codes in the others.
_FIRST_TABLE = ("<table>", '<table class="wide">')


def guide_text(language: str) -> str:
    """Return the page in Markdown."""
    return read_page(documentation() / FILE_BY_LANGUAGE[language])


def guide_page(language: str) -> str:
    """Return the page as HTML without external files."""
    text = _OTHER_LANGUAGE.sub("", guide_text(language))
    title = _TITLE.search(text)
    content = MarkdownIt("commonmark").enable("table").render(text).replace(*_FIRST_TABLE, 1)
    return document_of(
        "guide", "guide.html", language, {"title": title[1] if title else "", "content": Markup(content)}
    )


FILE_MODE = 0o644


def guide(
    language: Annotated[
        str | None, typer.Option("--language", metavar="LANGUAGE", help="en or zh; else that of the settings.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, else to the output.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the page for everybody with a phone as HTML: one sheet, from any browser."""
    try:
        page = guide_page(known_language(language or settings_of(config).settings.display.language))
    except PromptError as error:
        raise CommandError(str(error)) from None
    if out is None:
        sys.stdout.write(page)
        return
    check_new(out)
    with complete_file(out, FILE_MODE) as file:
        file.write(page.encode())
    print(f"{out}: open it in a browser and print it.")
