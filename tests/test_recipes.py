"""The recipes of CONTRIBUTING.md name files that are there, and in each what has to be extended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECIPES = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Recipes\n")[2]
LINES = re.findall(r"^- `([^`]+)`: `([^`]+)`(.*)$", RECIPES, re.MULTILINE)
# A file or a table that the rest of such a line, or a sentence between them, names.
FILE = re.compile(r"`([\w./-]+/[\w.-]+\.\w+)`")


def test_there_is_a_recipe_for_what_is_added_often() -> None:
    headings = re.findall(r"^### (?:A|An) (\w+)", RECIPES, re.MULTILINE)
    assert {"condition", "command", "page", "signal", "field", "setting"} <= set(headings)
    assert len(LINES) == len(re.findall(r"^- ", RECIPES, re.MULTILINE))


@pytest.mark.parametrize(("name", "what", "rest"), LINES, ids=[f"{name}-{what.strip()}" for name, what, _ in LINES])
def test_the_file_holds_what_the_recipe_names(name: str, what: str, rest: str) -> None:
    text = (ROOT / name).read_text()
    assert [word for word in (what, *re.findall(r"`([A-Z_]{4,})`", rest)) if word not in text] == []


def test_every_file_that_a_recipe_names_is_there() -> None:
    assert [name for name in FILE.findall(RECIPES) if not (ROOT / name).is_file()] == []
