"""Robot or person, by how a caller listens, stops and speaks."""

from __future__ import annotations

from math import pi, sin
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.hearing.recogniser import RATE, Span
from callsieve.hearing.voice import CallerSpeech, Sound, voice_asked_to_stop, voice_of

PROMPT = 5.0
STOP = 4.2
SECOND = [sin(2 * pi * 300 * number / RATE) for number in range(RATE)]


def voice(prompt: tuple[Span, ...], answer: tuple[Span, ...], text: str = "", seconds: float = PROMPT) -> str:
    return voice_of(text, CallerSpeech(seconds, prompt, 8.0, answer))


def sound(seconds: float, speech: tuple[Span, ...], level: int = 8000) -> Sound:
    samples = b"".join(pack("<h", round(level * value)) for value in SECOND) * (int(seconds) + 1)
    return Sound(samples[: round(RATE * seconds) * 2], speech)


def asked_to_stop(speech: tuple[Span, ...], level: int = 8000, seconds: float = STOP) -> str:
    return voice_asked_to_stop(sound(2.0, ((0.0, 2.0),)), sound(seconds, speech, level))


@pytest.mark.parametrize(
    ("prompt", "answer", "text"),
    [
        pytest.param((), ((0.5, 8.0),), "For a loan press 1 now.", id="a-menu-after-the-tone"),
        pytest.param((), ((0.2, 3.0),), "Please leave a message after the beep.", id="a-mailbox"),
        pytest.param((), ((0.2, 3.0),), "了解详情请按9", id="a-menu-in-chinese"),
    ],
)
def test_robot_is_recognised(prompt: tuple[Span, ...], answer: tuple[Span, ...], text: str) -> None:
    assert voice(prompt, answer, text) == "robot"


@pytest.mark.parametrize(
    ("prompt", "answer", "text"),
    [
        pytest.param((), ((0.4, 3.0),), "It is Tom.", id="waits-and-says-a-name"),
        pytest.param(((0.2, 0.7), (2.0, 2.5)), ((0.4, 3.0),), "Tom.", id="hello-hello"),
        pytest.param((), ((0.3, 1.5), (3.5, 4.2), (6.0, 7.2)), "It is me, Tom.", id="slow"),
        pytest.param((), ((0.3, 8.0),), "This is the relay service.", id="relay-service"),
        pytest.param(((0.0, 5.0),), ((0.0, 8.0),), "I am deaf. Press 1 if you hear this.", id="cannot-hear-the-prompt"),
    ],
)
def test_person_is_recognised(prompt: tuple[Span, ...], answer: tuple[Span, ...], text: str) -> None:
    assert voice(prompt, answer, text) == "person"


@pytest.mark.parametrize(
    ("prompt", "answer", "seconds"),
    [
        pytest.param(((0.0, 5.0),), (), PROMPT, id="noise-that-ends-at-the-tone"),
        pytest.param(((0.0, 5.0),), ((0.0, 8.0),), PROMPT, id="talks-over-the-prompt"),
        pytest.param(((0.0, 2.0), (3.5, 5.0)), ((0.0, 8.0),), PROMPT, id="paused-to-listen"),
        pytest.param(((0.0, 2.0),), ((0.0, 8.0),), 2.0, id="a-short-prompt"),
        pytest.param((), (), PROMPT, id="silence"),
        pytest.param((), ((0.3, 4.0), (4.9, 8.0)), PROMPT, id="does-not-stop-after-the-tone"),
    ],
)
def test_ambiguous_voice_is_unclear(prompt: tuple[Span, ...], answer: tuple[Span, ...], seconds: float) -> None:
    assert voice(prompt, answer, seconds=seconds) == "unclear"


@pytest.mark.parametrize(
    ("speech", "level", "expected"),
    [
        pytest.param(((0.0, 4.2),), 8000, "robot", id="goes-on"),
        pytest.param(((0.0, 1.5), (2.3, 3.6)), 8000, "robot", id="goes-on-with-pauses"),
        pytest.param((), 8000, "person", id="stops-at-once"),
        pytest.param(((0.0, 2.9),), 8000, "person", id="ends-a-sentence"),
        pytest.param(((0.0, 4.2),), 1000, "unclear", id="a-television-goes-on"),
        pytest.param(((0.0, 1.0), (2.5, 4.2)), 8000, "unclear", id="stops-and-asks"),
    ],
)
def test_stop_test_tells_robot_from_person(speech: tuple[Span, ...], level: int, expected: str) -> None:
    assert asked_to_stop(speech, level) == expected


def test_short_prompt_gives_no_stop_result() -> None:
    assert asked_to_stop(((0.0, 2.0),), seconds=2.0) == "unclear"


@given(st.floats(0.0, 2.9), st.integers(0, 5))
def test_caller_who_stops_within_3_seconds_is_a_person(stop: float, pauses: int) -> None:
    edges = [stop * part / (2 * pauses + 1) for part in range(2 * pauses + 2)]
    assert asked_to_stop(tuple(zip(edges[::2], edges[1::2], strict=True))) == "person"
