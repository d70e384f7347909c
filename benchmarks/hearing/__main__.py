"""Measures recognition, speed, and callers mistaken for robots, in a simulation with synthetic voices.

    python -m benchmarks.hearing [--model FOLDER] [--robots FOLDER] [--every N]

The hearing process gets the same input as in a real call: the sound during the prompt, and an answer of at most 8 s.
Both are changed by G.711, packet loss, noise and gain. `--robots` is a copy of wspr-ncsu/robocall-audio-dataset. Its
recordings then replace the synthetic robots, which speak the transcripts. No figure comes from real people.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import statistics
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hearing.sound import LINES, RATE, SPEAKERS, Line, Speaker, at_8_khz, on_line, speak
from callsieve.hearing.process import answer_to
from callsieve.hearing.recogniser import Recogniser
from callsieve.hearing.whisper import Whisper
from callsieve.hearing.wire import HearingAnswer, HearingQuestion
from callsieve.prompts.wav import wav_of
from lab.recogniser import word_errors, words_of
from lab.speech import ensure_speech
from lab.tools import use_fetched_tools

PROMPT_SECONDS, ANSWER_SECONDS = 4.5, 8.0
TEXTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))
SILENCE_KEPT = 1.0  # a recording ends after two seconds of silence, of which Record keeps one


class Caller(NamedTuple):
    """A simulated call: the sound during the prompt, the answer, and the line."""

    is_robot: bool
    kind: str
    text: str
    prompt: Any
    answer: Any
    line: Line


class RecognitionTime(NamedTuple):
    """The duration of a recognition: elapsed seconds and CPU seconds. They differ on a busy machine."""

    seconds: float
    processor_seconds: float


def silence(seconds: float) -> Any:
    import numpy

    return numpy.zeros(round(RATE * seconds))


def of_length(samples: Any, seconds: float) -> Any:
    import numpy

    wanted = round(RATE * seconds)
    return numpy.concatenate([samples, silence(seconds)])[:wanted]


def robot_at_once(samples: Any) -> tuple[Any, Any]:
    """Return prompt and answer of a robot that speaks as soon as the call is answered, and repeats itself."""
    import numpy

    sound = numpy.concatenate([silence(0.3), *[samples, silence(0.5)] * 4])
    answer = sound[round(RATE * PROMPT_SECONDS) :][: round(RATE * ANSWER_SECONDS)]
    return sound[: round(RATE * PROMPT_SECONDS)], answer


def robot_after_tone(samples: Any) -> tuple[Any, Any]:
    """Return prompt and answer of a robot that waits for the prompt's end, as for an answering machine's greeting."""
    import numpy

    sound = numpy.concatenate([silence(0.6), *[samples, silence(0.5)] * 3])
    return silence(PROMPT_SECONDS), sound[: round(RATE * ANSWER_SECONDS)]


def person(samples: Any, hello: Any, chance: random.Random) -> tuple[Any, Any]:
    """Return prompt and answer of a person. One in three says hello first. All wait for the tone before they speak."""
    import numpy

    greets = chance.random() < 1 / 3
    prompt = of_length(numpy.concatenate([silence(0.4), hello]) if greets else silence(0.1), PROMPT_SECONDS)
    answer = numpy.concatenate([silence(chance.uniform(0.2, 1.2)), samples, silence(SILENCE_KEPT)])
    return prompt, answer[: round(RATE * ANSWER_SECONDS)]


def simulated(folder: Path, recordings: list[tuple[str, Any]], every: int) -> list[Caller]:
    """Return all callers: each text by several voices, each on one of the lines."""
    chance, speech = random.Random(1), ensure_speech()
    turns = ((turn, number, text) for turn in range(3) for number, text in enumerate(TEXTS["people"]))
    spoken_people = [(text, SPEAKERS[(number + turn) % len(SPEAKERS)]) for turn, number, text in turns][::every]
    robots = (
        [] if recordings else [(text, SPEAKERS[n % len(SPEAKERS)]) for n, text in enumerate(TEXTS["robots"].values())]
    )
    robots = robots[::every]
    hellos = [("Hello?", speaker) for speaker in SPEAKERS]
    sounds = speak(speech, [*spoken_people, *robots, *hellos], folder)
    hello_of: dict[Speaker, Any] = dict(zip(SPEAKERS, sounds[-len(hellos) :], strict=True))
    callers = [
        Caller(False, speaker.name, text, *person(sound, hello_of[speaker], chance), LINES[number % len(LINES)])
        for number, ((text, speaker), sound) in enumerate(zip(spoken_people, sounds, strict=False))
    ]
    spoken = list(
        zip((text for text, _ in robots), sounds[len(spoken_people) : len(spoken_people) + len(robots)], strict=True)
    )
    for number, (text, sound) in enumerate(recordings or spoken):
        line = LINES[number % len(LINES)]
        callers.append(Caller(True, "at once", text, *robot_at_once(sound), line))
        callers.append(Caller(True, "after the tone", text, *robot_after_tone(sound), line))
    return callers


def recordings_in(folder: Path) -> list[tuple[str, Any]]:
    """Return the English recordings of the data set, at 8 kHz, with their transcripts."""
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["language"] == "en"]
    return [(row["transcript"], at_8_khz(folder / row["file_name"])) for row in rows]


def hear(recogniser: Recogniser, caller: Caller, folder: Path, number: int) -> tuple[HearingAnswer, RecognitionTime]:
    """Return the hearing process's answer about a caller, and its duration."""
    descriptors = []
    for piece, samples in enumerate((caller.prompt, caller.answer)):
        path = folder / f"{number}-{piece}.wav"
        path.write_bytes(wav_of(on_line(samples, caller.line, 2 * number + piece), "benchmark"))
        descriptors.append(os.open(path, os.O_RDONLY))
    began, used = time.perf_counter(), time.process_time()
    answer = answer_to(HearingQuestion(f"N{number}", "en", has_prompt=True), descriptors, recogniser)
    took = RecognitionTime(time.perf_counter() - began, time.process_time() - used)
    for descriptor in descriptors:
        os.close(descriptor)
    return answer, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a model of Whisper; default: tiny.en of the tests")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="simulate only every N-th caller, to save time"
    )
    parser.add_argument("--robots", type=Path, help="a copy of wspr-ncsu/robocall-audio-dataset")
    options = parser.parse_args()
    use_fetched_tools()
    speech = ensure_speech()
    sys.path.append(str(speech.packages))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    recogniser = Whisper(options.model or speech.model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        callers = simulated(folder, recordings_in(options.robots) if options.robots else [], options.every)
        hear(recogniser, callers[0], folder, 0)  # warm-up
        heard = [(caller, *hear(recogniser, caller, folder, number)) for number, caller in enumerate(callers)]
    print_figures(heard, options.model or speech.model, is_real=options.robots is not None)


def print_figures(heard: list[tuple[Caller, HearingAnswer, RecognitionTime]], model: Path, *, is_real: bool) -> None:
    people = [(caller, answer) for caller, answer, _ in heard if not caller.is_robot]
    robots = [(caller, answer) for caller, answer, _ in heard if caller.is_robot]
    words = [(words_of(caller.text), words_of(answer.text)) for caller, answer in people]
    errors = [(word_errors(spoken, heard_words), len(spoken)) for spoken, heard_words in words]
    long = [took for caller, _, took in heard if caller.is_robot]  # 8 s of speech
    print(f"model: {model}, one core, memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    print(f"callers: {len(people)} people (synthetic), {len(robots)} robots ({'recorded' if is_real else 'synthetic'})")
    print(f"word error rate, people: {100 * sum(e for e, _ in errors) / sum(n for _, n in errors):.1f} %")
    names = [(f"line {caller.line.name}", f"voice {caller.kind}") for caller, _ in people]
    for key in sorted({name for pair in names for name in pair}):
        some = [error for pair, error in zip(names, errors, strict=True) if key in pair]
        print(f"  {key}: {100 * sum(e for e, _ in some) / sum(n for _, n in some):.1f} %")
    waited, worked = zip(*long, strict=True)
    for what, times in (("seconds from the end of 8 s of speech to the text", waited), ("of one core", worked)):
        print(f"{what}: p50 {statistics.median(times):.2f}, p95 {sorted(times)[int(0.95 * len(times))]:.2f}")
    for kind in dict.fromkeys(caller.kind for caller, _ in robots):
        print(f"robots, {kind}: {dict(Counter(answer.voice for caller, answer in robots if caller.kind == kind))}")
    recognised = sum(answer.voice == "robot" for _, answer in robots)
    wrong = [caller for caller, answer in people if answer.voice == "robot"]
    print(f"robots recognised: {100 * recognised / len(robots):.1f} %")
    print(f"people: {dict(Counter(answer.voice for _, answer in people))}")
    cases = [(caller.kind, caller.line.name) for caller in wrong]
    print(f"people called robots: {100 * len(wrong) / len(people):.1f} % {cases}")


if __name__ == "__main__":
    main()
