"""The page as a process: what it does beside answering, and what its log says of strangers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from callsieve.public_page.wire import BackendClient, connected
from lab.children import ends_with_us
from lab.ports import free_port
from lab.programs import COMMAND_LINE
from reputation.appeals import AppealStep
from reputation.store.appeals import all_appeals, take_step
from tests.callsieve.browsing import SETTINGS, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.pages import FILED
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = "7KQ2M4XA"
# Nobody has a reason for these, but the page to connect to its backend. SIGUSR1: somebody has taken the process over.
WATCHED = f"""
import json, runpy, signal, sys
from tests.callsieve.system.attacks import outcomes
where = sys.argv[sys.argv.index("--socket") + 1]
def look(event, args):
    if event in ("socket.connect", "os.system", "os.exec") and (len(args) < 2 or args[1] != where):
        print("FORBIDDEN", event, flush=True)
sys.addaudithook(look)
def attack(number, frame):
    print("ATTACKED", json.dumps(outcomes(4578, where, where)), flush=True)
signal.signal(signal.SIGUSR1, attack)
sys.argv[0] = "callsieve"
runpy.run_module("{COMMAND_LINE}", run_name="__main__")
"""


class Served:
    """A page that listens behind a proxy, which we are."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log
        self.page = self.backend = 0
        self.ended: dict[str, Callable[[], int | None]] = {}

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, str]:
        headers = {"host": "appeals.example.org", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body or None, headers | ({"content-type": kind} if kind else {}))
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("location") or ""

    def send(self, path: str, **fields: str) -> tuple[int, str]:
        return self.ask("POST", path, urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def is_up(self) -> bool:
        try:
            return self.ask("GET", "/")[0] == 200
        except OSError:
            return False


@contextmanager
def started(office: Office, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of the two processes. What it logs goes to page.log."""
    words = (*ends_with_us(), sys.executable, "-c", WATCHED, "public", *command, "--socket", str(office.state / "page"))
    environment = {**os.environ, "CALLSIEVE_STATE": str(office.state)}
    with (office.state / "page.log").open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def served(office: Office, port: int) -> Iterator[Served]:
    served = Served(port, office.state / "page.log")
    with started(office, "backend", "--config", str(office.config)) as backend:
        wait_until((office.state / "page").exists, "the backend")
        with started(office, "page") as page:
            served.page, served.backend = page.pid, backend.pid
            served.ended = {"page": page.poll, "backend": backend.poll}
            wait_until(served.is_up, "the page")
            yield served


@pytest.fixture
def port() -> int:
    return free_port("127.0.0.1", socket.SOCK_STREAM)


@pytest.fixture
def office(tmp_path: Path, port: int) -> Office:
    table = f"""
[public]
enabled = true
listen = "127.0.0.1:{port}"
address = "https://appeals.example.org"
name = "Example Ltd"
call_in = "+442071838753"
"""
    office = Office(tmp_path, SETTINGS + table)
    add_calls(office, make_decision(REFERENCE, at=time.time() - 600))
    return office


def test_page_opens_no_connection_and_logs_no_personal_data(office: Office, port: int) -> None:
    """All that an owner can do, and strangers' nonsense: the log has no number, no reference and no secret link."""
    with served(office, port) as page:
        status, location = page.send("/appeal", reference=REFERENCE, **FILED)
        assert status == 303
        path = location.partition("?")[0]
        (appeal,) = office.read(all_appeals)
        office.write(take_step, appeal.reference, AppealStep.ACCEPT, time.time())
        form = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%PDF-1.7\r\n--X--\r\n'
        assert page.send(f"{path}/code")[0] == 200
        assert page.ask("POST", f"{path}/documents", form, "multipart/form-data; boundary=X")[0] == 303
        assert page.ask("GET", path)[0] == page.ask("GET", "/marks")[0] == 200
        assert page.ask("GET", f"/{CALLER}%0d%0aforged:line")[0] == 404
        assert page.send("/reference", reference=f"{CALLER}\r\nforged:line")[0] == 422
        office.store.rename(office.state / "away")
        assert page.ask("GET", path)[0] == 503
        (office.state / "away").rename(office.store)
        assert page.ask("GET", path)[0] == 200
    log = page.log.read_text()
    assert "FORBIDDEN" not in log
    assert "forged" not in log
    for secret in (CALLER, CALLER[2:], path.rpartition("/")[2], REFERENCE, appeal.reference, FILED["contact"]):
        assert secret not in log


def open_files(process: int) -> set[str]:
    found = set()
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that was closed just now
            found.add(str(path.readlink()))
    return found


def test_public_process_has_no_store_file_open(office: Office, port: int) -> None:
    with served(office, port) as page:
        assert page.send("/reference", reference=REFERENCE)[0] == 200
        opened = {file_ for file_ in open_files(page.page) if file_.startswith(str(office.state))}
        assert opened == {str(page.log)}
        assert str(office.store) in open_files(page.backend)
        status = Path(f"/proc/{page.page}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status


def test_code_injected_into_the_page_is_confined(office: Office, port: int) -> None:
    """Code of the attacker, in the process, while it serves; the page serves on."""
    with served(office, port) as page:
        os.kill(page.page, signal.SIGUSR1)
        wait_until(lambda: "ATTACKED" in page.log.read_text(), "the attacks")
        assert page.is_up()
    (line,) = (line for line in page.log.read_text().splitlines() if line.startswith("ATTACKED"))
    said = json.loads(line.removeprefix("ATTACKED"))
    assert len(said) > 50
    assert {name: outcome for name, outcome in said.items() if outcome != "EPERM"} == {}


def test_the_page_ends_with_its_backend(office: Office, port: int) -> None:
    """And systemd starts it again."""
    with served(office, port) as page:
        os.kill(page.backend, signal.SIGKILL)
        wait_until(lambda: page.ended["page"]() is not None, "the page's end")
        assert not page.is_up()


def test_backend_serves_a_new_page_process(office: Office, port: int) -> None:
    """What it counted of the first still counts."""
    with served(office, port) as page:
        os.kill(page.page, signal.SIGKILL)
        wait_until(lambda: page.ended["page"]() is not None, "the page's end")
        with started(office, "page"):
            wait_until(page.is_up, "another page")
        assert page.ended["backend"]() is None


def test_nonsense_on_the_socket_closes_only_that_connection(office: Office, port: int) -> None:
    with served(office, port) as page:
        with connected(office.state / "page") as other:
            BackendClient(other)
            other.sendall(b"\xff\xff\xff\xff")
            other.settimeout(20)
            assert other.recv(100) == b""
        assert page.is_up()


def test_the_page_does_not_start_without_its_backend(office: Office) -> None:
    with started(office, "page") as process:
        assert process.wait(20) == 2


def test_backend_of_another_user_is_not_trusted(office: Office, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(office, port) as page:
        monkeypatch.setattr(os, "geteuid", lambda: 64999)
        with pytest.raises(PermissionError):
            connected(office.state / "page")
        assert page.is_up()


@pytest.mark.root
def test_backend_refuses_other_users(office: Office, port: int) -> None:
    script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(10))"
    with served(office, port):
        (office.state / "page").chmod(0o666)
        for folder in (office.state, *office.state.parents[:-2]):
            folder.chmod(folder.stat().st_mode | 0o055)
        words = ("setpriv", "--reuid=64999", "--clear-groups", sys.executable, "-c", script, str(office.state / "page"))
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (ran.stdout, ran.returncode) == ("b''\n", 0), ran.stderr


def test_owner_continues_after_a_restart(office: Office, port: int) -> None:
    """What was typed before is sent after, and the link counts."""
    with served(office, port) as page:
        assert page.send("/reference", reference=REFERENCE)[0] == 200
    with served(office, port) as page:
        status, location = page.send("/appeal", reference=REFERENCE, **FILED)
        assert status == 303
    with served(office, port) as page:
        assert page.ask("GET", location)[0] == 200
