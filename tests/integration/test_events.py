"""Events of real calls: a webhook gets each decision and end, and a dead receiver delays no call."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab import CallSpec, Phone
from lab.children import ends_with_us
from lab.programs import COMMAND_LINE
from lab.screened import ALICE, ROOT, SETTINGS, ScreenedPbx
from reputation.events import EventKind
from reputation.store.database import open_store
from reputation.store.event_deliveries import ReceiverState, receiver_states
from tests.callsieve.events.hooks import SECRET, HookServer, Posted, hook_server_in_thread
from tests.integration.office import BY_ACTION, decision_on, fill, start_listening
from tests.waiting import wait_until

RecordDelay = Callable[[float | None], None]

AT_ONCE = 0.38
# An address without an answer (RFC 5737), a port without a listener, and a name that does not exist.
DEAD = """
[[webhook]]
name = "silent"
url = "http://192.0.2.1/"
secret = "env:HOOK_SECRET"
private = true
[[webhook]]
name = "closed"
url = "http://127.0.0.1:1/"
secret = "env:HOOK_SECRET"
private = true
[[webhook]]
name = "nobody"
url = "https://receiver.invalid/"
secret = "env:HOOK_SECRET"
"""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[HookServer]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with hook_server_in_thread() as server:
        yield server


def settings_with(hooks: str) -> str:
    return f"{SETTINGS}\n[reputation.sample]\nevery = 0\n{hooks}"


@contextmanager
def sending(pbx: ScreenedPbx) -> Iterator[subprocess.Popen[bytes]]:
    """Run the sender."""
    with (
        (pbx.state / "events.log").open("ab") as out,
        subprocess.Popen(
            (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "events", "send"),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=pbx.daemon.environment,
            cwd=ROOT,
        ) as process,
    ):
        wait_until(lambda: states(pbx), "the sender")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def states(pbx: ScreenedPbx) -> list[ReceiverState]:
    with open_store(pbx.daemon.store) as db:
        return receiver_states(db)


def kinds_of(hook: HookServer) -> list[str]:
    return [posted.payload["type"] for posted in hook.posted]


def test_a_webhook_gets_the_events_of_a_call(hook: HookServer) -> None:
    with ScreenedPbx(start_daemon=False, patient=True) as pbx, Phone(pbx.asterisk, "201"):
        start_listening(pbx, settings_with(hook.toml()))
        fill(pbx.daemon.store)
        with sending(pbx):
            for action in ("warn", "tag"):
                pbx.carrier.call(CallSpec(caller=BY_ACTION[action], did=ALICE))
            pbx.daemon.callsieve("emergency", "open")
            wait_until(lambda: kinds_of(hook).count("call.ended") >= 2, "the ends of both calls")
            wait_until(lambda: "emergency.opened" in kinds_of(hook), "the emergency window")
    told = {posted.payload["type"]: posted.payload["data"] for posted in hook.posted}
    decided = [item.payload["data"] for item in hook.posted if item.payload["type"] == EventKind.DECISION_TAKEN]
    ended = [item.payload["data"] for item in hook.posted if item.payload["type"] == EventKind.CALL_ENDED]
    assert [item["action"] for item in decided] == ["warn", "tag"]
    assert {(item["caller"], item["decision_id"]) for item in ended} == {
        (item["caller"], item["id"]) for item in decided
    }
    assert told["emergency.opened"] == {"by": "hand"}
    of_first = [item.payload["type"] for item in hook.posted if item.payload["data"].get("caller") == BY_ACTION["warn"]]
    assert of_first == ["decision.taken", "call.ended"]


def test_dead_receivers_delay_no_call(hook: HookServer, record_delay: RecordDelay) -> None:
    async def never(_posted: Posted) -> bytes:
        await asyncio.sleep(3600)
        return b""

    hook.answering = never
    with ScreenedPbx(settings=settings_with(DEAD + hook.toml())) as pbx, Phone(pbx.asterisk, "201"):
        fill(pbx.daemon.store)
        with sending(pbx) as sender:
            for state in ("running", "frozen", "killed"):
                if state == "frozen":
                    sender.send_signal(signal.SIGSTOP)
                elif state == "killed":
                    sender.kill()
                result = pbx.carrier.call(CallSpec(caller=BY_ACTION["warn"], did=ALICE))
                assert result.code == 200
                record_delay(result.ringing_seconds)
                assert (result.ringing_seconds or 9) < AT_ONCE, state
                assert decision_on(pbx.daemon.store, BY_ACTION["warn"]).action == "warn"
            wait_until(lambda: min(state_.waiting for state_ in states(pbx)) >= 3, "what waits")
        assert {state_.delivered for state_ in states(pbx)} == {0}
