"""Texts with figures in them."""

from __future__ import annotations

import msgspec
import pytest

from reputation.wording import Wording, listed

CATALOGUE = {
    "{share:.0%} of the calls ({part:,} of {whole:,})": "{whole:,} 次中的 {part:,} 次（{share:.0%}）",
    "seen as {level}: {where}": "{where}：{level}",
    "warn": "警告",
}


def chinese(text: str) -> str:
    return CATALOGUE.get(text, text)


@pytest.mark.parametrize(
    ("wording", "english", "translated"),
    [
        pytest.param(Wording("warn"), "warn", "警告", id="a-word"),
        pytest.param(
            Wording(
                "{share:.0%} of the calls ({part:,} of {whole:,})", {"share": 0.123, "part": 1230, "whole": 10_000}
            ),
            "12% of the calls (1,230 of 10,000)",
            "10,000 次中的 1,230 次（12%）",
            id="figures-in-another-order",
        ),
        pytest.param(
            Wording("seen as {level}: {where}", {"level": Wording("warn"), "where": "warn"}),
            "seen as warn: warn",
            "warn：警告",
            id="only-our-own-words-are-translated",
        ),
        pytest.param(Wording("seen {} {as}"), "seen {} {as}", "seen {} {as}", id="without-places-braces-are-text"),
        pytest.param(
            Wording("{one}", {"one": "{two} {0.__class__}"}), "{two} {0.__class__}", "{two} {0.__class__}", id="hostile"
        ),
    ],
)
def test_a_text_is_translated_with_its_figures(wording: Wording, english: str, translated: str) -> None:
    assert str(wording) == english
    assert wording.in_language(chinese) == translated
    kept = msgspec.json.encode(wording)
    assert msgspec.json.decode(kept, type=Wording) == wording, "it is kept as it is"


def test_several_texts_are_joined() -> None:
    both = "{some}; {more}"
    parts: list[str | Wording] = [Wording("warn"), "warn", Wording("{n} calls", {"n": 3})]
    three = listed(parts, both)
    assert isinstance(three, Wording)
    assert str(three) == "warn; warn; 3 calls"
    assert three.in_language(lambda text: {both: "{some}；{more}"}.get(text, chinese(text))) == "警告；warn；3 calls"
    assert (listed(parts[:1], both), listed([], both)) == (Wording("warn"), "")
