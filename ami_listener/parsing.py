"""AMI packets -> events: the table at the end says what Asterisk calls them. No AMI field travels past this file.

Field names are those of Asterisk 22's manager_channels.c, manager_bridges.c, app_queue.c and res_parking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ami_listener.events import (
    BridgeCreated,
    BridgeDestroyed,
    BridgeEnter,
    BridgeLeave,
    ChannelRef,
    ConferenceJoined,
    DialBegin,
    DialEnd,
    DialState,
    Event,
    Hangup,
    HangupRequest,
    KeyPressed,
    MachineAnswered,
    MessageWaiting,
    NetworkBlocked,
    NewCallerId,
    NewChannel,
    NewState,
    Parked,
    Pickup,
    QueueJoined,
    Transfer,
)
from ami_listener.framing import Packet, unescape
from ami_listener.outcome import Presentation

NUMBER_LIMIT, NAME_LIMIT = 64, 80
# Not among Asterisk's own fields: an administrator may have it sent with `channelvars` in manager.conf.
PRESENTATION_VARIABLE = "CALLERID(num-pres)"

_DOWN = (
    0  # ChannelState: a channel that Asterisk makes to call somebody; one that calls us begins with Ring or Reserved
)


def parse_event(packet: Packet) -> Event | None:
    """The event in a packet; None for an answer, for an event of no use here, and for one without its channel."""
    maker = EVENTS.get(packet.name)
    return None if maker is None else maker(packet)


def at_of(packet: Packet, now: float) -> float:
    """When it happened, in UTC seconds: Asterisk says so with `timestampevents = yes`, else it is `now`."""
    told = packet.field("Timestamp")
    if not told:
        return now
    try:
        at = float(told)
    except ValueError:
        return now
    return at if 0.0 < at < 1e11 else now


def dialled_number(dial_string: str) -> str:
    """The number in what Dial was given: `+1201@carrier`, `carrier/sip:+1201@host`, `g0/+1201`, `PJSIP/201`."""
    last = dial_string.rpartition("/")[2]
    return last.removeprefix("sip:").removeprefix("sips:").partition("@")[0][:NUMBER_LIMIT]


def _text(packet: Packet, name: str) -> str:
    return packet.field(name) or ""


def _channel(packet: Packet, prefix: str = "") -> ChannelRef | None:
    uniqueid = packet.field(prefix + "Uniqueid")
    if not uniqueid:
        return None
    return ChannelRef(uniqueid, packet.field(prefix + "Linkedid") or uniqueid, _text(packet, prefix + "Channel"))


def _number(packet: Packet, name: str) -> str:
    """A number, empty for Asterisk's `<unknown>`."""
    value = _text(packet, name)
    return "" if value == "<unknown>" else value[:NUMBER_LIMIT]


def _integer(packet: Packet, name: str) -> int | None:
    """A small whole number; TechCause may be `SIP 486` or `486`. None when it is not there."""
    last = _text(packet, name).rpartition(" ")[2]
    return int(last) if last.isdecimal() and last.isascii() and len(last) < 10 else None


def _name(packet: Packet) -> str:
    name = unescape(_text(packet, "CallerIDName"))
    return "" if name == "<unknown>" else name[:NAME_LIMIT]


def _new_channel(packet: Packet) -> Event | None:
    channel = _channel(packet)
    if channel is None:
        return None
    exten, placed = _text(packet, "Exten")[:NUMBER_LIMIT], _integer(packet, "ChannelState") == _DOWN
    return NewChannel(channel, _number(packet, "CallerIDNum"), _name(packet), exten, placed)


def _presentation_word(word: str) -> Presentation:
    """`allowed_not_screened`, `prohib_passed_screen`, `unavailable` (callerid.c)."""
    if word.startswith("allowed"):
        return Presentation.ALLOWED
    return Presentation.WITHHELD if word.startswith(("prohib", "unavailable")) else Presentation.UNKNOWN


def _new_state(packet: Packet) -> Event | None:
    channel, state = _channel(packet), _integer(packet, "ChannelState")
    return None if channel is None or state is None else NewState(channel, state)


def _new_caller_id(packet: Packet) -> Event | None:
    """CID-CallingPres is `32 (Presentation Prohibited, ...)`: bits 5 and 6 of Q.931's octet 3a."""
    channel = _channel(packet)
    octet = _text(packet, "CID-CallingPres").partition(" ")[0]
    if channel is None or not (octet.isdecimal() and octet.isascii() and len(octet) < 10):
        return None
    return NewCallerId(channel, Presentation.WITHHELD if int(octet) & 0x60 else Presentation.ALLOWED)


def _dial_begin(packet: Packet) -> Event | None:
    dest = _channel(packet, "Dest")
    if dest is None:
        return None
    number = dialled_number(_text(packet, "DialString")) or _number(packet, "DestCallerIDNum")
    return DialBegin(_channel(packet), dest, number, _number(packet, "DestConnectedLineNum"))


def _dial_state(packet: Packet) -> Event | None:
    dest = _channel(packet, "Dest")
    return None if dest is None else DialState(dest, _text(packet, "DialStatus"))


def _dial_end(packet: Packet) -> Event | None:
    dest = _channel(packet, "Dest")
    return None if dest is None else DialEnd(dest, _text(packet, "DialStatus"))


def _bridge_created(packet: Packet) -> Event | None:
    return BridgeCreated(_text(packet, "BridgeUniqueid"))


def _bridge_destroyed(packet: Packet) -> Event | None:
    return BridgeDestroyed(_text(packet, "BridgeUniqueid"))


def _bridge_enter(packet: Packet) -> Event | None:
    channel = _channel(packet)
    if channel is None:
        return None
    return BridgeEnter(
        channel, _text(packet, "BridgeUniqueid"), _text(packet, "BridgeTechnology").startswith("holding")
    )


def _bridge_leave(packet: Packet) -> Event | None:
    channel = _channel(packet)
    return None if channel is None else BridgeLeave(channel, _text(packet, "BridgeUniqueid"))


def _hangup_request(packet: Packet) -> Event | None:
    channel = _channel(packet)
    return None if channel is None else HangupRequest(channel, _integer(packet, "Cause"), _integer(packet, "TechCause"))


def _hangup(packet: Packet) -> Event | None:
    channel = _channel(packet)
    presentation = _presentation_word(packet.variables().get(PRESENTATION_VARIABLE, ""))
    return (
        None
        if channel is None
        else Hangup(channel, _integer(packet, "Cause"), _integer(packet, "TechCause"), presentation)
    )


def _transfer(packet: Packet) -> Event | None:
    prefixes = ("Transferer", "Transferee", "OrigTransferer", "SecondTransferer", "TransferTarget")
    found = (_channel(packet, prefix) for prefix in prefixes)
    return Transfer(tuple(channel for channel in found if channel)) if packet.field("Result") == "Success" else None


def _pickup(packet: Packet) -> Event | None:
    channel, target = _channel(packet), _channel(packet, "Target")
    return None if channel is None or target is None else Pickup(channel, target)


def _parked(packet: Packet) -> Event | None:
    channel = _channel(packet, "Parkee")
    return None if channel is None else Parked(channel)


def _queue_joined(packet: Packet) -> Event | None:
    channel = _channel(packet)
    return None if channel is None else QueueJoined(channel, _text(packet, "Queue")[:NAME_LIMIT])


def _conference_joined(packet: Packet) -> Event | None:
    channel = _channel(packet)
    return None if channel is None else ConferenceJoined(channel)


def _message_waiting(packet: Packet) -> Event | None:
    return MessageWaiting(_channel(packet), _text(packet, "Mailbox"), _integer(packet, "New") or 0)


def _told_of_call(packet: Packet) -> Event | None:
    """What our dialplan says of a call that went out; the words are fixed there, none is the network's."""
    channel = _channel(packet)
    if channel is None or packet.field("UserEvent") != "CallSieveOutbound":
        return None
    if packet.field("Refused") == "network":
        return NetworkBlocked(channel)
    return MachineAnswered(channel) if packet.field("Answered") == "machine" else None


def parse_key(packet: Packet) -> KeyPressed | None:
    """The key for spam pressed during a call ([callsieve-incall] in the dialplan); None for any other event."""
    if packet.name != "UserEvent":
        return None
    channel = _channel(packet)
    pressed = packet.field("UserEvent") == "CallSieveMark" and packet.field("Verdict") == "spam"
    return KeyPressed(channel) if pressed and channel is not None else None


EVENTS: Mapping[str, Callable[[Packet], Event | None]] = {
    "Newchannel": _new_channel,
    "Newstate": _new_state,
    "NewCallerid": _new_caller_id,
    "DialBegin": _dial_begin,
    "DialState": _dial_state,
    "DialEnd": _dial_end,
    "BridgeCreate": _bridge_created,
    "BridgeDestroy": _bridge_destroyed,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": _bridge_leave,
    "HangupRequest": _hangup_request,
    "Hangup": _hangup,
    "BlindTransfer": _transfer,
    "AttendedTransfer": _transfer,
    "Pickup": _pickup,
    "ParkedCall": _parked,
    "QueueCallerJoin": _queue_joined,
    "ConfbridgeJoin": _conference_joined,
    "MessageWaiting": _message_waiting,
    "UserEvent": _told_of_call,
}
