"""The settings in docs/reference/settings.md load, and hold every key that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from callsieve.settings import Settings, parse_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md").read_text()


def test_the_example_loads_and_shows_every_key() -> None:
    match = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert match
    settings = parse_settings(match[1], "docs/reference/settings.md")
    shown = tomllib.loads(match[1])
    for field in msgspec.structs.fields(Settings):
        if field.name == "reputation":  # evidence has a page of its own
            continue
        table = getattr(settings, field.name)
        rows = table if isinstance(table, tuple) else (table,)
        examples = shown[field.name] if isinstance(shown[field.name], list) else [shown[field.name]]
        keys = {f.encode_name for row in rows for f in msgspec.structs.fields(type(row))}
        exclusive = {"callee", "screen", "trunk", "group"} if field.name in ("did", "scope") else set()
        assert keys - exclusive <= {key for example in examples for key in example}, field.name
