"""What a message names is there where CallSieve is installed: messages name pages as `callsieve help TOPIC`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("callsieve", "policies", "reputation", "agi", "ami_listener")
NOT_SHIPPED = re.compile(r"\b(?:docs|examples|tests|benchmarks)/[\w/.-]*\w|\b[\w./-]+\.md\b|\bREADME\b")
SHIPPED = {"phone.md", "phone.zh.md"}  # callsieve/docs


def texts_of(source: str) -> Iterator[str]:
    """All string literals but docstrings."""
    tree = ast.parse(source)
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in statements:
            yield node.value


@pytest.mark.parametrize("package", PACKAGES)
def test_no_message_names_a_file_that_is_not_in_the_wheel(package: str) -> None:
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in (ROOT / package).rglob("*.py")
        for text in texts_of(path.read_text())
        if "://" not in text
        for name in NOT_SHIPPED.findall(text)
        if name not in SHIPPED
    }
    assert found == set()


def test_no_translation_names_an_unshipped_file() -> None:
    catalogues = (ROOT / "callsieve" / "web" / "locale").rglob("*.po")
    assert [name for path in catalogues for name in NOT_SHIPPED.findall(path.read_text())] == []


def test_no_template_names_an_unshipped_file() -> None:
    pages = [*(ROOT / "callsieve").rglob("*.html")]
    assert pages
    assert [name for path in pages for name in NOT_SHIPPED.findall(path.read_text())] == []
