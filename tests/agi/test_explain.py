"""`/explain`: the explanation of the last call, as the sound files of one sentence."""

from __future__ import annotations

import pytest

from agi.protocol import ProtocolError
from callsieve.prompts.catalogue import prompts_of
from reputation.feature_codes import LastCall
from tests.agi.test_quoting import commands_in
from tests.builders import NOW, Clock, Memory, make_request, make_screening
from tests.callsieve.program import make_record


async def sentence(memory: Memory) -> str:
    """Return the sentence in English."""
    answer = dict(commands_in(await make_screening(memory).answer(make_request("explain", "endpoint=PJSIP/201"))))
    assert answer.keys() == {"CALLSIEVE_RULE", "CALLSIEVE_SENTENCE"}
    prompts = prompts_of("en")
    files = answer["CALLSIEVE_SENTENCE"].split("&")
    assert all(file.startswith("callsieve/") for file in files)
    return " ".join(prompts[file.removeprefix("callsieve/")].text for file in files)


@pytest.mark.parametrize(
    ("last", "heard"),
    [
        pytest.param(None, "Nobody has called you yet.", id="no-call"),
        pytest.param(
            LastCall("+12017421834", None),
            "The call ending in one eight three four rang as usual. It was not checked.",
            id="not-screened",
        ),
        pytest.param(LastCall(None, None), "The last call rang as usual. It was not checked.", id="without-a-number"),
        pytest.param(
            LastCall("+12017421834", make_record(rule="blocklist", action="reject", would_be="reject")),
            "The call ending in one eight three four was turned away. It is on the company's block list.",
            id="decided",
        ),
    ],
)
async def test_explain_gives_the_sentence_of_the_last_call(last: LastCall | None, heard: str) -> None:
    memory = Memory(Clock(), last=last)
    assert await sentence(memory) == heard
    assert memory.explained == [("PJSIP/201", NOW)]
    assert memory.decisions == [], "asking is no call to be decided about"


async def test_explain_without_an_endpoint_is_refused() -> None:
    with pytest.raises(ProtocolError):
        await make_screening(Memory(Clock())).answer(make_request("explain", "linkedid=1"))
