"""What a process may no longer do after `serve_only`, and that it still serves; and the filter of each architecture."""

from __future__ import annotations

import errno
import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from callsieve.system import seccomp
from callsieve.system.seccomp import ALLOW, ARCHITECTURES, ERROR, KILL, SeccompError, filter_for
from tests.callsieve.system.attacks import CALLS, MSG_FASTOPEN

ROOT = Path(__file__).resolve().parents[3]
PROCESS = 4711
DENIED, NO_SUCH_CALL = ERROR | errno.EPERM, ERROR | errno.ENOSYS
BEGIN = """
import asyncio, json, os, signal, socket, sys, tempfile, threading
from tests.callsieve.system.attacks import outcomes
from callsieve.system.seccomp import serve_only

port, path, unix = int(sys.argv[1]), sys.argv[2], sys.argv[3]
"""
ATTACKED = (
    BEGIN
    + """
go, said = threading.Event(), {}

def try_all():
    go.wait()
    said["older thread"] = outcomes(port, path, unix)

older = threading.Thread(target=try_all)
older.start()
serve_only()
go.set()
older.join()
said["main thread"] = outcomes(port, path, unix)
print(json.dumps(said))
"""
)
SERVED = (
    BEGIN
    + """
listener = socket.create_server(("127.0.0.1", 0))
ours, theirs = socket.socketpair()
serve_only()

async def serve(reader, writer):
    line = await reader.readline()
    with tempfile.TemporaryFile() as file:
        file.write(line)
        file.seek(0)
        writer.write(await asyncio.to_thread(file.read))
    await writer.drain()
    writer.close()

class Open(socket.socket):
    def listen(self, backlog=0): pass

async def main():
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    open_already = Open(fileno=listener.detach())
    async with await asyncio.start_server(serve, sock=open_already):
        print(open_already.getsockname()[1], flush=True)
        await ended.wait()

asyncio.run(main())
print("ended", flush=True)
"""
)


def words(script: str, port: int, path: Path, unix: Path) -> list[str]:
    return [sys.executable, "-c", script, str(port), str(path), str(unix)]


def test_filter_stops_attacks_of_old_and_new_threads(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.touch(0o600)
    unix = tmp_path / "unix"
    with socket.create_server(("127.0.0.1", 0)) as fastagi, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as helper:
        helper.bind(str(unix))
        ran = subprocess.run(
            words(ATTACKED, fastagi.getsockname()[1], file, unix), capture_output=True, text=True, check=True, cwd=ROOT
        )
        fastagi.settimeout(0)
        helper.setblocking(False)
        with pytest.raises(BlockingIOError):
            fastagi.accept()
        with pytest.raises(BlockingIOError):
            helper.recv(100)
    said = json.loads(ran.stdout)
    assert {*said} == {"older thread", "main thread"}
    for outcomes in said.values():
        assert len(outcomes) > 50
        assert {name: outcome for name, outcome in outcomes.items() if outcome != "EPERM"} == {}
    assert file.stat().st_mode & 0o777 == 0o600


def test_open_sockets_are_served_until_a_signal(tmp_path: Path) -> None:
    with subprocess.Popen(words(SERVED, 0, tmp_path, tmp_path), stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), 20) as asker:
            asker.sendall(b"are you there\n")
            assert asker.recv(100) == b"are you there\n"
        process.terminate()
        assert process.stdout.readline() == "ended\n"
        assert process.wait(20) == 0


def answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter says to a system call, as the kernel runs it (Documentation/networking/filter.rst)."""
    audit = ARCHITECTURES[machine].audit if architecture is None else architecture
    halves = [half for argument in (*arguments, *[0] * 6)[:6] for half in (argument & 0xFFFFFFFF, argument >> 32)]
    data = [number, audit, 0, 0, *halves]
    accumulator = at = 0
    program = filter_for(machine, PROCESS)
    while True:
        code, true, false, value = program[at]
        at += 1
        match code:
            case seccomp.LOAD:
                accumulator = data[value // 4]
            case seccomp.AND:
                accumulator &= value
            case seccomp.EQUAL:
                at += true if accumulator == value else false
            case seccomp.AT_LEAST:
                at += true if accumulator >= value else false
            case seccomp.RETURN:
                return value


MACHINES = [*ARCHITECTURES]
# On x86-64 and arm64, from their <unistd.h>.
SENDTO, SENDMSG, SOCKET, SOCKETPAIR = (44, 206), (46, 211), (41, 198), (53, 199)
CLONE, CLONE3, READ, TGKILL = (56, 220), (435, 435), (0, 63), (234, 131)
FD, HERE, LENGTH = 5, 0x7F00_0000_1000, 10


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", CALLS)
def test_unneeded_system_calls_are_denied(machine: str, name: str) -> None:
    number = CALLS[name][MACHINES.index(machine)]
    if number is not None:
        expected = NO_SUCH_CALL if name == "clone3" else DENIED
        assert {answer(machine, number, *arguments) for arguments in ((), (FD, HERE, LENGTH))} == {expected}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        pytest.param(READ, (FD, HERE, LENGTH), ALLOW, id="read"),
        pytest.param(SENDTO, (FD, HERE, LENGTH, 0x4000, 0, 0), ALLOW, id="send"),
        pytest.param(SENDTO, (FD, HERE, LENGTH, 0, HERE, 16), DENIED, id="send-to-an-address"),
        pytest.param(SENDTO, (FD, HERE, LENGTH, 0, 0x7F00_0000_0000, 16), DENIED, id="address-whose-low-half-is-0"),
        pytest.param(SENDTO, (FD, HERE, LENGTH, MSG_FASTOPEN, 0, 0), DENIED, id="send-and-connect"),
        pytest.param(SENDMSG, (FD, HERE, 0x4000), ALLOW, id="sendmsg"),
        pytest.param(SENDMSG, (FD, HERE, MSG_FASTOPEN | 0x4000), DENIED, id="sendmsg-and-connect"),
        pytest.param(SOCKET, (2, 1, 0), DENIED, id="socket"),
        pytest.param(SOCKETPAIR, (1, 0o2000001, 0, HERE), ALLOW, id="pair"),
        pytest.param(SOCKETPAIR, (1, 2, 0, HERE), DENIED, id="pair-for-datagrams"),
        pytest.param(SOCKETPAIR, (1, 5, 0, HERE), DENIED, id="pair-in-sequence"),
        pytest.param(CLONE, (0x3D0F00,), ALLOW, id="thread"),
        pytest.param(CLONE, (17,), DENIED, id="fork"),
        pytest.param(CLONE3, (HERE, 88), NO_SUCH_CALL, id="clone3"),
        pytest.param(TGKILL, (PROCESS, 1, 15), ALLOW, id="signal-to-itself"),
        pytest.param(TGKILL, (1, 1, 15), DENIED, id="signal-to-another"),
        pytest.param((100_000, 100_000), (), DENIED, id="call-of-a-newer-kernel"),
    ],
)
def test_system_calls_are_filtered_by_arguments(
    machine: str, call: tuple[int, int], arguments: tuple[int, ...], expected: int
) -> None:
    assert answer(machine, call[MACHINES.index(machine)], *arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_system_call_of_another_abi_kills_the_process(machine: str) -> None:
    assert answer(machine, READ[0], architecture=0x40000003) == KILL  # i386
    assert answer(machine, 0x40000000 + READ[0]) == KILL  # x32


@pytest.mark.parametrize("machine", ["riscv64", "armv7l", "aarch64_be", ""])
def test_an_unknown_architecture_is_refused(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(SeccompError):
        seccomp.serve_only()
    assert os.getpid(), "and nothing is confined"
