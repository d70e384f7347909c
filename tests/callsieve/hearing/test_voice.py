"""Robot or person, by how a caller listens and by what a machine says."""

from __future__ import annotations

import pytest

from callsieve.hearing.recogniser import Span
from callsieve.hearing.voice import CallerSpeech, voice_of

PROMPT = 5.0


def voice(prompt: tuple[Span, ...], answer: tuple[Span, ...], text: str = "", seconds: float = PROMPT) -> str:
    return voice_of(text, CallerSpeech(seconds, prompt, 8.0, answer))


@pytest.mark.parametrize(
    ("prompt", "answer", "text"),
    [
        pytest.param(((0.1, 2.4), (2.8, 5.0)), ((0.0, 8.0),), "", id="does-not-stop"),
        pytest.param((), ((0.5, 8.0),), "For a loan press 1 now.", id="a-menu-after-the-tone"),
        pytest.param((), ((0.2, 3.0),), "Please leave a message after the beep.", id="a-mailbox"),
        pytest.param((), ((0.2, 3.0),), "了解详情请按9", id="a-menu-in-chinese"),
    ],
)
def test_a_robot(prompt: tuple[Span, ...], answer: tuple[Span, ...], text: str) -> None:
    assert voice(prompt, answer, text) == "robot"


@pytest.mark.parametrize(
    ("prompt", "answer", "text"),
    [
        pytest.param((), ((0.4, 3.0),), "It is Tom.", id="waits-and-says-a-name"),
        pytest.param(((0.2, 0.7), (2.0, 2.5)), ((0.4, 3.0),), "Tom.", id="hello-hello"),
        pytest.param((), ((0.3, 1.5), (3.5, 4.2), (6.5, 7.9)), "This is the relay service.", id="slow"),
        pytest.param((), ((0.3, 4.0), (4.9, 8.0)), "I have pressed the bell twice, it is the parcel.", id="talks-long"),
    ],
)
def test_a_person(prompt: tuple[Span, ...], answer: tuple[Span, ...], text: str) -> None:
    assert voice(prompt, answer, text) == "person"


@pytest.mark.parametrize(
    ("prompt", "answer", "seconds"),
    [
        pytest.param(((0.0, 5.0),), (), PROMPT, id="noise-that-ends-at-the-tone"),
        pytest.param(((0.0, 2.0), (3.5, 5.0)), ((0.0, 8.0),), PROMPT, id="paused-to-listen"),
        pytest.param(((0.0, 2.0),), ((0.0, 8.0),), 2.0, id="a-short-prompt"),
        pytest.param((), (), PROMPT, id="silence"),
        pytest.param((), ((0.3, 8.0),), PROMPT, id="does-not-stop-after-the-tone"),
    ],
)
def test_what_shows_neither_is_unclear(prompt: tuple[Span, ...], answer: tuple[Span, ...], seconds: float) -> None:
    assert voice(prompt, answer, seconds=seconds) == "unclear"
