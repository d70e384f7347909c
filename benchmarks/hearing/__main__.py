"""Measure how well the words of simulated callers are recognised, how fast, and how many seem automated.

    python -m benchmarks.hearing [--model FOLDER] [--robots FOLDER] [--every N]

The hearing process gets the same input as in a real call: the sound during the prompt, and an answer of at most 8 s. If
it cannot tell automated callers from people, it also gets the sound during a prompt that asks the caller to stop
speaking. All sounds are changed by G.711, packet loss, noise and gain. The rules that tell them apart were made with
one half of the texts and voices. Results are printed for each half. `--robots`: a copy of
wspr-ncsu/robocall-audio-dataset. Its recordings then replace the synthetic automated callers, which speak the
transcripts. No result comes from real people.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hearing.callers import Caller, simulated
from benchmarks.hearing.sound import at_8_khz, on_line
from callsieve.hearing.process import answer_to
from callsieve.hearing.recogniser import RATE, Recogniser
from callsieve.hearing.whisper import Whisper
from callsieve.hearing.wire import HearingAnswer, HearingQuestion
from callsieve.prompts.wav import wav_of
from lab.recogniser import word_errors, words_of
from lab.speech import ensure_speech
from lab.tools import use_fetched_tools
from reputation.model import Voice

LAST_PIECE = 2 * RATE  # samples of the third piece that Record writes
NATURAL = "piper"


class Heard(NamedTuple):
    """A caller, and what the hearing process made of the caller's sound.

    `text`: the recognised words. `voice`: robot, person or unclear. `seconds`: elapsed time. `processor_seconds`: CPU
    time.
    """

    caller: Caller
    text: str
    voice: Voice
    seconds: float
    processor_seconds: float


def recordings_in(folder: Path) -> list[tuple[str, Any]]:
    """Return the English recordings of the data set: their transcripts, and their samples at 8 kHz."""
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["language"] == "en"]
    return [(row["transcript"], at_8_khz(folder / row["file_name"])) for row in rows]


def hear(recogniser: Recogniser, caller: Caller, folder: Path, number: int) -> Heard:
    """Recognise the words of a caller and judge the voice, in the same way as the daemon and the hearing process."""
    question = HearingQuestion(f"N{number}", "en", has_prompt=True)
    sounds = [
        on_line(part, caller.line, 3 * number + piece) for piece, part in enumerate((caller.prompt, caller.answer))
    ]
    began, used = time.perf_counter(), time.process_time()
    answer = ask(recogniser, question, sounds, folder)
    took = time.perf_counter() - began, time.process_time() - used
    voice = answer.voice
    if voice is Voice.UNCLEAR and caller.enough is not None:
        sounds = [sounds[0], sounds[1][-2 * LAST_PIECE :], on_line(caller.enough, caller.line, 3 * number + 2)]
        voice = ask(
            recogniser, HearingQuestion(f"N{number}", "en", has_prompt=True, is_stop=True), sounds, folder
        ).voice
    return Heard(caller, answer.text, voice, *took)


def ask(recogniser: Recogniser, question: HearingQuestion, sounds: list[bytes], folder: Path) -> HearingAnswer:
    descriptors = []
    for piece, sound in enumerate(sounds):
        path = folder / f"{piece}.wav"
        path.write_bytes(wav_of(sound, "benchmark"))
        descriptors.append(os.open(path, os.O_RDONLY))
    try:
        return answer_to(question, descriptors, recogniser)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of a Whisper model; default: tiny.en, which the tests use")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="use only every N-th synthetic caller, to be quicker"
    )
    parser.add_argument(
        "--robots",
        type=Path,
        help="folder with a copy of wspr-ncsu/robocall-audio-dataset, whose recordings replace the synthetic robots",
    )
    options = parser.parse_args()
    use_fetched_tools()
    speech = ensure_speech()
    sys.path.append(str(speech.packages))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    model = options.model or speech.model
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        callers = simulated(speech, folder, recordings_in(options.robots) if options.robots else [], options.every)
        measure(model, callers, folder)


def measure(model: Path, callers: Sequence[Caller], folder: Path) -> None:
    """Let a model recognise the words of all callers, and print the results."""
    before = megabytes_used()
    recogniser = Whisper(model)
    hear(recogniser, callers[0], folder, 0)  # warms it up
    heard = [hear(recogniser, caller, folder, number) for number, caller in enumerate(callers)]
    print(f"model: {model}; runs on one core; memory in addition to Python: {megabytes_used() - before} MB")
    print_words(heard)
    print_times(heard)
    print_voices(heard)


def megabytes_used() -> int:
    """Return the highest memory that this process has used so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def print_words(heard: Sequence[Heard]) -> None:
    """Print the word error rate for people who stopped speaking before the end of the recording."""
    whole = [call for call in heard if call.caller.kind == "short"]
    rates = {"all people": whole}
    for call in whole:
        is_natural = call.caller.speaker.name.startswith(NATURAL)
        for key in (
            f"telephone line with {call.caller.line.name}",
            f"voices of {NATURAL if is_natural else 'espeak-ng'}",
        ):
            rates.setdefault(key, []).append(call)
    print(f"word error rate for {len(whole)} people who end before the recording does:")
    for key in sorted(rates):
        words = [(words_of(call.caller.text), words_of(call.text)) for call in rates[key]]
        wrong = sum(word_errors(said, understood) for said, understood in words)
        print(f"  {key}: {100 * wrong / sum(len(said) for said, _ in words):.1f} %")


def print_times(heard: Sequence[Heard]) -> None:
    """Print how long the recognition of 8 s of speech takes."""
    long = [call for call in heard if call.caller.kind in ("long", "after the tone")]
    for what, times in (
        ("seconds from the end of 8 s of speech to the text", [call.seconds for call in long]),
        ("CPU seconds for this text", [call.processor_seconds for call in long]),
    ):
        print(f"{what}: p50 {statistics.median(times):.2f}, p95 {sorted(times)[int(0.95 * len(times))]:.2f}")


def print_voices(heard: Sequence[Heard]) -> None:
    """Print how many callers were judged to be an automated caller or a person, for each half and each behaviour."""
    for is_held_out in (False, True):
        print(
            "callers that were not used to write the rules:"
            if is_held_out
            else "callers that were used to write the rules:"
        )
        half = [call for call in heard if call.caller.is_held_out == is_held_out]
        for kind in dict.fromkeys(call.caller.kind for call in half):
            voices = Counter(call.voice.value for call in half if call.caller.kind == kind)
            print(f"  {kind}: {dict(voices)}")
        for is_robot, what in ((True, "robots recognised"), (False, "people wrongly taken for robots")):
            some = [call for call in half if call.caller.is_robot == is_robot]
            wanted = [call for call in some if call.voice is Voice.ROBOT]
            print(f"  {what}: {len(wanted)} of {len(some)}, {100 * len(wanted) / max(len(some), 1):.1f} %")


if __name__ == "__main__":
    main()
