"""The helper as a process, with hostile requests and unsafe settings."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from callsieve.call_back.client import LINE_BYTES, HelperError, ask, ping
from callsieve.call_back.settings import load_helper_settings
from callsieve.settings import SettingsError
from tests.callsieve.call_back.helping import (
    NUMBER,
    OTHER,
    TICKET,
    call_files,
    helper_process,
    make_spool,
    send,
    settings_text,
)
from tests.office import NOBODY, ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow  # each starts the helper

LINE = f"{NUMBER} {TICKET}\n".encode()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return make_spool(tmp_path / "spool")


@pytest.fixture
def door(tmp_path: Path, spool: Path) -> Iterator[Path]:
    with helper_process(tmp_path, settings_text(spool)) as door:
        yield door


def test_first_request_places_one_call(door: Path, spool: Path) -> None:
    assert stat.S_IMODE(door.stat().st_mode) == 0o660
    assert ask(door, NUMBER, TICKET) == "called"
    assert ask(door, NUMBER, TICKET) == "number-lately"
    assert len(call_files(spool)) == 1


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(LINE + LINE, id="two-requests"),
        pytest.param(LINE + b"Application: System\n", id="a-header"),
        pytest.param(b"\n" + LINE, id="an-empty-line-first"),
        pytest.param(b"+" * 100_000, id="giant"),
        pytest.param(LINE[:-1] + b" " * 100 + b"\n", id="longer-than-is-read"),
        pytest.param(b"\xff\xfe\x00\n", id="binary"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_malformed_request_places_no_call(door: Path, spool: Path, datagram: bytes) -> None:
    assert send(door, datagram) == b"bad-line\n"
    assert call_files(spool) == []


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        pytest.param("outgoing", "outgoing", id="directory"),
        pytest.param("sounds/en/callsieve/proof-ask.wav", "proof-ask", id="prompt"),
    ],
)
def test_missing_part_is_logged_and_no_call_is_placed(tmp_path: Path, spool: Path, missing: str, named: str) -> None:
    (spool / missing).rename(tmp_path / "away")
    with helper_process(tmp_path, settings_text(spool)) as door:
        wait_until(lambda: named in (tmp_path / "helper.log").read_text(), "what is missing in the log")
        assert ask(door, NUMBER, TICKET) == "failed"
        with pytest.raises(HelperError):
            ping(door)
        assert call_files(spool) == []
        (tmp_path / "away").rename(spool / missing)
        ping(door)
        assert ask(door, NUMBER, TICKET) == "called"  # a call that was not placed counts for no limit


def test_clients_that_read_no_answer_do_not_block_others(door: Path, spool: Path) -> None:
    """Unread answers must not fill the queue of the helper's socket."""
    with ExitStack() as clients, socket.socket(socket.AF_UNIX) as connected:
        for _ in range(60):
            deaf = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            deaf.bind("")
            for _ in range(12):
                deaf.sendto(b"\n", str(door))
        assert connected.connect_ex(str(door)) != 0, "there is no connection to hold open"
        assert ask(door, OTHER, TICKET) == "called"
    assert len(call_files(spool)) == 1


@pytest.mark.root
def test_answers_of_another_user_are_refused(tmp_path: Path) -> None:
    """Any local user can send to the client's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, ThreadPoolExecutor(1) as pool:
        other.bind(str(tmp_path / "door"))
        os.chown(tmp_path / "door", NOBODY, NOBODY)
        answered = pool.submit(lambda: other.sendto(b"called\n", other.recvfrom(LINE_BYTES)[1]))
        with pytest.raises(HelperError, match="did not come from the helper"):
            ask(tmp_path / "door", NUMBER, TICKET)
        assert answered.result() == len(b"called\n")


# As a program: connect(2) fails from here on, as in the unit of the public page, and the helper is asked.
WITHOUT_CONNECT = """
import ctypes, platform, socket, struct, sys
from pathlib import Path
from callsieve.call_back.client import LINE_BYTES
from callsieve.call_back.client import ask

libc = ctypes.CDLL(None, use_errno=True)
connect = {"x86_64": 42, "aarch64": 203}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, connect), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
    assert sock.connect_ex(sys.argv[1]) == 1, "EPERM"
print(ask(Path(sys.argv[1]), sys.argv[2], sys.argv[3]).value)
"""


def test_client_works_without_the_connect_syscall(door: Path, spool: Path) -> None:
    command = (sys.executable, "-c", WITHOUT_CONNECT, str(door), NUMBER, TICKET)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("called\n", 0), done.stderr
    assert len(call_files(spool)) == 1


def test_a_thousand_forged_requests_place_two_calls(door: Path, spool: Path) -> None:
    said = {send(door, f"+1201555{n:04} {TICKET}\n".encode()) for n in range(100, 1100)}
    assert b"called\n" in said
    assert len(call_files(spool)) == 2, "two at once"


def test_unlisted_user_gets_no_answer(tmp_path: Path, spool: Path) -> None:
    somebody = next(item.pw_name for item in pwd.getpwall() if item.pw_uid != os.getuid())
    with helper_process(tmp_path, settings_text(spool, user=somebody)) as door:
        assert send(door, LINE, 0.5) == b""
        with pytest.raises(HelperError, match=r"no answer: .*users"):
            ping(door)
    assert call_files(spool) == []
    log = (tmp_path / "helper.log").read_text()
    assert f"user={os.getuid()}" in log
    assert NUMBER not in log


def test_the_log_has_no_whole_number(door: Path, tmp_path: Path, spool: Path) -> None:
    ask(door, NUMBER, TICKET)
    ask(door, "+19005551234", TICKET)
    ping(door)
    send(door, b"hello\n")
    assert len(call_files(spool)) == 1
    wait_until(lambda: "bad-line" in (tmp_path / "helper.log").read_text(), "the log")
    log = (tmp_path / "helper.log").read_text()
    assert "kind" in log
    assert log.count("bad-line") == 1, "who only asks whether it is there is no warning"
    assert NUMBER not in log
    assert "+19005551234" not in log
    assert TICKET not in log


def test_limits_survive_a_restart(tmp_path: Path, spool: Path) -> None:
    for said in ("called", "number-lately"):
        with helper_process(tmp_path, settings_text(spool)) as door:
            assert ask(door, NUMBER, TICKET) == said


@pytest.mark.parametrize("mode", [0o664, 0o666, 0o646])
def test_settings_writable_by_others_are_refused(tmp_path: Path, spool: Path, mode: int) -> None:
    file = tmp_path / "call-back.toml"
    file.write_text(settings_text(spool))
    file.chmod(mode)
    with pytest.raises(SettingsError, match="other users may write the file"):
        load_helper_settings(file)


@pytest.mark.root
@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_settings_owned_by_another_user_are_refused(tmp_path: Path, spool: Path, what: str) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "call-back.toml"
    file.write_text(settings_text(spool))
    load_helper_settings(file)
    if what == "link":
        (folder / "link.toml").symlink_to(file)
        os.lchown(folder / "link.toml", 65534, 65534)
        file = folder / "link.toml"
    else:
        os.chown(file if what == "file" else folder, 65534, 65534)
    with pytest.raises(SettingsError, match="chown root"):
        load_helper_settings(file)


@pytest.mark.root
def test_another_user_of_the_group_gets_no_answer(tmp_path: Path, door: Path, spool: Path) -> None:
    """Asterisk's user is in the group of the socket, but only the service may ask."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    os.chown(door, 0, 65534)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            code = 0 if send(door, LINE, 0.5) == b"" else 2
        finally:
            os._exit(code)
    give_up_at = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert call_files(spool) == []
    wait_until(lambda: "user=65534" in (tmp_path / "helper.log").read_text(), "the log")
