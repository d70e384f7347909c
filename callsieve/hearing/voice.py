"""The decision whether a robot or a person spoke: by pauses during the prompt, and by typical phrases. Pure.

A recording starts when the call is answered and continues during the prompt. A person is quiet while the prompt plays,
or says "hello?" and waits. People who speak slowly, children, relay services and speech synthesizers wait too.
Everything else is unclear. A wrong `robot` is worse than many missed robots.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from callsieve.hearing.recogniser import Span, seconds_of
from reputation.model import Voice

# A shorter prompt shows nothing.
LEAST_PROMPT_SECONDS = 2.5
# A robot speaks for this part of the prompt at least, without a pause in which a person would listen.
TALKS_OVER = 0.6
LISTENING_PAUSE_SECONDS = 1.2
# A person is quiet for more than half of it.
LISTENS = 0.4
# A person stops before the recording does, or pauses for so long.
STOPS_SECONDS = 0.7
# How long after the tone a recording that did not stop goes on.
GOES_ON_SECONDS = 1.0

# What only a machine says: a menu, its own name, or the greeting of a mailbox.
_PHRASES = (
    r"\bpress(ing)? (the )?(key |number )?([0-9]|one|two|three|four|five|six|seven|eight|nine|zero|pound|star)\b",
    r"\b(automated|pre-?recorded) (message|call)\b",
    r"\bleave (me |us )?(a|your) (name|message)\b",
    r"\b(after|at) the (tone|beep)\b",
    r"\b(is|am|are) (not|currently) (un)?available\b",
    r"\byou have reached\b",
    r"请?按[一二三四五六七八九零0-9]",
    r"(留言|语音信箱|无人接听|自动语音)",
)
_MACHINE = re.compile("|".join(_PHRASES), re.IGNORECASE)


class CallerSpeech(NamedTuple):
    """The time spans of a caller's speech during the prompt and in the answer, and the lengths of both, in seconds."""

    prompt_seconds: float
    prompt: Sequence[Span]
    answer_seconds: float
    answer: Sequence[Span]


def voice_of(text: str, speech: CallerSpeech) -> Voice:
    """Return whether a robot or a person spoke. `text`: the words understood in the answer."""
    if _MACHINE.search(text) is not None:
        return Voice.ROBOT
    if speech.prompt_seconds < LEAST_PROMPT_SECONDS:
        return Voice.UNCLEAR
    share = seconds_of(speech.prompt) / speech.prompt_seconds
    goes_on = bool(speech.answer) and speech.answer[0][0] < GOES_ON_SECONDS
    if share >= TALKS_OVER and goes_on and _longest_pause(speech) < LISTENING_PAUSE_SECONDS:
        return Voice.ROBOT
    return Voice.PERSON if share <= LISTENS and _stops(speech) else Voice.UNCLEAR


def _stops(speech: CallerSpeech) -> bool:
    """Return whether the caller paused or stopped before the end. A played recording does neither after the tone."""
    if not speech.answer:
        return False
    pauses = [after[0] - before[1] for before, after in pairwise(speech.answer)]
    return speech.answer_seconds - speech.answer[-1][1] >= STOPS_SECONDS or max(pauses, default=0.0) >= STOPS_SECONDS


def _longest_pause(speech: CallerSpeech) -> float:
    """Return the longest pause in the prompt, including the one at its end."""
    edges = [0.0, *(edge for span in speech.prompt for edge in span), speech.prompt_seconds]
    gaps = [end - start for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return max(gaps[1:])  # a recording may begin a moment after the call
