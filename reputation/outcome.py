"""How a call ended, and the one signal that it may be. Made for every call that is followed or replayed.

Structs: one is made in a twentieth of the time that a named tuple takes, and JSON has its fields by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from msgspec import Struct
from msgspec.structs import replace

from reputation.columns import LOCAL, NAMED, ORIGIN, Column, Key, Own
from reputation.encoding import Instant
from reputation.model import (
    AuthClass,
    CallerKind,
    ChallengeResult,
    Direction,
    Disposition,
    EndedBy,
    SignalCategory,
    Tie,
)
from reputation.site_names import own_name

# Until Python 3.12 a member costs ten times as much as a global name, and these are asked for of every call.
INBOUND, INTERNAL = Direction.INBOUND, Direction.INTERNAL


class Record(Struct, frozen=True):
    """What both are. Fields are changed in a copy, as of a named tuple."""

    def _replace(self, **changes: Any) -> Self:
        return replace(self, **changes)


class OutcomeRecord(Record, frozen=True, kw_only=True):
    """How one call ended, normalised, as it is stored: one call, one outcome.

    People are extensions. A phone that is nobody's keeps its endpoint (`PJSIP/201`), and the store puts the person in
    its place where it knows one. Only AMI tells `answered_by_pbx` and `waited_seconds`.

    Attributes:
        linkedid: Asterisk's id of the whole call.
        at: When it began.
        direction: Where it came from and went to, seen from this PBX.
        disposition: What became of it.
        caller: Of an inbound call the number, null for none (see `caller_kind`); of an outbound one our person.
        caller_kind: What the caller's text turned out to be.
        did: Of an inbound call our number that was dialled.
        dialled: Of an outbound call what was dialled, E.164 where that is a number.
        own_number: Of an outbound call our number that it showed.
        trunk: The trunk that it came in on or went out on.
        answered_by: The person who answered.
        group: The ring group that was dialled.
        queue: The queue that it waited in.
        rung: The people whose phones rang.
        forked: How many phones rang.
        ring_seconds: For how long it rang.
        talk_seconds: For how long it was talked.
        cause: The Q.850 cause.
        sip_code: The SIP status code.
        ended_by: Who ended it, null where the source does not know.
        voicemail_left: The caller left a message.
        transferred: It was transferred.
        parked: It was parked.
        conference: It was in a conference.
        challenge: What the caller did when challenged.
        complete: It was seen whole. Nothing is learnt from one that was not.
        source: Where it is known from: `ami`, or the name of an import.
        auth_class: Whether somebody vouches for the caller's number.
        decision_id: The decision about it.
        action: What was shown or done.
        rang_by: The tie to the number by which the phone rang whatever was known of the caller.
        answered_by_pbx: Nobody took it, but a menu, a queue or voicemail had answered.
        blocked: A network refused the outbound call, and no person did.
        machine: A machine answered the outbound call.
        waited_seconds: For how long it neither rang nor was talked: in menus, queues, voicemail.
        call_id: The SIP Call-ID on the trunk, where the dialplan of an outbound call tells it.
        trap: It was to a DID that is given to nobody.
        verified: A signature vouched for the caller of such a call.
    """

    linkedid: Annotated[str, Key(), ORIGIN]
    at: Instant
    direction: Direction
    disposition: Disposition
    caller: str | None = None
    caller_kind: CallerKind = CallerKind.NUMBER
    did: str | None = None
    dialled: Annotated[str | None, LOCAL] = None
    own_number: Annotated[str | None, LOCAL] = None
    trunk: str | None = None
    answered_by: Annotated[str | None, NAMED] = None
    group: Annotated[str | None, Column("grp"), LOCAL] = None
    queue: Annotated[str | None, LOCAL] = None
    rung: Annotated[tuple[str, ...], Own("[]")] = ()
    forked: int = 0
    ring_seconds: float = 0.0
    talk_seconds: float = 0.0
    cause: int | None = None
    sip_code: int | None = None
    ended_by: EndedBy | None = None
    voicemail_left: bool = False
    transferred: bool = False
    parked: bool = False
    conference: bool = False
    challenge: ChallengeResult | None = None
    complete: bool = True
    source: str = "ami"
    auth_class: AuthClass = AuthClass.UNKNOWN
    decision_id: str | None = None
    action: str | None = None
    rang_by: Annotated[Tie | None, LOCAL] = None
    answered_by_pbx: bool = False
    blocked: bool = False
    machine: bool = False
    waited_seconds: float = 0.0
    call_id: Annotated[str | None, LOCAL] = None
    trap: Annotated[bool, LOCAL] = False
    verified: Annotated[bool, LOCAL] = False

    @property
    def is_to_nobody(self) -> bool:
        """Whether the number is nobody's here (Q.850 cause 1): such a call is refused before anybody is asked."""
        return self.disposition is Disposition.FAILED and self.cause == 1

    @property
    def ended_at(self) -> float:
        """When the call was over: what is learnt from it is dated so."""
        return self.at + self.ring_seconds + self.talk_seconds + self.waited_seconds

    @property
    def number(self) -> str | None:
        """The number that the call says something about: the other side's, if it has one."""
        direction = self.direction
        if direction is INTERNAL:
            return None
        number = self.caller if direction is INBOUND else self.dialled
        return number if number and number[0] == "+" else None

    @property
    def person(self) -> str | None:
        """Who of ours was in it: who answered the number, or called it."""
        return self.answered_by if self.direction is INBOUND else self.caller

    @property
    def witness(self) -> str | None:
        """Under whom a signal is kept: the person who answered, or whom alone the call rang; else the DID or the group
        that was dialled, for which it is one missed call.

        Whose phone rings alone decides whether the call is missed. Were it the DID's signal, people who mark a number
        could let its calls ring out, and move two families each (benchmarks/accuracy/RESULTS.md).
        """
        rung = self.rung
        rang_alone = rung[0] if len(rung) == 1 and self.queue is None else None
        return self.person or rang_alone or own_name(self.did or self.queue or self.group or "") or None


class Signal(Record, frozen=True):
    """A weak, dated observation about a number. Of one callee and category only the latest is kept.

    Attributes:
        number: The number that it is about.
        auth_class: The class of the call.
        callee: Our person, DID, queue or group that it comes from.
        category: What the call showed.
        at: When the call was over.
        linkedid: The call.
        epoch: How many owners the number had before.
    """

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    callee: Annotated[str, Key(3), ORIGIN]
    category: Annotated[SignalCategory, Key(4)]
    at: Instant
    linkedid: Annotated[str, NAMED]
    epoch: Annotated[int, Key(2)] = 0
