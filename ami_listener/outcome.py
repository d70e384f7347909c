"""How a call ended: one value for each call, whatever happened to it in between."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reputation.model import Direction, Disposition, EndedBy


class Presentation(StrEnum):
    """Whether the caller's number may be shown. UNKNOWN is the rule: AMI says it only if `channelvars` has it."""

    ALLOWED = "allowed"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call from its first channel to its last. Only `complete` ones may count as evidence of anything.

    `at` and `ended_at` are UTC seconds. `direction` is None where we came in so late that the call's first channel was
    never seen; FAILED is also what ended before any phone rang, or was answered by the PBX alone. `caller` is the raw
    number of an inbound call, even of a withheld one (the decision knows that), or what our own phone calls itself;
    `placed_by` is that phone's endpoint. `did` is what an inbound caller dialled, `dialled` what an outbound one did.
    `answered_by` and `rang` are endpoints (`PJSIP/201`); `answered_by` is a trunk's endpoint when the far end answered:
    of an inbound call, at the number `forwarded_to`. `ring_seconds` is from the first phone's ringing to the first
    answer, or until nothing rang any more; `talk_seconds` how long the outside party (of an internal call, the caller)
    was connected to somebody. `cause` is Q.850 as Asterisk last set it on the caller's channel, `sip_code` of a call
    that was never answered. `forked_to` is how many phones rang at once. `earlier` are the linkedids of the same call
    offered before by the carrier: `at` is then the first one's start, and ringing is added up. `answered_by_pbx`:
    nobody took the call, but a menu, a queue, voicemail or a challenge had answered. Of a call that went out
    `blocked` is one that a network refused, not a person, and `machine` one that a machine answered: the dialplan says
    so, or it was diverted after ringing and announced by audio.
    """

    linkedid: str
    at: float
    ended_at: float
    direction: Direction | None
    disposition: Disposition
    complete: bool
    caller: str = ""
    caller_name: str = ""
    placed_by: str | None = None
    presentation: Presentation = Presentation.UNKNOWN
    trunk: str | None = None
    did: str = ""
    own_number: str = ""
    dialled: str = ""
    answered_by: str | None = None
    rang: tuple[str, ...] = ()
    forked_to: int = 0
    ring_seconds: float = 0.0
    talk_seconds: float = 0.0
    cause: int | None = None
    sip_code: int | None = None
    ended_by: EndedBy | None = None
    queue: str | None = None
    forwarded_to: str | None = None
    answered_by_pbx: bool = False
    voicemail_left: bool = False
    transferred: bool = False
    picked_up: bool = False
    parked: bool = False
    conference: bool = False
    blocked: bool = False
    machine: bool = False
    call_id: str | None = None
    earlier: tuple[str, ...] = ()
