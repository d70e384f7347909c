"""The documentation that is installed: `callsieve help TOPIC` prints its pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callsieve.guide.cli.commands import documentation, page_by_topic
from tests.callsieve.program import Program

TOPICS = page_by_topic()


def test_page_names_are_unique() -> None:
    assert {path.relative_to(documentation()) for path in TOPICS.values()} == {
        path.relative_to(documentation())
        for path in documentation().rglob("*.md")
        if path.relative_to(documentation()).parts[0] != "contributing"
    }


@pytest.mark.parametrize("topic", TOPICS)
def test_help_prints_a_page(topic: str, tmp_path: Path) -> None:
    printed = Program(tmp_path).ok("help", topic)
    assert printed.startswith("# ")
    assert re.findall(r"\]\([^)]*\.md", printed) == []


def test_help_lists_the_pages_for_an_unknown_name(tmp_path: Path) -> None:
    failed = Program(tmp_path)("help", "nonsense")
    assert failed.code == 2
    printed = re.sub(r"\s", "", failed.err)
    assert [topic for topic in TOPICS if topic not in printed] == []


def test_every_page_has_the_date_of_its_last_check() -> None:
    assert [
        topic
        for topic, path in TOPICS.items()
        if not re.match(r"---\nchecked: \d{4}-\d\d-\d\d\n---\n", path.read_text("utf-8"))
    ] == []


def test_every_page_named_in_a_message_exists() -> None:
    package = documentation().parent / "callsieve"
    files = [path for suffix in ("*.py", "*.po", "*.html") for path in package.rglob(suffix)]
    named = {topic for path in files for topic in re.findall(r"callsieve help ([a-z-]+)", path.read_text("utf-8"))}
    assert len(named) > 5
    assert named - TOPICS.keys() - {"all"} == set()
