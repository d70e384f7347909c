"""Packets come out of bytes however they are cut, and nothing that a caller writes makes a field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_listener.framing import PACKET_LIMIT, Packet, PacketReader, fields_named, packet_of, unescape


def packets_of(*chunks: bytes) -> list[Packet]:
    reader = PacketReader()
    return [packet for chunk in chunks for packet in reader.receive_data(chunk)]


def test_greeting_is_not_part_of_a_packet() -> None:
    (packet,) = packets_of(b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Hello\r\n\r\n")
    assert packet.name == ""
    assert packet.fields() == {"Response": "Success", "Message": "Hello"}


def test_an_event_has_its_name_and_fields() -> None:
    (packet,) = packets_of(b"Event: Hangup\r\nCause: 16\r\nCause-txt: Normal: Clearing\r\n\r\n")
    assert packet.name == "Hangup"
    assert packet.fields()["Cause-txt"] == "Normal: Clearing"


@pytest.mark.parametrize("last", [pytest.param(b"Exten: ", id="with its space"), pytest.param(b"Exten:", id="without")])
def test_an_empty_last_field_is_kept(last: bytes) -> None:
    (packet,) = packets_of(b"Event: Newchannel\r\n" + last + b"\r\n\r\n")
    assert packet.fields() == {"Event": "Newchannel", "Exten": ""}
    assert packet.some(fields_named("Exten")) == {"Exten": ""}


def test_line_without_a_field_is_skipped() -> None:
    assert packet_of("Response: Follows\r\nno field\r\nA: b").fields() == {"Response": "Follows", "A": "b"}


def test_of_a_repeated_field_the_first_counts() -> None:
    packet = packet_of("Event: UserEvent\r\nUserEvent: ours\r\nUserEvent: forged")
    assert packet.fields()["UserEvent"] == "ours"
    assert packet.some(fields_named("UserEvent")) == {"UserEvent": "ours"}


def test_a_field_is_found_by_its_whole_name_only() -> None:
    packet = packet_of("Event: DialBegin\r\nDestChannel: a\r\nA: Channel: b\r\nChannelState: 6\r\nChannel:  c: d")
    assert packet.some(fields_named("Chan", "Channel", "State")) == {"Channel": " c: d"}


@given(st.lists(st.tuples(st.sampled_from(["A", "A-b", "AB", "B"]), st.text(st.sampled_from("a: \r\n\\"), max_size=6))))
def test_selected_fields_equal_those_of_all(pairs: list[tuple[str, str]]) -> None:
    packet = packet_of("".join(["Event: X", *(f"\r\n{name}: {value}" for name, value in pairs)]))
    fields, some = packet.fields(), packet.some(fields_named("A", "A-b", "AB"))
    del fields["Event"]
    assert some == {name: value for name, value in fields.items() if name in ("A", "A-b", "AB")}


@pytest.mark.parametrize(
    ("lines", "variables"),
    [
        pytest.param("A: b", {}, id="none"),
        pytest.param("ChanVariable: ID=7", {"ID": "7"}, id="one"),
        pytest.param("ChanVariable: ID=7\r\nChanVariable: TAG=a=b", {"ID": "7", "TAG": "a=b"}, id="two"),
        pytest.param("ChanVariable(PJSIP/201-1): ID=7", {"ID": "7"}, id="with its channel"),
        pytest.param("ChanVariable: ID=7\r\nDestChanVariable: ID=8", {"ID": "7"}, id="not of the other channel"),
        pytest.param("ChanVariable: ID=7\r\nChanVariable: ID=8", {"ID": "7"}, id="twice"),
        pytest.param("ChanVariable: ID=a\\nb", {"ID": "a\nb"}, id="escaped"),
        pytest.param("ChanVariable: nothing", {}, id="without a value"),
    ],
)
def test_channel_variables(lines: str, variables: dict[str, str]) -> None:
    assert packet_of(f"Event: Hangup\r\n{lines}").variables() == variables


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("Joe", "Joe", id="plain"),
        pytest.param('Jo \\"J\\"', 'Jo "J"', id="quotes"),
        pytest.param("a\\\\nb", "a\\nb", id="a backslash and an n"),
        pytest.param("a\\nb\\rc\\td", "a\nb\rc\td", id="control characters"),
        pytest.param("\\?\\'", "?'", id="others stand for themselves"),
        pytest.param("a\\", "a\\", id="cut off"),
    ],
)
def test_unescape_restores_the_original_text(written: str, meant: str) -> None:
    assert unescape(written) == meant


def test_invalid_utf_8_is_replaced() -> None:
    (packet,) = packets_of(b"Event: Newchannel\r\nCallerIDName: J\xff\xc3\r\n\r\n")
    assert packet.fields()["CallerIDName"] == "J\ufffd\ufffd"


@pytest.mark.parametrize("size", [pytest.param(PACKET_LIMIT + 1, id="just"), pytest.param(3 * PACKET_LIMIT, id="far")])
@pytest.mark.parametrize("step", [pytest.param(65536, id="in pieces"), pytest.param(1 << 30, id="at once")])
def test_a_packet_too_long_is_dropped_and_the_next_one_read(size: int, step: int) -> None:
    reader = PacketReader()
    data = b"Event: A\r\n\r\nEvent: B\r\nC: " + b"x" * size
    packets = [packet for n in range(0, len(data), step) for packet in reader.receive_data(data[n : n + step])]
    assert [packet.name for packet in packets] == ["A"]
    assert [packet.name for packet in reader.receive_data(b"\r")] == []
    assert [packet.name for packet in reader.receive_data(b"\n\r\nEvent: D\r\n\r\n")] == ["D"]
    assert reader.dropped == 1


def test_too_long_packet_in_one_read_is_dropped() -> None:
    reader = PacketReader()
    data = b"Event: A\r\nB: " + b"x" * PACKET_LIMIT + b"\r\n\r\nEvent: C\r\n\r\n"
    assert [packet.name for packet in reader.receive_data(data)] == ["C"]
    assert reader.dropped == 1


def test_wanted_events_are_matched_by_the_whole_name() -> None:
    reader = PacketReader(wanted={"Hangup"})
    names = ("Hangup", "HangupRequest", "Hang", "hangup", "SoftHangupRequest", "", "Hangup ")
    packets = [packet for name in names for packet in reader.receive_data(f"Event: {name}\r\nA: b\r\n\r\n".encode())]
    assert [packet.name for packet in packets] == ["Hangup"]
    assert reader.unwanted == len(names) - 1
    assert [packet.name for packet in reader.receive_data(b"Event: Hangup\r\n\r\nEvent: Hang\r\n\r\n")] == ["Hangup"]
    (answer,) = reader.receive_data(b"Response: Success\r\nEvent: Hang\r\n\r\n")
    assert answer.fields()["Response"] == "Success"


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r\n", b"\r", b"\n", b"Event: X\r\n\r\n", "é".encode()])))
def test_any_bytes_in_any_pieces_give_the_same_packets(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert packets_of(*pieces) == packets_of(whole)
    assert packets_of(*(whole[n : n + 1] for n in range(len(whole)))) == packets_of(whole)
    for packet in packets_of(whole):
        packet.fields()
        packet.variables()
