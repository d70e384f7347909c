"""The 0.6 s that a question may take, and an earlier time limit of the call, whatever the server does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from callsieve.pbx.cli_output import globals_in
from lab import CallSpec
from lab.screened import ScreenedPbx
from tests.waiting import wait_until

BOUND = 0.6
SLACK = 2.0
OWN_LIMIT = 30
# The questions, each with the variable by which the dialplan knows its answer.
QUESTIONS = {
    "screen": ("callsieve,s,1(+442071838751)", "CALLSIEVE_ACTION"),
    "callee": ("callsieve-callee,s,1(PJSIP/201)", "CALLSIEVE_CALLEE"),
    "outbound": ("callsieve-outbound,s,1(+12015550100)", "CALLSIEVE_OUTBOUND"),
}
# Each extension leaves what the test looks at in globals: the limit before and after, and whether the call went on.
EXTENSIONS = "[from-internal]\nexten => s,1,Hangup()\n[from-carrier]\n" + "".join(
    f"""\
exten => {question}-{name},1,Set(TIMEOUT(absolute)={limit})
 same => n,Set(CALLSIEVE_ID={"" if question == "screen" else "4F2K9TQZ"})
 same => n,Set(before=${{TIMEOUT(absolute)}})
 same => n,Gosub({subroutine})
 same => n,Set(GLOBAL(LIMITS)=${{before}}/${{TIMEOUT(absolute)}}/${{AGIEXITONHANGUP}}/${{{answer}}})
 same => n,Answer()
 same => n,Wait(1)
 same => n,Set(GLOBAL(WENT_ON)=yes)
 same => n,Wait(10)
 same => n,Set(GLOBAL(OVERSTAYED)=yes)
"""
    for question, (subroutine, answer) in QUESTIONS.items()
    for name, limit in (("none", 0), ("own", OWN_LIMIT), ("short", 3))
)

Behaviour = Callable[[socket.socket], bool]


def read_request(connection: socket.socket) -> None:
    received = b""
    while not received.endswith(b"\n\n") and (data := connection.recv(4096)):
        received += data


def freezes_before_reading(connection: socket.socket) -> bool:
    return True


def freezes_after_the_request(connection: socket.socket) -> bool:
    read_request(connection)
    return True


def freezes_after_a_command(connection: socket.socket) -> bool:
    read_request(connection)
    connection.sendall(b"SET VARIABLE CALLSIEVE_REASON x\n")
    connection.recv(4096)
    return True


def closes_before_reading(connection: socket.socket) -> bool:
    return False


def closes_after_the_request(connection: socket.socket) -> bool:
    read_request(connection)
    return False


def closes_within_a_command(connection: socket.socket) -> bool:
    read_request(connection)
    connection.sendall(b'EXEC MSet "CALLSIEVE_ACT')
    return False


# Not here: a server that freezes within a line, for the rest of which Asterisk waits. Ours writes an answer at once.
FREEZING: tuple[Behaviour, ...] = (
    freezes_before_reading,
    freezes_after_the_request,
    freezes_after_a_command,
)
CLOSING: tuple[Behaviour, ...] = (closes_before_reading, closes_after_the_request, closes_within_a_command)


class Server:
    """A FastAGI server. If `behaviour` returns true it keeps the connection open."""

    def __init__(self, listener: socket.socket) -> None:
        self.behaviour: Behaviour = freezes_before_reading
        self._listener = listener
        self._kept = ExitStack()

    def serve(self) -> None:
        with self._kept:
            while True:
                try:
                    connection, _ = self._listener.accept()
                except OSError:  # the test is over
                    return
                if self.behaviour(connection):
                    self._kept.enter_context(connection)
                else:
                    connection.close()


@contextmanager
def serving() -> Iterator[tuple[Server, str]]:
    """Yield a server and its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server, f"agi://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(scope="module")
def server_and_pbx() -> Iterator[tuple[Server, ScreenedPbx]]:
    with (
        serving() as (server, url),
        ScreenedPbx(start_daemon=False, extensions=EXTENSIONS, globals={"CALLSIEVE_AGI": url}) as pbx,
    ):
        yield server, pbx


@pytest.fixture
def pbx(server_and_pbx: tuple[Server, ScreenedPbx]) -> ScreenedPbx:
    pbx = server_and_pbx[1]
    for name in ("LIMITS", "WENT_ON", "OVERSTAYED"):
        pbx.asterisk.cli(f"dialplan set global {name} -")
    return pbx


@pytest.fixture
def server(server_and_pbx: tuple[Server, ScreenedPbx]) -> Server:
    return server_and_pbx[0]


def global_of(pbx: ScreenedPbx, name: str) -> str:
    """Return the value that the dialplan has left in a global, once it is there."""

    def value() -> str:
        return globals_in(pbx.asterisk.cli("dialplan show globals")).get(name, "-").removeprefix("-")

    wait_until(value, name)
    return value()


def limits(pbx: ScreenedPbx) -> tuple[float, float]:
    """Return the call's own limit before and after the question, for a call that went on."""
    before, after, agi_exits, answer = global_of(pbx, "LIMITS").split("/")
    assert (agi_exits, answer) == ("", "")
    assert global_of(pbx, "WENT_ON") == "yes"
    return float(before), float(after)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("behaviour", [*FREEZING, *CLOSING])
def test_a_call_without_a_limit_has_none_afterwards(
    pbx: ScreenedPbx, server: Server, behaviour: Behaviour, question: str
) -> None:
    server.behaviour = behaviour
    result = pbx.carrier.call(CallSpec(did=f"{question}-none", hang_up_after=1.5))
    assert (result.code, limits(pbx)) == (200, (0.0, 0.0))
    waited = result.final_seconds or 9
    assert BOUND - 0.05 < waited < BOUND + SLACK if behaviour in FREEZING else waited < BOUND - 0.05


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("behaviour", [*FREEZING, *CLOSING])
def test_an_earlier_time_limit_is_restored(
    pbx: ScreenedPbx, server: Server, behaviour: Behaviour, question: str
) -> None:
    """To the rest that was left when we asked, within a tenth of a second."""
    server.behaviour = behaviour
    assert pbx.carrier.call(CallSpec(did=f"{question}-own", hang_up_after=1.5)).code == 200
    before, after = limits(pbx)
    assert OWN_LIMIT - SLACK < before <= OWN_LIMIT
    assert before - 0.1 <= after <= before


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_restored_time_limit_ends_the_call(pbx: ScreenedPbx, server: Server, question: str) -> None:
    server.behaviour = freezes_after_the_request
    result = pbx.carrier.call(CallSpec(did=f"{question}-short", hang_up_after=9.0))
    assert (result.code, result.bye_from) == (200, "asterisk")
    assert 2.0 < (result.talk_seconds or 0) < 3.0 + SLACK
    assert globals_in(pbx.asterisk.cli("dialplan show globals"))["OVERSTAYED"] == "-"
