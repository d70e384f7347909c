"""The outcome of a call, and the signal that may follow from it. Both are made for every tracked or replayed call.

Both are Structs, which take a twentieth of the time of a named tuple to make. Their JSON has the fields by name.
"""

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
    Voice,
)
from reputation.site_names import own_name

# Until Python 3.12 a member costs ten times as much as a global name, and every call uses these.
INBOUND, INTERNAL = Direction.INBOUND, Direction.INTERNAL


class Record(Struct, frozen=True):
    """The base of OutcomeRecord and Signal. `_replace` returns a changed copy, as in a named tuple."""

    def _replace(self, **changes: Any) -> Self:
        return replace(self, **changes)


class OutcomeRecord(Record, frozen=True, kw_only=True):
    """The normalised outcome of a call, as it is stored.

    People are named by extension. A phone without a known person is named by its endpoint (`PJSIP/201`) until the store
    knows the person. Only AMI gives `waited_seconds`.

    Attributes:
        linkedid: Asterisk's id of the whole call.
        at: When the call began.
        direction: Whether the call was incoming, outgoing or internal, seen from this PBX.
        disposition: How the call ended.
        caller: Incoming call: the number, or null (see `caller_kind`). Outgoing call: the person here.
        caller_kind: The kind of the caller's text.
        did: Incoming call: the DID that was dialled.
        dialled: Outgoing call: the dialled text, E.164 if it is a number.
        own_number: Outgoing call: the own number that the call showed.
        trunk: The trunk that the call came in on or went out on.
        answered_by: The person who answered.
        group: The ring group that was dialled.
        queue: The queue that the call waited in.
        rung: The people whose phones rang.
        forked: How many phones rang.
        ring_seconds: For how long phones rang.
        talk_seconds: For how long people talked.
        cause: The Q.850 cause.
        sip_code: The SIP status code.
        ended_by: The party that ended the call, null if the source does not say.
        voicemail_left: Whether the caller left a message.
        transferred: Whether the call was transferred.
        parked: Whether the call was parked.
        conference: Whether the call was in a conference.
        challenge: The result of the call's challenge.
        complete: Whether the whole call was tracked. An incomplete call leaves no evidence.
        source: Where the data of the call come from: `ami`, or the name of an import.
        auth_class: How well the caller's number is authenticated.
        decision_id: The id of the decision about the call.
        action: The action that was taken.
        rang_by: The person's tie to the caller that made the phone ring, whatever else was known about the caller.
        answered_by_pbx: Whether only a menu, a queue or voicemail answered, and no person.
        blocked: Whether a network, and no person, refused the outgoing call.
        machine: Whether a machine answered the outgoing call.
        waited_seconds: How long the call was in menus, queues and voicemail, without ringing or talk.
        call_id: The SIP Call-ID on the trunk, if the dialplan of an outgoing call gives it.
        trap: Whether the call went to a DID that belongs to nobody.
        verified: Whether the caller of a call to a trap was verified by a signature.
        voice: The kind of speaker when the caller was asked for a name; null if nobody was heard.
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
    voice: Annotated[Voice | None, LOCAL] = None

    @property
    def is_to_nobody(self) -> bool:
        """Whether the dialled number does not exist here (Q.850 cause 1). Such a call is refused before screening."""
        return self.disposition is Disposition.FAILED and self.cause == 1

    @property
    def ended_at(self) -> float:
        """When the call ended. The evidence of the call is dated by this time."""
        return self.at + self.ring_seconds + self.talk_seconds + self.waited_seconds

    @property
    def number(self) -> str | None:
        """The number of the other party, or None. The call is evidence about this number."""
        direction = self.direction
        if direction is INTERNAL:
            return None
        number = self.caller if direction is INBOUND else self.dialled
        return number if number and number[0] == "+" else None

    @property
    def person(self) -> str | None:
        """The person here who answered or made the call."""
        return self.answered_by if self.direction is INBOUND else self.caller

    @property
    def witness(self) -> str | None:
        """The name under which the signal is stored: a person, or the DID, queue or group that was dialled.

        The person is the one who answered, or the only one whose phone rang: only that person decides whether a call is
        missed. If a missed call were a signal of the DID, somebody who marks a number could also let its calls ring,
        and so count twice (benchmarks/accuracy/RESULTS.md).
        """
        rung = self.rung
        rang_alone = rung[0] if len(rung) == 1 and self.queue is None else None
        return self.person or rang_alone or own_name(self.did or self.queue or self.group or "") or None


class Signal(Record, frozen=True):
    """A weak, dated observation about a number. Only the latest per callee and category is kept.

    Attributes:
        number: The number that was observed.
        auth_class: The auth class of the call.
        callee: The person, DID, queue or group that made the observation.
        category: The kind of observation.
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
