"""Transcripts are sent only to receivers that may see numbers."""

from __future__ import annotations

import pytest

from callsieve.events.alerts import event_in_words
from callsieve.events.kinds import as_sent, sample_of
from reputation.events import EventKind


@pytest.mark.parametrize("mask", [True, False])
def test_receiver_with_masked_numbers_gets_no_transcript(mask: bool) -> None:
    event = sample_of(EventKind.CALLER_HEARD)
    text = event.data["text"]
    assert as_sent(event, mask=mask).data["text"] == ("" if mask else text)
    assert (text in event_in_words(event, "en", mask=mask)) is not mask
