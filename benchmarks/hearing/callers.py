"""Simulate callers who are asked for their name: their sound before, during and after the prompts.

The behaviour of people is an assumption. One in three says hello during the first prompt. If a person still speaks when
the recording ends, a prompt asks the person to stop speaking. The person stops after about a second, or at the end of a
sentence. A speech synthesizer does not stop. In some calls a television is on.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hearing.sound import LINES, RATE, SPEAKERS, Line, Speaker, speak
from lab.speech import SpeechPaths

TEXTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))
# The prompts screening-ask-recorded and screening-enough by espeak-ng, and what Record takes.
PROMPT_SECONDS, ANSWER_SECONDS, ENOUGH_SECONDS = 4.7, 8.0, 4.2
SILENCE_SECONDS = 2.0  # ends a recording; Record keeps a half
TELEVISION, TELEVISION_DB = (TEXTS["long"][0], SPEAKERS[0]), -18.0


class Caller(NamedTuple):
    """A simulated call.

    Attributes:
        is_robot: Whether the caller is a recorded message.
        kind: How the caller behaves.
        text: The words that the caller says.
        is_held_out: Whether the text and the voice were not used to make the rules. This holds for half of the callers.
        prompt: The sound during the first prompt.
        answer: The sound after the first prompt.
        enough: The sound during the prompt that asks the caller to stop speaking; None if this prompt is not played.
        line: The faults of the telephone line.
    """

    is_robot: bool
    kind: str
    speaker: Speaker
    text: str
    is_held_out: bool
    prompt: Any
    answer: Any
    enough: Any | None
    line: Line


class Voices(NamedTuple):
    """A text that is spoken by a voice. `kind`, `is_held_out`: as in `Caller`."""

    kind: str
    text: str
    speaker: Speaker
    is_held_out: bool


def simulated(speech: SpeechPaths, folder: Path, recorded: list[tuple[str, Any]], every: int) -> list[Caller]:
    """Return simulated callers. `recorded`: texts and sounds of real automated callers, instead of synthetic ones.

    `every`: use only each n-th synthetic caller.
    """
    wanted = _wanted(not recorded)[::every]
    hellos = [Voices("", "Hello?", one, is_held_out=False) for one in SPEAKERS]
    sounds = speak(
        speech, dict.fromkeys([TELEVISION, *((one.text, one.speaker) for one in (*wanted, *hellos))]), folder
    )
    television = sounds[TELEVISION]
    chance = random.Random(1)
    callers = []
    for number, one in enumerate(wanted):
        parts = _BEHAVIOURS[one.kind](sounds[one.text, one.speaker], sounds["Hello?", one.speaker], chance)
        if one.kind == "television":
            parts = _mixed(parts, television)
        is_robot = one.kind in ROBOTS
        line = LINES[number % len(LINES)]
        callers.append(Caller(is_robot, one.kind, one.speaker, one.text, one.is_held_out, *_cut(parts), line))
    for number, (text, sound) in enumerate(recorded):
        for kind in ROBOTS:
            parts = _BEHAVIOURS[kind](sound, sound, chance)
            line = LINES[number % len(LINES)]
            callers.append(Caller(True, kind, SPEAKERS[0], text, bool(number % 2), *_cut(parts), line))
    return callers


def _wanted(with_robots: bool) -> list[Voices]:
    """Return all texts with their voices. The two halves of the callers have different texts and voices."""
    wanted = []
    for is_held_out in (False, True):
        speakers = [one for one in SPEAKERS if one.is_held_out == is_held_out]
        kinds = [("short", "people", 2), ("long", "long", 2), ("television", "long", 1), ("assisted", "assisted", 2)]
        kinds += [("assisted, at once", "assisted", 2), ("impatient", "people", 1)]
        kinds += [(kind, "robots", 1) for kind in ROBOTS if with_robots]
        for kind, name, voices in kinds:
            texts = list(TEXTS[name].values() if name == "robots" else TEXTS[name])
            for number, text in enumerate(texts[is_held_out::2]):
                wanted += [
                    Voices(kind, text, speakers[(number + turn) % len(speakers)], is_held_out) for turn in range(voices)
                ]
    return wanted


def silence(seconds: float) -> Any:
    import numpy

    return numpy.zeros(round(RATE * seconds))


def _joined(*parts: Any) -> Any:
    import numpy

    return numpy.concatenate(parts)


def _robot_at_once(sound: Any, _hello: Any, _chance: random.Random) -> tuple[Any, float]:
    """Simulate an automated caller that begins when the call is answered."""
    return _joined(silence(0.3), sound), 0.0


def _robot_after_tone(sound: Any, _hello: Any, _chance: random.Random) -> tuple[Any, float]:
    """Simulate an automated caller that takes the prompt for voicemail, and waits for the end of the prompt."""
    return _joined(silence(PROMPT_SECONDS + 0.6), sound), 0.0


def _person(sound: Any, hello: Any, chance: random.Random) -> tuple[Any, float]:
    """Simulate a person who waits for the tone, and stops speaking when a prompt asks for it."""
    begin = _joined(silence(0.4), hello) if chance.random() < 1 / 3 else silence(0.1)
    until = PROMPT_SECONDS + chance.uniform(0.2, 1.2)
    ends_sentence = chance.random() < 0.15
    stops = chance.uniform(1.0, 2.5) if ends_sentence else min(chance.lognormvariate(-0.1, 0.5), 2.5)
    return _joined(_of_length(begin, until), sound), stops


def _assisted(sound: Any, hello: Any, chance: random.Random) -> tuple[Any, float]:
    """Simulate a person whose speech synthesizer speaks to the end of its text."""
    return _person(sound, hello, chance)[0], 0.0


def _assisted_at_once(sound: Any, _hello: Any, _chance: random.Random) -> tuple[Any, float]:
    """Simulate a speech synthesizer that begins at once, because the person who uses it cannot hear the prompt."""
    return _joined(silence(0.5), sound), 0.0


def _impatient(sound: Any, hello: Any, chance: random.Random) -> tuple[Any, float]:
    """Simulate a person who answers while the prompt is still playing, and then once more."""
    return _joined(_of_length(_joined(silence(0.6), sound), PROMPT_SECONDS + 0.8), sound), 1.0


ROBOTS = ("at once", "after the tone")
_BEHAVIOURS = {
    "at once": _robot_at_once,
    "after the tone": _robot_after_tone,
    "short": _person,
    "long": _person,
    "television": _person,
    "assisted": _assisted,
    "assisted, at once": _assisted_at_once,
    "impatient": _impatient,
}


def _of_length(samples: Any, seconds: float) -> Any:
    return _joined(samples, silence(seconds))[: round(RATE * seconds)]


def _mixed(parts: tuple[Any, float], television: Any) -> tuple[Any, float]:
    """Return the sound mixed with that of a television, which goes on when the person stops."""
    import numpy

    sound, stops = parts
    sound = _of_length(_stopped(sound, stops), 20.0)
    return sound + numpy.resize(television, len(sound)) * 10 ** (TELEVISION_DB / 20), 0.0


def _stopped(sound: Any, stops: float) -> Any:
    """Return the sound of a caller who stops speaking `stops` seconds after the end of the answer; 0: never."""
    return sound[: round(RATE * (PROMPT_SECONDS + ANSWER_SECONDS + stops))] if stops else sound


def _cut(parts: tuple[Any, float]) -> tuple[Any, Any, Any | None]:
    """Return the sound during the first prompt, of the answer, and during the prompt that asks to stop speaking."""
    import numpy

    sound = _stopped(*parts)
    first, last, end = (
        round(RATE * seconds)
        for seconds in (
            PROMPT_SECONDS,
            PROMPT_SECONDS + ANSWER_SECONDS,
            PROMPT_SECONDS + ANSWER_SECONDS + ENOUGH_SECONDS,
        )
    )
    sound = numpy.concatenate([sound, silence(PROMPT_SECONDS + ANSWER_SECONDS + ENOUGH_SECONDS)])
    loud = numpy.flatnonzero(numpy.abs(sound[first:last]) > 0.01)
    spoke = loud[-1] if len(loud) else 0
    if spoke < RATE * (ANSWER_SECONDS - SILENCE_SECONDS):
        return sound[:first], sound[first : first + spoke + RATE], None
    return sound[:first], sound[first:last], sound[last:end]
