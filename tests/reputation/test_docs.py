"""docs/reference/evidence.md: every weight with its default and a reason, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reputation.weights import DEFAULT, SETTABLE, SUCCESSORS, Weights

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "evidence.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### `\[(reputation[a-z_.]*)\]`$", PAGE, re.MULTILINE)


TABLES = {
    f"reputation.{table}": {key: getattr(getattr(DEFAULT, table), key) for key in keys}
    for table, keys in SETTABLE.items()
}


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Default and reason by key, of the table under a heading."""
    section = PAGE.split(f"### `[{heading}]`\n")[1].split("\n#")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    return {key.strip("`"): (default.strip("`"), why) for key, default, why in cells[2:]}


def default_text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def test_each_table_has_its_heading() -> None:
    assert sorted(HEADINGS) == sorted(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_each_weight_has_its_default_and_a_reason(table: str) -> None:
    assert {key: default for key, (default, _) in rows(table).items()} == {
        key: default_text(value) for key, value in TABLES[table].items()
    }
    assert all(len(why) > 2 for _, why in rows(table).values())


@pytest.mark.parametrize("name", [name for name in SUCCESSORS if "." not in name])
def test_each_removed_table_is_named(name: str) -> None:
    assert f"`[reputation.{name}]`" in PAGE.split("## Settings that are gone")[1]


def test_weights_fit_on_one_screen() -> None:
    assert sum(map(len, TABLES.values())) <= 40


def test_the_example_is_valid_settings() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert msgspec.convert(tomllib.loads(example)["reputation"], Weights)
