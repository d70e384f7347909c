"""Other users of this server can connect to the daemon's sockets, but their requests are ignored."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agi.quoting import variables_in
from callsieve.doctor.daemon import has_only_known_users
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.install.install import with_key
from callsieve.settings import load_settings
from callsieve.telemetry import EVERY_SECONDS, read_telemetry
from lab import CallSpec, Phone
from lab.daemon import Daemon
from lab.screened import ALICE, PATIENT_DEADLINE_MS, SETTINGS, ScreenedPbx
from policies.reasons import FailOpen
from tests.integration.office import BY_ACTION, fill
from tests.waiting import wait_until

pytestmark = pytest.mark.root

NOBODY = 65534
KEY = "0123456789abcdef"
CALLER = "+12015550123"
# Asks over TCP and prints the answer; as the user that is named, which the interpreter itself may not be open to.
ASK = """
import os, socket, sys
user, port, said = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
os.setgroups([]); os.setgid(user); os.setuid(user)
with socket.socket() as connection:
    connection.settimeout(5.0)
    connection.connect(("127.0.0.1", port))
    connection.sendall(said)
    while chunk := connection.recv(4096):
        sys.stdout.buffer.write(chunk)
"""
# Connects again and again, says nothing, and waits for the answer; until its standard input ends.
IDLE = """
import os, select, socket, sys
user, port, count = map(int, sys.argv[1:])
os.setgroups([]); os.setgid(user); os.setuid(user)
poll, held = select.poll(), {}
def connect():
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", port))
    held[connection.fileno()] = connection
    poll.register(connection, select.POLLIN)
for _ in range(count):
    connect()
poll.register(0, select.POLLIN)
print("all are there", flush=True)
while True:
    for fd, _ in poll.poll():
        if fd == 0:
            sys.exit(0)
        poll.unregister(fd)
        held.pop(fd).close()
        connect()
"""


def request(path: str, *arguments: str) -> str:
    lines = [f"agi_network_script: {path}", f"agi_callerid: {CALLER}", "agi_channel: PJSIP/carrier-00000001"]
    return "\n".join([*lines, *(f"agi_arg_{n}: {text}" for n, text in enumerate(arguments, 1)), "", ""])


EVERYTHING = (
    request("emergency", "linkedid=1.1"),
    request("mark", "endpoint=PJSIP/201", "code=expect"),
    request("mark", "endpoint=PJSIP/202", "code=quiet"),
    request("screen", "linkedid=1.1", "trunk=PJSIP/carrier"),
    request("callee", "linkedid=1.1", f"caller={CALLER}", "auth=unknown", "endpoint=PJSIP/201"),
    request("challenge", "linkedid=1.1", f"caller={CALLER}", "auth=unknown", "result=passed"),
    request("outbound", "linkedid=1.2", "endpoint=PJSIP/201", "did=+442071838751"),
    request("explain", "endpoint=PJSIP/201"),
    request("passcode", "endpoint=PJSIP/201"),
    "what is no request\n\n",
)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as started:
        yield started


def answer_to_user(user: int, daemon: Daemon, said: str) -> dict[str, str]:
    """Return the daemon's answer to this user."""
    command = (sys.executable, "-c", ASK, str(user), str(daemon.port), said)
    return parse_variables(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=20).stdout)


def parse_variables(said: bytes) -> dict[str, str]:
    """Return the variables without the underscores for channels that inherit them."""
    return {name.lstrip("_"): value for name, value in variables_in(said).items()}


def contents(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows that a request may write."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}


def decisions_in(store: Path) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        (count,) = db.execute("SELECT count(*) FROM decision").fetchone()
    return int(count)


def test_requests_of_another_user_are_ignored(daemon: Daemon) -> None:
    # What writes at all, so that what was written before is written: the journal is in order.
    assert answer_to_user(0, daemon, request("screen", "linkedid=0.1"))["CALLSIEVE_ACTION"] == "allow"
    wait_until(lambda: decisions_in(daemon.store) == 1, "root's call is in the journal")
    before = contents(daemon.store)
    for said in EVERYTHING:
        assert answer_to_user(NOBODY, daemon, said) == {
            "CALLSIEVE_RULE": "fail-open",
            "CALLSIEVE_REASON": FailOpen.STRANGER.value,
        }
    assert answer_to_user(0, daemon, request("screen", "linkedid=0.2"))["CALLSIEVE_ACTION"] == "allow"
    wait_until(lambda: decisions_in(daemon.store) == 2, "root's second call is in the journal")
    after = contents(daemon.store)
    assert {name for name in before if before[name] != after[name]} == {"decision"}


def test_requests_of_root_are_accepted_and_audited(daemon: Daemon) -> None:
    for said in EVERYTHING[:2]:
        assert answer_to_user(0, daemon, said)["CALLSIEVE_RULE"] == "recorded"
    with closing(sqlite3.connect(daemon.store)) as db:
        rows = db.execute("SELECT what, who FROM audit ORDER BY id").fetchall()
    assert rows == [("emergency call", "phone PJSIP/carrier"), ("expecting", "phone PJSIP/201")]


def test_requests_of_a_user_in_the_settings_are_accepted(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state", f'[agi]\nusers = ["{NOBODY}"]\n') as daemon:
        assert answer_to_user(NOBODY, daemon, EVERYTHING[0])["CALLSIEVE_RULE"] == "recorded"


def test_requests_with_the_key_are_accepted(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state", f'[agi]\nkey = "{KEY}"\n') as daemon:
        for key, rule in ((KEY, "recorded"), ("", "fail-open"), (KEY[:-1], "fail-open")):
            assert answer_to_user(NOBODY, daemon, request("emergency", f"key={key}"))["CALLSIEVE_RULE"] == rule


def test_a_dialplan_with_the_key_screens_calls() -> None:
    settings = f'{SETTINGS}\n[agi]\nkey = "{KEY}"\n'
    with ScreenedPbx(settings=settings, conf=lambda text: with_key(text, KEY)) as pbx, Phone(pbx.asterisk, "201"):
        assert f"/screen,key={KEY},linkedid=" in pbx.asterisk.cli("dialplan show callsieve")
        assert f"/${{ARG1}},key={KEY}," in pbx.asterisk.cli("dialplan show callsieve-ask")
        fill(pbx.daemon.store)
        assert pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE)).code == 603


def test_other_users_can_only_ask_the_status(daemon: Daemon) -> None:
    def found(strangers: int) -> CheckStatus:
        wait_until(
            lambda: (told := read_telemetry(daemon.state)) is not None and told.server.strangers == strangers,
            f"{strangers} strangers are counted",
            seconds=2 * EVERY_SECONDS,
        )
        told = read_telemetry(daemon.state)
        assert told is not None
        loaded = load_settings(None, daemon.environment)
        return has_only_known_users(CheckContext(loaded, str, told.at)).status

    assert answer_to_user(NOBODY, daemon, "callsieve: status\n")["CALLSIEVE_RULE"] == "status"
    assert found(0) is CheckStatus.OK
    answer_to_user(NOBODY, daemon, EVERYTHING[0])
    assert found(1) is CheckStatus.FAIL


@contextmanager
def idling(user: int, daemon: Daemon) -> Iterator[None]:
    """Keep 600 idle connections of this user. They connect again as soon as they are answered."""
    command = (sys.executable, "-c", IDLE, str(user), str(daemon.port), "600")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as idle:
        assert idle.stdout is not None
        assert idle.stdin is not None
        try:
            assert idle.stdout.readline() == b"all are there\n"
            yield
        finally:
            idle.stdin.close()
            idle.wait(20)


@pytest.mark.parametrize("user", [NOBODY, 0])
def test_idle_connections_write_no_rows(daemon: Daemon, user: int) -> None:
    """In an earlier version calls went on unscreened, and each connection left a row."""
    calls = 100
    with idling(user, daemon):
        rules = [rule_of_call(daemon, f"{n}.1") for n in range(calls)]
    assert set(rules) == {"default"}
    daemon.stop()  # the journal is written
    assert decisions_in(daemon.store) == calls


def test_a_call_is_answered_behind_600_idle_connections(tmp_path: Path) -> None:
    """A busy daemon once had room for 256. TCP did not answer all others until some were accepted."""
    with Daemon(tmp_path / "state", deadline_ms=PATIENT_DEADLINE_MS) as daemon:
        daemon.freeze()
        with idling(NOBODY, daemon), socket.create_connection(("127.0.0.1", daemon.port), 10.0) as connection:
            daemon.thaw()
            assert rule_on(connection, "1.1") == "default"


def rule_of_call(daemon: Daemon, linkedid: str) -> str:
    """Return the rule for a call of root."""
    with socket.create_connection(("127.0.0.1", daemon.port), 5.0) as connection:
        return rule_on(connection, linkedid)


def rule_on(connection: socket.socket, linkedid: str) -> str:
    connection.sendall(request("screen", f"linkedid={linkedid}").encode())
    said = b""
    while chunk := connection.recv(4096):
        said += chunk
    connection.sendall(b"200 result=1\n" * said.count(b"\n"))
    return parse_variables(said)["CALLSIEVE_RULE"]
