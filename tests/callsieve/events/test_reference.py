"""docs/reference/events.md shows each kind as receivers get it; run as a module this rewrites the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from callsieve.events.kinds import EventKind, as_sent, body_of, sample_of
from reputation.events import DATA

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "events.md"
SECTION = re.compile(r"^### `([a-z.-]+)`\n\n(.*?)\n\n```json\n(.*?)```\n", re.MULTILINE | re.DOTALL)


def sample_json(kind: EventKind) -> str:
    """Return the sample as JSON, one field per line."""
    told = json.loads(body_of(as_sent(sample_of(kind))))
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


SECTIONS = {name: (words, example) for name, words, example in SECTION.findall(PAGE.read_text())}


def test_every_kind_is_documented() -> None:
    assert sorted(SECTIONS) == sorted(kind.value for kind in EventKind)


@pytest.mark.parametrize("kind", list(EventKind))
def test_examples_match_the_samples(kind: EventKind) -> None:
    _, example = SECTIONS[kind.value]
    assert json.loads(example) == json.loads(sample_json(kind))
    assert set(json.loads(example)["data"]) >= {field for field in DATA[kind].__struct_fields__}


if __name__ == "__main__":
    PAGE.write_text(
        SECTION.sub(
            lambda found: f"### `{found[1]}`\n\n{found[2]}\n\n```json\n{sample_json(EventKind(found[1]))}```\n",
            PAGE.read_text(),
        )
    )
