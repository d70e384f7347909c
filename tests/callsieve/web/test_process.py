"""The console as a process: it serves, tells calls as they happen, and ends with whoever started it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
import uvicorn

from callsieve.system.privileges import PUBLIC_USER
from callsieve.web import connections
from callsieve.web.connections import HEADER_SECONDS, Connections, protocol_of
from callsieve.web.request import BODY_SECONDS
from lab import ports
from lab.daemon import Daemon
from lab.programs import COMMAND_LINE, CONSOLE
from tests.callsieve.browsing import PASSWORD, SETTINGS, Office, field_of
from tests.callsieve.console_calls import add_calls, make_decision
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    return ports.free_port("127.0.0.1", socket.SOCK_STREAM)


class Served:
    """A console that listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port
        self.cookies: dict[str, str] = {}
        self.source = "127.0.0.1"
        self.headers: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, dict[str, str], str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(self.source, 0))
        headers = {"cookie": self.cookie, "content-type": "application/x-www-form-urlencoded", **self.headers}
        with closing(connection):
            connection.request(method, path, urlencode(fields) if method == "POST" else None, headers)
            answer = connection.getresponse()
            body = answer.read().decode()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, text = value.partition(";")[0].partition("=")
                self.cookies[key] = text
        return answer.status, dict(answer.getheaders()), body

    def try_to_log_in(self, name: str, password: str) -> int:
        _, _, page = self.ask("GET", "/login")
        return self.ask("POST", "/login", form_token=field_of(page, "form_token"), name=name, password=password)[0]

    def log_in(self, name: str) -> None:
        assert self.try_to_log_in(name, PASSWORD) == 303


@contextmanager
def serving(office: Office, port: int, settings: str = "") -> Iterator[Served]:
    office.config.write_text(settings or f'{SETTINGS}\n[web]\nenabled = true\nlisten = "127.0.0.1:{port}"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.callsieve.cheap_console", str(office.config)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "CALLSIEVE_STATE": str(office.state)},
    )
    served = Served(process, port)
    try:
        give_up_at = time.monotonic() + 60
        while True:
            try:
                served.ask("GET", "/login")
                break
            except OSError:
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < give_up_at
                time.sleep(0.05)
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def serving_behind_proxy(folder: Path) -> Iterator[Served]:
    """Who runs the tests runs the console as well, and so passes for its proxy."""
    port = free_port()
    settings = f'{SETTINGS}\n[web]\nenabled = true\nlisten = "127.0.0.1:{port}"\nbehind_proxy = true\n'
    with serving(Office(folder), port, settings) as served:
        yield served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    office = Office(tmp_path)
    office.clock.now = time.time()
    with serving(office, free_port()) as served:
        yield served


def test_watching_browser_sees_a_new_call(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with serving(office, free_port()) as served:
        served.log_in("otto")
        connection = HTTPConnection("127.0.0.1", served.port, timeout=30)
        connection.request("GET", "/live", headers={"cookie": served.cookie})
        stream = connection.getresponse()
        assert stream.getheader("content-type", "").startswith("text/event-stream")
        assert stream.readline() == b"retry: 3000\n"
        stream.readline()
        add_calls(office, make_decision("N0000000", at=time.time(), reason="a <b>bold</b>\ndata: lie"))
        lines = [stream.readline().decode() for _ in range(4)]
        connection.close()
    assert lines[0] == "event: call\n"
    assert lines[1] == "id: N0000000\n"
    assert re.match(r'data: <tr id="call-N0000000" class="fresh">.*</tr>\n$', lines[2])
    assert lines[3] == "\n"


def idle_connections(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]


@pytest.mark.parametrize("said", [pytest.param(b"", id="nothing"), pytest.param(b"GET /livez HT", id="half a header")])
def test_idle_connections_do_not_block_other_visitors(served: Served, said: bytes) -> None:
    idle = idle_connections(served.port, 520)
    for item in idle:
        with suppress(OSError):  # those beyond the limit are closed
            item.sendall(said)
    assert [served.ask("GET", path)[0] for path in ("/livez", "/login")] == [200, 200]
    for item in idle:
        item.close()


def test_endless_header_is_given_up(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 10) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nx: ")
        wait_until(lambda: has_ended(slow), seconds=3 * HEADER_SECONDS)


NEVER_ENDING = (
    b"POST /login HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 192.0.2.%d\r\nx-forwarded-proto: https\r\n"
    b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 10000\r\n\r\nname="
)


@contextmanager
def never_ending_forms(port: int, count: int, addresses: int = 20) -> Iterator[list[socket.socket]]:
    """Forms of which a few bytes have arrived, in turn from so many addresses of this machine."""
    with ExitStack() as opened:
        forms = []
        for number in range(count):
            source = (f"127.0.0.{number % addresses + 1}", 0)
            forms.append(socket.create_connection(("127.0.0.1", port), 10, source))
            opened.callback(forms[-1].close)
            with suppress(OSError):  # those beyond the limit are closed
                forms[-1].sendall(NEVER_ENDING % (number % 20))
        yield forms


@contextmanager
def browser_of(served: Served) -> Iterator[Callable[[], int]]:
    """Asks for the account page, each time over the same connection; the status."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=60)

    def ask() -> int:
        headers = {"cookie": served.cookie, "x-forwarded-for": "192.0.2.77", "x-forwarded-proto": "https"}
        connection.request("GET", "/account", headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with closing(connection):
        yield ask


def test_endless_forms_do_not_block_other_visitors(served: Served) -> None:
    served.log_in("ada")
    with browser_of(served) as ask:
        assert ask() == 200
        with never_ending_forms(served.port, 600):
            assert ask() == 200
            assert [served.ask("GET", path)[0] for path in ("/livez", "/account")] == [200, 200]
            served.cookies.clear()
            served.log_in("otto")


def test_endless_forms_through_a_proxy_do_not_block_others(tmp_path: Path) -> None:
    with serving_behind_proxy(tmp_path) as served, never_ending_forms(served.port, 600, 1), browser_of(served) as ask:
        assert ask() == 303
        assert served.ask("GET", "/livez")[0] == 200


def test_trickling_form_is_given_up(served: Served) -> None:
    with never_ending_forms(served.port, 1) as (slow,):
        slow.settimeout(0.2)
        wait_until(lambda: answer_to_another_byte(slow).startswith(b"HTTP/1.1 408 "), seconds=3 * BODY_SECONDS)


def answer_to_another_byte(slow: socket.socket) -> bytes:
    with suppress(TimeoutError):
        slow.sendall(b"x")
        return slow.recv(4096)
    return b""


def test_all_loopback_addresses_share_their_login_tries(served: Served) -> None:
    answers = []
    for number in range(22):
        served.source = f"127.0.0.{number + 1}"
        answers.append(served.try_to_log_in(f"user{number}", "guess"))
    assert answers == [401] * 20 + [429] * 2


def test_local_guesses_do_not_lock_the_owner_out(served: Served) -> None:
    served.log_in("ada")
    hers, served.cookies = {"callsieve-browser": served.cookies["callsieve-browser"]}, {}
    answers = [served.try_to_log_in("ada", "guess") for _ in range(6)]
    assert answers == [401] * 5 + [429]
    assert [served.try_to_log_in(f"user{number}", "guess") for number in range(16)] == [401] * 15 + [429]
    served.cookies = hers
    served.log_in("ada")


def test_visitors_behind_a_proxy_do_not_share_login_tries(tmp_path: Path) -> None:
    with serving_behind_proxy(tmp_path) as served:
        answers = []
        for number in range(22):
            served.headers = {"x-forwarded-for": f"192.0.2.{number // 21}", "x-forwarded-proto": "https"}
            answers.append(served.try_to_log_in(f"user{number}", "guess"))
    assert answers == [401] * 20 + [429, 401]


def has_ended(slow: socket.socket) -> bool:
    """Whether the other side has closed; else it gets another byte, as somebody sends who never comes to an end."""
    slow.settimeout(0.2)
    try:
        slow.sendall(b"x")
        return slow.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


async def test_answer_that_is_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """On real sockets, beneath the console: an application that answers more than the network holds."""
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.2)
    ended = asyncio.Event()

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        ended.set()

    config = uvicorn.Config(cast("Any", answer), http=protocol_of(Connections(), None), ws="none", lifespan="off")
    config.load()
    make = cast("Any", config.http_protocol_class)
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: make(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname(), 10) as deaf:
        await loop.run_in_executor(None, deaf.sendall, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 20)  # uvicorn drops what is written to a connection that is gone
    server.close()
    await asyncio.gather(*state.tasks)
    assert state.connections == set()


@pytest.mark.root
@pytest.mark.parametrize(("user", "status"), [pytest.param(0, 303, id="root"), pytest.param(65534, 400, id="nobody")])
def test_ordinary_local_users_are_not_trusted_as_the_proxy(tmp_path: Path, user: int, status: int) -> None:
    with serving_behind_proxy(tmp_path) as served:
        asked = f"""
import http.client
connection = http.client.HTTPConnection("127.0.0.1", {served.port}, timeout=20)
connection.request("GET", "/account", headers={{"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}})
print(connection.getresponse().status)
"""
        python = shutil.which("python3", path="/usr/bin") or sys.executable
        said = subprocess.run([python, "-c", asked], user=user, cwd="/", capture_output=True, text=True, check=True)
    assert int(said.stdout) == status


@pytest.mark.root
@pytest.mark.parametrize(("user", "believed"), [pytest.param(1, False, id="page"), pytest.param(2, True, id="other")])
def test_public_page_user_is_not_trusted_as_the_proxy(
    monkeypatch: pytest.MonkeyPatch, user: int, believed: bool
) -> None:
    """It has a system account as proxies have, and is what strangers reach."""
    monkeypatch.setattr(connections, "user_id_of", {PUBLIC_USER: 1}.get)
    asked = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)"
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    with socket.create_server(("127.0.0.1", 0)) as listener, closing(connections.LocalProxies()) as proxies:
        words = [python, "-c", asked, str(listener.getsockname()[1])]
        with subprocess.Popen(words, user=user, cwd="/"), listener.accept()[0] as connection:
            assert proxies.may_be_proxy(connection) is believed


def test_console_ends_with_its_parent_process(served: Served) -> None:
    assert served.process.stdin is not None
    served.process.stdin.close()
    served.process.stdin = None
    assert served.process.wait(20) == 0


def test_console_runs_at_a_lower_priority(served: Served) -> None:
    assert os.getpriority(os.PRIO_PROCESS, served.process.pid) >= 10


def test_port_in_use_prints_one_line(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        office.config.write_text(f'[web]\nenabled = true\nlisten = "127.0.0.1:{port}"\n')
        done = subprocess.run(
            [sys.executable, "-m", COMMAND_LINE, "web", "--config", str(office.config)],
            capture_output=True,
            cwd=ROOT,
            timeout=60,
            check=False,
            env={**os.environ, "CALLSIEVE_STATE": str(office.state)},
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port} is in use".encode() in done.stderr.splitlines()[-1]


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += map(int, path.read_text().split())
    return found


def is_console(pid: int) -> bool:
    return CONSOLE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_daemon_starts_the_console_and_survives_its_end(tmp_path: Path) -> None:
    port = free_port()
    with Daemon(tmp_path / "state", f'[web]\nenabled = true\nlisten = "127.0.0.1:{port}"\n') as daemon:
        daemon.wait_for_log("console: http://", 60)
        (console,) = (pid for pid in children_of(daemon.pid) if is_console(pid))
        os.kill(console, signal.SIGKILL)
        daemon.wait_for_log("the console ended: exit code -9", 30)
        with socket.create_connection(("127.0.0.1", daemon.port), 5) as asking:
            asking.sendall(b"agi_network: yes\nagi_network_script: status\nagi_request: agi://127.0.0.1/status\n\n")
            assert b"CALLSIEVE_RULE" in asking.recv(4096)
        wait_until(lambda: answers(port))
        daemon.kill()
        wait_until(lambda: not answers(port))


def test_modules_of_the_working_directory_are_not_imported(tmp_path: Path) -> None:
    """Whoever may write there could name a folder as we are named."""
    planted, port = tmp_path / "planted", free_port()
    (planted / "callsieve").mkdir(parents=True)
    (planted / "callsieve" / "__init__.py").write_text("open('was-run', 'x')")
    config = tmp_path / "callsieve.toml"
    config.write_text(
        f'[agi]\nlisten = "127.0.0.1:{free_port()}"\n[web]\nenabled = true\nlisten = "127.0.0.1:{port}"\n'
    )
    daemon = subprocess.Popen(
        [sys.executable, "-P", "-m", COMMAND_LINE, "serve"],
        cwd=planted,
        env={**os.environ, "CALLSIEVE_CONFIG": str(config), "CALLSIEVE_STATE": str(tmp_path / "state")},
    )
    try:
        wait_until(lambda: answers(port) or (planted / "was-run").exists())
        assert not (planted / "was-run").exists()
    finally:
        daemon.terminate()
        daemon.wait(20)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
