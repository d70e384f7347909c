"""The prompts are heard: how long, how loud and how silent they are, and whether a recogniser understands them."""

from __future__ import annotations

import re
import subprocess
from array import array
from math import log10
from pathlib import Path

import pytest

from agi.speech import LANGUAGES, explanation_keys, number_keys, reference_keys
from benchmarks.prompts import RecognisedPrompt, error_rate, recognise, samples_of, sentences
from callsieve.prompts.catalogue import prompts_of
from callsieve.prompts.files import LOUDNESS_DB, PromptFile, files_of
from callsieve.prompts.wav import loudness_of
from lab.recogniser import can_recognise, word_errors
from tests.callsieve.program import make_record
from tests.callsieve.sounds import needs_voice

# They make and measure more than 300 sounds: half a minute.
pytestmark = [needs_voice, pytest.mark.slow]

# The longest prompts are read to a caller once; nobody listens longer without a word to do.
LONGEST_SECONDS = 6.0
EXPLANATION_SECONDS = 15.0
LINE_NOISE_DB = -50


@pytest.fixture(scope="module")
def files(voices: Path) -> dict[str, dict[str, PromptFile]]:
    """By language and key."""
    return {language: {file.key: file for file in files_of(prompts_of(language), {}, voices)} for language in LANGUAGES}


def peak_of(samples: bytes) -> float:
    """The loudest sample in dB."""
    return 20 * log10(max(map(abs, array("h", samples)), default=0) / 32768 or 1e-9)


def bytes_in(seconds: float) -> int:
    """How many bytes of a file so long a time is."""
    return 2 * round(8000 * seconds)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_prompt_is_8_khz_mono_and_short(files: dict[str, dict[str, PromptFile]], language: str) -> None:
    paths = [str(file.path) for file in files[language].values()]
    said = subprocess.run(["soxi", *paths], capture_output=True, check=True).stdout.decode()
    is_right = re.compile(r"^'(.+)'\nChannels +: 1\nSample Rate +: 8000\nPrecision +: 16-bit", re.MULTILINE)
    assert re.findall(r"^Input File +: '(.+)'", said, re.MULTILINE) == paths
    assert is_right.findall(said.replace("Input File     : ", "")) == paths
    for file in files[language].values():
        assert 0.2 < (file.seconds or 0) < LONGEST_SECONDS, file.key


@pytest.mark.parametrize("language", LANGUAGES)
def test_prompts_are_equally_loud_and_not_clipped(files: dict[str, dict[str, PromptFile]], language: str) -> None:
    """A voice with high peaks stays 2.5 dB quieter at most; nobody hears less than that between two sentences."""
    for file in files[language].values():
        samples = samples_of(file)
        assert peak_of(samples) <= -0.9, file.key
        assert -2.5 < loudness_of(samples) - LOUDNESS_DB < 0.5, file.key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_prompt_begins_or_ends_with_a_silence(files: dict[str, dict[str, PromptFile]], language: str) -> None:
    """At the beginning speech comes within a tenth of a second; at the end there is the pause that follows it."""
    for file in files[language].values():
        pause = 0.2 if file.key.startswith(("digit-", "letter-")) else 0.05
        samples = samples_of(file)
        assert peak_of(samples[: bytes_in(0.1)]) > LINE_NOISE_DB, file.key
        assert peak_of(samples[-bytes_in(pause + 0.1) :]) > LINE_NOISE_DB, file.key


@pytest.fixture(scope="module")
def recognised(files: dict[str, dict[str, PromptFile]]) -> list[RecognisedPrompt]:
    if not can_recognise():
        pytest.skip("the recogniser is not there: python -m lab fetch --tools")
    return recognise(list(files["en"].values()))


@pytest.mark.timeout(400)
def test_english_prompts_are_recognised_correctly(recognised: list[RecognisedPrompt]) -> None:
    """Printed with `-s` and by `python -m benchmarks.prompts`. Single letters are hard for anybody."""
    spoken = sentences(recognised)
    print(
        f"\nword error rate of English prompts: {error_rate(spoken):.1%}; "
        f"with single words {error_rate(recognised):.1%}"
    )
    assert error_rate(spoken) < 0.05
    assert error_rate(recognised) < 0.10
    wrong = [prompt.key for prompt in spoken if prompt.errors]
    assert len(wrong) <= len(spoken) // 20, wrong


def test_word_errors_are_counted() -> None:
    assert word_errors([], []) == 0
    assert word_errors(["a", "b", "c"], ["a", "c"]) == 1
    assert word_errors(["a"], ["b", "c", "d"]) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_longest_explanation_is_short_enough(files: dict[str, dict[str, PromptFile]], language: str) -> None:
    """Number, action and three reasons of which each has a count."""
    vector = (
        '{"families": [{"family": "marks", "log_odds": 4.0, "counts": {"marked": 17, "answered": 19, "silent": 2}}, '
        '{"family": "behaviour", "log_odds": 2.0, "counts": {"hung-up-on": 17, "one-ring": 17, "unanswered": 17}}], '
        '"witnesses": {"seen": 17, "label": 5, "challenge": 16}}'
    )
    keys = explanation_keys(
        make_record(action="challenge", would_be="challenge", rule="level-challenge", vector=vector)
    )
    assert sum(files[language][key].seconds or 0 for key in keys) < EXPLANATION_SECONDS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("digit", range(1, 10))
def test_a_stranger_is_asked_within_4_s(files: dict[str, dict[str, PromptFile]], language: str, digit: int) -> None:
    """Strangers are people mostly. Whoever knows the digit need not hear it out: any key ends the prompt."""
    said = files[language]
    seconds = [said[key].seconds or 0 for key in ("challenge-hello", f"challenge-press-{digit}")]
    assert sum(seconds) < 4.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_spoken_slowly_enough_to_write_down(files: dict[str, dict[str, PromptFile]], language: str) -> None:
    """Between a third of a second and a second for each digit or letter."""
    for keys in (number_keys("+12017421834"), reference_keys("7KQ2M4XA")):
        each = sum(files[language][key].seconds or 0 for key in keys) / len(keys)
        assert 0.33 < each < 1.0
