"""Which of a recogniser's words count: what was said, and nothing that it made up."""

from __future__ import annotations

from typing import Any

import pytest

from callsieve.hearing.recogniser import MOST_CHARACTERS, Recognised, Segment, understood

SPEECH = ((0.5, 4.5),)


def heard(text: str, *, speech: tuple[tuple[float, float], ...] = SPEECH, **of_segment: float) -> str:
    return understood(Recognised((Segment(text, **of_segment),), "en", speech))


@pytest.mark.parametrize(
    "text",
    [
        "This is Tom Baker about the delivery.",
        "Hello, hello, hello? Is anybody there?",
        "我是王伟，关于您的快递。",
        "No no no, I mean Thursday.",
        "Thank you for taking my call, it is Ann.",
    ],
)
def test_what_people_say_counts(text: str) -> None:
    assert heard(text) == text


@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param("Hello.", {"speech": ()}, id="nobody-speaks"),
        pytest.param("Hello.", {"speech": ((1.0, 1.2),)}, id="a-click"),
        pytest.param("Good evening.", {"no_speech": 0.9}, id="probably-no-speech"),
        pytest.param("Good evening.", {"log_probability": -1.4}, id="guessed"),
        pytest.param("Thanks for watching!", {}, id="a-subtitle"),
        pytest.param("字幕由Amara.org社区提供", {}, id="a-chinese-subtitle"),
        pytest.param("I'm sorry. " * 12, {}, id="a-loop"),
        pytest.param(
            "one two three four five six seven eight nine ten eleven", {"speech": ((0.0, 1.0),)}, id="too-fast"
        ),
        pytest.param("♪ ♪", {}, id="music"),
    ],
)
def test_what_is_made_up_does_not(text: str, options: dict[str, Any]) -> None:
    assert heard(text, **options) == ""


def test_a_text_has_one_line_and_a_limit() -> None:
    text = " ".join(f"word{n}" for n in range(200))
    found = heard(f"first\n\tline {text}", speech=((0.0, 60.0),))
    assert found.startswith("first line word0")
    assert len(found) <= MOST_CHARACTERS
