"""The page as a process: what it does beside answering, and what its log says of strangers."""

from __future__ import annotations

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
# What the unit forbids (connect), and what nobody should have a reason for.
WATCHED = f"""
import runpy, sys
def look(event, args):
    if event in ("socket.connect", "os.system", "os.exec"):
        print("FORBIDDEN", event, flush=True)
sys.addaudithook(look)
sys.argv[0] = "callsieve"
runpy.run_module("{COMMAND_LINE}", run_name="__main__")
"""


class Served:
    """A page that listens behind a proxy, which we are."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log
        self.process = 0
        self.ended: Callable[[], int | None] = lambda: None

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
def served(office: Office, port: int) -> Iterator[Served]:
    page = Served(port, office.state / "page.log")
    with page.log.open("ab") as log:
        process = subprocess.Popen(
            (*ends_with_us(), sys.executable, "-c", WATCHED, "public", "--config", str(office.config)),
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "CALLSIEVE_STATE": str(office.state)},
        )
    page.process, page.ended = process.pid, process.poll
    try:
        wait_until(page.is_up, "the page")
        yield page
    finally:
        process.terminate()
        process.wait(20)


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


def test_it_opens_no_connection_and_its_log_names_nobody(office: Office, port: int) -> None:
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


def children_of(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def open_files(process: int) -> set[str]:
    found = set()
    for one in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that was closed just now
            found.add(str(one.readlink()))
    return found


def test_what_strangers_reach_has_no_file_of_ours_open(office: Office, port: int) -> None:
    with served(office, port) as page:
        assert page.send("/reference", reference=REFERENCE)[0] == 200
        (reached,) = children_of(page.process)
        assert [one for one in open_files(reached) if one.startswith(str(office.state)) and "page.log" not in one] == []
        assert str(office.store) in open_files(page.process)
        assert "NoNewPrivs:\t1" in Path(f"/proc/{reached}/status").read_text()
        assert "CALLSIEVE" not in Path(f"/proc/{reached}/environ").read_text()


@pytest.mark.parametrize("killed", ["page", "backend"])
def test_one_does_not_outlive_the_other(office: Office, port: int, killed: str) -> None:
    """systemd starts both again."""
    with served(office, port) as page:
        (reached,) = children_of(page.process)
        os.kill(reached if killed == "page" else page.process, signal.SIGKILL)
        wait_until(lambda: not (Path(f"/proc/{reached}/fd").exists() and is_running(reached)), "the page's end")
        wait_until(lambda: page.ended() is not None, "the backend's end")
        assert page.ended() != 0


def is_running(process: int) -> bool:
    """Whether it is there, and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_owner_goes_on_after_a_restart(office: Office, port: int) -> None:
    """What was typed before is sent after, and the link counts."""
    with served(office, port) as page:
        assert page.send("/reference", reference=REFERENCE)[0] == 200
    with served(office, port) as page:
        status, location = page.send("/appeal", reference=REFERENCE, **FILED)
        assert status == 303
    with served(office, port) as page:
        assert page.ask("GET", location)[0] == 200
