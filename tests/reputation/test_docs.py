"""docs/reputation.md: every weight with its default and a reason, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reputation.formulas import bounded
from reputation.weights import DEFAULT, Weights

PAGE = (Path(__file__).parents[2] / "docs" / "reputation.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### `\[(reputation[a-z_.]*)\]`$", PAGE, re.MULTILINE)


def tables_of(struct: Any, name: str) -> dict[str, dict[str, Any]]:
    """Every table of the settings below a name, with the defaults of its keys."""
    values = msgspec.structs.asdict(struct)
    inner = {key: value for key, value in values.items() if isinstance(value, msgspec.Struct)}
    found = {name: {key: value for key, value in values.items() if key not in inner}}
    for key, value in inner.items():
        found |= tables_of(value, f"{name}.{key}")
    return found


TABLES = tables_of(DEFAULT, "reputation")


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Default and reason by key, of the table under a heading."""
    section = PAGE.split(f"### `[{heading}]`\n")[1].split("\n#")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    return {key.strip("`"): (default.strip("`"), why) for key, default, why in cells[2:]}


def written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def test_each_table_has_its_heading() -> None:
    assert sorted(HEADINGS) == sorted(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_each_weight_has_its_default_and_a_reason(table: str) -> None:
    assert {key: default for key, (default, _) in rows(table).items()} == {
        key: written(value) for key, value in TABLES[table].items()
    }
    assert all(len(why) > 2 for _, why in rows(table).values())


@pytest.mark.parametrize(
    ("contamination", "said"),
    [
        (DEFAULT.marks.contamination, "bound +3.5"),
        (DEFAULT.behaviour.contamination, "bound +-3.5"),
        (DEFAULT.identity.marks_contamination_1, "bounded at +3.0"),
        (DEFAULT.identity.marks_contamination_2, "+2.3"),
        (DEFAULT.identity.marks_contamination_3, "+1.6"),
    ],
)
def test_the_bounds_that_are_said(contamination: float, said: str) -> None:
    assert f"{bounded(1000.0, contamination):.1f}" == said.rpartition("+")[2].lstrip("-")
    assert f"{contamination:g} | {said}" in PAGE or f"{contamination:g} | marks {said}" in PAGE


def test_the_example_can_be_read() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert msgspec.convert(tomllib.loads(example)["reputation"], Weights)
