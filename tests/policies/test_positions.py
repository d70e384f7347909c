"""The lines of keys, beside what tomllib makes of the same text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.files import MAX_PARTS, Position, places_of
from policies.policy import PolicyError
from tests.policies.strategies import policy_texts

TEXT = "\n".join(
    (
        'extends = "x"  # [[rule]]',
        "[[rule]]",
        'name = "a.b = 1"',
        'when = { level_at_least = "warn", any = [',
        '  { country = "GB" },',
        '  { not = { prefix = [ "+1", "+2" ] } },',
        "] }",
        "",
        "[[rule]]",
        "reason = '''",
        "[[rule]]",
        "x'''",
        "at = 2026-01-15T03:00:00-05:00",
        "[rule.when]",
        "",
        'hours.from = "22:00"',
        '"hours".to = """8',
        '\\"x""" # "',
        "[other]",
        'key = """"x" = [1]"""""',
        "share = -1.5",
        "",
    )
)


def test_sample_text_is_toml() -> None:
    assert tomllib.loads(TEXT)["other"]["share"] == -1.5


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("extends",), 1),
        (("rule", 0), 2),
        (("rule", 0, "name"), 3),
        (("rule", 0, "when", "level_at_least"), 4),
        (("rule", 0, "when", "any", 0, "country"), 5),
        (("rule", 0, "when", "any", 1, "not", "prefix"), 6),
        (("rule", 1), 9),
        (("rule", 1, "reason"), 10),
        (("rule", 1, "at"), 13),
        (("rule", 1, "when", "hours", "from"), 16),
        (("rule", 1, "when", "hours", "to"), 17),
        (("other", "share"), 21),
        (("rule", 1, "missing"), 9),
        (("missing",), 1),
    ],
)
def test_line_of_a_key_is_found(path: tuple[str | int, ...], line: int) -> None:
    assert places_of(TEXT).line_of(path) == line


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Of all that a parsed text holds."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from paths_of(one, (*path, key))


def is_there(place: Position, path: tuple[str | int, ...]) -> bool:
    for step in path:
        if step not in place.parts:
            return False
        place = place.parts[step]
    return True


@given(policy_texts())
def test_every_key_of_a_policy_is_found(text: str) -> None:
    places = places_of(text)
    assert [path for path in paths_of(tomllib.loads(text)) if not is_there(places, path)] == []


@given(st.text() | st.text("[]{}=\"'.\n\r\\ ab,#0", max_size=100))
def test_any_text_has_positions_or_an_error(text: str) -> None:
    try:
        places = [places_of(text)]
    except PolicyError:
        return
    while places:
        place = places.pop()
        assert 1 <= place.line <= text.count("\n") + 1
        places += place.parts.values()


@pytest.mark.parametrize(("parts", "refused"), [(MAX_PARTS, False), (MAX_PARTS + 1, True)])
def test_number_of_key_parts_is_limited(parts: int, refused: bool) -> None:
    text = "\n" + ".".join("a" * parts) + " = 1"
    if not refused:
        assert places_of(text).line_of(("a",) * parts) == 2
        return
    with pytest.raises(PolicyError, match="line 2"):
        places_of(text)
