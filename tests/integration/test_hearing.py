"""The words of callers as text, on a real Asterisk: on the phone in time, and no hearing process delays a call.

The recogniser is a fake in a real hearing process (tests/callsieve/hearing/fake.py).
"""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from agi.protocol import Request, block_of
from agi.quoting import variables_in
from callsieve.prompts.catalogue import prompts_of
from lab import CallSpec, Phone
from lab.children import ends_with_us
from lab.screened import ALICE, ROOT, ScreenedPbx
from reputation.backoff import FAILURES_TO_OPEN
from reputation.model import DecisionRecord
from reputation.store.database import open_store
from reputation.store.outcomes import outcomes
from reputation.store.transcripts import transcript_of
from tests.integration.office import (
    ASKS_FOR_NAME,
    BY_OFFICE,
    STRANGER,
    decision_on,
    install_prompts,
    played,
    start_listening,
)
from tests.waiting import wait_until

RecordDelay = Callable[[float | None], None]

WAIT, BOUND = 1.0, 0.6
PROMPT = 0.2
SLACK = 2.0  # on a busy machine
AT_ONCE = 0.5
SAID = "Hi, this is Tom Baker, I'm calling about your delivery on Friday."
SHOWN = "Says: Tom Baker, delivery Fri"
CALLERS = iter(f"+12015550{number}" for number in range(440, 450))
LABELS_ROBOTS = """\
[[rule]]
name = "robot"
when = { voice = "robot" }
action = "tag"
reason = "a robot's voice"
"""
ROBOT_LABEL = "Robot voice?"

REQUESTS = count()


@contextmanager
def named_office(model: Path, *, patient: bool) -> Iterator[ScreenedPbx]:
    """Yield an office that asks callers for their names, and has a model."""
    with ScreenedPbx(start_daemon=False, patient=patient) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "office.toml").write_text(f'extends = "cautious"\n{LABELS_ROBOTS}{ASKS_FOR_NAME}')
        start_listening(office, f'{BY_OFFICE}\n[speech]\nmodel = "{model}"\nwait = {WAIT}\n')
        prompts = [key for key in prompts_of("en") if key.partition("-")[0] in ("screening", "caller")]
        install_prompts(office, dict.fromkeys(prompts, PROMPT))
        yield office


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScreenedPbx]:
    with named_office(tmp_path_factory.mktemp("model"), patient=True) as office:
        yield office


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201", ears=True) as phone:
        yield phone


def is_ready(pbx: ScreenedPbx, times: int) -> bool:
    return pbx.daemon.log.read_text().count("the hearing process is ready") >= times


@contextmanager
def hearing(pbx: ScreenedPbx, text: str = SAID, seconds: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a hearing process that recognises this text after so many seconds."""
    before = pbx.daemon.log.read_text().count("the hearing process is ready")
    command = (sys.executable, "-m", "tests.callsieve.hearing.fake", str(pbx.state / "hearing.sock"), text)
    with (
        (pbx.state / "hearing.log").open("ab") as out,
        subprocess.Popen(
            (*ends_with_us(), *command, str(seconds)), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT
        ) as process,
    ):
        try:
            wait_until(lambda: is_ready(pbx, before + 1), "a ready hearing process")
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def count_thanked(pbx: ScreenedPbx) -> int:
    """Return how many callers were thanked for their answer."""
    return sum(key in ("caller-wait", "screening-enough") for key in played(pbx))


class Asked:
    """A call whose caller was asked for a name, until the phone rings."""

    def __init__(
        self, pbx: ScreenedPbx, phone: Phone, during: Callable[[], object] = lambda: None, after: float = 3.0
    ) -> None:
        self.caller = next(CALLERS)
        before, answered = count_thanked(pbx), played(pbx).count("screening-call-from")
        spec = CallSpec(
            caller=self.caller, did=ALICE, voice=True, dtmf="5", dtmf_after=after, hang_up_after=80.0, timeout=100.0
        )
        with pbx.carrier.start(spec) as call:
            wait_until(lambda: count_thanked(pbx) > before, "the end of the recording", 60.0)
            began, heard = time.monotonic(), call.heard.audible_seconds
            during()
            self.name = phone.wait_for_invite().from_name
            self.waited = time.monotonic() - began - PROMPT
            self.heard_while_waiting = call.heard.audible_seconds - heard - PROMPT
            wait_until(lambda: played(pbx).count("screening-call-from") > answered, "the recording is played", 60.0)
            call.close()
        self.decision: DecisionRecord = decision_on(pbx.daemon.store, self.caller)


def test_the_callers_words_are_shown_and_stored(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    before = len(played(pbx))
    install_prompts(pbx, {"screening-ask-recorded": 3.0})
    with hearing(pbx):
        asked = Asked(pbx, alice, after=6.0)
    install_prompts(pbx, {"screening-ask-recorded": PROMPT})
    record_delay(asked.waited)
    assert asked.name == SHOWN
    assert played(pbx)[before:][:3] == ["screening-ask-recorded", "caller-wait", "screening-call-from"]
    with open_store(pbx.daemon.store) as db:
        transcript = transcript_of(db, asked.decision.id)
    assert transcript is not None
    assert (transcript.text, transcript.number, transcript.language) == (SAID, asked.caller, "en")
    assert transcript.voice == "unclear", "its sound did not stop for the prompt, and nobody asked it to"
    prompt, answer = (pbx.state / "recordings" / f"{asked.decision.id}-{piece}.wav" for piece in (0, 1))
    wait_until(lambda: not prompt.exists(), "the recording of the prompt is deleted")
    assert answer.exists()
    shown = pbx.daemon.callsieve("calls", "show", asked.decision.id)
    assert SAID in " ".join(shown.stdout.split())


def test_a_robot_is_labelled_from_its_next_call(pbx: ScreenedPbx, alice: Phone) -> None:
    before = len(played(pbx))
    install_prompts(pbx, {"screening-enough": 4.0})
    with hearing(pbx):
        asked = Asked(pbx, alice, after=16.0)
        assert played(pbx)[before:][:3] == ["screening-ask-recorded", "screening-enough", "screening-call-from"]
        assert asked.name == SHOWN
        with open_store(pbx.daemon.store) as db:
            wait_until(lambda: voice_of_last_call(db, asked.caller) == "robot", "a robot's voice", 60.0)
    assert not list((pbx.state / "recordings").glob(f"{asked.decision.id}-[04]*")), "the prompts are heard and not kept"
    with pbx.carrier.start(CallSpec(caller=asked.caller, did=ALICE, hang_up_after=0.5)) as call:
        second = alice.wait_for_invite(2)
        assert (second.from_name, second.from_number) == (ROBOT_LABEL, asked.caller)
        call.close()


def voice_of_last_call(db: sqlite3.Connection, caller: str) -> str | None:
    return next((outcome.voice for outcome in outcomes(db, number=caller) if outcome.decision_id), None)


def test_without_a_hearing_process_no_call_waits(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    asked = Asked(pbx, alice)
    record_delay(asked.waited)
    assert "Says" not in asked.name
    assert asked.waited < AT_ONCE + SLACK


def test_a_killed_hearing_process_delays_a_call_within_its_limit(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay
) -> None:
    with hearing(pbx, seconds=20.0) as process:
        asked = Asked(pbx, alice, process.kill)
    record_delay(asked.waited)
    assert asked.waited < WAIT + SLACK


def test_a_frozen_hearing_process_delays_five_calls_at_most(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay
) -> None:
    with hearing(pbx) as process:
        process.send_signal(signal.SIGSTOP)
        asked = Asked(pbx, alice)
        record_delay(asked.waited)
        assert asked.waited < WAIT + SLACK
        allowed = [ask_to_hear(pbx) for _ in range(FAILURES_TO_OPEN - 1)]
        assert allowed == [round(1000 * WAIT)] * (FAILURES_TO_OPEN - 1)
        wait_until(lambda: ask_to_hear(pbx) == 0, "no more waits")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: ask_to_hear(pbx) > 0, "waits again, since texts come in time", 40.0)


def test_a_daemon_frozen_during_hearing_lets_the_call_ring(record_delay: RecordDelay, tmp_path: Path) -> None:
    with (
        named_office(tmp_path, patient=False) as pbx,
        Phone(pbx.asterisk, "201", ears=True) as alice,
        hearing(pbx, seconds=20.0),
    ):
        try:
            asked = Asked(pbx, alice, pbx.daemon.freeze)
        finally:
            pbx.daemon.thaw()
    record_delay(asked.waited)
    assert asked.waited < BOUND + SLACK


def test_the_caller_hears_ringing_during_hearing(pbx: ScreenedPbx, alice: Phone) -> None:
    with hearing(pbx, seconds=0.8):
        asked = Asked(pbx, alice)
    assert asked.name == SHOWN
    assert asked.heard_while_waiting > 0.3


def ask_to_hear(pbx: ScreenedPbx) -> int:
    """Ask as the dialplan does about a caller who has spoken, and return how many milliseconds the call may wait."""
    asked = next(REQUESTS)
    request = Request("hear", {"linkedid": str(asked), "caller": STRANGER, "id": f"{asked:08}"}, {})
    with socket.create_connection(("127.0.0.1", pbx.daemon.port), timeout=10) as connection:
        connection.sendall(block_of(request))
        with connection.makefile("rb") as answer:
            return int(variables_in(answer.read())["CALLSIEVE_HEARING"])
