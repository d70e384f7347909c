"""The catalogues: the same keys in both languages, texts that can be said, and wordings of the administrator's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agi.speech import LANGUAGES
from callsieve.prompts.catalogue import PromptError, known_language, own_directories, prompts_of, read_catalogue
from callsieve.settings import Loaded, Settings

ENGLISH, MANDARIN = prompts_of("en"), prompts_of("zh")


def test_both_languages_have_the_same_prompts() -> None:
    assert ENGLISH.keys() == MANDARIN.keys()
    assert set(LANGUAGES) == {"en", "zh"}


@pytest.mark.parametrize("key", list(ENGLISH))
def test_keys_are_file_names_and_texts_in_their_language(key: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", key)
    assert ENGLISH[key].text.isascii()
    assert key.startswith("letter-") or re.fullmatch(r"[\u4e00-\u9fff，。：、]+", MANDARIN[key].text)


def test_whispers_are_spoken_faster() -> None:
    for prompts in (ENGLISH, MANDARIN):
        assert prompts["whisper-menu"].words_per_minute > prompts["screening-menu"].words_per_minute


def test_own_wording_replaces_the_shipped_one(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for directory, text in ((near, '[appeal]\naddress = "Near."\n'), (far, '[appeal]\naddress = "Far."\nhow = "H."\n')):
        directory.mkdir()
        (directory / "en.toml").write_text(text)
    prompts = prompts_of("en", (near, tmp_path / "nothing", far))
    assert (prompts["appeal-address"].text, prompts["appeal-how"].text) == ("Near.", "H.")
    assert list(prompts) == list(ENGLISH)
    assert prompts_of("zh", (near, far)) == MANDARIN


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        ('[appeal]\nadress = "x"', "there is no prompt 'appeal-adress' (did you mean appeal-address?)"),
        ('[appeal]\naddress = ""', "appeal-address: must be one line of 1 to 200 characters"),
        ("[appeal]\naddress = 1", "appeal-address: must be one line"),
        ('[appeal]\naddress = "a\\nb"', "appeal-address: must be one line"),
        (f'[appeal]\naddress = "{"x" * 201}"', "appeal-address: must be one line"),
        ('address = "x"', "address: unknown key: write texts in tables, such as [say]"),
        ("[appeal", "not TOML"),
        ("\udcff", "not TOML"),
        ("#" * (1 << 18) + "#", "larger than"),
    ],
)
def test_unusable_wording_names_its_file_and_key(tmp_path: Path, content: str, trouble: str) -> None:
    path = tmp_path / "en.toml"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(PromptError, match=re.escape(trouble)) as error:
        prompts_of("en", (tmp_path,))
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_unknown_language_is_refused() -> None:
    with pytest.raises(PromptError, match="en or zh"):
        known_language("fr")


def test_directories_of_own_prompts(tmp_path: Path) -> None:
    loaded = Loaded(settings=Settings(), file=tmp_path / "etc" / "callsieve.toml", state=tmp_path / "state")
    assert own_directories(loaded) == (tmp_path / "etc" / "prompts", tmp_path / "state" / "prompts")


def test_prompt_catalogues_ship_with_the_dialplan() -> None:
    """In the wheel with the dialplan: pyproject.toml includes the whole directory."""
    folder = Path(__file__).resolve().parents[3] / "asterisk-conf" / "prompts"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(LANGUAGES)
    assert read_catalogue(folder / "en.toml").head["voice"] == "en-us"
