"""Documents and code name only existing files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w./-]+\.py)`")
CITED = re.compile(r"[\w./-]*\w(?<!\.zh)\.md\b")
SOURCES = ("*.py", "*.conf", "asterisk-conf/*.toml", "*.html", "*.sql", "Makefile")


@cache
def files(*patterns: str) -> tuple[Path, ...]:
    """Return tracked and untracked files."""
    listed = subprocess.check_output(
        ("git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns), cwd=ROOT, text=True
    )
    return tuple(ROOT / line for line in listed.splitlines() if (ROOT / line).is_file())


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to headings."""
    headings = HEADING.findall(CODE_BLOCK.sub("", page.read_text()))
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def broken_links(page: Path) -> Iterator[str]:
    """Links of the page to files or headings that are not there."""
    for link in LINK.findall(CODE_BLOCK.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link


@pytest.mark.parametrize("page", files("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_every_cited_document_exists() -> None:
    missing = {
        f"{file.relative_to(ROOT)}: {cited}"
        for file in files(*SOURCES)
        if "tests" not in file.parts
        for cited in CITED.findall(file.read_text())
        if not (ROOT / cited).exists() and not list(ROOT.glob(f"docs/**/{cited}"))
    }
    assert missing == set()


@pytest.mark.parametrize("page", files("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_on_a_page_exists(page: Path) -> None:
    there = {str(file.relative_to(ROOT)) for file in files()}
    named = set(NAMED.findall(page.read_text()))
    assert {name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in there)} == set()


def test_repository_holds_no_store() -> None:
    left = [file.relative_to(ROOT) for file in files() if file.read_bytes()[:15] == b"SQLite format 3"]
    assert left == []
