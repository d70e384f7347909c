"""How a call through another switch ended, as the switch tells it: recorded and learnt from as what AMI tells is.

record_ending: operation (callsieve/changes/operation.py). It leaves no row in the audit: nobody here did anything.
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, Literal, NamedTuple

import msgspec

from ami_listener.outcome import Outcome, Presentation, is_emergency_call, record_of
from callsieve.changes.operation import Context, Refused
from callsieve.decide.call_facts import id_of, trunk_text_of
from callsieve.wiring import calling_hours_of, site_of
from reputation.encoding import Instant
from reputation.model import Direction, Disposition, EndedBy, SignalCategory
from reputation.store.outcomes import record_outcome
from reputation.store.site import record_emergency

LATEST_SECONDS = 60.0  # a switch whose clock is ahead
OLDEST_SECONDS = 86_400.0
BAD_TIME = "a call is told of within a day after its end"

Text = Annotated[str, msgspec.Meta(max_length=256)]
Phone = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@/+-]{1,81}$(?!\n)", description="201, or PJSIP/201.")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class CallEnding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one call ended.

    Attributes:
        call_id: The id of the call, as it was asked about.
        disposition: What became of it.
        direction: Where it came from.
        caller: Of an inbound call as it was received; of an outbound one the phone of who called.
        withheld: The caller asked not to be shown.
        did: What an inbound caller dialled.
        dialled: What was dialled on an outbound call.
        own_number: What an outbound call showed.
        trunk: The trunk, as for the decision.
        answered_by: The phone of who talked, null for nobody.
        rang: The phones that rang.
        ring_seconds: For how long it rang.
        talk_seconds: For how long it was talked.
        ended_by: Who ended it.
        ended_at: When it ended; now if not given.
        sip_code: The SIP status code.
        voicemail_left: The caller left a message.
        answered_by_pbx: A menu, a queue or voicemail answered, and nobody else.
        transferred: It was transferred.
        blocked: A network refused an outbound call, and no person did (`603 Network Blocked`, 608).
        machine: A machine answered an outbound call.
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
    ended_at: Instant | None = None
    sip_code: Annotated[int, msgspec.Meta(ge=100, le=699)] | None = None
    voicemail_left: bool = False
    answered_by_pbx: bool = False
    transferred: bool = False
    blocked: bool = False
    machine: bool = False


class EndingRecorded(NamedTuple):
    """What became of the ending of a call.

    Attributes:
        recorded: It is new: a call is recorded once.
        signal: What was learnt, null for nothing yet.
    """

    recorded: bool
    signal: SignalCategory | None


def record_ending(db: sqlite3.Connection, context: Context, ending: CallEnding) -> EndingRecorded:
    """Record how a call through another switch ended, once, and learn from it. An emergency call opens the window."""
    site = site_of(context.settings)
    outcome = _outcome_of(ending, site.trunk_of(trunk_text_of(ending.trunk)).name or None, context.at)
    record = record_of(outcome, site.region_of)
    assert record is not None  # its direction is known
    if is_emergency_call(outcome, site.region):
        record_emergency(db, outcome.ended_at, who=context.actor)
    done = record_outcome(db, record, context.at, calling_hours_of(context.settings))
    return EndingRecorded(done.new, None if done.signal is None else done.signal.category)


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
