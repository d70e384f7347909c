"""Counts words and sentences of the documentation. `python -m lab.docs_figures` prints them for each part.

The parts are the user site (docs/ without docs/contributing/) and the other pages. Words are counted in whole files,
with code. Sentences are counted in running text: without code, tables, headings and Chinese.
"""

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from lab.plain_english import FEWEST_WORDS, MOST_WORDS, ROOT, SENTENCE_END, paragraphs

DOCS = ROOT / "docs"
LONGEST_PAGE = 1500
NOT_TEXT = re.compile(r"\A---\n.*?\n---\n|<!--.*?-->", re.S)
CODE_BLOCK = re.compile(r"^( *)```.*?^\1```", re.M | re.S)
OUTSIDE_SITE = {"contributing"}
REFERENCE = {"reference"}  # reference tables may be longer than pages that are read from top to bottom


class Figures(NamedTuple):
    """Counts of words and sentences in a set of pages. Shares are percentages of all sentences."""

    pages: int
    words: int
    words_without_code: int
    sentences: int
    median: float
    long: float
    headless: float
    addressed: float
    longest: list[str]


def read_page(path: Path) -> str:
    """Return a page's Markdown without its front matter and comments."""
    return NOT_TEXT.sub("", path.read_text(encoding="utf-8"))


def list_pages(folder: Path = DOCS) -> list[Path]:
    """Return the English pages below a folder."""
    return sorted(path for path in folder.rglob("*.md") if not path.name.endswith(".zh.md"))


def is_on_user_site(path: Path) -> bool:
    """Return whether a page belongs to the user site."""
    return path.relative_to(DOCS).parts[0] not in OUTSIDE_SITE


def count_words(text: str) -> int:
    """Return how many words a text has. Table rules and single punctuation marks do not count."""
    return len(re.findall(r"\S*\w\S*", text))


def sentences_of(text: str) -> list[list[str]]:
    """Return the words of each sentence of the running text."""
    prose = re.sub(r"^ *[|#].*$", "", text, flags=re.M)
    split = (SENTENCE_END.split(" ".join(part.text.split())) for part in paragraphs(prose))
    words = (re.findall(r"[^\W\d_][\w'-]*", sentence) for part in split for sentence in part)
    return [sentence for sentence in words if len(sentence) >= FEWEST_WORDS]


def measure(paths: list[Path]) -> Figures:
    texts = {path: read_page(path) for path in paths}
    sentences = [sentence for text in texts.values() for sentence in sentences_of(text)]
    share = 100 / max(len(sentences), 1)
    lengths = {path: count_words(text) for path, text in texts.items()}
    return Figures(
        len(paths),
        sum(lengths.values()),
        sum(count_words(CODE_BLOCK.sub("", text)) for text in texts.values()),
        len(sentences),
        statistics.median(map(len, sentences)) if sentences else 0,
        share * sum(len(sentence) > MOST_WORDS for sentence in sentences),
        share * sum(sentence[0] in {"Who", "What", "Whose", "Whom"} for sentence in sentences),
        share * sum(bool({"you", "your", "yours"} & {word.lower() for word in sentence}) for sentence in sentences),
        [
            f"{path.relative_to(DOCS)} {length}"
            for path, length in lengths.items()
            if length > LONGEST_PAGE and not REFERENCE & set(path.relative_to(DOCS).parts)
        ],
    )


def main() -> int:
    """Print the counts for the user site and for the other pages."""
    pages = list_pages()
    for name, on_site in (("user site", True), ("contributing", False)):
        figures = measure([path for path in pages if is_on_user_site(path) is on_site])
        print(
            f"{name}: {figures.pages} pages, {figures.words} words ({figures.words_without_code} without code blocks), "
            f"{figures.sentences} sentences, median {figures.median:g} words, {figures.long:.1f} % over {MOST_WORDS}, "
            f"{figures.headless:.1f} % begin with Who or What, {figures.addressed:.1f} % say you"
        )
        print(f"  pages with more than {LONGEST_PAGE} words, except in reference: {', '.join(figures.longest) or '-'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
