"""The state of a call in progress: its channels, its bridges, and its history so far. No I/O and no clock.

A channel is of one of three kinds: a trunk, a phone, or a channel without a person (Local and similar).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from ami_listener.outcome import NETWORK_REJECTED, UNANSWERED_BY_CAUSE, UNWANTED, Outcome, Presentation, disposition_of
from reputation.model import Direction, Disposition, EndedBy

RANG_LIMIT = 64

# A far end that has rung for so long, then sends audio and answers at once was diverted to voicemail: a phone that is
# picked up sends none before. Audio that comes with the ringing is the ringing tone.
DIVERTED_SECONDS, ANNOUNCED_SECONDS = 5.0, 1.5

# Channel technologies without a person at their far end: Asterisk uses them internally.
_NOBODY = frozenset({"Local", "CBAnn", "CBRec", "Announcer", "Recorder", "Bridge", "Surrogate", "Snoop", "Message"})

# If several phones did not answer, the call gets the first of these dispositions that any phone gave.
_VAIN = (Disposition.NO_ANSWER, Disposition.REJECTED, Disposition.BUSY, Disposition.FAILED)


class CallKind(Enum):
    """The kind of a channel, by the party at its far end."""

    TRUNK = 1
    PHONE = 2
    NOBODY = 3


def kind_of(channel_name: str, trunk: str | None) -> CallKind:
    """Return the kind of a channel. `trunk`: the name of the trunk that the channel belongs to, or None."""
    if trunk is not None:
        return CallKind.TRUNK
    return CallKind.NOBODY if channel_name.partition("/")[0] in _NOBODY else CallKind.PHONE


@dataclass(slots=True, eq=False)
class Channel:
    """A channel. `linkedid`: the latest from Asterisk. `call`: the call to which the channel belongs.

    `left`: whether the far end hung up while the channel was not connected to another party.
    """

    uniqueid: str
    linkedid: str
    endpoint: str
    kind: CallKind
    trunk: str | None
    call: Call
    bridge: str | None = None
    up: bool = False
    ringing: bool = False
    refused: Disposition | None = None
    left: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """A call in progress. `main`: the calling channel. `outside`: the outside party's channel.

    `left_by`: the side that hung up after an answer, before both sides were connected. If a phone rings again, this
    becomes None.
    """

    linkedid: str
    started_at: float
    complete: bool
    main: Channel | None = None
    outside: Channel | None = None
    channels: dict[str, Channel] = field(default_factory=dict)
    direction: Direction | None = None
    trunk: str | None = None
    did: str = ""
    caller: str = ""
    caller_name: str = ""
    presentation: Presentation = Presentation.UNKNOWN
    own_number: str = ""
    dialled: str = ""
    main_was_up: bool = False
    answered_by: str | None = None
    answered_at: float | None = None
    answered_outside: bool = False
    rang: list[str] = field(default_factory=list)
    ringing: int = 0
    forked_to: int = 0
    first_ring_at: float | None = None
    first_media_at: float | None = None
    diverted_at: float | None = None
    silent_at: float | None = None
    vain: set[Disposition] = field(default_factory=set)
    talking_since: float | None = None
    talked: bool = False
    talk_seconds: float = 0.0
    ended_by: EndedBy | None = None
    left_by: EndedBy | None = None
    ended_at: float | None = None
    cause: int | None = None
    sip_code: int | None = None
    queue: str | None = None
    forwarded_to: str | None = None
    voicemail_left: bool = False
    transferred: bool = False
    picked_up: bool = False
    parked: bool = False
    conference: bool = False
    blocked: bool = False
    machine: bool = False
    call_id: str | None = None
    earlier: Outcome | None = None

    def begin(self, main: Channel, caller: str, caller_name: str, exten: str) -> None:
        """Set the calling channel `main`, which also gives the direction of the call."""
        self.main = self.outside = main
        self.caller, self.caller_name = caller, caller_name
        if main.kind is CallKind.TRUNK:
            self.direction, self.trunk, self.did = Direction.INBOUND, main.trunk, exten
        else:
            self.direction, self.dialled = Direction.INTERNAL, exten

    def dial(self, dest: Channel, number: str, presented: str) -> None:
        """Record that Asterisk calls the channel `dest`. `presented`: the caller's number that the callee sees.

        If `dest` is on a trunk, the call is outbound or forwarded.
        """
        if dest.kind is not CallKind.TRUNK:
            return
        if self.direction is Direction.INBOUND:
            self.forwarded_to = number
            self.transferred = self.transferred or self.answered_at is not None
        elif self.direction is not None and self.answered_at is None:
            self.direction, self.trunk = Direction.OUTBOUND, dest.trunk
            self.dialled, self.own_number = number, presented

    def ring(self, channel: Channel, at: float) -> None:
        """Record that the far end of a channel is ringing (SIP code 180)."""
        if channel.up or channel.kind is CallKind.NOBODY:
            return
        self.first_ring_at = at if self.first_ring_at is None else self.first_ring_at
        self._begin_ringing(channel)

    def hear(self, channel: Channel, at: float) -> None:
        """Record audio before the answer (SIP code 183): a ringing tone, an announcement, or voicemail."""
        if channel.up or channel.kind is CallKind.NOBODY:
            return
        self.first_media_at = at if self.first_media_at is None else self.first_media_at
        if self.first_ring_at is not None and at - self.first_ring_at >= DIVERTED_SECONDS:
            self.diverted_at = at
        self._begin_ringing(channel)

    def _begin_ringing(self, channel: Channel) -> None:
        if channel.ringing:
            return
        self.left_by = None
        channel.ringing = True
        self.ringing += 1
        self.forked_to = max(self.forked_to, self.ringing)
        self._note_phone(channel)

    def stop_ringing(self, channel: Channel, at: float) -> None:
        """Record that the far end of a channel has stopped ringing."""
        if channel.ringing:
            channel.ringing = False
            self.ringing -= 1
            self.silent_at = at

    def answer(self, channel: Channel, at: float) -> None:
        """Record that the far end of a channel answered."""
        self.stop_ringing(channel, at)
        channel.up = True
        if channel.kind is CallKind.NOBODY:
            return
        self._note_phone(channel)
        self.forked_to = max(self.forked_to, 1)
        if self.answered_at is None:
            self.answered_at, self.answered_by = at, channel.endpoint
            self.answered_outside = channel.kind is CallKind.TRUNK
        if self.direction is Direction.OUTBOUND and channel.kind is CallKind.TRUNK:
            self.outside = channel
            if self.diverted_at is not None and at - self.diverted_at <= ANNOUNCED_SECONDS:
                self.machine = True

    def end_dial(self, channel: Channel, status: str, at: float) -> None:
        """Record that the far end of a channel did not answer. `status`: Asterisk's DialStatus, such as `BUSY`."""
        self.stop_ringing(channel, at)
        if channel.kind is not CallKind.NOBODY and not channel.up:
            self.vain.add(channel.refused or disposition_of(status) or Disposition.FAILED)

    def request_hangup(self, channel: Channel, cause: int | None, sip_code: int | None) -> None:
        """Record that the far end of a channel hangs up, and decide which side ended the call.

        For an unanswered channel of the caller, Asterisk also sends this event when the dialplan hangs up with its own
        SIP code (PJSIPHangup). When the caller gives up, the code is 487.
        """
        if channel is self.main and not channel.up:
            gave_up = sip_code == 487 or (sip_code is None and cause in (None, 0, 16, 127))
            self.ended_by = self.ended_by or (EndedBy.CALLER if gave_up else EndedBy.SYSTEM)
        elif not channel.up:
            channel.refused = UNANSWERED_BY_CAUSE.get(cause or 16, Disposition.FAILED)
            if sip_code in (UNWANTED, NETWORK_REJECTED):
                channel.refused = Disposition.REJECTED
            self.blocked = self.blocked or (sip_code == NETWORK_REJECTED and channel.kind is CallKind.TRUNK)
        elif channel is self.main or (self.talking_since is not None and self._is_heard(channel)):
            self.ended_by = self.ended_by or self._side_of(channel)
        else:
            channel.left = True
            if not self.talked and channel.kind is not CallKind.NOBODY:
                self.left_by = self._side_of(channel)

    def set_talking(self, talking: bool, at: float) -> None:
        """Record whether the outside party is now connected to another party."""
        if talking and self.talking_since is None:
            self.talking_since, self.talked = at, True
            # A busy Asterisk may connect the two parties only after one of them has hung up.
            for gone in (channel for channel in self.channels.values() if channel.left and self._is_heard(channel)):
                self.ended_by = self.ended_by or self._side_of(gone)
        elif not talking and self.talking_since is not None:
            self.talk_seconds += max(0.0, at - self.talking_since)
            self.talking_since = None

    def _is_heard(self, channel: Channel) -> bool:
        return channel.bridge is not None and channel.kind is not CallKind.NOBODY

    def _side_of(self, channel: Channel) -> EndedBy:
        if self.direction is Direction.OUTBOUND:
            return EndedBy.CALLEE if channel is self.outside else EndedBy.CALLER
        return EndedBy.CALLER if channel is self.main else EndedBy.CALLEE

    def _note_phone(self, channel: Channel) -> None:
        if channel.kind is CallKind.PHONE and channel.endpoint not in self.rang and len(self.rang) < RANG_LIMIT:
            self.rang.append(channel.endpoint)


def outcome_of(call: Call, at: float) -> Outcome:
    """Return the outcome of a call that ended at `at`."""
    ended_at = at if call.ended_at is None else call.ended_at
    call.set_talking(False, ended_at)
    disposition = _disposition_of(call)
    silent_at = call.answered_at if call.answered_at is not None else call.silent_at
    # A mobile network may send 183 seconds before the phone rings.
    rings_since = call.first_ring_at if call.first_ring_at is not None else call.first_media_at
    return Outcome(
        linkedid=call.linkedid,
        at=call.started_at,
        ended_at=ended_at,
        direction=call.direction,
        disposition=disposition,
        complete=call.complete,
        caller=call.caller,
        caller_name=call.caller_name,
        placed_by=call.main.endpoint if call.main and call.main.kind is CallKind.PHONE else None,
        presentation=call.presentation,
        trunk=call.trunk,
        did=call.did,
        own_number=call.own_number,
        dialled=call.dialled,
        answered_by=call.answered_by,
        rang=tuple(call.rang),
        forked_to=call.forked_to,
        ring_seconds=_seconds(rings_since, ended_at if silent_at is None else silent_at),
        talk_seconds=call.talk_seconds,
        cause=call.cause or None,
        sip_code=None if call.main_was_up else call.sip_code,
        ended_by=_ended_by(call, disposition),
        queue=call.queue,
        forwarded_to=call.forwarded_to if call.answered_outside else None,
        answered_by_pbx=call.main_was_up and disposition is not Disposition.ANSWERED,
        voicemail_left=call.voicemail_left,
        transferred=call.transferred,
        picked_up=call.picked_up,
        parked=call.parked,
        conference=call.conference,
        blocked=call.blocked and disposition is not Disposition.ANSWERED,
        machine=call.machine and disposition is Disposition.ANSWERED,
        call_id=call.call_id,
    )


def _seconds(start: float | None, end: float) -> float:
    return 0.0 if start is None else max(0.0, end - start)


def _disposition_of(call: Call) -> Disposition:
    if call.answered_by is not None or call.talked:
        return Disposition.ANSWERED
    for disposition in _VAIN:
        if disposition in call.vain:
            return disposition
    if call.complete and not call.main_was_up and call.ended_by is EndedBy.CALLER:
        return Disposition.NO_ANSWER
    return Disposition.FAILED


def _ended_by(call: Call, disposition: Disposition) -> EndedBy | None:
    """Return the side that ended the call: Asterisk if neither side did; None if the call was not seen completely."""
    if call.ended_by is not None:
        return call.ended_by
    if not call.complete:
        return None
    if call.left_by is not None and not call.talked and call.queue is None:  # a queue would try somebody else
        return call.left_by
    declined = disposition in (Disposition.BUSY, Disposition.REJECTED) and not call.main_was_up
    return EndedBy.CALLEE if declined else EndedBy.SYSTEM


class Bridges:
    """The bridges of one Asterisk and the channels in each. Beyond `limit`, the oldest bridge is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._members: dict[str, dict[str, Channel]] = {}
        self._unknown: set[str] = set()  # bridges that may have members who were not seen

    def __len__(self) -> int:
        return len(self._members)

    def create(self, bridge: str) -> None:
        """Add an empty bridge."""
        self._members[bridge] = {}
        self._unknown.discard(bridge)
        if len(self._members) > self._limit:
            self.destroy(next(iter(self._members)))

    def destroy(self, bridge: str) -> None:
        """Remove a bridge."""
        self._members.pop(bridge, None)
        self._unknown.discard(bridge)

    def clear(self) -> None:
        """Remove all bridges."""
        self._members.clear()
        self._unknown.clear()

    def enter(self, channel: Channel, bridge: str, at: float) -> bool:
        """Put a channel into a bridge. Return False if the bridge may have other members that were not seen."""
        if bridge not in self._members:
            self.create(bridge)
            self._unknown.add(bridge)
        members = self._members[bridge]
        channel.bridge = bridge
        members[channel.uniqueid] = channel
        self._refresh(members.values(), at)
        return bridge not in self._unknown

    def leave(self, channel: Channel, at: float) -> None:
        """Remove a channel from its bridge."""
        members = self._members.get(channel.bridge or "", {})
        members.pop(channel.uniqueid, None)
        channel.bridge = None
        self._refresh([channel, *members.values()], at)

    def forget(self, channel: Channel) -> None:
        """Remove a channel that the tracker no longer follows from its bridge."""
        self._members.get(channel.bridge or "", {}).pop(channel.uniqueid, None)

    def _refresh(self, channels: Iterable[Channel], at: float) -> None:
        for call in {channel.call.linkedid: channel.call for channel in channels}.values():
            call.set_talking(self._talks(call), at)

    def _talks(self, call: Call) -> bool:
        # The other party is connected directly, or through a Local channel with a person behind it.
        outside = call.outside
        if outside is None or outside.bridge is None:
            return False
        others = [member for member in self._members.get(outside.bridge, {}).values() if member is not outside]
        if any(member.kind is not CallKind.NOBODY for member in others):
            return True
        behind = (channel for channel in call.channels.values() if channel is not outside)
        return bool(others) and any(channel.bridge and channel.kind is not CallKind.NOBODY for channel in behind)
