"""Every link in Markdown leads to a file of the repository, and its anchor to a heading there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.office import ROOT

OUR_FOLDERS = ("docs", "asterisk-conf", "benchmarks", "examples", "freepbx", "packages")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in OUR_FOLDERS for page in (ROOT / folder).rglob("*.md"))])
CODE = re.compile(r"^ *```.*?^ *```|<!--.*?-->", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[(?:`[^`]*`|[^\]`])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors that the site and GitHub give to the headings of a page."""
    headings = HEADING.findall(re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading).lower() for heading in headings]
    kept = [re.sub(r"[^\w\s-]", "", heading).strip() for heading in plain]
    once = [re.sub(r"[-\s]+", "-", heading) for heading in kept]  # the site's; GitHub keeps each hyphen
    return frozenset(once) | {heading.replace(" ", "-") for heading in kept}


def broken_links(page: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere."""
    for link in LINK.findall(CODE.sub("", page.read_text())):
        name, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_have_targets(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`\n\n[a](#one-two) [b](#three) [c](none.md) [`d`](https://example.com)\n")
    assert list(broken_links(page)) == ["#three", "none.md"]
