"""What Asterisk tells us, as values: the few AMI events that say how a call goes. `parsing` makes them.

Caller text in them is untrusted; what Asterisk did not say is empty.
"""

from __future__ import annotations

from typing import NamedTuple

from ami_listener.outcome import Presentation


class ChannelRef(NamedTuple):
    """Which channel an event is about; `name` is `PJSIP/201-0000002a`."""

    uniqueid: str
    linkedid: str
    name: str


class NewChannel(NamedTuple):
    """A channel begins; `exten` is what was dialled on it. `placed`: this PBX calls, nobody calls it."""

    channel: ChannelRef
    caller: str
    caller_name: str
    exten: str
    placed: bool = False


class NewState(NamedTuple):
    """`state`: 5 ringing, 6 up (channelstate.h)."""

    channel: ChannelRef
    state: int


class NewCallerId(NamedTuple):
    """A channel's caller ID changed."""

    channel: ChannelRef
    presentation: Presentation


class DialBegin(NamedTuple):
    """`dest` is being called. `number` is what is dialled there, `presented` the number it is shown."""

    channel: ChannelRef | None
    dest: ChannelRef
    number: str
    presented: str


class DialState(NamedTuple):
    """RINGING, PROGRESS and the like."""

    dest: ChannelRef
    status: str


class DialEnd(NamedTuple):
    """ANSWER, or why not."""

    dest: ChannelRef
    status: str


class BridgeCreated(NamedTuple):
    """A bridge whose members we shall all have seen."""

    bridge: str


class BridgeDestroyed(NamedTuple):
    """It is gone."""

    bridge: str


class BridgeEnter(NamedTuple):
    """`holding`: in it nobody hears anybody (parking)."""

    channel: ChannelRef
    bridge: str
    holding: bool


class BridgeLeave(NamedTuple):
    """A channel left a bridge."""

    channel: ChannelRef
    bridge: str


class HangupRequest(NamedTuple):
    """The channel's far end wants to end it (or, before the answer, the dialplan has: PJSIPHangup)."""

    channel: ChannelRef
    cause: int | None
    sip_code: int | None


class Hangup(NamedTuple):
    """A channel ends; `presentation` of its number by then."""

    channel: ChannelRef
    cause: int | None
    sip_code: int | None
    presentation: Presentation = Presentation.UNKNOWN


class Transfer(NamedTuple):
    """A blind or attended transfer and every channel that it names."""

    channels: tuple[ChannelRef, ...]


class Pickup(NamedTuple):
    """`channel` takes the call that rings at `target`."""

    channel: ChannelRef
    target: ChannelRef


class Parked(NamedTuple):
    """A channel waits in a car park."""

    channel: ChannelRef


class QueueJoined(NamedTuple):
    """A channel waits in a queue."""

    channel: ChannelRef
    queue: str


class ConferenceJoined(NamedTuple):
    """A channel is in a conference."""

    channel: ChannelRef


class MessageWaiting(NamedTuple):
    """The state of a mailbox; `channel` is the one that changed it, if any."""

    channel: ChannelRef | None
    mailbox: str
    new: int


class NetworkBlocked(NamedTuple):
    """Our own UserEvent: a network refused to carry this channel's call, not a person to take it."""

    channel: ChannelRef


class MachineAnswered(NamedTuple):
    """Our own UserEvent: a machine answered this channel's call, as Asterisk's AMD or the dialplan found out."""

    channel: ChannelRef


class CallIdTold(NamedTuple):
    """Our own UserEvent: the SIP Call-ID of this channel, which is a trunk's."""

    channel: ChannelRef
    call_id: str


class KeyPressed(NamedTuple):
    """Our own UserEvent: somebody pressed the key for spam during a call. Nothing for the tracker."""

    channel: ChannelRef


Event = (
    NewChannel | NewState | NewCallerId | DialBegin | DialState | DialEnd | BridgeCreated
    | BridgeDestroyed | BridgeEnter | BridgeLeave | HangupRequest | Hangup | Transfer | Pickup | Parked | QueueJoined
    | ConferenceJoined | MessageWaiting | NetworkBlocked | MachineAnswered | CallIdTold
)  # fmt: skip
