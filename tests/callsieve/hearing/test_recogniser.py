"""Which recognised words are kept."""

from __future__ import annotations

from typing import Any

import pytest

from callsieve.hearing.recogniser import MOST_CHARACTERS, Recognised, Segment, understood

SPEECH = ((0.5, 4.5),)


def recognised(text: str, *, speech: tuple[tuple[float, float], ...] = SPEECH, **of_segment: float) -> str:
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
def test_spoken_words_are_kept(text: str) -> None:
    assert recognised(text) == text


@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param("Hello.", {"speech": ()}, id="no-speech"),
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
def test_hallucinated_words_are_dropped(text: str, options: dict[str, Any]) -> None:
    assert recognised(text, **options) == ""


def test_transcript_is_one_line_of_limited_length() -> None:
    text = " ".join(f"word{n}" for n in range(200))
    found = recognised(f"first\n\tline {text}", speech=((0.0, 60.0),))
    assert found.startswith("first line word0")
    assert len(found) <= MOST_CHARACTERS
