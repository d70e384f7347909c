"""Write the store's calls and marks as lines of a history, which history_file.py reads back for a replay."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from callsieve.replay.history_file import Event, PastCall
from callsieve.replay.history_format import (
    ATTESTATION,
    ENDED_BY,
    MISSED,
    VERIFICATION,
    HistoryLine,
    Inbound,
    Marked,
    OutboundEvent,
    Shown,
)
from reputation.model import Direction, Disposition, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import LABELS


def line_of_event(event: Event) -> bytes:
    """Return the event as a line of the history, with a newline."""
    if isinstance(event, Mark):
        return _encoded(_mark_line(event))
    is_inbound = event.outcome.direction is Direction.INBOUND
    return _encoded(_inbound_line(event) if is_inbound else _outbound_line(event.outcome))


def _encoded(line: HistoryLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _inbound_line(event: PastCall) -> Inbound:
    outcome = event.outcome
    is_answered = outcome.disposition is Disposition.ANSWERED
    callee = outcome.answered_by if is_answered else outcome.rung[0] if len(outcome.rung) == 1 else None
    return Inbound(
        at=outcome.at,
        call=outcome.linkedid,
        caller=outcome.caller,
        callee=callee,
        callee_group=outcome.group,
        did=outcome.did,
        trunk=outcome.trunk,
        answered=is_answered,
        ring_seconds=outcome.ring_seconds,
        talk_seconds=outcome.talk_seconds,
        ended_by=_word(outcome.ended_by, ENDED_BY),
        voicemail=outcome.voicemail_left,
        attestation=_word(event.attestation, ATTESTATION),
        verification=_word(event.verification, VERIFICATION),
        shown=cast(Shown, outcome.action) if outcome.action in LABELS else None,
        caller_kind=None if outcome.caller else outcome.caller_kind,
        rung=None if outcome.rung == ((callee,) if callee else ()) else outcome.rung,
        queue=outcome.queue,
        missed=_word(outcome.disposition, MISSED),
        answered_by_pbx=outcome.answered_by_pbx,
        passed_on=outcome.transferred or outcome.parked or outcome.conference,
        challenge=outcome.challenge,
        sampled=event.sampled,
        trusted=event.trusted,
        name=event.name,
        verstat=True if event.carrier_counts and not event.trusted else None,
        rang_by=outcome.rang_by,
        complete=outcome.complete,
        waited_seconds=outcome.waited_seconds,
        voice=outcome.voice,
    )


def _outbound_line(outcome: OutcomeRecord) -> OutboundEvent:
    return OutboundEvent(
        at=outcome.at,
        call=outcome.linkedid,
        caller=outcome.caller,
        caller_group=outcome.group,
        own_number=outcome.own_number,
        callee=outcome.dialled,
        answered=outcome.disposition is Disposition.ANSWERED,
        ring_seconds=outcome.ring_seconds,
        talk_seconds=outcome.talk_seconds,
        ended_by=_word(outcome.ended_by, ENDED_BY),
        complete=outcome.complete,
        waited_seconds=outcome.waited_seconds,
    )


def _mark_line(mark: Mark) -> Marked:
    return Marked(
        at=mark.at,
        number=mark.number,
        reporter=mark.reporter,
        group=mark.group,
        verdict="spam" if mark.verdict is Verdict.SPAM else "ok",
        category=mark.category,
        call=mark.linkedid,
        channel=mark.channel,
        epoch=mark.epoch,
    )


def _word(value: object, words: Mapping[Any, object]) -> Any:
    return next((word for word, known in words.items() if known is value), None)
