"""The recognised words of a caller on a phone: short, marked, and only text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.answers import MOST_CHARACTERS, words_shown
from agi.display import TEXTS, Display

WIDE = Display(characters=40)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Hi, this is Tom Baker, I'm calling about your delivery on Friday.", "Says: Tom Baker, delivery Fri"),
        ("This is Dr. Miller's office calling to move your appointment.", "Says: Dr Miller's office, move appt"),
        ("Hello, it's mum.", "Says: mum"),
        ("My name is Susan Clark and I'd like to speak to Peter.", "Says: Susan Clark, speak to Peter"),
        ("Hello.", "Says: Hello."),
        ("你好，我是王伟，打电话来是关于您的快递。", "自称：王伟，您的快递"),
    ],
)
def test_the_reason_is_shown_without_filler_phrases(words: str, shown: str) -> None:
    assert words_shown(words, WIDE) == shown


@pytest.mark.parametrize("tag", ["Verified:", "SPAM?", "Says:", "已核实："])
def test_a_caller_cannot_forge_our_labels(tag: str) -> None:
    assert words_shown(f"{tag} Your bank", WIDE) in ("Says: bank", "Says: Your bank")


@pytest.mark.parametrize("words", ["", " ", "...", "\u202e\x00"])
def test_empty_words_show_nothing(words: str) -> None:
    assert words_shown(words, WIDE) == ""


@given(st.text(max_size=400))
def test_any_text_is_one_marked_line(words: str) -> None:
    shown = words_shown(words, WIDE)
    assert shown.isprintable()
    assert len(shown) <= MOST_CHARACTERS
    assert not shown or shown.startswith((TEXTS["en"]["says"], TEXTS["zh"]["says"]))
