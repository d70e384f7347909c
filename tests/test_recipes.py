"""The recipes of CONTRIBUTING.md name files that are there, and in each what has to be extended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECIPES = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Recipes\n")[2]
LINES = re.findall(r"^- `([^`]+)`: `([^`]+)`(.*)$", RECIPES, re.MULTILINE)
# Other files named in recipes.
FILE = re.compile(r"`([\w./-]+/[\w.-]+\.\w+)`")


def test_frequent_additions_have_a_recipe() -> None:
    headings = re.findall(r"^### (?:A|An) (\w+)", RECIPES, re.MULTILINE)
    assert {"condition", "command", "page", "signal", "field", "setting"} <= set(headings)
    assert len(LINES) == len(re.findall(r"^- ", RECIPES, re.MULTILINE))


@pytest.mark.parametrize(("name", "what", "rest"), LINES, ids=[f"{name}-{what.strip()}" for name, what, _ in LINES])
def test_file_contains_the_words_of_its_recipe(name: str, what: str, rest: str) -> None:
    text = (ROOT / name).read_text()
    assert [word for word in (what, *re.findall(r"`([A-Z_]{4,})`", rest)) if word not in text] == []


def test_every_file_named_in_a_recipe_exists() -> None:
    assert [name for name in FILE.findall(RECIPES) if not (ROOT / name).is_file()] == []
