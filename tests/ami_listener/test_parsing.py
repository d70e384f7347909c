"""Asterisk's packets become events or nothing; odd ones never raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_listener.events import (
    ChannelRef,
    DialBegin,
    Event,
    Hangup,
    MessageWaiting,
    NewCallerId,
    NewChannel,
    NewState,
    Transfer,
)
from ami_listener.framing import packet_of
from ami_listener.outcome import Presentation
from ami_listener.parsing import EVENTS, at_of, dialled_number, parse_event

TRUNK = ChannelRef("1.0", "1.0", "PJSIP/carrier-00000000")
LINES = "Channel: PJSIP/carrier-00000000\r\nUniqueid: 1.0\r\nLinkedid: 1.0"


def event_of(name: str, lines: str = LINES) -> Event | None:
    return parse_event(packet_of(f"Event: {name}\r\n{lines}"))


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_event_without_fields_gives_no_channel(name: str) -> None:
    event = event_of(name, "A: b")
    assert getattr(event, "channel", None) is None
    assert getattr(event, "dest", None) is None


@pytest.mark.parametrize("name", ["VarSet", "DeviceStateChange", ""])
def test_unneeded_events_are_ignored(name: str) -> None:
    assert event_of(name) is None


def test_unknown_number_is_empty_and_name_is_unescaped() -> None:
    lines = LINES + '\r\nCallerIDNum: <unknown>\r\nCallerIDName: Jo \\"J\\"\r\nExten: 201'
    assert event_of("Newchannel", lines) == NewChannel(TRUNK, "", 'Jo "J"', "201")


def test_caller_text_is_bounded() -> None:
    event = event_of(
        "Newchannel", f"{LINES}\r\nCallerIDNum: {'1' * 250}\r\nCallerIDName: {'x' * 250}\r\nExten: {'1' * 250}"
    )
    assert event == NewChannel(TRUNK, "1" * 64, "x" * 80, "1" * 64)


def test_without_a_linkedid_a_channel_is_its_own_call() -> None:
    event = event_of("Newstate", "Channel: PJSIP/201-1\r\nUniqueid: 1.1\r\nLinkedid: \r\nChannelState: 5")
    assert event == NewState(ChannelRef("1.1", "1.1", "PJSIP/201-1"), 5)


@pytest.mark.parametrize(
    ("lines", "cause", "sip_code"),
    [
        pytest.param("Cause: 17\r\nTechCause: 486", 17, 486, id="a bare code"),
        pytest.param("Cause: 17\r\nTechCause: SIP 486", 17, 486, id="with its protocol"),
        pytest.param("Cause: 0", 0, None, id="without a code"),
        pytest.param("Cause: -1\r\nTechCause: x", None, None, id="no numbers"),
        pytest.param("Cause: ٣\r\nTechCause: 99999999999", None, None, id="no sensible numbers"),
    ],
)
def test_cause_and_sip_code_are_parsed(lines: str, cause: int | None, sip_code: int | None) -> None:
    assert event_of("Hangup", f"{LINES}\r\n{lines}") == Hangup(TRUNK, cause, sip_code)


@pytest.mark.parametrize(
    ("word", "presentation"),
    [
        ("allowed_passed_screen", Presentation.ALLOWED),
        ("prohib_not_screened", Presentation.WITHHELD),
        ("unavailable", Presentation.WITHHELD),
        ("", Presentation.UNKNOWN),
    ],
)
def test_presentation_from_a_channel_variable(word: str, presentation: Presentation) -> None:
    event = event_of("Hangup", f"{LINES}\r\nCause: 16\r\nChanVariable: CALLERID(num-pres)={word}")
    assert event == Hangup(TRUNK, 16, None, presentation)


@pytest.mark.parametrize(
    ("octet", "presentation"),
    [
        pytest.param("0 (Presentation Allowed, Not Screened)", Presentation.ALLOWED, id="allowed"),
        pytest.param("3 (Presentation Allowed, Network Number)", Presentation.ALLOWED, id="allowed, network"),
        pytest.param("32 (Presentation Prohibited, Not Screened)", Presentation.WITHHELD, id="prohibited"),
        pytest.param("67 (Number Unavailable)", Presentation.WITHHELD, id="unavailable"),
    ],
)
def test_presentation_from_a_new_caller_id(octet: str, presentation: Presentation) -> None:
    assert event_of("NewCallerid", f"{LINES}\r\nCID-CallingPres: {octet}") == NewCallerId(TRUNK, presentation)


def test_new_caller_id_without_presentation_is_ignored() -> None:
    assert event_of("NewCallerid") is None


@pytest.mark.parametrize(
    ("dial_string", "number"),
    [
        ("+12015550123@carrier", "+12015550123"),
        ("carrier/sip:+12015550123@10.0.0.1:5060", "+12015550123"),
        ("sips:+12015550123@host", "+12015550123"),
        ("g0/12015550123", "12015550123"),
        ("PJSIP/201", "201"),
        ("", ""),
    ],
)
def test_number_is_read_from_a_dial_string(dial_string: str, number: str) -> None:
    assert dialled_number(dial_string) == number


def test_number_without_dial_string_is_the_called_channels() -> None:
    dest = "DestChannel: PJSIP/x-1\r\nDestUniqueid: 1.1\r\nDestLinkedid: 1.0\r\nDestCallerIDNum: +12015550123"
    assert event_of("DialBegin", dest) == DialBegin(None, ChannelRef("1.1", "1.0", "PJSIP/x-1"), "+12015550123", "")


def test_failed_transfer_is_ignored() -> None:
    lines = "TransfererUniqueid: 1.1\r\nTransfererLinkedid: 1.0\r\nTransfererChannel: PJSIP/201-1"
    assert event_of("BlindTransfer", f"Result: Fail\r\n{lines}") is None
    assert event_of("BlindTransfer", f"Result: Success\r\n{lines}") == Transfer(
        (ChannelRef("1.1", "1.0", "PJSIP/201-1"),)
    )


def test_a_mailbox_may_change_without_a_channel() -> None:
    assert event_of("MessageWaiting", "Mailbox: 201@default\r\nNew: 2") == MessageWaiting(None, "201@default", 2)


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        pytest.param("Timestamp: 1795569934.25", 1795569934.25, id="as Asterisk says"),
        pytest.param("A: b", 7.0, id="now"),
        pytest.param("Timestamp: soon", 7.0, id="no time"),
        pytest.param("Timestamp: nan", 7.0, id="no number"),
        pytest.param("Timestamp: 1e300", 7.0, id="far too late"),
    ],
)
def test_time_of_an_event(lines: str, at: float) -> None:
    assert at_of(packet_of(f"Event: Hangup\r\n{lines}"), 7.0) == at


words = st.sampled_from(["", "1.0", "1.1", "ANSWER", "6", "x" * 100, "Success", "PJSIP/201-1", "<unknown>", "\\"])
names = st.sampled_from(
    [
        *("Uniqueid", "Linkedid", "Channel", "DestUniqueid", "DestChannel", "ChannelState", "Cause", "TechCause"),
        *("BridgeUniqueid", "Result", "TransfererUniqueid", "TargetUniqueid", "ParkeeUniqueid", "CID-CallingPres"),
        *("New", "Mailbox", "Queue", "ChanVariable", "Timestamp", "CallerIDName", "Exten"),
    ]
)


@given(st.sampled_from(sorted(EVENTS)), st.lists(st.tuples(names, words | st.text(max_size=20))))
def test_any_fields_with_any_values_never_raise(name: str, pairs: list[tuple[str, str]]) -> None:
    lines = "".join(f"\r\n{key}: {value}" for key, value in pairs)
    packet = packet_of(f"Event: {name}{lines}")
    event = parse_event(packet)
    assert event is None or type(event).__module__ == "ami_listener.events"
    assert at_of(packet, 1.0) > 0
