"""The script that decides in its own process: pyst2 with guards for its defects."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Sequence

import pytest
from asterisk.agi import AGIAppError, AGIException, AGIHangup, AGIInvalidCommand, AGIUnknownError, AGIUsageError

from agi.protocol import AgiSession, Request
from agi.standalone import StandaloneAgi, run_standalone

HEADER = (
    b"agi_request: /usr/share/asterisk/agi-bin/callsieve-agi/screen\nagi_callerid: 12017421834\n"
    b"agi_calleridname: Zo\xff\nagi_context: callsieve\nagi_arg_1: trunk=carrier\n\n"
)


def agi_after(replies: bytes, header: bytes = HEADER) -> tuple[StandaloneAgi, io.BytesIO]:
    stdout = io.BytesIO()
    return StandaloneAgi(io.BytesIO(header + replies), stdout), stdout


def test_the_request_equals_that_of_the_protocol() -> None:
    session = AgiSession()
    session.receive_data(HEADER)
    agi, _ = agi_after(b"")
    assert agi.request == session.next_event()
    assert agi.env["agi_context"] == "callsieve"


@pytest.mark.parametrize(
    ("header", "error"),
    [
        pytest.param(b"", AGIHangup, id="closed"),
        pytest.param(b"agi_network: yes\n", AGIUnknownError, id="closed-in-the-header"),
        pytest.param(b"x" * 100_000, AGIUnknownError, id="endless"),
        pytest.param(HEADER.replace(b"\n\n", b"\nagi_arg_2: trunk=x\n\n"), AGIUnknownError, id="forged"),
    ],
)
def test_a_malformed_request_is_an_error(header: bytes, error: type[AGIException]) -> None:
    with pytest.raises(error):
        agi_after(b"", header)


@pytest.mark.parametrize(
    ("replies", "result"),
    [
        pytest.param(b"200 result=1\n", {"result": ("1", "")}, id="plain"),
        pytest.param(b"100 Trying...\n200 result=1\n", {"result": ("1", "")}, id="trying"),
        pytest.param(b"200 result=1 (hangup)\n", {"result": ("1", "hangup")}, id="a-caller-named-hangup"),
        pytest.param(b"200 result=1 (\xff)\n", {"result": ("1", "\ufffd")}, id="not-utf-8"),
        pytest.param(b"200 result=0 endpos=80\n", {"result": ("0", ""), "endpos": ("80", "")}, id="endpos"),
    ],
)
def test_results_have_the_format_of_pyst2(replies: bytes, result: dict[str, tuple[str, str]]) -> None:
    agi, stdout = agi_after(replies)
    assert agi.execute("NOOP", 1) == result
    assert stdout.getvalue() == b"NOOP 1\n"


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        pytest.param(b"", AGIHangup, id="end-of-file"),
        pytest.param(b"HANGUP\n", AGIHangup, id="hangup-line"),
        pytest.param(b"200 result=-1\n", AGIAppError, id="application-failed"),
        pytest.param(b"510 Invalid or unknown command\n", AGIInvalidCommand, id="unknown"),
        pytest.param(b"511 Command Not Permitted on a dead channel\n", AGIAppError, id="dead-channel"),
        pytest.param(b"520-Invalid\nUsage\n520 End\n", AGIUsageError, id="syntax"),
        pytest.param(b"520-Invalid\nUsage\n", AGIUnknownError, id="syntax-cut-off"),
        pytest.param(b"\xff\xfe\n", AGIUnknownError, id="garbage"),
    ],
)
def test_errors_are_those_of_pyst2(replies: bytes, error: type[AGIException]) -> None:
    agi, _ = agi_after(replies)
    with pytest.raises(error):
        agi.set_variable("CALLSIEVE_ACTION", "warn")


@pytest.mark.parametrize("argument", ["a\nEXEC System id", "a\rb", "a\0b", "x" * 5000])
def test_a_command_is_one_line_of_bounded_length(argument: str) -> None:
    agi, stdout = agi_after(b"200 result=1\n")
    with pytest.raises(AGIUsageError):
        agi.stream_file(argument)
    assert stdout.getvalue() == b""


def answer_pairs(request: Request) -> Sequence[tuple[str, str]]:
    return [("CALLSIEVE_ACTION", "warn"), ("CALLSIEVE_NAME", 'Bob "x"\nEXEC System "id"')]


COMMANDS = b'SET VARIABLE CALLSIEVE_ACTION "warn"\nSET VARIABLE CALLSIEVE_NAME "A  \\"B\\""\n'


def answer_commands(request: Request) -> bytes:
    return COMMANDS


def answer_error(request: Request) -> bytes:
    raise ValueError(request.variables["agi_callerid"])


def test_variables_are_set_and_quoted() -> None:
    stdout = io.BytesIO()
    assert run_standalone(answer_pairs, io.BytesIO(HEADER + b"200 result=1\n" * 2), stdout) == 0
    assert stdout.getvalue() == (
        b'SET VARIABLE "CALLSIEVE_ACTION" "warn"\nSET VARIABLE "CALLSIEVE_NAME" "Bob \\"x\\" EXEC System \\"id\\""\n'
    )


def test_prepared_commands_are_sent_unchanged() -> None:
    stdout = io.BytesIO()
    assert run_standalone(answer_commands, io.BytesIO(HEADER + b"200 result=1\n" * 2), stdout) == 0
    assert stdout.getvalue() == COMMANDS


@pytest.mark.parametrize(
    ("decide", "said"),
    [
        pytest.param(answer_error, HEADER, id="the-decision-fails"),
        pytest.param(answer_pairs, b"", id="no-request"),
        pytest.param(answer_pairs, HEADER, id="hung-up"),
        pytest.param(answer_pairs, HEADER + b"510 Invalid\n", id="refused"),
    ],
)
def test_a_failure_lets_the_call_go_on(
    decide: object, said: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert callable(decide)
    assert run_standalone(decide, io.BytesIO(said), io.BytesIO()) == 0
    assert capfd.readouterr() == ("", "")
    assert "12017421834" not in caplog.text
    assert len(caplog.records) == 1


def test_the_script_runs_outside_the_main_thread() -> None:
    statuses: list[int] = []
    said = io.BytesIO(HEADER + b"200 result=1\n" * 2)
    thread = threading.Thread(target=lambda: statuses.append(run_standalone(answer_pairs, said, io.BytesIO())))
    thread.start()
    thread.join(20)
    assert statuses == [0]
