"""The failure table (docs/contributing/failures.md): each row on a real Asterisk. In every one the call goes on."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from agi.answers import answer_to_screen
from agi.server import TCP_BACKLOG
from agi.site import Site
from callsieve.install.plan import packaged
from lab import Answering, Asterisk, CallResult, CallSpec, Phone
from lab.call import CallInProgress
from lab.screened import ALICE, EXTENSIONS, ROOT, SALES, SETTINGS, ScreenedPbx
from policies.decision import Action, Decision
from policies.reasons import Why, why_of
from policies.relations import PerPhone
from reputation.backoff import FAILURES_TO_OPEN
from reputation.store.backup import make_backup
from reputation.store.people import all_dids, all_people
from tests.builders import make_call, make_reputation
from tests.integration.office import BY_ACTION, STRANGER, decision_on, fill, journal
from tests.waiting import wait_until

RecordDelay = Callable[[float | None], None]

# What the dialplan allows us, and what a call may take on top of it on a busy machine with two cores. The figures
# themselves are printed; here it is only told apart whether the bound held at all: without it the call would hang.
BOUND = 0.6
DEADLINE = 0.4
CONNECTING = 2.0  # Asterisk's own limit, which no dialplan shortens
SLACK = 2.0
# The call did not wait: less than any of our bounds.
AT_ONCE = 0.38


WITH_CODES = EXTENSIONS.replace("[from-internal]\n", "[from-internal]\ninclude => callsieve-codes\n")


@pytest.fixture
def pbx() -> Iterator[ScreenedPbx]:
    with ScreenedPbx() as office:
        fill(office.daemon.store)
        yield office


@pytest.fixture
def alice(pbx: ScreenedPbx) -> Iterator[Phone]:
    with Phone(pbx.asterisk, "201") as phone:
        yield phone


def call_as_rejected(pbx: ScreenedPbx, record_delay: RecordDelay) -> CallResult:
    """Make a call that would be rejected. It must ring and be answered."""
    result = pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE))
    assert result.code == 200
    record_delay(result.ringing_seconds)
    return result


def test_stopped_daemon_lets_the_call_ring_at_once(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    pbx.daemon.stop()
    result = call_as_rejected(pbx, record_delay)
    assert (result.ringing_seconds or 9) < AT_ONCE


def test_daemon_killed_while_deciding_lets_the_call_ring(record_delay: RecordDelay) -> None:
    # The dialplan would wait for 6 s here: it is the end of the daemon that lets the call go on.
    with ScreenedPbx(patient=True) as pbx, Phone(pbx.asterisk, "201") as alice:
        fill(pbx.daemon.store)
        pbx.daemon.freeze()
        with pbx.carrier.start(CallSpec(caller=BY_ACTION["reject"], did=ALICE)) as call:
            wait_until(lambda: is_waiting(pbx), "the question")
            killed_at = time.time()
            pbx.daemon.kill()
            delay = alice.wait_for_invite().at - killed_at
            record_delay(delay)
            assert delay < SLACK
            assert call.result().code == 200


def is_waiting(pbx: ScreenedPbx) -> bool:
    """Return whether a call waits for our answer."""
    return " AGI " in re.sub(r"\s+", " ", pbx.asterisk.cli("core show channels concise").replace("!", " "))


def test_a_truncated_answer_lets_the_call_ring(record_delay: RecordDelay) -> None:
    """A call to a ring group from a number that Alice blocks: until the answer is complete, her phone rings."""
    reputation = make_reputation()
    decision = Decision(
        Action.ALLOW, "x", Why("x: a text that no word is"), 8, "x", Action.ALLOW, False, reputation.level, reputation
    )
    answer = answer_to_screen(make_call(STRANGER), decision, "4F2K9TQZ", Site(), PerPhone(blocked=("PJSIP/201",)))
    commands = answer.splitlines(keepends=True)
    assert len(commands) > 1
    parts = [b"".join(commands[:count]) for count in range(1, len(commands) + 1)]
    with (
        answering_with(parts) as url,
        ScreenedPbx(start_daemon=False, globals={"CALLSIEVE_AGI": url}) as pbx,
        Phone(pbx.asterisk, "202", Answering(ring_seconds=1.0)),
    ):
        rang = []
        for _ in parts:
            with Phone(pbx.asterisk, "201", Answering.never()) as alice:
                result = pbx.carrier.call(CallSpec(caller=STRANGER, did=SALES))
                assert result.code == 200
                record_delay(result.ringing_seconds)
                rang.append(len(alice.invites()))
    assert rang == [1] * (len(parts) - 1) + [0]


@contextmanager
def answering_with(answers: list[bytes]) -> Iterator[str]:
    """Run a server that gives each call one of these answers and then stops."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20.0)

        def answer() -> None:
            for said in answers:
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as asked:
                    while asked.readline().strip():
                        pass
                    connection.sendall(said)

        answering = threading.Thread(target=answer)
        answering.start()
        yield f"agi://127.0.0.1:{server.getsockname()[1]}"
        answering.join()


def test_frozen_daemon_lets_the_call_ring_at_the_deadline(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay
) -> None:
    pbx.daemon.freeze()
    result = call_as_rejected(pbx, record_delay)
    assert BOUND - 0.05 < (result.ringing_seconds or 9) < BOUND + SLACK


def test_frozen_daemon_lets_parallel_calls_ring(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    pbx.daemon.freeze()
    with ExitStack() as stack:
        calls: list[CallInProgress] = [
            stack.enter_context(pbx.carrier.start(CallSpec(caller=f"+1201555020{n}", did=ALICE))) for n in range(8)
        ]
        for result in [call.result() for call in calls]:
            assert result.code == 200
            record_delay(result.ringing_seconds)
            assert (result.ringing_seconds or 9) < BOUND + SLACK


def test_an_emergency_call_goes_out_without_our_dialplan() -> None:
    """With the line of docs/how-to/install.md before its Dial: a Gosub to a missing context would end the call."""
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    line = re.findall(r"`(Gosub(?:If)?\([^`\n]*callsieve-emergency,s,1[^`\n]*\))`", page)[0]
    extensions = f"[from-internal]\nexten => 112,1,{line}\n same => n,Dial(PJSIP/112@carrier,10)\n"
    with (
        Asterisk(extensions=extensions) as asterisk,
        Phone(asterisk, "carrier") as carrier,
        Phone(asterisk, "201") as phone,
    ):
        assert phone.dial("112", CallSpec(hang_up_after=0.2)).result().code == 200
        assert len(carrier.invites()) == 1


def test_a_call_goes_out_if_the_freepbx_hook_lost_our_dialplan() -> None:
    extensions = packaged("callsieve-freepbx-hook.conf") + (
        "[from-internal]\nexten => 112,1,Gosub(macro-dialout-trunk-predial-hook,s,1())\n"
        " same => n,Dial(PJSIP/112@carrier,10)\n"
    )
    with (
        Asterisk(extensions=extensions) as asterisk,
        Phone(asterisk, "carrier") as carrier,
        Phone(asterisk, "201") as phone,
    ):
        assert phone.dial("112", CallSpec(hang_up_after=0.2)).result().code == 200
        assert len(carrier.invites()) == 1


def test_frozen_daemon_does_not_delay_an_emergency_call(pbx: ScreenedPbx, record_delay: RecordDelay) -> None:
    pbx.daemon.freeze()
    with full_queue(pbx.daemon.port), Phone(pbx.asterisk, "201") as phone, phone.dial("112") as call:
        result = call.result()
    assert result.code == 200
    record_delay(result.final_seconds)
    assert (result.final_seconds or 9) < BOUND - 0.05


def test_frozen_daemon_with_a_full_queue_lets_the_call_ring(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay
) -> None:
    """TCP does not answer, and Asterisk gives up connecting."""
    pbx.daemon.freeze()
    with full_queue(pbx.daemon.port):
        result = call_as_rejected(pbx, record_delay)
        assert BOUND < (result.ringing_seconds or 9) < CONNECTING + SLACK


@contextmanager
def full_queue(port: int) -> Iterator[None]:
    """Fill a server's queue until the kernel accepts no more connections."""
    with ExitStack() as stack:
        for _ in range(2 * TCP_BACKLOG):
            connection = stack.enter_context(socket.socket())
            connection.settimeout(0.2)
            if connection.connect_ex(("127.0.0.1", port)):
                break
        else:
            raise AssertionError("the queue has no end")
        yield


def test_emergency_window_opens_even_when_the_daemon_is_dead(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay
) -> None:
    pbx.daemon.kill()
    with alice.dial("112") as call:
        assert call.result().code == 200
    pbx.daemon.start()
    call_as_rejected(pbx, record_delay)
    assert decision_on(pbx.daemon.store, BY_ACTION["reject"]).rule == "emergency-window"


def test_a_slow_store_opens_the_breaker(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    slow = "+12015550177"
    with closing(sqlite3.connect(pbx.daemon.store)) as db, db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000)"
            " INSERT INTO contact (number, person, source) SELECT ?, 'x' || i, 'slow' FROM n",
            (slow,),
        )
    db.close()
    delays = []
    for _ in range(5):
        result = pbx.carrier.call(CallSpec(caller=slow, did=ALICE, hang_up_after=0.0))
        assert result.code == 200
        delays.append(result.ringing_seconds or 9)
        record_delay(result.ringing_seconds)
    assert min(delays) > DEADLINE - 0.05
    assert max(delays) < DEADLINE + SLACK
    # The breaker is open now: no call waits.
    result = pbx.carrier.call(CallSpec(caller=slow, did=ALICE))
    assert (result.ringing_seconds or 9) < AT_ONCE
    wait_until(lambda: len(fail_opens(pbx)) == 6, "six fail-open decisions in the journal")


@pytest.mark.root
def test_a_hanging_disk_lets_calls_ring(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    """The store's threads hang in the kernel, where nothing can interrupt them."""
    pbx.carrier.call(CallSpec(caller=BY_ACTION["tag"], did=ALICE))
    wait_until(lambda: journal(pbx.daemon.store), "a decision is written, so that SQLite reads the file anew")
    with frozen_disk(pbx.daemon.pid):
        delays = [call_as_rejected(pbx, record_delay).ringing_seconds or 9 for _ in range(FAILURES_TO_OPEN)]
        assert min(delays) > DEADLINE - 0.05
        assert max(delays) < DEADLINE + SLACK
        # The breaker is open now, and no call waits.
        assert (call_as_rejected(pbx, record_delay).ringing_seconds or 9) < AT_ONCE
        with alice.dial("112") as call:
            assert call.result().code == 200
    wait_until(lambda: len(fail_opens(pbx)) == FAILURES_TO_OPEN + 1, "the decisions that waited in memory")


@contextmanager
def frozen_disk(pid: int) -> Iterator[None]:
    """Let each new read of a file by this process take a minute, or until the end of the block."""
    command = ("strace", "-f", "-p", str(pid), "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=60s")
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as tracer:
        assert tracer.stderr is not None
        assert "attached" in tracer.stderr.readline()
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=20)


def fail_opens(pbx: ScreenedPbx) -> list[str]:
    return [why_of(record.reason).code for record in journal(pbx.daemon.store) if record.rule == "fail-open"]


def test_a_locked_store_lets_calls_ring(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    with readers_locked_out(pbx.daemon.store):
        call_as_rejected(pbx, record_delay)
    pbx.carrier.call(CallSpec(caller=BY_ACTION["tag"], did=ALICE))
    assert decision_on(pbx.daemon.store, BY_ACTION["tag"]).action == "tag"
    assert fail_opens(pbx)


@contextmanager
def readers_locked_out(store: Path) -> Iterator[None]:
    """Hold all of SQLite's WAL locks: bytes 120 to 127 of the -shm file (sqlite.org/walformat.html)."""
    with (store.parent / f"{store.name}-shm").open("r+b") as shm:
        lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 120, 8, 0)
        wait_until(lambda: _locks(shm.fileno(), lock), "locking the store")
        yield


def _locks(descriptor: int, lock: bytes) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLK, lock)
    except OSError:
        return False
    return True


def test_a_locked_writer_keeps_decisions_in_memory(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    db = sqlite3.connect(pbx.daemon.store, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    result = pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE))
    record_delay(result.final_seconds)
    assert result.code == 603
    pbx.daemon.wait_for_log("journal: decisions stay in memory")
    db.execute("ROLLBACK")
    db.close()
    assert decision_on(pbx.daemon.store, BY_ACTION["reject"]).action == "reject"


def test_calls_over_the_limit_ring_at_once(record_delay: RecordDelay) -> None:
    settings = SETTINGS + "\n[agi]\nin_flight = 2\n"
    with ScreenedPbx(settings=settings) as pbx, Phone(pbx.asterisk, "201"), ExitStack() as stack:
        fill(pbx.daemon.store)
        db = stack.enter_context(closing(sqlite3.connect(pbx.daemon.store, isolation_level=None)))
        db.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            stack.enter_context(codes_that_wait(pbx.daemon.port))
        # A call may slip into the moment in which one code has given way to the next.
        spec = CallSpec(caller=BY_ACTION["reject"], did=ALICE)
        result = next(result for result in (pbx.carrier.call(spec) for _ in range(5)) if result.code == 200)
        record_delay(result.ringing_seconds)
        assert (result.ringing_seconds or 9) < AT_ONCE
        db.execute("ROLLBACK")
        wait_until(lambda: "over-limit" in fail_opens(pbx), "the count in the journal")


@contextmanager
def codes_that_wait(port: int) -> Iterator[None]:
    """Dial a code that cannot be written, again and again, so that one request is always in flight."""
    said = b"agi_network_script: mark\nagi_arg_1: endpoint=PJSIP/201\nagi_arg_2: code=expect\n\n"
    over = threading.Event()

    def connect() -> None:
        while not over.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(said)
                connection.recv(1)

    caller = threading.Thread(target=connect)
    caller.start()
    try:
        yield
    finally:
        over.set()
        caller.join()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            'extends = "cautious"\n[[rule]]\nname = "all"\n'
            'when = { levl_at_least = "tag" }\naction = "reject"\nreason = "x"\n',
            "office.toml: line 4: rule 'all': ",
            id="misspelt",
        ),
        pytest.param("#" * 800_000, "office.toml: the file has 800000 bytes", id="too-large"),
    ],
)
def test_a_policy_broken_at_reload_keeps_the_previous_one(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay, text: str, says: str
) -> None:
    policies = pbx.state / "policies"
    policies.mkdir()
    (policies / "office.toml").write_text('extends = "cautious"\n')
    pbx.daemon.write_settings(SETTINGS.replace('name = "cautious"', 'name = "office"'))
    pbx.daemon.reload()
    pbx.daemon.wait_for_log("policy activated: office")
    (policies / "office.toml").write_text(text)
    assert says in pbx.daemon.wait_for_log("the previous policy stays active")
    result = pbx.carrier.call(CallSpec(caller=STRANGER, did=ALICE))
    record_delay(result.ringing_seconds)
    assert result.code == 200
    assert decision_on(pbx.daemon.store, STRANGER).policy == "office"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('adds_to = "US"\ncalling_code = 1\n', "us-own.toml: read ", id="a-key-is-missing"),
        pytest.param("[[range]\n", "us-own.toml: not TOML", id="no-toml"),
        pytest.param("#" * 300_000, "us-own.toml: ", id="too-large"),
    ],
)
def test_a_broken_numbering_plan_is_ignored(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay, text: str, says: str
) -> None:
    (pbx.state / "plan").mkdir()
    (pbx.state / "plan" / "us-own.toml").write_text(text)
    assert says in pbx.daemon.wait_for_log("ignored a numbering plan")
    result = pbx.carrier.call(CallSpec(caller="+33162123456", did=ALICE))
    record_delay(result.ringing_seconds)
    assert result.code == 200
    assert decision_on(pbx.daemon.store, "+33162123456").rule == "telemarketing-range"


def test_settings_broken_at_reload_keep_the_previous_ones(
    pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay
) -> None:
    pbx.daemon.write_settings("[agi]\ndeadline = 3\n")
    pbx.daemon.reload()
    line = pbx.daemon.wait_for_log("the previous settings stay active")
    assert "did you mean deadline_ms?" in line
    # On a busy machine a call may go on at the deadline; without the old settings none would be turned away.
    wait_until(lambda: pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE)).code == 603, "a 603")


def test_a_store_damaged_while_running_is_restored(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    backup = make_backup(pbx.daemon.store, time.time() + 1)
    damage(pbx.daemon.store)
    deadline = time.monotonic() + 60
    while "the store is open again" not in pbx.daemon.log.read_text():
        assert time.monotonic() < deadline, pbx.daemon.log.read_text()
        result = pbx.carrier.call(CallSpec(caller=STRANGER, did=ALICE, hang_up_after=0.0))
        assert result.code == 200
        record_delay(result.ringing_seconds)
    assert "DAMAGED" in pbx.daemon.log.read_text()
    assert backup.name in pbx.daemon.log.read_text()
    assert list(pbx.state.glob("callsieve.db.damaged-*"))
    assert pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE)).code == 603


def damage(store: Path) -> None:
    """Overwrite everything after the header, as a failing disk or a stray program does."""
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with store.open("r+b") as file:
        size = store.stat().st_size
        file.seek(4096)
        file.write(b"\xde\xad\xbe\xef" * ((size - 4096) // 4))


def test_a_store_damaged_before_the_start_is_replaced(record_delay: RecordDelay) -> None:
    with ScreenedPbx(start_daemon=False) as pbx, Phone(pbx.asterisk, "201"):
        pbx.daemon.store.write_bytes(b"this is no store\n" * 1000)
        pbx.daemon.start()
        result = pbx.carrier.call(CallSpec(caller=STRANGER, did=ALICE))
        record_delay(result.ringing_seconds)
        assert result.code == 200
        assert "EMPTY store" in pbx.daemon.wait_for_log("DAMAGED")
        with closing(sqlite3.connect(pbx.daemon.store)) as db:
            wait_until(lambda: bool(all_people(db) and all_dids(db)), "our people and numbers")


@pytest.mark.root
def test_a_full_disk_keeps_decisions_in_memory(record_delay: RecordDelay) -> None:
    with small_disk() as disk, ScreenedPbx(start_daemon=False) as pbx, Phone(pbx.asterisk, "201"):
        pbx.daemon.store = disk / "callsieve.db"
        pbx.daemon.write_settings(SETTINGS + f'\n[store]\npath = "{disk}/callsieve.db"\n')
        pbx.daemon.start()
        fill(pbx.daemon.store)
        filler = disk / "filler"
        fill_up(filler)
        for _ in range(3):
            result = pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE))
            assert result.code == 603
            record_delay(result.final_seconds)
        pbx.daemon.wait_for_log("journal: decisions stay in memory")
        filler.unlink()
        wait_until(lambda: len(journal(pbx.daemon.store)) >= 3, "the journal catching up", seconds=20.0)


@contextmanager
def small_disk() -> Iterator[Path]:
    """Yield a file system of 4 MB."""
    disk = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
        disk.rmdir()


@pytest.mark.root
def test_a_read_only_state_directory_lets_calls_ring(record_delay: RecordDelay) -> None:
    with (
        small_disk() as disk,
        ScreenedPbx(start_daemon=False, extensions=WITH_CODES) as pbx,
        Phone(pbx.asterisk, "201") as alice,
    ):
        pbx.daemon.state, pbx.daemon.store = disk, disk / "callsieve.db"
        fill(pbx.daemon.store)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        pbx.daemon.start()
        result = pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE))
        assert result.code == 603
        record_delay(result.final_seconds)
        pbx.daemon.wait_for_log("journal: decisions stay in memory")
        doctor = pbx.daemon.callsieve("doctor", "--json")
        checks = {check["name"]: check["status"] for check in json.loads(doctor.stdout)}
        assert (doctor.returncode, checks["store"], checks["daemon"]) == (1, "fail", "warn")
        before = len(pbx.asterisk.log_lines())
        with alice.dial("*26", CallSpec(hang_up_after=None)) as call:
            assert call.result().bye_from == "asterisk"
        assert "Playing 'im-sorry." in "\n".join(pbx.asterisk.log_lines()[before:])
        with alice.dial("112") as call:
            assert call.result().code == 200
        call_as_rejected(pbx, record_delay)  # goes on by the window, which AstDB keeps
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        wait_until(lambda: len(journal(pbx.daemon.store)) >= 2, "the journal catching up", seconds=20.0)


def fill_up(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_calls_ring_while_screening_is_off(pbx: ScreenedPbx, alice: Phone, record_delay: RecordDelay) -> None:
    pbx.asterisk.cli(f"database put callsieve off {int(time.time()) + 60}")
    call_as_rejected(pbx, record_delay)
    pbx.daemon.kill()
    call_as_rejected(pbx, record_delay)
    pbx.daemon.start()
    pbx.asterisk.cli(f"database put callsieve off {int(time.time()) - 1}")
    assert pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE)).code == 603


@pytest.mark.parametrize("missing", ["res_stir_shaken.so", "app_voicemail.so", "res_agi.so", "app_read.so"])
def test_a_missing_asterisk_module_lets_the_call_go_on(missing: str, record_delay: RecordDelay) -> None:
    with ScreenedPbx(noload=[missing]) as pbx, Phone(pbx.asterisk, "201"):
        fill(pbx.daemon.store)
        action = "challenge" if missing == "app_read.so" else "route"
        result = pbx.carrier.call(CallSpec(caller=BY_ACTION[action], did=ALICE, hang_up_after=0.1))
        record_delay(result.ringing_seconds or result.final_seconds)
        assert result.code == 200


@pytest.fixture(scope="module")
def with_pjsiphangup() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False) as office:
        yield office


@pytest.fixture(scope="module")
def without_pjsiphangup() -> Iterator[ScreenedPbx]:
    with ScreenedPbx(start_daemon=False, conf=lambda text: text.replace("PJSIPHangup", "NoSuchApplication")) as office:
        yield office


def code_of_a_rejected_call(pbx: ScreenedPbx, reject: str) -> int | None:
    """Return the SIP code with which Asterisk rejects a call if the trunk's setting is `reject`."""
    settings = SETTINGS.replace('channels = "PJSIP/carrier-*"', f'channels = "PJSIP/carrier-*"\nreject = "{reject}"')
    pbx.daemon.write_settings(settings)
    with pbx.daemon:
        fill(pbx.daemon.store)
        return pbx.carrier.call(CallSpec(caller=BY_ACTION["reject"], did=ALICE)).code


@pytest.mark.parametrize(
    ("reject", "code"), [("603", 603), ("607", 403), ("608", 403), ("busy", 486), ("not-in-service", 404)]
)
def test_without_pjsiphangup_a_rejected_call_gets_a_similar_code(
    without_pjsiphangup: ScreenedPbx, reject: str, code: int
) -> None:
    assert code_of_a_rejected_call(without_pjsiphangup, reject) == code


@pytest.mark.parametrize(
    ("reject", "code"), [("603", 603), ("607", 607), ("608", 608), ("busy", 486), ("not-in-service", 404)]
)
def test_a_rejected_call_gets_the_sip_code_of_its_trunk(with_pjsiphangup: ScreenedPbx, reject: str, code: int) -> None:
    assert code_of_a_rejected_call(with_pjsiphangup, reject) == code


def test_an_action_unknown_to_the_dialplan_lets_the_call_ring(record_delay: RecordDelay) -> None:
    with ScreenedPbx(conf=lambda text: text.replace("exten => reject,1", "exten => unknown,1")) as pbx:
        fill(pbx.daemon.store)
        with Phone(pbx.asterisk, "201"):
            call_as_rejected(pbx, record_delay)


def test_a_policy_broken_at_start_only_observes(record_delay: RecordDelay) -> None:
    with ScreenedPbx(start_daemon=False) as pbx, Phone(pbx.asterisk, "201"):
        (pbx.state / "policies").mkdir()
        (pbx.state / "policies" / "office.toml").write_text("[[rule]\n")
        pbx.daemon.write_settings(SETTINGS.replace('name = "cautious"', 'name = "office"'))
        pbx.daemon.start()
        fill(pbx.daemon.store)
        assert "office.toml: line 1" in pbx.daemon.wait_for_log("policy cannot be used")
        call_as_rejected(pbx, record_delay)
        assert decision_on(pbx.daemon.store, BY_ACTION["reject"]).would_be == "reject"
