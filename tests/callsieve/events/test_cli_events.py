"""`callsieve events`: receivers, dead letters, and the sender as a process."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.events.checks import are_delivered
from callsieve.events.kinds import CALLER, KINDS, EventKind
from callsieve.events.operations import HEARTBEAT
from callsieve.text.times import when
from reputation.encoding import instant_text
from reputation.store.event_deliveries import FailedDelivery, Progress, record_deliveries, switch_off
from reputation.store.outbox import add_event, note_state, use_receivers
from tests.callsieve.events.hooks import SECRET, HookServer, Posted, hook_server_in_thread, http, skip_digests
from tests.callsieve.program import Program
from tests.office import SETTINGS
from tests.waiting import wait_until

KIND = EventKind.NUMBER_MARKED


@pytest.fixture
def hook() -> Iterator[HookServer]:
    """A webhook server in another thread."""
    with hook_server_in_thread() as server:
        yield server


@pytest.fixture
def callsieve(tmp_path: Path, hook: HookServer, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    program = Program(tmp_path, SETTINGS + hook.toml())
    program.ok("db", "migrate")
    program.write(skip_digests)
    return program


def answer_with(status: int) -> Callable[[Posted], object]:
    async def answer(_posted: Posted) -> bytes:
        return http(status)

    return answer


def add_events(callsieve: Program, *subjects: str) -> list[str]:
    def add(db: sqlite3.Connection) -> list[str]:
        found = (add_event(db, KIND, subject, time.time(), KINDS[KIND].sample) for subject in subjects)
        return [event.id for event in found if event is not None]

    return callsieve.write(add)


def register_receiver(callsieve: Program) -> None:
    callsieve.write(use_receivers, {"webhook/crm": [KIND]})


def add_dead_letters(callsieve: Program, *subjects: str) -> list[str]:
    """Add dead letters and return their ids."""
    register_receiver(callsieve)
    ids = add_events(callsieve, *subjects)

    def bury(db: sqlite3.Connection) -> None:
        seqs = [seq for (seq,) in db.execute("SELECT seq FROM event_delivery")]
        failed = [FailedDelivery(seq, "it answers 422", time.time(), None) for seq in seqs]
        record_deliveries(db, "webhook/crm", Progress([], failed), time.time())

    callsieve.write(bury)
    return ids


def test_receiver_is_listed_before_the_sender_has_run(callsieve: Program) -> None:
    (before,) = callsieve("events", "list", "--json").json["receivers"]
    assert (before["name"], before["health"], before["delivered"]) == ("webhook/crm", "waiting", 0)
    register_receiver(callsieve)
    add_events(callsieve, "a", "b")
    told = callsieve("events", "list", "--json").json
    assert (told["sending"], told["receivers"][0]["waiting"]) == (False, 2)
    out = callsieve.ok("events", "list")
    assert "systemctl enable --now callsieve-events" in out


def test_failing_receiver_shows_since_when(callsieve: Program) -> None:
    add_dead_letters(callsieve, "a", "b")
    since = time.time() - 3600

    def fail_again(db: sqlite3.Connection) -> int:
        event = add_event(db, KIND, "c", since, KINDS[KIND].sample)
        assert event is not None
        failed = FailedDelivery(event.seq, "it answers 500", since, time.time() + 60)
        record_deliveries(db, "webhook/crm", Progress([], [failed]), time.time())
        return event.seq

    seq = callsieve.write(fail_again)
    (one,) = callsieve("events", "list", "--json").json["receivers"]
    assert (one["health"], one["failing_since"], one["dead_letters"]) == ("failed", instant_text(since), 2)
    out = callsieve.ok("events", "list")
    assert when(since) in out
    assert "2 dead letters" in out
    callsieve.write(note_state, HEARTBEAT, "1", time.time())
    found = str(are_delivered(CheckContext(callsieve.load(), lambda _command: "", time.time())).detail)
    assert all(text in found for text in ("webhook/crm", when(since), "2"))
    callsieve.write(record_deliveries, "webhook/crm", Progress([seq], []), time.time() + 1)
    (one,) = callsieve("events", "list", "--json").json["receivers"]
    assert (one["health"], one["failing_since"]) == ("ok", None)


def test_dead_letters_are_listed_and_replayed(callsieve: Program) -> None:
    first, second = add_dead_letters(callsieve, "a", "b")
    out = callsieve.ok("events", "dead")
    assert first in out
    assert "1 attempt: it answers 422" in out
    assert "1 more" in callsieve.ok("events", "dead", "--limit", "1")
    dead = callsieve("events", "dead", "--json").json
    assert [(item["id"], item["receiver"], item["data"]["number"]) for item in dead] == [
        (second, "webhook/crm", CALLER),
        (first, "webhook/crm", CALLER),
    ]
    assert callsieve.ok("events", "replay", first) == "1 dead letter will be delivered again.\n"
    assert callsieve.ok("events", "replay", "--receiver", "crm") == "1 dead letter will be delivered again.\n"
    assert callsieve.ok("events", "replay", "--all") == "No dead letters.\n"
    rows = callsieve("audit", "--json").json
    assert [(row["what"], row["who"], row["after"]["replayed"]) for row in rows[1:]] == [
        ("events replay", "joe", 1),
        ("events replay", "joe", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay",), "--receiver NAME"),
        (("replay", "evt_1", "--all"), "--receiver NAME"),
        (("replay", "evt_1"), "evt_1"),
        (("replay", "--receiver", "crn"), "crn (allowed: webhook/crm)"),
        (("test", "erp"), "erp"),
    ],
)
def test_invalid_replay_is_refused(callsieve: Program, arguments: tuple[str, ...], words: str) -> None:
    assert words in callsieve.fails("events", *arguments)


def test_delivered_event_is_no_dead_letter(callsieve: Program) -> None:
    register_receiver(callsieve)
    (event,) = add_events(callsieve, "a")
    assert event in callsieve.fails("events", "replay", event)


def test_test_event_is_sent_to_a_receiver(callsieve: Program, hook: HookServer) -> None:
    assert callsieve.ok("events", "test", "crm").startswith("webhook/crm accepted decision.taken evt_")
    assert hook.posted[0].payload["type"] == "decision.taken"
    hook.answering = answer_with(403)  # type: ignore[assignment]
    assert callsieve.fails("events", "test", "webhook/crm") == "webhook/crm: answered 403"
    result = callsieve("events", "test", "crm", "--json")
    assert (result.code, result.json["delivered"], result.json["error"]) == (2, False, "answered 403")
    assert [row["what"] for row in callsieve("audit", "--json").json] == []


def test_successful_test_enables_a_receiver(callsieve: Program, hook: HookServer) -> None:
    register_receiver(callsieve)
    callsieve.write(switch_off, "webhook/crm", "it answers 410", time.time())
    assert "switched off" in callsieve.ok("events", "list")
    assert "callsieve events replay" in callsieve.ok("events", "test", "crm")
    assert callsieve("events", "list", "--json").json["receivers"][0]["off"] == ""
    (row,) = callsieve("audit", "--json").json
    assert (row["what"], row["who"]) == ("events test", "joe")
    assert len(add_events(callsieve, "a")) == 1


def test_list_without_receivers_shows_a_hint(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.ok("db", "migrate")
    assert "[[webhook]]" in program.ok("events", "list")
    assert "settings" in program.fails("events", "test", "crm")


def start(callsieve: Program) -> subprocess.Popen[bytes]:
    process = callsieve.start("events", "send")
    wait_until(lambda: callsieve("events", "list", "--json").json["sending"] or process.poll() is not None, "a start")
    return process


def test_the_sender_delivers_until_it_is_stopped(callsieve: Program, hook: HookServer) -> None:
    process = start(callsieve)
    try:
        ids = add_events(callsieve, "a", "b", "a")
        wait_until(lambda: sorted(hook.ids) == sorted(ids), "delivering")
        other = callsieve.process("events", "send")
        assert (other.code, str(process.pid) in other.err) == (2, True)
        process.send_signal(signal.SIGHUP)
        more = add_events(callsieve, "c")
        wait_until(lambda: hook.ids[-1:] == more, "delivering after a reload")
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert CALLER.encode() not in err
    told = callsieve("events", "list", "--json").json
    assert (told["sending"], told["receivers"][0]["waiting"], told["receivers"][0]["delivered"]) == (False, 0, 4)


def test_sender_stops_during_a_slow_delivery(callsieve: Program, hook: HookServer) -> None:
    async def never(_posted: Posted) -> bytes:
        await asyncio.sleep(3600)
        return b""

    hook.answering = never
    process = start(callsieve)
    add_events(callsieve, "a")
    wait_until(lambda: hook.posted, "an attempt")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert callsieve("events", "list", "--json").json["receivers"][0]["waiting"] == 1
