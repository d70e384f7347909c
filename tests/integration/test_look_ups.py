"""Look-ups on a real Asterisk: answers count in time, and whatever the service does the call goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab import CallResult, CallSpec, Phone
from lab.children import ends_with_us
from lab.programs import COMMAND_LINE
from lab.screened import ALICE, ROOT, SETTINGS, ScreenedPbx
from reputation.store.database import open_store
from reputation.store.lists import Contact, add_contacts
from reputation.store.lookups import answers_about, source_states
from reputation.store.transaction import transaction
from tests.integration.office import decision_on, journal
from tests.waiting import wait_until

RecordDelay = Callable[[float | None], None]

BUDGET = 0.15
# The time of a call that does not wait, and what a busy machine may add to one that waits for its budget.
AT_ONCE, SLACK = 0.14, 2.0
STRANGERS = [f"+1201742{n:04}" for n in range(1801, 1810)]
STRANGER, FRIEND = STRANGERS[0], "+12017421899"


class Others:
    """A server that answers each request with `answer`. `asked` has the paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.budget = BUDGET
        self.answer: Callable[[BaseHTTPRequestHandler], None] = answer_with(b'{"spam": true}')
        others = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                others.asked.append(self.path)
                others.answer(self)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def settings(self) -> str:
        """Return the settings of an office that looks up at this server."""
        return f"""{SETTINGS}
[reputation.sample]
every = 0
[[lookup]]
name = "others"
kind = "http"
url = "http://127.0.0.1:{self.server.server_port}/{{digits}}"
send = "number"
consent = true
private = true
budget_ms = {round(1000 * self.budget)}
spam_when = ["spam == true"]
"""


def answer_with(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"[" * 65_536)
    except OSError:
        return


@pytest.fixture
def others() -> Iterator[Others]:
    found = Others()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@contextmanager
def office(others: Others, *, patient: bool = False) -> Iterator[ScreenedPbx]:
    """Yield an office that looks up at these servers, and has a contact."""
    with ScreenedPbx(settings=others.settings, patient=patient) as pbx:
        with open_store(pbx.daemon.store) as db:
            with transaction(db):
                add_contacts(db, "test", [Contact(FRIEND, "Carol", "202")])
            wait_until(lambda: source_states(db), "the daemon's word on the sources")
        yield pbx


@pytest.fixture
def pbx(others: Others) -> Iterator[ScreenedPbx]:
    with office(others) as pbx:
        yield pbx


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201") as phone:
        yield phone


@contextmanager
def look_up_process(pbx: ScreenedPbx) -> Iterator[subprocess.Popen[bytes]]:
    """Run the look-up process."""
    log = pbx.state / "lookups.log"
    with (
        log.open("ab") as out,
        subprocess.Popen(
            (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "lookups", "serve"),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=pbx.daemon.environment,
            cwd=ROOT,
        ) as process,
    ):
        wait_until((pbx.state / "lookups.sock").exists, "its socket")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def call_from(pbx: ScreenedPbx, number: str, record_delay: RecordDelay) -> CallResult:
    result = pbx.carrier.call(CallSpec(caller=number, did=ALICE))
    assert result.code == 200
    record_delay(result.ringing_seconds)
    return result


def is_stopped(pid: int) -> bool:
    return "State:\tT" in Path(f"/proc/{pid}/status").read_text()


def test_a_look_up_answer_labels_the_first_call(others: Others, record_delay: RecordDelay) -> None:
    """With the longest budget, and for one of several strangers, because the machine may be busy."""
    others.budget = 0.45
    with office(others, patient=True) as pbx, Phone(pbx.asterisk, "201"), look_up_process(pbx):
        for number in STRANGERS:
            call_from(pbx, number, record_delay)
            if decision_on(pbx.daemon.store, number).action == "tag":
                break
        else:
            pytest.fail("no answer came in time")
        asked = list(others.asked)
        call_from(pbx, number, record_delay)
        assert others.asked == asked


@pytest.mark.usefixtures("alice")
def test_known_callers_are_not_looked_up(pbx: ScreenedPbx, record_delay: RecordDelay) -> None:
    """Nobody connects to the socket of the look-up process until a stranger calls."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(pbx.state / "lookups.sock"))
        door.listen()
        door.setblocking(False)
        call_from(pbx, FRIEND, record_delay)
        call_from(pbx, "anonymous", record_delay)
        assert pbx.daemon.callsieve("emergency", "open").returncode == 0
        call_from(pbx, STRANGER, record_delay)
        with pytest.raises(BlockingIOError):
            door.accept()
        assert pbx.daemon.callsieve("emergency", "close").returncode == 0
        call_from(pbx, STRANGERS[1], lambda _: None)
        connection, _ = door.accept()
        with connection:
            assert STRANGERS[1].encode() in connection.recv(1000)


@pytest.mark.usefixtures("alice")
def test_a_late_answer_counts_at_the_next_call(pbx: ScreenedPbx, others: Others, record_delay: RecordDelay) -> None:
    called = threading.Event()
    in_time = others.answer

    def late(handler: BaseHTTPRequestHandler) -> None:
        called.wait(20)
        in_time(handler)

    others.answer = late
    with look_up_process(pbx):
        result = call_from(pbx, STRANGER, record_delay)
        assert BUDGET - 0.05 < (result.ringing_seconds or 0) < BUDGET + SLACK
        assert decision_on(pbx.daemon.store, STRANGER).action == "allow"
        called.set()
        with open_store(pbx.daemon.store) as db:
            wait_until(lambda: answers_about(db, STRANGER), "the late answer")
        call_from(pbx, STRANGER, record_delay)
        wait_until(
            lambda: [record.action for record in journal(pbx.daemon.store)] == ["tag", "allow"], "both decisions"
        )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer_with(b"<html>"), id="no-json"),
        pytest.param(endless, id="endless"),
        pytest.param(lambda handler: handler.connection.close(), id="hangs-up"),
        pytest.param(lambda handler: handler.send_error(500), id="broken"),
    ],
)
@pytest.mark.usefixtures("alice")
def test_a_bad_look_up_server_changes_nothing(
    pbx: ScreenedPbx, others: Others, answer: Callable[[BaseHTTPRequestHandler], None], record_delay: RecordDelay
) -> None:
    others.answer = answer
    with look_up_process(pbx):
        result = call_from(pbx, STRANGER, record_delay)
        assert (result.ringing_seconds or 9) < BUDGET + SLACK
        assert decision_on(pbx.daemon.store, STRANGER).action == "allow"
    assert others.asked


@pytest.mark.usefixtures("alice")
def test_a_missing_look_up_process_delays_no_call(pbx: ScreenedPbx, record_delay: RecordDelay) -> None:
    result = call_from(pbx, STRANGER, record_delay)
    assert (result.ringing_seconds or 9) < AT_ONCE + SLACK
    assert decision_on(pbx.daemon.store, STRANGER).rule != "fail-open"


@pytest.mark.usefixtures("alice")
def test_a_frozen_look_up_process_delays_five_calls_at_most(pbx: ScreenedPbx, record_delay: RecordDelay) -> None:
    """Each call waits for the budget. After five, no call waits."""
    with look_up_process(pbx) as process:
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(process.pid))
        waited = [call_from(pbx, number, record_delay).ringing_seconds or 0 for number in STRANGERS[:5]]
        assert min(waited) > BUDGET - 0.05
        assert max(waited) < BUDGET + SLACK
        pbx.daemon.wait_for_log("look-up process does not answer")
        call_from(pbx, STRANGERS[5], record_delay)
        assert {record.rule for record in journal(pbx.daemon.store)} == {"default"}


@pytest.mark.usefixtures("alice")
def test_a_killed_look_up_process_lets_the_call_ring(
    pbx: ScreenedPbx, others: Others, record_delay: RecordDelay
) -> None:
    with look_up_process(pbx) as process:
        others.answer = lambda _: process.kill()
        call_from(pbx, STRANGER, record_delay)
    assert decision_on(pbx.daemon.store, STRANGER).action == "allow"


@pytest.mark.parametrize(
    "line", [pytest.param(b'{"more":true}\n', id="wrong-fields"), pytest.param(b"x" * 100_000, id="no-end")]
)
@pytest.mark.usefixtures("alice")
def test_a_hostile_process_at_the_socket_changes_nothing(
    pbx: ScreenedPbx, line: bytes, record_delay: RecordDelay
) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(pbx.state / "lookups.sock"))
        door.listen()

        def lie() -> None:
            connection, _ = door.accept()
            with connection:
                connection.recv(1000)
                try:
                    connection.sendall(line)
                except OSError:
                    return

        liar = threading.Thread(target=lie)
        liar.start()
        began = time.monotonic()
        call_from(pbx, STRANGER, record_delay)
        assert time.monotonic() - began < 10
        liar.join()
    assert decision_on(pbx.daemon.store, STRANGER).action == "allow"
