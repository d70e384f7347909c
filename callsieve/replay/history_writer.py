"""The store's calls and marks as lines of a history, for `callsieve calls export`.

line_of_event(event) -> bytes       history_file.py reads it as this event again, as far as a replay decides by it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from callsieve.replay.history_file import Event, PastCall
from callsieve.replay.history_format import (
    ATTESTATION,
    ENDED_BY,
    MISSED,
    VERIFICATION,
    Inbound,
    Marked,
    OutboundEvent,
    Shown,
    Told,
)
from reputation.model import Direction, Disposition, Mark, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import LABELS


def line_of_event(event: Event) -> bytes:
    """The line of an event of the store, its newline with it: what a replay decides by, and no more."""
    if isinstance(event, Mark):
        return _encoded(_told_of_mark(event))
    is_inbound = event.outcome.direction is Direction.INBOUND
    return _encoded(_told_of_inbound(event) if is_inbound else _told_of_outbound(event.outcome))


def _encoded(told: Told) -> bytes:
    return msgspec.json.encode(told) + b"\n"


def _told_of_inbound(event: PastCall) -> Inbound:
    one = event.outcome
    is_answered = one.disposition is Disposition.ANSWERED
    callee = one.answered_by if is_answered else one.rung[0] if len(one.rung) == 1 else None
    return Inbound(
        at=one.at,
        call=one.linkedid,
        caller=one.caller,
        callee=callee,
        callee_group=one.group,
        did=one.did,
        trunk=one.trunk,
        answered=is_answered,
        ring_seconds=one.ring_seconds,
        talk_seconds=one.talk_seconds,
        ended_by=_word(one.ended_by, ENDED_BY),
        voicemail=one.voicemail_left,
        attestation=_word(event.attestation, ATTESTATION),
        verification=_word(event.verification, VERIFICATION),
        shown=cast(Shown, one.action) if one.action in LABELS else None,
        caller_kind=None if one.caller else one.caller_kind,
        rung=None if one.rung == ((callee,) if callee else ()) else one.rung,
        queue=one.queue,
        missed=_word(one.disposition, MISSED),
        answered_by_pbx=one.answered_by_pbx,
        passed_on=one.transferred or one.parked or one.conference,
        challenge=one.challenge,
        sampled=event.sampled,
        trusted=event.trusted,
        name=event.name,
        verstat=True if event.carrier_counts and not event.trusted else None,
        rang_by=one.rang_by,
        complete=one.complete,
        waited_seconds=one.waited_seconds,
    )


def _told_of_outbound(one: OutcomeRecord) -> OutboundEvent:
    return OutboundEvent(
        at=one.at,
        call=one.linkedid,
        caller=one.caller,
        caller_group=one.group,
        own_number=one.own_number,
        callee=one.dialled,
        answered=one.disposition is Disposition.ANSWERED,
        ring_seconds=one.ring_seconds,
        talk_seconds=one.talk_seconds,
        ended_by=_word(one.ended_by, ENDED_BY),
        complete=one.complete,
        waited_seconds=one.waited_seconds,
    )


def _told_of_mark(mark: Mark) -> Marked:
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
    """How a line says it; None for what no word is kept for."""
    return next((word for word, said in words.items() if said is value), None)
