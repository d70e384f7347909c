"""How a call through another switch ended, as the switch tells it: recorded and learnt from as what AMI tells is.

record_ending: operation (callsieve/changes/operation.py). It leaves no row in the audit: nobody here did anything.
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, Literal

import msgspec

from ami_listener.outcome import Outcome, Presentation, is_emergency_call, record_of
from callsieve.changes.operation import Context, Refused
from callsieve.decide.call_facts import id_of, trunk_text_of
from callsieve.wiring import calling_hours_of, site_of
from reputation.model import Direction, Disposition, EndedBy
from reputation.store.outcomes import Recorded, record_outcome
from reputation.store.site import record_emergency

LATEST_SECONDS = 60.0  # a switch whose clock is ahead
OLDEST_SECONDS = 86_400.0
BAD_TIME = "a call is told of within a day after its end: UTC seconds"

Text = Annotated[str, msgspec.Meta(max_length=256)]
Phone = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@/+-]{1,81}$(?!\n)", description="201, or PJSIP/201.")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class CallEnding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one call ended.

    `call_id`: as it was asked about. `caller`: of an inbound call as it was received, of an outbound one who of us
    called, as a phone. `did`: what an inbound caller dialled; `dialled` and `own_number`: of an outbound call, what was
    dialled and what it showed. `answered_by`: the phone of who talked, null for nobody; `rang`: the phones that rang.
    `answered_by_pbx`: a menu, a queue or voicemail answered and nobody else. `blocked`: a network refused an outbound
    call and no person (`603 Network Blocked`, 608). `machine`: a machine answered one. `ended_at`: UTC seconds, now if
    not given.
    """

    call_id: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    disposition: Disposition
    direction: Literal["inbound", "outbound"] = "inbound"
    caller: Text = ""
    withheld: bool = False
    did: Text = ""
    dialled: Text = ""
    own_number: Text = ""
    trunk: Text = ""
    answered_by: Phone | None = None
    rang: Annotated[tuple[Phone, ...], msgspec.Meta(max_length=100)] = ()
    ring_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    ended_by: Literal["caller", "callee"] | None = None
    ended_at: float | None = None
    sip_code: Annotated[int, msgspec.Meta(ge=100, le=699)] | None = None
    voicemail_left: bool = False
    answered_by_pbx: bool = False
    transferred: bool = False
    blocked: bool = False
    machine: bool = False


def record_ending(db: sqlite3.Connection, context: Context, ending: CallEnding) -> Recorded:
    """Records it, once for each call. An emergency call that went out opens the window."""
    site = site_of(context.settings)
    outcome = _outcome_of(ending, site.trunk_of(trunk_text_of(ending.trunk)).name or None, context.at)
    record = record_of(outcome, site.region_of)
    assert record is not None  # its direction is known
    if is_emergency_call(outcome, site.region):
        record_emergency(db, outcome.ended_at, who=context.actor)
    return record_outcome(db, record, context.at, calling_hours_of(context.settings))


def _outcome_of(ending: CallEnding, trunk: str | None, now: float) -> Outcome:
    """As the tracker would have it. Refused."""
    ended_at = now if ending.ended_at is None else ending.ended_at
    if not now - OLDEST_SECONDS <= ended_at <= now + LATEST_SECONDS:
        raise Refused("bad-time", BAD_TIME, "ended_at")
    is_inbound = ending.direction == "inbound"
    return Outcome(
        linkedid=id_of(ending.call_id),
        at=ended_at - ending.ring_seconds - ending.talk_seconds,
        ended_at=ended_at,
        direction=Direction(ending.direction),
        disposition=ending.disposition,
        # What rang no phone says nothing. A caller whom another switch sent to voicemail was not asked for a digit: the
        # store would take one who hangs up then for one who gave up a challenge.
        complete=bool(ending.rang or ending.answered_by or ending.voicemail_left) or not is_inbound,
        caller=ending.caller,
        placed_by=None if is_inbound else ending.caller,
        presentation=Presentation.WITHHELD if ending.withheld else Presentation.UNKNOWN,
        trunk=trunk,
        did=ending.did,
        own_number=ending.own_number,
        dialled=ending.dialled,
        answered_by=ending.answered_by,
        rang=ending.rang,
        forked_to=len(ending.rang),
        ring_seconds=ending.ring_seconds,
        talk_seconds=ending.talk_seconds,
        sip_code=ending.sip_code,
        ended_by=None if ending.ended_by is None else EndedBy(ending.ended_by),
        answered_by_pbx=ending.answered_by_pbx,
        voicemail_left=ending.voicemail_left,
        transferred=ending.transferred,
        blocked=ending.blocked,
        machine=ending.machine,
    )
