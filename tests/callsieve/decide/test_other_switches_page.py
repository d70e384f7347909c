"""docs/how-to/other-switches.md and the examples say what there is: every field of a call, an answer and an ending."""

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


def part(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def named(text: str) -> set[str]:
    """Words in code marks."""
    return set(re.findall(r"`([a-z_]+)`", text))


def in_tables(text: str) -> set[str]:
    """Words in code marks, of tables alone."""
    return named("\n".join(line for line in text.splitlines() if line.startswith("|")))


def test_every_field_is_explained() -> None:
    assert in_tables(part("The question")) >= FACTS
    assert named(part("The answer")) >= ANSWER
    assert in_tables(part("How it ended")) | FACTS >= ENDING
    assert named(part("Calls that go out")) >= {*OutgoingFacts.__struct_fields__, *OutboundAnswer.__struct_fields__}


def test_what_the_page_sends_is_taken() -> None:
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
def test_an_example_asks_and_hears_what_there_is(name: str, asks: str, hears: str) -> None:
    text = (EXAMPLES / name).read_text()
    asked, heard = (set(re.findall(pattern, text, re.MULTILINE)) for pattern in (asks, hears))
    assert {"caller", "did", "trunk", "call_id", "withheld"} <= asked <= FACTS
    assert {"action", "name", "sip_code"} <= heard <= ANSWER


def test_the_example_tells_what_there_is() -> None:
    text = (EXAMPLES / "kamailio/callsieve-outcomes.cfg").read_text()
    told = set(re.findall(r'jansson_(?:set|append)\("\w+", "(\w+)"', text))
    assert {"call_id", "disposition", "caller", "did", "rang", "answered_by"} <= told <= ENDING
