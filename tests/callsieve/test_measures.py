"""docs/explanation/measures.md: each measure names a page that is there and a command that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callsieve.main.capabilities import COMMANDS
from callsieve.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "measures.md"
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| measure"))
]


def commands_in(text: str) -> list[str]:
    """Each as far as it is a command: `own pack` of `callsieve own pack NUMBER`."""
    return [re.match(r"[a-z -]*[a-z]|", said)[0] for said in re.findall(r"`callsieve ([^`]+)`", text)]  # type: ignore[index]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_measure_names_a_page_and_a_command(row: list[str]) -> None:
    _, _, page, command = row
    assert "](" in page
    assert commands_in(command)
    assert [name for name in commands_in(command) if name not in COMMANDS] == []


def test_settings_named_by_a_measure_exist() -> None:
    text = PAGE.read_text()
    for table, keys in re.findall(r"`\[([a-z]+)\] ([a-z_]+)`", text):
        assert hasattr(getattr(Settings(), table), keys)
    named = re.findall(r"`(calls_per_[a-z_]+)`", text)
    assert [key for key in named if not hasattr(Settings().outbound, key)] == []
