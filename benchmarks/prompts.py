"""`python -m benchmarks.prompts`: measure length and loudness of the voice prompts, and how well they are understood.

A speech recogniser takes the place of the listener. The benchmark needs the programs that `python -m lab fetch --tools`
downloads. The prompts are spoken by the synthetic voice.
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
class RecognisedPrompt:
    """A prompt, with the words that were spoken and the words that the speech recogniser heard."""

    key: str
    spoken: list[str]
    heard: list[str]

    @property
    def errors(self) -> int:
        """How many words were recognised wrongly."""
        return word_errors(self.spoken, self.heard)


def error_rate(prompts: list[RecognisedPrompt]) -> float:
    """Return the share of spoken words that were recognised wrongly."""
    return sum(prompt.errors for prompt in prompts) / sum(len(prompt.spoken) for prompt in prompts)


def sentences(prompts: list[RecognisedPrompt]) -> list[RecognisedPrompt]:
    """Return the prompts of two words or more, because a recogniser needs the context of other words."""
    return [prompt for prompt in prompts if len(prompt.spoken) > 1]


def built(language: str, sounds: Path) -> list[PromptFile]:
    """Build all prompts of a language with the synthetic voice, and return them."""
    prompts = prompts_of(language)
    build(*2 * (files_of(prompts, {}, sounds),))
    return files_of(prompts, {}, sounds)


def samples_of(file: PromptFile) -> bytes:
    """Return the sound samples of a prompt, without the header of the file."""
    with wave.open(str(file.path)) as sound:
        return bytes(sound.readframes(sound.getnframes()))


def recognise(files: list[PromptFile]) -> list[RecognisedPrompt]:
    """Return the English prompts with the words that the recogniser hears.

    It chooses among the texts of all prompts.
    """
    texts = {file.key: file.source.prompt.text for file in files}
    heard = heard_in({file.key: file.path for file in files}, list(texts.values()))
    return [RecognisedPrompt(key, words_of(text), heard.get(key, [])) for key, text in texts.items()]


def main() -> None:
    use_fetched_tools()
    with TemporaryDirectory() as folder:
        for language in ("en", "zh"):
            files = built(language, Path(folder))
            loudness = [loudness_of(samples_of(file)) for file in files]
            seconds = [file.seconds or 0.0 for file in files]
            print(
                f"language {language}: {len(files)} prompts, {sum(seconds):.0f} s in all, longest {max(seconds):.1f} s"
            )
            print(f"    loudness {min(loudness):.1f} to {max(loudness):.1f} dB")
        if not can_recognise():
            print("skipped the recognition of prompts, because programs are missing: run `python -m lab fetch --tools`")
            return
        prompts = recognise(built("en", Path(folder)))
    for name, some in (("all prompts", prompts), ("prompts of two words and more", sentences(prompts))):
        right = sum(prompt.errors == 0 for prompt in some)
        print(f"{name}: word error rate {error_rate(some):.1%}, {right} of {len(some)} prompts without an error")
    for prompt in prompts:
        if prompt.errors:
            print(f"    {prompt.key}: spoken {' '.join(prompt.spoken)!r}, recognised {' '.join(prompt.heard)!r}")


if __name__ == "__main__":
    main()
