"""From a tracked Outcome to the OutcomeRecord that is stored: numbers normalised, words of the store. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ami_listener.outcome import Outcome, Presentation
from reputation.model import CallerKind, Direction
from reputation.numbers import caller_of, did_number_of, is_emergency, number_of
from reputation.outcome import OutcomeRecord
from reputation.site_names import own_name

RegionOf = Callable[[str | None], str]

# CALLERID(num-pres) as numbers.caller_of reads it.
PRESENTATIONS = {Presentation.WITHHELD: "prohib"}
MAX_TEXT = 64


def record_of(outcome: Outcome, region_of: RegionOf) -> OutcomeRecord | None:
    """The record of a call; None for one of which so little was seen that nobody knows where it came from.

    `region_of` gives the region in which a trunk (None: the PBX itself) writes its national numbers.
    """
    direction = outcome.direction
    if direction is None:
        return None
    region = region_of(outcome.trunk)
    caller, kind = _caller_of(outcome, direction, region)
    return OutcomeRecord(
        linkedid=own_name(outcome.linkedid),
        at=outcome.at,
        direction=direction,
        disposition=outcome.disposition,
        caller=caller,
        caller_kind=kind,
        did=_number(outcome.did, region, did_number_of),
        dialled=_number(outcome.dialled, region, number_of if direction is not Direction.INTERNAL else _extension),
        own_number=_number(outcome.own_number, region, number_of),
        trunk=outcome.trunk,
        # Who answered a call that we forwarded is not one of us, and no witness.
        answered_by=outcome.answered_by if outcome.forwarded_to is None else None,
        queue=outcome.queue,
        rung=outcome.rang,
        forked=outcome.forked_to,
        ring_seconds=outcome.ring_seconds,
        talk_seconds=outcome.talk_seconds,
        cause=outcome.cause,
        sip_code=outcome.sip_code,
        ended_by=outcome.ended_by,
        answered_by_pbx=outcome.answered_by_pbx,
        voicemail_left=outcome.voicemail_left,
        transferred=outcome.transferred or outcome.picked_up or outcome.forwarded_to is not None,
        parked=outcome.parked,
        conference=outcome.conference,
        complete=outcome.complete,
        blocked=outcome.blocked and direction is Direction.OUTBOUND,
        machine=outcome.machine and direction is Direction.OUTBOUND,
        call_id=outcome.call_id if direction is Direction.OUTBOUND else None,
        waited_seconds=max(0.0, outcome.ended_at - outcome.at - outcome.ring_seconds - outcome.talk_seconds),
    )


def is_emergency_call(outcome: Outcome, region: str) -> bool:
    """Whether somebody here called an emergency number, after which nothing is screened for a while."""
    return outcome.direction is Direction.OUTBOUND and is_emergency(outcome.dialled, region)


def _caller_of(outcome: Outcome, direction: Direction, region: str) -> tuple[str | None, CallerKind]:
    """The caller of an inbound call by number; of our own by the phone, in whose place the store puts the person."""
    if direction is not Direction.INBOUND:
        return outcome.placed_by or own_name(outcome.caller[:MAX_TEXT]) or None, CallerKind.INTERNAL
    caller = caller_of(outcome.caller, region, PRESENTATIONS.get(outcome.presentation, ""))
    return caller.key, caller.kind


def _extension(_text: str, _region: str) -> None:
    """Among ourselves no number is dialled: 411 is an extension."""


def _number(text: str, region: str, read: Callable[[str, str], str | None]) -> str | None:
    return (read(text, region) or text[:MAX_TEXT]) if text else None
