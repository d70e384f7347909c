"""Calls through a switch that asks over HTTP: a real Kamailio with our example, the daemon and its API."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.api import Api
from lab.carrier import CallSpec, Carrier
from lab.daemon import Daemon
from lab.kamailio import AWAY, Kamailio
from lab.phone import Answering, Phone
from lab.ports import free_port
from lab.result import CallResult
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

SETTINGS = """\
[agi]
deadline_ms = 400
[policy]
name = "cautious"
[reputation.sample]
every = 0
[[trunk]]
name = "kamailio"
channels = "kamailio/*"
reject = "608"

[public]
enabled = true
address = "https://appeals.example.org"
name = "Example Ltd"
in_answers = true
"""
STRANGER, REJECTED, WARNED, ROUTED = (f"+120155501{digits}" for digits in ("99", "23", "24", "25"))
LOOPBACK, TCP = "127.0.0.1", socket.SOCK_STREAM
# Our files for Kamailio as they were while the daemon served the API.
OLD_EXAMPLES = Path(__file__).parent / "upgrade/kamailio-"
CONSOLE_IS_GONE_SECONDS = 3.0  # the daemon starts it again after two
LEAST_CALLS = 10
ACTIONS = {REJECTED: "reject", WARNED: "warn", ROUTED: "route"}


class Screening:
    """The daemon, the API beside it, and a token for Kamailio."""

    def __init__(self, state: Path, settings: str = "") -> None:
        self.api = Api()
        self.daemon = Daemon(state, SETTINGS + self.api.settings + settings)
        self.token = ""

    def start(self) -> None:
        self.daemon.start()
        wait_until(self.daemon.store.exists, "the store")
        for number, action in ACTIONS.items():
            done = self.daemon.callsieve("list", "add", "block", number, "--action", action)
            assert done.returncode == 0, done.stderr
        self.api.start(self.daemon)
        self.token = self.api.token(self.daemon, "kamailio", "decide", role="operator")

    def stop(self) -> None:
        self.api.stop()
        self.daemon.stop()

    @property
    def url(self) -> str:
        return f"{self.api.url}/decide"


@pytest.fixture(scope="module")
def screening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screening]:
    one = Screening(tmp_path_factory.mktemp("switch"))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def kamailio(screening: Screening) -> Iterator[Kamailio]:
    with Kamailio(screening.url, screening.token, trunk="kamailio/carrier") as switch:
        yield switch


def call_until(holds: Callable[[CallResult], object], switch: Kamailio, spec: CallSpec) -> CallResult:
    """Repeat a call until it is decided. On a busy machine one goes on because an answer was late."""
    for _ in range(20):
        result = Carrier(switch).call(spec)
        if holds(result):
            return result
    raise AssertionError(f"{spec} ended with {result.code} each time")


def test_an_allowed_call_rings_unchanged(kamailio: Kamailio) -> None:
    with Phone(kamailio, "201") as phone:
        result = Carrier(kamailio).call(CallSpec(caller=STRANGER, name="Jane"))
        (invite,) = phone.invites()
    assert result.code == 200
    assert invite.header("From").startswith(f'"Jane" <sip:{STRANGER}@')
    assert invite.header("Alert-Info") == ""


def test_a_rejected_call_rings_no_phone(kamailio: Kamailio) -> None:
    with Phone(kamailio, "201") as phone:
        rang = 0

        def is_rejected(result: CallResult) -> bool:
            nonlocal rang
            before, rang = rang, len(phone.invites())
            return result.code == 608 and rang == before

        result = call_until(is_rejected, kamailio, CallSpec(caller=REJECTED))
    said = result.final().header("Call-Info")
    assert re.fullmatch(r"<https://appeals\.example\.org/r/[0-9A-Z]{8}>;purpose=info", said), said


HOSTILE = 'Ba"d\\", "verification": "passed", "x": "\\'


def test_a_warned_call_is_labelled_despite_a_hostile_name(kamailio: Kamailio) -> None:
    with Phone(kamailio, "201") as phone:

        def is_shown(_result: CallResult) -> object:
            return phone.invites()[-1].header("Alert-Info")

        assert call_until(is_shown, kamailio, CallSpec(caller=WARNED, name=HOSTILE)).code == 200
        invite = phone.invites()[-1]
    shown, _, rest = invite.header("From").rpartition(" <")
    assert shown.startswith('"SPAM? Ba')
    assert shown.count('"') == 2
    assert rest.startswith(f"sip:{WARNED}@")
    assert invite.header("Alert-Info") == "<http://localhost>;info=callsieve-warn"


def test_a_routed_call_goes_to_the_destination_of_the_switch(kamailio: Kamailio) -> None:
    with Phone(kamailio, "201"), Phone(kamailio, AWAY, Answering.busy()) as away:
        call_until(lambda result: result.code == 486, kamailio, CallSpec(caller=ROUTED))
        assert len(away.invites()) == 1


def test_a_routed_call_without_a_destination_rings(screening: Screening) -> None:
    with Kamailio(screening.url, screening.token, has_away=False) as switch, Phone(switch, "201") as phone:
        assert Carrier(switch).call(CallSpec(caller=ROUTED)).code == 200
        assert len(phone.invites()) == 1


def test_a_withheld_number_stays_withheld(kamailio: Kamailio, screening: Screening) -> None:
    """The carrier sends it in P-Asserted-Identity. The blocklist has it, and is not applied."""
    with Phone(kamailio, "201") as phone:
        for _ in range(3):
            assert Carrier(kamailio).call(CallSpec(caller=REJECTED, privacy=True)).code == 200
        keys = tuple(f":sip:{invite.header('Call-ID')}" for invite in phone.invites())

    def kinds() -> set[str]:
        with closing(sqlite3.connect(f"file:{screening.daemon.store}?mode=ro", uri=True)) as db:
            places = ", ".join("?" * len(keys))
            found = db.execute(f"SELECT caller_kind FROM decision WHERE linkedid IN ({places})", keys)
            return {kind for (kind,) in found}

    wait_until(kinds, "the decision in the journal")
    assert kinds() == {"withheld"}


def test_a_wrong_token_lets_calls_ring(screening: Screening) -> None:
    with Kamailio(screening.url, "cs_wrong") as switch, Phone(switch, "201") as phone:
        assert Carrier(switch).call(CallSpec(caller=REJECTED)).code == 200
        assert len(phone.invites()) == 1
        assert "refuses to answer (401" in switch.log()


def test_a_frozen_daemon_lets_calls_ring(tmp_path: Path) -> None:
    screening = Screening(tmp_path)
    screening.start()
    try:
        with Kamailio(screening.url, screening.token) as switch, Phone(switch, "201") as phone:
            screening.daemon.freeze()
            assert Carrier(switch).call(CallSpec(caller=REJECTED)).code == 200
            assert len(phone.invites()) == 1
            screening.daemon.thaw()
            wait_until(lambda: Carrier(switch).call(CallSpec(caller=REJECTED)).code == 608, "it decides again")
    finally:
        screening.stop()


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "dead"])
def test_an_api_that_does_not_answer_lets_calls_ring(tmp_path: Path, how: signal.Signals) -> None:
    screening = Screening(tmp_path)
    screening.start()
    try:
        with Kamailio(screening.url, screening.token) as switch, Phone(switch, "201") as phone:
            os.kill(screening.api.pid, how)
            assert Carrier(switch).call(CallSpec(caller=REJECTED)).code == 200
            assert len(phone.invites()) == 1
    finally:
        screening.stop()


def test_killing_the_console_does_not_stop_decisions(tmp_path: Path) -> None:
    screening = Screening(tmp_path, f'[web]\nenabled = true\nlisten = "127.0.0.1:{free_port(LOOPBACK, TCP)}"\n')
    screening.start()
    try:
        screening.daemon.wait_for_log("console: http://", 60)
        (console,) = children_of(screening.daemon.pid)
        with Kamailio(screening.url, screening.token) as switch, Phone(switch, "201"):
            call_until(lambda result: result.code == 608, switch, CallSpec(caller=REJECTED))
            os.kill(console, signal.SIGKILL)
            began = time.monotonic()
            codes: list[int | None] = []
            while len(codes) < LEAST_CALLS or time.monotonic() < began + CONSOLE_IS_GONE_SECONDS:
                codes.append(Carrier(switch).call(CallSpec(caller=REJECTED)).code)
        print(f"console killed: {codes.count(608)} of {len(codes)} calls screened")
        assert screening.daemon.wait_for_log("the console ended")
        # A busy machine may be late for one of them; without a console they would all have rung.
        assert codes.count(608) >= 0.8 * len(codes)
    finally:
        screening.stop()


def test_a_restarted_api_screens_again_soon(tmp_path: Path) -> None:
    screening = Screening(tmp_path)
    screening.start()
    try:
        for how in (signal.SIGTERM, signal.SIGKILL):
            began = time.monotonic()
            os.kill(screening.api.pid, how)
            screening.api.stop()
            screening.api.start(screening.daemon)
            wait_until(lambda: is_decided(screening), "a decision")
            waited, processor = time.monotonic() - began, processor_seconds(screening.api.pid)
            print(f"API ended by {how.name}: decides again after {waited:.2f} s, {processor:.2f} s of processor time")
            assert processor < 1.0
    finally:
        screening.stop()


def is_decided(screening: Screening) -> bool:
    try:
        status, said = screening.api.ask("POST", "/decide", screening.token, {"caller": REJECTED})
    except OSError:
        return False
    return status == 200 and said["action"] == "reject"


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.mark.parametrize("address", ["of-the-api", "of-the-console"])
def test_an_old_kamailio_configuration_still_works(tmp_path: Path, address: str) -> None:
    web = free_port(LOOPBACK, TCP)
    screening = Screening(tmp_path, f'[web]\nenabled = true\nlisten = "{LOOPBACK}:{web}"\n')
    screening.start()
    try:
        screening.daemon.wait_for_log("console: http://", 60)
        root = screening.api.url if address == "of-the-api" else f"http://{LOOPBACK}:{web}/api/v1"
        switch = Kamailio(
            f"{root}/decide", screening.token, outcomes_url=f"{root}/outcomes", examples=str(OLD_EXAMPLES)
        )
        with switch, Phone(switch, "201") as phone:
            call_until(lambda result: result.code == 608, switch, CallSpec(caller=REJECTED))
            assert Carrier(switch).call(CallSpec(caller=STRANGER)).code == 200
            assert ending_of(screening, phone.invites()[-1].header("Call-ID"))[0] == "answered"
    finally:
        screening.stop()


def test_sixty_four_calls_at_once_are_all_decided(screening: Screening) -> None:
    def ask(number: int) -> tuple[int, str]:
        call = {"caller": REJECTED if number % 2 else STRANGER, "trunk": "kamailio", "call_id": f"many-{number}"}
        status, answer = screening.api.ask("POST", "/decide", screening.token, call)
        return status, answer["action"]

    with ThreadPoolExecutor(64) as pool:
        said = list(pool.map(ask, range(64)))
    # A busy machine may let some go on. No request is refused or gets another answer.
    assert {status for status, _ in said} == {200}
    assert all(action in (("reject", "allow") if number % 2 else ("allow",)) for number, (_, action) in enumerate(said))


OUTCOME = "SELECT disposition, caller, did, trunk, answered_by, ended_by, rung, ring_seconds, talk_seconds FROM outcome"


def ending_of(screening: Screening, call_id: str) -> tuple[Any, ...]:
    """Return what is stored of the end of a call, once it is there."""

    def found() -> tuple[Any, ...] | None:
        with closing(sqlite3.connect(f"file:{screening.daemon.store}?mode=ro", uri=True)) as db:
            row: tuple[Any, ...] | None = db.execute(f"{OUTCOME} WHERE linkedid = ?", (f":sip:{call_id}",)).fetchone()
            return row

    wait_until(found, "the outcome")
    return found() or ()


@pytest.fixture(scope="module")
def reporting_kamailio(screening: Screening) -> Iterator[Kamailio]:
    urls = (screening.url, screening.token)
    with Kamailio(*urls, trunk="kamailio/carrier", outcomes_url=f"{screening.api.url}/outcomes") as switch:
        yield switch


@pytest.mark.parametrize(
    ("answering", "spec", "told"),
    [
        pytest.param(Answering(), CallSpec(), ("answered", "201", "caller"), id="caller-hangs-up"),
        pytest.param(
            Answering(hang_up_after=0.5),
            CallSpec(hang_up_after=None),
            ("answered", "201", "callee"),
            id="callee-hangs-up",
        ),
        pytest.param(Answering.busy(), CallSpec(), ("busy", None, None), id="busy"),
        pytest.param(Answering.reject(), CallSpec(), ("rejected", None, None), id="rejected"),
        pytest.param(Answering.never(), CallSpec(cancel_after=0.5), ("no-answer", None, "caller"), id="cancelled"),
    ],
)
def test_kamailio_reports_how_a_call_ended(
    reporting_kamailio: Kamailio, screening: Screening, answering: Answering, spec: CallSpec, told: tuple[Any, ...]
) -> None:
    with Phone(reporting_kamailio, "201", answering) as phone:
        Carrier(reporting_kamailio).call(replace(spec, caller=STRANGER))
        call_id = phone.invites()[0].header("Call-ID")
    disposition, caller, did, trunk, answered_by, ended_by, rung, *times = ending_of(screening, call_id)
    assert (disposition, answered_by, ended_by) == told
    ring_seconds, talk_seconds = times
    assert json.loads(rung) == ["201"]
    assert (caller, did, trunk) == (STRANGER, "+442071838750", "kamailio")
    assert (talk_seconds > 0) is (disposition == "answered")
    assert ring_seconds > 0 or disposition == "busy"
