"""`python -m benchmarks.prompts`: measure length and loudness of prompts, and whether a recogniser understands them.

It needs the programs that `python -m lab fetch --tools` fetches. The figures are of the synthetic voice.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from callsieve.prompts.catalogue import prompts_of
from callsieve.prompts.files import PromptFile, build, files_of
from callsieve.prompts.wav import loudness_of
from lab.recogniser import can_recognise, heard_in, word_errors, words_of
from lab.tools import use_fetched_tools


@dataclass(frozen=True, slots=True)
class Understood:
    """The text of a prompt, and what the recogniser heard."""

    key: str
    said: list[str]
    heard: list[str]

    @property
    def errors(self) -> int:
        """Return the number of words that were heard wrongly."""
        return word_errors(self.said, self.heard)


def error_rate(prompts: list[Understood]) -> float:
    """Return the wrong words as a share of all words that were said."""
    return sum(prompt.errors for prompt in prompts) / sum(len(prompt.said) for prompt in prompts)


def sentences(prompts: list[Understood]) -> list[Understood]:
    """Return the prompts without single words and letters, which a recogniser cannot tell without a sentence."""
    return [prompt for prompt in prompts if len(prompt.said) > 1]


def built(language: str, sounds: Path) -> list[PromptFile]:
    """Return all prompts of a language, made by the synthetic voice."""
    prompts = prompts_of(language)
    build(*2 * (files_of(prompts, {}, sounds),))
    return files_of(prompts, {}, sounds)


def samples_of(file: PromptFile) -> bytes:
    """Return the sound without the header of the file."""
    with wave.open(str(file.path)) as sound:
        return bytes(sound.readframes(sound.getnframes()))


def understood(files: list[PromptFile]) -> list[Understood]:
    """Return what the recogniser hears in the English prompts. It knows the texts of all of them."""
    texts = {file.key: file.source.prompt.text for file in files}
    heard = heard_in({file.key: file.path for file in files}, list(texts.values()))
    return [Understood(key, words_of(text), heard.get(key, [])) for key, text in texts.items()]


def main() -> None:
    """Print the figures of both languages."""
    use_fetched_tools()
    with TemporaryDirectory() as folder:
        for language in ("en", "zh"):
            files = built(language, Path(folder))
            loudness = [loudness_of(samples_of(file)) for file in files]
            seconds = [file.seconds or 0.0 for file in files]
            print(f"{language}  {len(files)} prompts, {sum(seconds):.0f} s in all, {max(seconds):.1f} s the longest")
            print(f"    loudness {min(loudness):.1f} to {max(loudness):.1f} dB")
        if not can_recognise():
            print("what they say was not checked: python -m lab fetch --tools")
            return
        prompts = understood(built("en", Path(folder)))
    for name, some in (("all", prompts), ("of two words and more", sentences(prompts))):
        right = sum(prompt.errors == 0 for prompt in some)
        print(f"{name}: word error rate {error_rate(some):.1%}, {right} of {len(some)} without an error")
    for prompt in prompts:
        if prompt.errors:
            print(f"    {prompt.key}: said {' '.join(prompt.said)!r}, heard {' '.join(prompt.heard)!r}")


if __name__ == "__main__":
    main()
