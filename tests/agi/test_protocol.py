"""Any input is parsed to a value or a clean ProtocolError, however it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.protocol import (
    HEADER_LIMIT,
    HEADER_LINES_LIMIT,
    LINE_LIMIT,
    STATUS_HELLO,
    AgiSession,
    Closed,
    Event,
    HungUp,
    ProtocolError,
    Reply,
    Request,
    block_of,
)

# What Asterisk 22.10.1 sends for AGI(agi://127.0.0.1/screen,trunk=carrier,did=442071838750).
HEADER = b"""agi_network: yes
agi_network_script: screen
agi_request: agi://127.0.0.1/screen
agi_channel: PJSIP/carrier-00000001
agi_language: en
agi_type: PJSIP
agi_uniqueid: 1767258007.12
agi_version: 22.10.1~dfsg
agi_callerid: 12017421834
agi_calleridname: Jane: Doe
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 442071838750
agi_rdnis: unknown
agi_context: callsieve
agi_extension: s
agi_priority: 7
agi_enhanced: 0.0
agi_accountcode: 
agi_threadid: 140123456789
agi_arg_1: trunk=carrier
agi_arg_2: did=442071838750

"""
SCRIPT = b"agi_network_script: screen\n"


def events_of(*chunks: bytes) -> list[Event | str]:
    """Return all events of the chunks, the reason of a ProtocolError last. A chunk b"" is the end."""
    session = AgiSession()
    events: list[Event | str] = []
    for chunk in chunks:
        session.receive_data(chunk)
        try:
            while (event := session.next_event()) is not None:
                events.append(event)
                if isinstance(event, Closed):
                    return events
        except ProtocolError as error:
            return [*events, str(error)]
    return events


def request_from(header: bytes) -> Request:
    (request,) = events_of(header)
    assert isinstance(request, Request)
    return request


def replies_to(data: bytes) -> list[Event | str]:
    return events_of(SCRIPT + b"\n" + data)[1:]


def test_a_usual_header_block_is_parsed() -> None:
    request = request_from(HEADER)
    assert request.path == "screen"
    assert dict(request.arguments) == {"trunk": "carrier", "did": "442071838750"}
    assert request.variables["agi_callerid"] == "12017421834"
    assert request.variables["agi_calleridname"] == "Jane: Doe"
    assert request.variables["agi_accountcode"] == ""
    assert not any(name.startswith("agi_arg") for name in request.variables)


@pytest.mark.parametrize(
    ("header", "path"),
    [
        pytest.param(b"agi_network_script: callee\n\n", "callee", id="fastagi"),
        pytest.param(b"agi_network_script: \nagi_request: agi://host/\n\n", "", id="fastagi-without-a-script"),
        pytest.param(b"agi_request: /usr/share/asterisk/agi-bin/callsieve-agi/screen\n\n", "screen", id="classic"),
        pytest.param(b"agi_request: mark\n\n", "mark", id="classic-by-name"),
        pytest.param(b"agi_network_script: a\nagi_request: agi://h/b\n\n", "a", id="the-script-wins"),
    ],
)
def test_the_path_is_parsed_from_the_script(header: bytes, path: str) -> None:
    assert request_from(header).path == path


def test_the_doctors_question_needs_no_empty_line() -> None:
    """Another FastAGI server would run a script at the empty line."""
    assert b"\n\n" not in STATUS_HELLO
    session = AgiSession()
    for byte in STATUS_HELLO:
        assert session.next_event() is None
        session.receive_data(bytes([byte]))
    assert session.next_event() == Request("status", {}, {})
    session.receive_data(b"200 result=1\n")
    assert session.next_event() == Reply(200, "1")


@pytest.mark.parametrize(
    ("lines", "arguments"),
    [
        pytest.param(b"", {}, id="none"),
        pytest.param(b"agi_arg_1: pres=\n", {"pres": ""}, id="empty-value"),
        pytest.param(b"agi_arg_1: a=b=c\n", {"a": "b=c"}, id="equals-in-the-value"),
        pytest.param(b"agi_arg_1: later_key=1\n", {"later_key": "1"}, id="unknown-keys-are-kept"),
        pytest.param(b"agi_arg_2: b=2\nagi_arg_1: a=1\n", {"a": "1", "b": "2"}, id="numbered-order"),
        pytest.param("agi_arg_1: name=Łódź\n".encode(), {"name": "Łódź"}, id="utf-8"),
        pytest.param(b"agi_arg_1: name=\xff\n", {"name": "\ufffd"}, id="not-utf-8"),
    ],
)
def test_arguments_are_parsed_in_order(lines: bytes, arguments: dict[str, str]) -> None:
    found = request_from(SCRIPT + lines + b"\n").arguments
    assert list(found.items()) == list(arguments.items())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param(b"\n", "the header block is empty", id="blank-line-first"),
        pytest.param(b"agi_type: PJSIP\n\n", "the header block has no script name", id="no-script"),
        pytest.param(SCRIPT + b"nonsense\n\n", "a header line has no colon", id="no-colon"),
        pytest.param(SCRIPT + SCRIPT + b"\n", "a header line occurs twice", id="repeated-line"),
        pytest.param(SCRIPT + b"agi_arg_1: a=1\nagi_arg_2: a=2\n\n", "an AGI argument occurs twice", id="repeated-key"),
        pytest.param(
            SCRIPT + b"agi_arg_1: spam\n\n", "an AGI argument does not have the form `key=value`", id="no-equals"
        ),
        pytest.param(
            SCRIPT + b"agi_arg_1: \n\n", "an AGI argument does not have the form `key=value`", id="empty-argument"
        ),
        pytest.param(
            SCRIPT + b"agi_arg_1: Trunk=x\n\n",
            "the key of an AGI argument has characters other than a-z and _",
            id="key",
        ),
        pytest.param(
            SCRIPT + b"agi_arg_1: =x\n\n", "the key of an AGI argument has characters other than a-z and _", id="no-key"
        ),
        pytest.param(
            SCRIPT + b"agi_arg_2: a=1\n\n",
            "the arguments agi_arg_1, agi_arg_2 and so on are not numbered in order",
            id="forged-argument",
        ),
        pytest.param(
            SCRIPT + b"agi_arg_01: a=1\n\n",
            "the arguments agi_arg_1, agi_arg_2 and so on are not numbered in order",
            id="odd-number",
        ),
        pytest.param(
            SCRIPT + b"Subject: x\n\n",
            "the name of a header line is not `agi_` followed by characters from a-z, 0-9 and _",
            id="not-agi",
        ),
        pytest.param(
            SCRIPT + b"".join(b"agi_x%d: 1\n" % n for n in range(HEADER_LINES_LIMIT)) + b"\n",
            f"the header block has more than {HEADER_LINES_LIMIT} lines",
            id="too-many-lines",
        ),
        pytest.param(
            SCRIPT + b"agi_type: " + b"x" * HEADER_LIMIT + b"\n\n",
            f"the header block is longer than {HEADER_LIMIT} bytes",
            id="too-long",
        ),
    ],
)
def test_a_malformed_header_block_is_refused_with_a_reason(header: bytes, reason: str) -> None:
    assert events_of(header) == [reason]


def test_an_empty_value_without_its_space_is_parsed() -> None:
    variables = request_from(SCRIPT + b"agi_accountcode:\nagi_new_in_24: yes\n\n").variables
    assert variables["agi_accountcode"] == ""
    assert variables["agi_new_in_24"] == "yes"


def test_a_header_block_can_fill_its_limit_exactly() -> None:
    padding = HEADER_LIMIT - len(SCRIPT) - len(b"agi_type: \n\n")
    assert request_from(SCRIPT + b"agi_type: " + b"x" * padding + b"\n\n").path == "screen"
    [refused] = events_of(SCRIPT + b"agi_type: " + b"x" * (padding + 1) + b"\n\n")
    assert str(HEADER_LIMIT) in str(refused)


@pytest.mark.parametrize(
    ("data", "replies"),
    [
        pytest.param(b"200 result=1\n", [Reply(200, "1")], id="plain"),
        pytest.param(b"200 result=-1\n", [Reply(200, "-1")], id="negative"),
        pytest.param(b"200 result=\n", [Reply(200, "")], id="empty-result"),
        pytest.param(b"200 result=1 (0)\n", [Reply(200, "1", "0")], id="data"),
        pytest.param(b"200 result=1 (Doe (Jane))\n", [Reply(200, "1", "Doe (Jane)")], id="brackets-in-data"),
        pytest.param(b"200 result=1 ()\n", [Reply(200, "1", "")], id="empty-data"),
        pytest.param(b"200 result=0 endpos=8640\n", [Reply(200, "0", "", 8640)], id="endpos"),
        pytest.param(b"200 result=1 (x) endpos=8640\n", [Reply(200, "1", "x", 8640)], id="data-and-endpos"),
        pytest.param(b"200 result=1 (hangup)\n", [Reply(200, "1", "hangup")], id="a-caller-named-hangup"),
        pytest.param(b"200 result=1 (x\xff)\n", [Reply(200, "1", "x\ufffd")], id="not-utf-8"),
        pytest.param(b"100 Trying...\n200 result=1\n", [Reply(100, "", "Trying..."), Reply(200, "1")], id="trying"),
        pytest.param(b"510 Invalid or unknown command\n", [Reply(510, "", "Invalid or unknown command")], id="unknown"),
        pytest.param(b"511 Command Not Permitted\n", [Reply(511, "", "Command Not Permitted")], id="dead"),
        pytest.param(b"520 Invalid syntax\n", [Reply(520, "", "Invalid syntax")], id="syntax-in-one-line"),
        pytest.param(
            b"520-Invalid syntax. Usage follows:\nUsage: NOOP\n\n520 End of proper usage.\n200 result=0\n",
            [
                Reply(520, "", "Invalid syntax. Usage follows:\nUsage: NOOP\n\nEnd of proper usage."),
                Reply(200, "0"),
            ],
            id="syntax-explained",
        ),
        pytest.param(b"HANGUP\n200 result=0\n", [HungUp(), Reply(200, "0")], id="hangup-line"),
        pytest.param(b"200 ok\n", ["an AGI reply with code 200 has no `result=`"], id="no-result"),
        pytest.param(b"\n", ["Asterisk sent a line that is not an AGI reply"], id="blank"),
        pytest.param(b"HANGUP now\n", ["Asterisk sent a line that is not an AGI reply"], id="not-quite-a-hangup"),
        pytest.param(b"SIP/2.0 200 OK\n", ["Asterisk sent a line that is not an AGI reply"], id="not-agi"),
        pytest.param(b"x" * LINE_LIMIT, [f"a line is longer than {LINE_LIMIT} bytes"], id="endless-line"),
        pytest.param(
            b"520-x\n" + b"y" * 99 * 1000 + b"\n",
            [f"a line is longer than {LINE_LIMIT} bytes"],
            id="long-usage",
        ),
        pytest.param(
            b"520-x\n" + b"yyy\n" * LINE_LIMIT,
            [f"a reply is longer than {LINE_LIMIT} characters"],
            id="endless-usage",
        ),
    ],
)
def test_replies_are_parsed(data: bytes, replies: list[Event | str]) -> None:
    assert replies_to(data) == replies


@pytest.mark.parametrize(
    ("data", "last"),
    [
        pytest.param(b"", Closed(), id="at-once"),
        pytest.param(b"agi_network: yes\n", "the connection ended inside the header block", id="in-the-header"),
        pytest.param(HEADER, Closed(), id="after-the-header"),
        pytest.param(HEADER + b"200 result=1\n", Closed(), id="after-a-reply"),
        pytest.param(HEADER + b"200 resu", "the connection ended inside a reply", id="in-a-reply"),
        pytest.param(HEADER + b"520-Usage:\n", "the connection ended inside a reply", id="in-an-explanation"),
    ],
)
def test_the_end_of_a_connection_is_an_event_or_an_error(data: bytes, last: Event | str) -> None:
    assert events_of(*filter(None, [data]), b"")[-1] == last


def test_data_after_the_end_or_an_error_is_ignored() -> None:
    ended = AgiSession()
    ended.receive_data(b"")
    ended.receive_data(HEADER)
    assert ended.next_event() == ended.next_event() == Closed()
    broken = AgiSession()
    broken.receive_data(b"\n")
    for data in (HEADER, b"200 result=1\n", b""):
        with pytest.raises(ProtocolError, match="empty"):
            broken.next_event()
        broken.receive_data(data)


AGI_LIKE = st.sampled_from(
    (
        *(b"\n", b"\n\n", SCRIPT, HEADER, b"agi_arg_1: a=1\n", b"agi_arg_1: ", b"520-x\n", b"520 End\n"),
        *(b"HANGUP\n", b"200 result=1 (hangup)\n", b"200 result=", b"511 dead\n", b"(", b")", b": ", b"\xff"),
        b"x" * 4000,
    )
)
SAID = st.lists(AGI_LIKE | st.binary(max_size=40), max_size=12).map(b"".join)


@given(SAID, st.booleans(), st.lists(st.integers(min_value=1, max_value=9000), max_size=8), st.booleans())
def test_every_cut_gives_the_same_events(said: bytes, header: bool, cuts: list[int], ended: bool) -> None:
    data = HEADER + said if header else said
    end = [b""] if ended else []
    places = sorted({0, *(cut % len(data) for cut in cuts), len(data)} if data else {0})
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert events_of(*pieces, *end) == events_of(*filter(None, [data]), *end)


@pytest.mark.parametrize("tail", [b"", b"200 result=1 (hangup)\n520-a\nb\n520 c\nHANGUP\n200 res"])
def test_byte_by_byte_gives_the_same_events(tail: bytes) -> None:
    data = HEADER + tail
    assert events_of(*(data[i : i + 1] for i in range(len(data))), b"") == events_of(data, b"")


@given(st.text(alphabet="0123456789abcdef", min_size=8))
def test_an_error_never_repeats_the_input(secret: str) -> None:
    for said in (f"agi_arg_1: {secret}\n\n", f"{secret}\n\n", f"{secret}: {secret}\n\n"):
        (reason,) = events_of(SCRIPT + said.encode())
        assert isinstance(reason, str)
        assert secret not in reason


_VALUES = st.text(st.characters(exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=40)


@given(st.dictionaries(st.from_regex(r"agi_[b-z_]{1,9}", fullmatch=True), _VALUES, max_size=5))
def test_a_header_block_round_trips(variables: dict[str, str]) -> None:
    request = Request("screen", {"did": "+442071838750", "uri": "a=b"}, variables)
    (read,) = events_of(block_of(request))
    assert read == Request("screen", request.arguments, {"agi_network_script": "screen", **variables})


@given(st.text())
def test_no_value_can_add_a_line_to_a_block(text: str) -> None:
    (read,) = events_of(block_of(Request("screen", {"did": text}, {"agi_callerid": text})))
    assert isinstance(read, Request)
    assert set(read.arguments) == {"did"}
    assert set(read.variables) == {"agi_network_script", "agi_callerid"}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request("screen", {"did": "1" * HEADER_LIMIT}, {}), id="too-long"),
        pytest.param(Request("screen", {"did=1\nagi_x": ""}, {}), id="key-of-an-argument"),
        pytest.param(Request("screen", {}, {"agi_x: 1\nagi_y": ""}), id="name-of-a-variable"),
    ],
)
def test_an_unreadable_block_is_not_made(request_: Request) -> None:
    with pytest.raises(ValueError, match=r"header block|key"):
        block_of(request_)
