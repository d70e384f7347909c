"""`mask = true` removes numbers from every field, in every spelling."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from callsieve.events.kinds import EventKind, as_sent, body_of, sample_of


@pytest.mark.parametrize(
    ("kind", "field", "text"),
    [
        pytest.param(EventKind.NUMBER_MARKED, "reason", "call (201) 555-0177 back", id="written-by-a-person"),
        pytest.param(EventKind.DECISION_TAKEN, "did", "2015550177", id="as-it-was-dialled"),
        pytest.param(EventKind.DECISION_TAKEN, "linkedid", "sip:+12015550177@sbc", id="in-the-id-of-a-carrier"),
        pytest.param(EventKind.DAEMON_TROUBLE, "trouble", "no trunk for 0012015550177", id="in-a-message"),
    ],
)
def test_masked_payload_has_no_number(kind: EventKind, field: str, text: str) -> None:
    event = sample_of(kind)
    event = replace(event, data={**event.data, field: text})
    assert "2015550177" in re.sub(r"[ ()-]", "", body_of(as_sent(event)).decode())
    assert "5550177" not in re.sub(r"[ ()-]", "", body_of(as_sent(event, mask=True)).decode())


def test_masked_payload_keeps_the_call_identifiers() -> None:
    event = sample_of(EventKind.CALL_ENDED)
    told = as_sent(event, mask=True)
    for field in ("linkedid", "decision_id", "answered_by", "started_at", "trunk"):
        assert told.data[field] == event.data[field]
