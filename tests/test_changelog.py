import re
from pathlib import Path

LINES = (Path(__file__).parent.parent / "CHANGELOG.md").read_text().splitlines()


def test_every_section_is_one_of_the_format() -> None:
    sections = {line for line in LINES if line.startswith("### ")}
    assert sections <= {f"### {name}" for name in ("Added", "Changed", "Fixed", "Removed", "Security")}


def test_each_change_is_one_short_line() -> None:
    items = [line for line in LINES if line.startswith("- ")]
    assert [item for item in items if len(re.sub(r"\]\([^)]*\)", "]", item)) > 220] == []
    assert [line for line in LINES if line.startswith(" ")] == []
