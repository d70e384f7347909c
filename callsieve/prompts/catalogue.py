"""The catalogues of prompts: all spoken texts by language and key, from asterisk-conf/prompts/*.toml.

The administrator may add a file of the same format, such as `en.toml`, with only the texts that differ.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agi.speech import LANGUAGES
from callsieve.install.plan import asterisk_conf
from callsieve.settings import Loaded
from policies.files import nearest, open_regular, shown

MAX_CHARACTERS = 200
MAX_BYTES = 1 << 18


class PromptError(Exception):
    """Raised if a prompt's text or sound cannot be read or built. The text is one line with the reason and a remedy."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to speak. `voice`: the name of the voice in espeak-ng. `words_per_minute`: the pace."""

    language: str
    key: str
    text: str
    voice: str
    words_per_minute: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The prompt texts of a file, by key. `head`: the file's voice and pace; empty for a file of the administrator."""

    texts: dict[str, str]
    head: dict[str, Any]


# Keys before the tables. Whispers are spoken faster, because two people wait.
_HEAD: dict[str, type] = {"voice": str, "words_per_minute": int, "whisper_words_per_minute": int}


def prompts_of(language: str, own: Sequence[Path] = ()) -> dict[str, Prompt]:
    """Return all prompts of a language. `own`: the administrator's directories of texts, in order of precedence."""
    catalogue = read_catalogue(asterisk_conf() / "prompts" / f"{language}.toml")
    texts = dict(catalogue.texts)
    for directory in reversed(own):
        texts |= _own_texts(directory / f"{language}.toml", catalogue.texts)
    head = catalogue.head
    return {
        key: Prompt(
            language,
            key,
            text,
            head["voice"],
            head["whisper_words_per_minute" if key.startswith("whisper-") else "words_per_minute"],
        )
        for key, text in texts.items()
    }


def own_directories(loaded: Loaded) -> tuple[Path, ...]:
    """Return the administrator's directories of texts and recordings: near the settings, and in the state directory."""
    beside = (loaded.file.parent / "prompts",) if loaded.file else ()
    return (*beside, loaded.state / "prompts")


def known_language(text: str) -> str:
    """Return the language `text` if it has prompts. Raise PromptError otherwise."""
    if text not in LANGUAGES:
        raise PromptError(f"unknown language {shown(text)}: use {' or '.join(LANGUAGES)}")
    return text


def read_catalogue(path: Path) -> Catalogue:
    """Read a file of prompt texts. Raise PromptError if the file cannot be read or a text is invalid."""
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise PromptError(f"{path}: larger than {MAX_BYTES} bytes: not a file of prompt texts")
        table = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8 either
        raise PromptError(f"{path}: not TOML: {error}") from None
    head = {key: value for key, value in table.items() if not isinstance(value, dict)}
    for key, value in head.items():
        if not isinstance(value, _HEAD.get(key, type(None))):
            raise PromptError(f"{path}: {key}: unknown key: write texts in tables, such as [say]")
    return Catalogue({key: _checked(path, key, text) for key, text in _flat(table)}, head)


def _flat(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for scene, texts in table.items():
        if isinstance(texts, dict):
            yield from ((f"{scene}-{name}", text) for name, text in texts.items())


def _checked(path: Path, key: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > MAX_CHARACTERS:
        raise PromptError(f"{path}: {key}: must be one line of 1 to {MAX_CHARACTERS} characters")
    return text


def _own_texts(path: Path, known: dict[str, str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    texts = read_catalogue(path).texts
    for key in sorted(texts.keys() - known.keys()):
        raise PromptError(f"{path}: there is no prompt {shown(key)}{nearest(key, known)}")
    return texts
