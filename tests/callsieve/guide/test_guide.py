"""The guide for people with phones: the same codes in both languages, and printable."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agi.display import TEXTS
from agi.speech import LANGUAGES
from callsieve.doctor.dialplan import FEATURE_CODES
from callsieve.guide.cli.commands import guide_page, guide_text
from tests.callsieve.program import Program

DIALPLAN = (Path(__file__).resolve().parents[3] / "asterisk-conf" / "callsieve.conf").read_text()


class Tags(HTMLParser):
    """The tags and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_guide_names_exactly_the_feature_codes(language: str) -> None:
    codes = re.findall(r"`(\*\d\d)`", guide_text(language))
    assert (
        sorted(codes) == sorted(FEATURE_CODES) == sorted(re.findall(r"^exten => (\*\d\d),1,", DIALPLAN, re.MULTILINE))
    )


def test_both_languages_name_the_same_codes_and_keys() -> None:
    english, mandarin = (re.findall(r"`(\*\d\d)`|\*\*(\d)\*\*", guide_text(language)) for language in ("en", "zh"))
    assert sorted(english) == sorted(mandarin)


@pytest.mark.parametrize("language", LANGUAGES)
def test_guide_shows_the_texts_of_the_phones(language: str) -> None:
    page = guide_text(language)
    assert [text for text in TEXTS[language].values() if text not in page] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_has_no_links_and_no_scripts(language: str) -> None:
    tags = Tags()
    tags.feed(guide_page(language))
    assert tags.links == []
    assert not set(tags.names) & {"script", "img", "link", "a"}


def test_guide_command_prints_and_writes_the_page(tmp_path: Path) -> None:
    program = Program(tmp_path)
    assert program.ok("guide", "--language", "zh") == guide_page("zh")
    assert "open it in a browser" in program.ok("guide", "--out", tmp_path / "guide.html")
    assert (tmp_path / "guide.html").read_text() == guide_page("en")
    assert program.fails("guide", "--language", "fr").endswith("'fr': use en or zh")
    program.config.write_text(program.config.read_text() + '\n[display]\nlanguage = "zh"\n')
    assert program.ok("guide") == guide_page("zh")
    assert "nowhere" in program.fails("guide", "--out", tmp_path / "nowhere" / "guide.html")
