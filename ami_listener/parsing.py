"""Turns AMI packets into events. Only this file uses AMI field names.

The table EVENTS has the parser for each of Asterisk's event names. The names are those of Asterisk 22's
manager_channels.c, manager_bridges.c, app_queue.c and res_parking.
"""

from collections.abc import Callable, Mapping

from ami_listener.events import (
    BridgeCreated,
    BridgeDestroyed,
    BridgeEnter,
    BridgeLeave,
    CallIdReported,
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
from ami_listener.framing import Packet, fields_named, unescape
from ami_listener.outcome import Presentation

NUMBER_LIMIT, NAME_LIMIT = 64, 80
CALL_ID_LIMIT = 200
# Asterisk sends this only if an administrator adds it to `channelvars` in manager.conf.
PRESENTATION_VARIABLE = "CALLERID(num-pres)"

# ChannelState of a channel on which Asterisk calls somebody. A channel that calls us begins with Ring or Reserved.
_DOWN = 0

Fields = Mapping[str, str]


def _names_of(*prefixes: str) -> tuple[str, ...]:
    return tuple(prefix + name for prefix in prefixes for name in ("Channel", "Uniqueid", "Linkedid"))


# The fields that are read of each event.
_TIMESTAMP = fields_named("Timestamp")
_TRANSFER_PREFIXES = ("Transferer", "Transferee", "OrigTransferer", "SecondTransferer", "TransferTarget")
_NEW_CHANNEL = fields_named(*_names_of(""), "ChannelState", "CallerIDNum", "CallerIDName", "Exten")
_NEW_STATE = fields_named(*_names_of(""), "ChannelState")
_NEW_CALLER_ID = fields_named(*_names_of(""), "CID-CallingPres")
_DIAL_BEGIN = fields_named(*_names_of("", "Dest"), "DialString", "DestCallerIDNum", "DestConnectedLineNum")
_DIAL_STATUS = fields_named(*_names_of("Dest"), "DialStatus")
_BRIDGE = fields_named("BridgeUniqueid")
_IN_BRIDGE = fields_named(*_names_of(""), "BridgeUniqueid", "BridgeTechnology")
_HANGUP = fields_named(*_names_of(""), "Cause", "TechCause")
_TRANSFER = fields_named(*_names_of(*_TRANSFER_PREFIXES), "Result")
_PICKUP = fields_named(*_names_of("", "Target"))
_PARKED = fields_named(*_names_of("Parkee"))
_QUEUE = fields_named(*_names_of(""), "Queue")
_CONFERENCE = fields_named(*_names_of(""))
_MESSAGES = fields_named(*_names_of(""), "Mailbox", "New")
_OURS = fields_named(*_names_of(""), "UserEvent", "Refused", "Answered", "CallId", "Verdict")


def parse_event(packet: Packet) -> Event | None:
    """Return the event of a packet; None for a response, an unneeded event, or an event without its channel."""
    maker = EVENTS.get(packet.name)
    return None if maker is None else maker(packet)


def at_of(packet: Packet, now: float) -> float:
    """Return the time of an event in UTC seconds: from Asterisk with `timestampevents = yes`, otherwise `now`."""
    fields = packet.some(_TIMESTAMP)
    if not fields:
        return now
    try:
        at = float(fields["Timestamp"])
    except ValueError:
        return now
    return at if 0.0 < at < 1e11 else now


def dialled_number(dial_string: str) -> str:
    """Return the number in a dial string: `+1201@carrier`, `carrier/sip:+1201@host`, `g0/+1201`, `PJSIP/201`."""
    last = dial_string.rpartition("/")[2]
    return last.removeprefix("sip:").removeprefix("sips:").partition("@")[0][:NUMBER_LIMIT]


def _channel(fields: Fields, prefix: str = "") -> ChannelRef | None:
    uniqueid = fields.get(prefix + "Uniqueid")
    if not uniqueid:
        return None
    return ChannelRef(uniqueid, fields.get(prefix + "Linkedid") or uniqueid, fields.get(prefix + "Channel", ""))


def _number(fields: Fields, name: str) -> str:
    value = fields.get(name, "")
    return "" if value == "<unknown>" else value[:NUMBER_LIMIT]


def _integer(fields: Fields, name: str) -> int | None:
    """Return a small whole number from a field; None for any other text. TechCause may be `SIP 486` or `486`."""
    last = fields.get(name, "").rpartition(" ")[2]
    return int(last) if last.isdecimal() and last.isascii() and len(last) < 10 else None


def _name(fields: Fields) -> str:
    name = unescape(fields.get("CallerIDName", ""))
    return "" if name == "<unknown>" else name[:NAME_LIMIT]


def _new_channel(packet: Packet) -> Event | None:
    fields = packet.some(_NEW_CHANNEL)
    channel = _channel(fields)
    if channel is None:
        return None
    exten, placed = fields.get("Exten", "")[:NUMBER_LIMIT], _integer(fields, "ChannelState") == _DOWN
    return NewChannel(channel, _number(fields, "CallerIDNum"), _name(fields), exten, placed)


def _presentation_word(word: str) -> Presentation:
    """Parse a presentation such as `allowed_not_screened`, `prohib_passed_screen`, `unavailable` (callerid.c)."""
    if word.startswith("allowed"):
        return Presentation.ALLOWED
    return Presentation.WITHHELD if word.startswith(("prohib", "unavailable")) else Presentation.UNKNOWN


def _new_state(packet: Packet) -> Event | None:
    fields = packet.some(_NEW_STATE)
    channel, state = _channel(fields), _integer(fields, "ChannelState")
    return None if channel is None or state is None else NewState(channel, state)


def _new_caller_id(packet: Packet) -> Event | None:
    """Parse a new caller ID. CID-CallingPres: `32 (Presentation Prohibited, ...)`, bits 6 and 7 in Q.931's octet 3a."""
    fields = packet.some(_NEW_CALLER_ID)
    channel = _channel(fields)
    octet = fields.get("CID-CallingPres", "").partition(" ")[0]
    if channel is None or not (octet.isdecimal() and octet.isascii() and len(octet) < 10):
        return None
    return NewCallerId(channel, Presentation.WITHHELD if int(octet) & 0x60 else Presentation.ALLOWED)


def _dial_begin(packet: Packet) -> Event | None:
    fields = packet.some(_DIAL_BEGIN)
    dest = _channel(fields, "Dest")
    if dest is None:
        return None
    number = dialled_number(fields.get("DialString", "")) or _number(fields, "DestCallerIDNum")
    return DialBegin(_channel(fields), dest, number, _number(fields, "DestConnectedLineNum"))


def _dial_state(packet: Packet) -> Event | None:
    fields = packet.some(_DIAL_STATUS)
    dest = _channel(fields, "Dest")
    return None if dest is None else DialState(dest, fields.get("DialStatus", ""))


def _dial_end(packet: Packet) -> Event | None:
    fields = packet.some(_DIAL_STATUS)
    dest = _channel(fields, "Dest")
    return None if dest is None else DialEnd(dest, fields.get("DialStatus", ""))


def _bridge_created(packet: Packet) -> Event | None:
    return BridgeCreated(packet.some(_BRIDGE).get("BridgeUniqueid", ""))


def _bridge_destroyed(packet: Packet) -> Event | None:
    return BridgeDestroyed(packet.some(_BRIDGE).get("BridgeUniqueid", ""))


def _bridge_enter(packet: Packet) -> Event | None:
    fields = packet.some(_IN_BRIDGE)
    channel = _channel(fields)
    if channel is None:
        return None
    return BridgeEnter(
        channel, fields.get("BridgeUniqueid", ""), fields.get("BridgeTechnology", "").startswith("holding")
    )


def _bridge_leave(packet: Packet) -> Event | None:
    fields = packet.some(_IN_BRIDGE)
    channel = _channel(fields)
    return None if channel is None else BridgeLeave(channel, fields.get("BridgeUniqueid", ""))


def _hangup_request(packet: Packet) -> Event | None:
    fields = packet.some(_HANGUP)
    channel = _channel(fields)
    return None if channel is None else HangupRequest(channel, _integer(fields, "Cause"), _integer(fields, "TechCause"))


def _hangup(packet: Packet) -> Event | None:
    fields = packet.some(_HANGUP)
    channel = _channel(fields)
    presentation = _presentation_word(packet.variables().get(PRESENTATION_VARIABLE, ""))
    return (
        None
        if channel is None
        else Hangup(channel, _integer(fields, "Cause"), _integer(fields, "TechCause"), presentation)
    )


def _transfer(packet: Packet) -> Event | None:
    fields = packet.some(_TRANSFER)
    channels = (_channel(fields, prefix) for prefix in _TRANSFER_PREFIXES)
    return Transfer(tuple(channel for channel in channels if channel)) if fields.get("Result") == "Success" else None


def _pickup(packet: Packet) -> Event | None:
    fields = packet.some(_PICKUP)
    channel, target = _channel(fields), _channel(fields, "Target")
    return None if channel is None or target is None else Pickup(channel, target)


def _parked(packet: Packet) -> Event | None:
    channel = _channel(packet.some(_PARKED), "Parkee")
    return None if channel is None else Parked(channel)


def _queue_joined(packet: Packet) -> Event | None:
    fields = packet.some(_QUEUE)
    channel = _channel(fields)
    return None if channel is None else QueueJoined(channel, fields.get("Queue", "")[:NAME_LIMIT])


def _conference_joined(packet: Packet) -> Event | None:
    channel = _channel(packet.some(_CONFERENCE))
    return None if channel is None else ConferenceJoined(channel)


def _message_waiting(packet: Packet) -> Event | None:
    fields = packet.some(_MESSAGES)
    return MessageWaiting(_channel(fields), fields.get("Mailbox", ""), _integer(fields, "New") or 0)


def _outbound_report(packet: Packet) -> Event | None:
    """Parse the dialplan's report about an outgoing call. All texts in it are fixed except the Call-ID."""
    fields = packet.some(_OURS)
    channel = _channel(fields)
    if channel is None or fields.get("UserEvent") != "CallSieveOutbound":
        return None
    if fields.get("Refused") == "network":
        return NetworkBlocked(channel)
    if call_id := fields.get("CallId", "")[:CALL_ID_LIMIT]:
        return CallIdReported(channel, call_id)
    return MachineAnswered(channel) if fields.get("Answered") == "machine" else None


def parse_key(packet: Packet) -> KeyPressed | None:
    """Return the press of the spam key during a call ([callsieve-incall] in the dialplan); None for other events."""
    if packet.name != "UserEvent":
        return None
    fields = packet.some(_OURS)
    channel = _channel(fields)
    pressed = fields.get("UserEvent") == "CallSieveMark" and fields.get("Verdict") == "spam"
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
    "UserEvent": _outbound_report,
}
