"""The page for everybody with a phone (docs/for-users.md) as HTML for printing: one sheet of A4 or Letter paper."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from agi.speech import ENGLISH, MANDARIN
from callsieve.web.rendering import document_of

FILE_BY_LANGUAGE = {ENGLISH: "for-users.md", MANDARIN: "for-users.zh.md"}
_OTHER_LANGUAGE = re.compile(r" · \[[^\]]+\]\([^)]+\)$", re.MULTILINE)  # a link, which paper has no use for
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)

# Signs are sentences in the first table, and keys and codes in the others.
_FIRST_TABLE = ("<table>", '<table class="wide">')


def guide_text(language: str) -> str:
    """The page as it is written, in Markdown."""
    name = FILE_BY_LANGUAGE[language]
    installed = Path(str(files("callsieve"))) / "guide-for-users" / name
    source = Path(__file__).resolve().parents[2] / "docs" / name
    return (installed if installed.is_file() else source).read_text("utf-8")


def guide_page(language: str) -> str:
    """The page as HTML, whole in itself."""
    text = _OTHER_LANGUAGE.sub("", guide_text(language))
    title = _TITLE.search(text)
    content = MarkdownIt("commonmark").enable("table").render(text).replace(*_FIRST_TABLE, 1)
    return document_of(
        "guide", "guide.html", language, {"title": title[1] if title else "", "content": Markup(content)}
    )
