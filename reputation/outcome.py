"""How a call ended, and the one signal that it may be. Made for every call that is followed or replayed.

Structs: one is made in a twentieth of the time that a named tuple takes, and JSON has its fields by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from msgspec import Struct
from msgspec.structs import replace

from reputation.columns import LOCAL, NAMED, ORIGIN, Column, Key, Own
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
    """How one call ended, normalised, as it is stored. The key is `linkedid`: one call, one outcome.

    `at` is the start. Inbound, `caller` is E.164 or None (withheld, invalid: see `caller_kind`) and `did` our number
    that was dialled. Outbound, `caller` is our person and `dialled` the number, E.164 where it is one. People are
    extensions; a phone that is nobody's keeps its endpoint (`PJSIP/201`), and the store puts the person in its place
    where it knows one. `answered_by` is the person who answered, `rung` all whose phones rang, `forked` how many.

    `answered_by_pbx`: nobody took the call, but a menu, a queue or voicemail had answered; only AMI tells.
    `ended_by` is None where the source does not know (CDRs). `complete` is False for a call that was not seen whole:
    nothing is learnt from it. `auth_class`, `decision_id` and `action` (what was shown or done) come from the journal.
    `rang_by`: the tie of the witness to the number, by which the phone rang whatever was known of the caller. Outbound,
    `blocked` is a call that a network refused and no person, `machine` one that the dialplan knows a machine answered.
    `waited_seconds`: what the call spent neither ringing nor talking: in menus, queues, voicemail. Only AMI tells.
    `call_id`: the SIP Call-ID of the trunk's leg, where the dialplan of a call that went out tells it.
    """

    linkedid: Annotated[str, Key(), ORIGIN]
    at: float
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
        could let its calls ring out, and move two families each (docs/accuracy.md).
        """
        rung = self.rung
        rang_alone = rung[0] if len(rung) == 1 and self.queue is None else None
        return self.person or rang_alone or own_name(self.did or self.queue or self.group or "") or None


class Signal(Record, frozen=True):
    """A weak, dated observation about a number. Of one callee and category only the latest is kept."""

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    callee: Annotated[str, Key(3), ORIGIN]
    category: Annotated[SignalCategory, Key(4)]
    at: float
    linkedid: Annotated[str, NAMED]
    epoch: Annotated[int, Key(2)] = 0
