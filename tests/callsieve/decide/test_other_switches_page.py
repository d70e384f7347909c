"""docs/how-to/other-switches.md and the examples name existing fields, and the page names all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from callsieve.decide.call_facts import CallAnswer, CallFacts, OutboundAnswer, OutgoingFacts
from callsieve.decide.operations import CallEnding

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/other-switches.md").read_text()
EXAMPLES = ROOT / "examples"
SENT = re.compile(r"/api/v1/(?P<path>[a-z-]+) .*?-d '(?P<body>[^']*)'", re.DOTALL)
KINDS = {
    "decide": CallFacts,
    "decide-outbound": OutgoingFacts,
    "outcomes": CallEnding,
    "emergency-calls": msgspec.Struct,
}

FACTS, ANSWER, ENDING = (set(kind.__struct_fields__) for kind in (CallFacts, CallAnswer, CallEnding))


def section_of_page(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def code_words(text: str) -> set[str]:
    """Return the words in code marks."""
    return set(re.findall(r"`([a-z_]+)`", text))


def code_words_in_tables(text: str) -> set[str]:
    """Return the words in code marks in tables."""
    return code_words("\n".join(line for line in text.splitlines() if line.startswith("|")))


def test_every_field_is_explained() -> None:
    assert code_words_in_tables(section_of_page("The question")) >= FACTS
    assert code_words(section_of_page("The answer")) >= ANSWER
    assert code_words_in_tables(section_of_page("How it ended")) | FACTS >= ENDING
    assert code_words(section_of_page("Calls that go out")) >= {
        *OutgoingFacts.__struct_fields__,
        *OutboundAnswer.__struct_fields__,
    }


def test_requests_on_the_page_are_valid() -> None:
    sent = SENT.findall(PAGE)
    assert {path for path, _ in sent} == set(KINDS)
    for path, body in sent:
        msgspec.convert(json.loads(body), KINDS[path])


@pytest.mark.parametrize(
    ("name", "asks", "hears"),
    [
        ("kamailio/callsieve.cfg", r'jansson_set\("\w+", "(\w+)"', r'jansson_get\("(\w+)"'),
        ("opensips/callsieve.cfg", r"\$json\(call/(\w+)\)", r"json\(answer/(\w+)\)"),
        ("freeswitch/callsieve.lua", r"(?:^        |told\.)(\w+) = ", r"answer\.(\w+)"),
    ],
)
def test_examples_use_existing_fields(name: str, asks: str, hears: str) -> None:
    text = (EXAMPLES / name).read_text()
    asked, heard = (set(re.findall(pattern, text, re.MULTILINE)) for pattern in (asks, hears))
    assert {"caller", "did", "trunk", "call_id", "withheld"} <= asked <= FACTS
    assert {"action", "name", "sip_code"} <= heard <= ANSWER


def test_outcome_example_uses_existing_fields() -> None:
    text = (EXAMPLES / "kamailio/callsieve-outcomes.cfg").read_text()
    told = set(re.findall(r'jansson_(?:set|append)\("\w+", "(\w+)"', text))
    assert {"call_id", "disposition", "caller", "did", "rang", "answered_by"} <= told <= ENDING
