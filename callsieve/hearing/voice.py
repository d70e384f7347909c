"""The decision whether an automated caller or a person spoke, by typical phrases and by whether the caller stops. Pure.

A caller who speaks for 8 s without stopping is asked to stop. People stop, even slow speakers and children. A recorded
message continues. A relay service or a speech synthesizer may continue too, so a caller who says certain words counts
as a person. In all other cases the voice is unclear. A wrong `robot` is worse than many missed automated callers.
"""

import re
from array import array
from collections.abc import Sequence
from math import log10
from typing import NamedTuple

from callsieve.hearing.recogniser import RATE, Span, seconds_of
from reputation.model import Voice

# A shorter prompt shows nothing.
LEAST_PROMPT_SECONDS = 2.5
# A robot speaks for this part of the prompt that asks to stop, without a pause in which a person would listen.
TALKS_OVER = 0.6
LISTENING_PAUSE_SECONDS = 1.2
# At the end of that prompt it is as loud as before. A television beside a person who has stopped is not.
MOST_QUIETER_DB = 7.0
LEVEL_SECONDS = 2.0
# A person is quiet for more than half of the first prompt, and stops before the recording does.
LISTENS = 0.4
STOPS_SECONDS = 0.7

# What only a machine says: a menu, its own name, or the greeting of a mailbox.
_MACHINE = (
    r"\bpress(ing)? (the )?(key |number )?([0-9]|one|two|three|four|five|six|seven|eight|nine|zero|pound|star)\b",
    r"\b(automated|pre-?recorded) (message|call)\b",
    r"\bleave (me |us )?(a|your) (name|message)\b",
    r"\b(after|at) the (tone|beep)\b",
    r"\b(is|am|are) (not|currently) (un)?available\b",
    r"\byou have reached\b",
    r"请?按[一二三四五六七八九零0-9]",
    r"(留言|语音信箱|无人接听|自动语音)",
)
# Words of people who use a relay service or a speech synthesizer.
_ASSISTED = (
    r"\brelay (service|call|operator)\b",
    r"\b(deaf|mute|hard of hearing)\b",
    r"\b(speech|hearing|voice) (impair|disab|synth|generat|comput|device)",
    r"\btext[- ]to[- ]speech\b",
    r"\bsynthesi[sz]er\b",
    r"\bcaption",
    r"\b(cannot|can't|can not) (speak|talk|hear)\b",
    r"\b(speaks?|speaking|talks?|talking) for me\b",
    r"\bvoice is (made|spoken|generated) by\b",
    r"(聋|听障|语障|言语障碍|语音合成|手语)",
)
_SAYS_MACHINE, _SAYS_ASSISTED = (re.compile("|".join(each), re.IGNORECASE) for each in (_MACHINE, _ASSISTED))


class CallerSpeech(NamedTuple):
    """The times at which the caller spoke during the prompt and in the answer, and the lengths of both, in seconds."""

    prompt_seconds: float
    prompt: Sequence[Span]
    answer_seconds: float
    answer: Sequence[Span]


def voice_of(text: str, speech: CallerSpeech) -> Voice:
    """Return whether an automated caller or a person spoke. `text`: the words that were understood."""
    if says_assisted(text):
        return Voice.PERSON
    if _SAYS_MACHINE.search(text) is not None:
        return Voice.ROBOT
    listens = seconds_of(speech.prompt) <= LISTENS * speech.prompt_seconds
    is_long = speech.prompt_seconds >= LEAST_PROMPT_SECONDS
    stops = bool(speech.answer) and speech.answer_seconds - speech.answer[-1][1] >= STOPS_SECONDS
    return Voice.PERSON if is_long and listens and stops else Voice.UNCLEAR


def says_assisted(text: str) -> bool:
    """Return whether the caller says that a relay service or a speech synthesizer speaks for them."""
    return _SAYS_ASSISTED.search(text) is not None


class Sound(NamedTuple):
    """A recording: its samples of 16 bits at RATE, and the spans in which somebody speaks."""

    samples: bytes
    speech: Sequence[Span]


def voice_asked_to_stop(before: Sound, meanwhile: Sound) -> Voice:
    """Return whether an automated caller or a person spoke, judged by what the caller did when asked to stop.

    `before`: the end of the answer. `meanwhile`: the caller's speech while the prompt asked the caller to stop.
    """
    seconds = len(meanwhile.samples) / 2 / RATE
    if seconds < LEAST_PROMPT_SECONDS or not before.speech:
        return Voice.UNCLEAR
    edges = [0.0, *(edge for span in meanwhile.speech for edge in span), seconds]
    pauses = [end - start for start, end in zip(edges[::2], edges[1::2], strict=True)]
    talks_over = seconds_of(meanwhile.speech) >= TALKS_OVER * seconds and max(pauses) < LISTENING_PAUSE_SECONDS
    if talks_over and level_of(meanwhile) >= level_of(before) - MOST_QUIETER_DB:
        return Voice.ROBOT
    return Voice.PERSON if pauses[-1] >= LISTENING_PAUSE_SECONDS else Voice.UNCLEAR


def level_of(sound: Sound) -> float:
    """Return how loud the speech is in the last LEVEL_SECONDS, in dB above the smallest sample value."""
    values = array("h", sound.samples)
    first = max(len(values) - round(RATE * LEVEL_SECONDS), 0)
    spoken = [values[max(round(RATE * start), first) : round(RATE * end)] for start, end in sound.speech]
    power = sum(value * value for part in spoken for value in part) / max(sum(map(len, spoken)), 1)
    return 10 * log10(power + 1)
