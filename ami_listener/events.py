"""The AMI events that show the course of a call, as values. parsing.py creates these values.

Text from the caller in an event is untrusted. A value that Asterisk did not send is empty.
"""

from typing import NamedTuple

from ami_listener.outcome import Presentation


class ChannelRef(NamedTuple):
    """The channel that an event is about. `name`: for example `PJSIP/201-0000002a`."""

    uniqueid: str
    linkedid: str
    name: str


class NewChannel(NamedTuple):
    """Event: Asterisk has created a channel. `exten`: the number dialled on it. `placed`: whether it calls somebody."""

    channel: ChannelRef
    caller: str
    caller_name: str
    exten: str
    placed: bool = False


class NewState(NamedTuple):
    """Event: the state of a channel has changed. `state`: 5 means ringing, 6 means up (channelstate.h)."""

    channel: ChannelRef
    state: int


class NewCallerId(NamedTuple):
    """Event: the caller ID of a channel has changed."""

    channel: ChannelRef
    presentation: Presentation


class DialBegin(NamedTuple):
    """Event: Asterisk calls `number` on channel `dest`. `presented`: the caller's number that the called party sees."""

    channel: ChannelRef | None
    dest: ChannelRef
    number: str
    presented: str


class DialState(NamedTuple):
    """Event: a dial attempt has made progress. `status`: RINGING, PROGRESS and similar."""

    dest: ChannelRef
    status: str


class DialEnd(NamedTuple):
    """Event: a dial attempt has ended. `status`: ANSWER, or the reason why nobody answered."""

    dest: ChannelRef
    status: str


class BridgeCreated(NamedTuple):
    """Event: a bridge was created. Later events name all its members, so none of them is unknown."""

    bridge: str


class BridgeDestroyed(NamedTuple):
    """Event: a bridge was removed."""

    bridge: str


class BridgeEnter(NamedTuple):
    """Event: a channel has entered a bridge. In a `holding` bridge (parking) the members do not hear each other."""

    channel: ChannelRef
    bridge: str
    holding: bool


class BridgeLeave(NamedTuple):
    """Event: a channel has left a bridge."""

    channel: ChannelRef
    bridge: str


class HangupRequest(NamedTuple):
    """Event: the far end of a channel hangs up. Before the answer, it may be the dialplan instead (PJSIPHangup)."""

    channel: ChannelRef
    cause: int | None
    sip_code: int | None


class Hangup(NamedTuple):
    """Event: a channel has ended. `presentation`: whether the number of its caller may be shown."""

    channel: ChannelRef
    cause: int | None
    sip_code: int | None
    presentation: Presentation = Presentation.UNKNOWN


class Transfer(NamedTuple):
    """Event: a blind or attended transfer. `channels`: all channels that take part."""

    channels: tuple[ChannelRef, ...]


class Pickup(NamedTuple):
    """Event: `channel` has picked up the call that rang at `target`."""

    channel: ChannelRef
    target: ChannelRef


class Parked(NamedTuple):
    """Event: a channel has been parked."""

    channel: ChannelRef


class QueueJoined(NamedTuple):
    """Event: a channel has joined a queue."""

    channel: ChannelRef
    queue: str


class ConferenceJoined(NamedTuple):
    """Event: a channel has joined a conference."""

    channel: ChannelRef


class MessageWaiting(NamedTuple):
    """Event: the count of new messages in a mailbox has changed. Asterisk may name the channel that changed it."""

    channel: ChannelRef | None
    mailbox: str
    new: int


class NetworkBlocked(NamedTuple):
    """Event (a UserEvent of the dialplan): a network, not a person, refused this channel's call."""

    channel: ChannelRef


class MachineAnswered(NamedTuple):
    """Event (a UserEvent of the dialplan): a machine answered this channel's call, as AMD or the dialplan detected."""

    channel: ChannelRef


class CallIdReported(NamedTuple):
    """Event (a UserEvent of the dialplan): the SIP Call-ID of this channel on a trunk."""

    channel: ChannelRef
    call_id: str


class KeyPressed(NamedTuple):
    """Event (a UserEvent of the dialplan): the callee pressed the spam key during a call. The tracker ignores it."""

    channel: ChannelRef


Event = (
    NewChannel | NewState | NewCallerId | DialBegin | DialState | DialEnd | BridgeCreated
    | BridgeDestroyed | BridgeEnter | BridgeLeave | HangupRequest | Hangup | Transfer | Pickup | Parked | QueueJoined
    | ConferenceJoined | MessageWaiting | NetworkBlocked | MachineAnswered | CallIdReported
)  # fmt: skip
