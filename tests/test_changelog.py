import re
from pathlib import Path

LINES = (Path(__file__).parent.parent / "CHANGELOG.md").read_text().splitlines()


def test_changelog_sections_have_standard_names() -> None:
    sections = {line for line in LINES if line.startswith("### ")}
    assert sections <= {f"### {name}" for name in ("Added", "Changed", "Fixed", "Removed", "Security")}


def test_each_change_fits_one_line() -> None:
    items = [line for line in LINES if line.startswith("- ")]
    assert [item for item in items if len(re.sub(r"\]\([^)]*\)", "]", item)) > 220] == []
    assert [line for line in LINES if line.startswith(" ")] == []
