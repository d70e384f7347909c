"""What Asterisk tells us, as values: the few AMI events that say how a call goes. `parsing` makes them.

Caller text in them is untrusted; what Asterisk did not say is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from ami_listener.outcome import Presentation


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """Which channel an event is about; `name` is `PJSIP/201-0000002a`."""

    uniqueid: str
    linkedid: str
    name: str


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel begins; `exten` is what was dialled on it. `placed`: this PBX calls, nobody calls it."""

    channel: ChannelRef
    caller: str
    caller_name: str
    exten: str
    placed: bool = False


@dataclass(frozen=True, slots=True)
class NewState:
    """`state`: 5 ringing, 6 up (channelstate.h)."""

    channel: ChannelRef
    state: int


@dataclass(frozen=True, slots=True)
class NewCallerId:
    """A channel's caller ID changed."""

    channel: ChannelRef
    presentation: Presentation


@dataclass(frozen=True, slots=True)
class DialBegin:
    """`dest` is being called. `number` is what is dialled there, `presented` the number it is shown."""

    channel: ChannelRef | None
    dest: ChannelRef
    number: str
    presented: str


@dataclass(frozen=True, slots=True)
class DialState:
    """RINGING, PROGRESS and the like."""

    dest: ChannelRef
    status: str


@dataclass(frozen=True, slots=True)
class DialEnd:
    """ANSWER, or why not."""

    dest: ChannelRef
    status: str


@dataclass(frozen=True, slots=True)
class BridgeCreated:
    """A bridge whose members we shall all have seen."""

    bridge: str


@dataclass(frozen=True, slots=True)
class BridgeDestroyed:
    """It is gone."""

    bridge: str


@dataclass(frozen=True, slots=True)
class BridgeEnter:
    """`holding`: in it nobody hears anybody (parking)."""

    channel: ChannelRef
    bridge: str
    holding: bool


@dataclass(frozen=True, slots=True)
class BridgeLeave:
    """A channel left a bridge."""

    channel: ChannelRef
    bridge: str


@dataclass(frozen=True, slots=True)
class HangupRequest:
    """The channel's far end wants to end it (or, before the answer, the dialplan has: PJSIPHangup)."""

    channel: ChannelRef
    cause: int | None
    sip_code: int | None


@dataclass(frozen=True, slots=True)
class Hangup:
    """A channel ends; `presentation` of its number by then."""

    channel: ChannelRef
    cause: int | None
    sip_code: int | None
    presentation: Presentation = Presentation.UNKNOWN


@dataclass(frozen=True, slots=True)
class Transfer:
    """A blind or attended transfer and every channel that it names."""

    channels: tuple[ChannelRef, ...]


@dataclass(frozen=True, slots=True)
class Pickup:
    """`channel` takes the call that rings at `target`."""

    channel: ChannelRef
    target: ChannelRef


@dataclass(frozen=True, slots=True)
class Parked:
    """A channel waits in a car park."""

    channel: ChannelRef


@dataclass(frozen=True, slots=True)
class QueueJoined:
    """A channel waits in a queue."""

    channel: ChannelRef
    queue: str


@dataclass(frozen=True, slots=True)
class ConferenceJoined:
    """A channel is in a conference."""

    channel: ChannelRef


@dataclass(frozen=True, slots=True)
class MessageWaiting:
    """The state of a mailbox; `channel` is the one that changed it, if any."""

    channel: ChannelRef | None
    mailbox: str
    new: int


@dataclass(frozen=True, slots=True)
class NetworkBlocked:
    """Our own UserEvent: a network refused to carry this channel's call, not a person to take it."""

    channel: ChannelRef


@dataclass(frozen=True, slots=True)
class MachineAnswered:
    """Our own UserEvent: a machine answered this channel's call, as Asterisk's AMD or the dialplan found out."""

    channel: ChannelRef


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """Our own UserEvent: somebody pressed the key for spam during a call. Nothing for the tracker."""

    channel: ChannelRef


Event = (
    NewChannel | NewState | NewCallerId | DialBegin | DialState | DialEnd | BridgeCreated
    | BridgeDestroyed | BridgeEnter | BridgeLeave | HangupRequest | Hangup | Transfer | Pickup | Parked | QueueJoined
    | ConferenceJoined | MessageWaiting | NetworkBlocked | MachineAnswered
)  # fmt: skip
