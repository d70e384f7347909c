"""The daemon client of the API: the same answer as for Asterisk, or allow, in time."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from agi.protocol import Request, block_of
from agi.quoting import variables_in
from callsieve.decide.call_facts import CallAnswer, CallFacts, NoDecision, answer_of, linkedid_of, request_of
from callsieve.decide.operations import LONGEST_SECONDS, DaemonClient
from callsieve.telemetry import read_telemetry
from lab.daemon import Daemon
from policies.decision import FAIL_OPEN_RULE
from tests.waiting import wait_until

SETTINGS = """\
[agi]
deadline_ms = 550
[policy]
name = "strict"
[[trunk]]
name = "kamailio"
channels = "kamailio/*"
reject = "608"
[[did]]
number = "+442071838750"
callee = "201"
[[person]]
extension = "201"
endpoint = "PJSIP/201"
"""
BLOCKED = "+12015550123"
STOPPING = b'EXEC MSet "CALLSIEVE_RULE=fail-open,CALLSIEVE_REASON=stopping"\n'
FACTS = CallFacts(caller=BLOCKED, name="Prize", did="+442071838750", trunk="kamailio", call_id="a1@sip.example")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("decide"), SETTINGS) as running:
        wait_for(running)
        done = running.callsieve("list", "add", "block", BLOCKED)
        assert done.returncode == 0, done.stderr
        yield running


def wait_for(daemon: Daemon) -> None:
    """Wait for the Unix socket, which opens last."""
    wait_until(daemon.store.exists, "the store")
    wait_until((daemon.state / "agi.sock").exists, "the socket")


PATIENT_SECONDS = 20.0  # where a test is about what is said, and the machine may be busy


def client_of(daemon: Daemon, in_flight: int = 200, seconds: float = PATIENT_SECONDS) -> DaemonClient:
    return DaemonClient(daemon.state / "agi.sock", seconds, in_flight)


async def decide_all(client: DaemonClient, *calls: CallFacts) -> list[CallAnswer]:
    """Decide calls concurrently, and again if the daemon was late."""
    answers: list[CallAnswer] = []
    for _ in range(20):
        answers = await asyncio.gather(*map(client.decide, calls))
        if all(answer.rule != FAIL_OPEN_RULE for answer in answers):
            break
        await asyncio.sleep(0.1)
    return answers


def ask_like_asterisk(daemon: Daemon, request: Request) -> dict[str, str]:
    with socket.create_connection(("127.0.0.1", daemon.port), 5.0) as asking:
        asking.sendall(block_of(request))
        return variables_in(b"".join(iter(lambda: asking.recv(4096), b"")))


async def test_answer_equals_that_for_asterisk(daemon: Daemon) -> None:
    (answer,) = await decide_all(client_of(daemon), FACTS)
    told: dict[str, str] = {}
    while "__CALLSIEVE_ACTION" not in told:  # until the daemon is in time
        told = ask_like_asterisk(daemon, request_of(FACTS, "other"))
    assert (answer.action, answer.rule, answer.sip_code) == ("reject", "blocklist", 608)
    assert (told["__CALLSIEVE_ACTION"], told["__CALLSIEVE_RULE"]) == (answer.action, answer.rule)
    assert (told["CALLSIEVE_REASON"], told["CALLSIEVE_SIP_CODE"]) == (answer.reason, str(answer.sip_code))
    assert (told["__CALLSIEVE_CALLER"], told["CALLSIEVE_LEVEL"]) == (answer.caller, answer.level)


async def test_decision_is_recorded_with_its_call_id(daemon: Daemon) -> None:
    facts = CallFacts(caller="+12015550177", trunk="kamailio", call_id="journal")
    (answer,) = await decide_all(client_of(daemon), facts)

    def row() -> tuple[str, str] | None:
        with closing(sqlite3.connect(f"file:{daemon.store}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT linkedid, trunk FROM decision WHERE id = ?", (answer.id,)).fetchone()
            return None if found is None else (found[0], found[1])

    wait_until(lambda: row() is not None, "the decision in the journal")
    assert row() == (":sip:journal", "kamailio")


async def test_an_unrecorded_call_is_decided_and_counted(daemon: Daemon) -> None:
    client = client_of(daemon)
    unrecorded = CallFacts(caller=BLOCKED, trunk="kamailio", call_id="unrecorded")
    answer = await client.decide(unrecorded, record=False)
    while answer.rule == FAIL_OPEN_RULE:  # until the daemon is in time
        answer = await client.decide(unrecorded, record=False)
    assert (answer.action, answer.rule, answer.id, answer.appeal_address) == ("reject", "blocklist", None, "")
    (after,) = await decide_all(client, CallFacts(caller="+12015550178", trunk="kamailio", call_id="after"))

    def recorded() -> set[str]:
        with closing(sqlite3.connect(f"file:{daemon.store}?mode=ro", uri=True)) as db:
            return {row[0] for row in db.execute("SELECT linkedid FROM decision")}

    wait_until(lambda: linkedid_of("after") in recorded(), "the decision after it in the journal")
    assert after.id is not None
    assert linkedid_of("unrecorded") not in recorded()
    wait_until(lambda: (told := read_telemetry(daemon.state)) is not None and told.unrecorded > 0, "the count")


async def test_all_of_64_concurrent_calls_are_decided(daemon: Daemon) -> None:
    client = client_of(daemon)
    calls = [CallFacts(caller=f"+1201555{number:04d}", trunk="kamailio") for number in range(64)]
    answers = await decide_all(client, *calls)
    assert {answer.rule for answer in answers} == {"default"}
    assert len({answer.id for answer in answers}) == 64
    assert [answer.caller for answer in answers] == [call.caller for call in calls]


async def test_calls_above_the_limit_are_allowed_at_once(daemon: Daemon) -> None:
    client = client_of(daemon, in_flight=2)
    answers = await asyncio.gather(*(client.decide(FACTS) for _ in range(5)))
    assert [answer.rule for answer in answers].count("fail-open") == 3
    (answer,) = await decide_all(client, FACTS)
    assert answer.action == "reject"


async def test_a_frozen_daemon_lets_calls_go_on(tmp_path: Path) -> None:
    with Daemon(tmp_path, SETTINGS) as daemon:
        wait_for(daemon)
        client = client_of(daemon, seconds=LONGEST_SECONDS)
        daemon.freeze()
        async with asyncio.timeout(20):  # far beyond the bound: what is tested is that there is one
            answers = await asyncio.gather(*(client.decide(FACTS) for _ in range(100)))
        assert {(answer.action, answer.rule) for answer in answers} == {("allow", "fail-open")}
        assert NoDecision.TIMED_OUT in {answer.reason for answer in answers}
        daemon.thaw()
        wait_until(lambda: decide_in_thread(client).rule != "fail-open", "it answers again")


def decide_in_thread(client: DaemonClient) -> CallAnswer:
    """Decide in another thread, because this one already runs a loop."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(client.decide(FACTS))).result()


async def test_missing_socket_lets_calls_go_on(tmp_path: Path) -> None:
    answer = await DaemonClient(tmp_path / "agi.sock", 0.4, 10).decide(FACTS)
    assert (answer.action, answer.rule, answer.reason) == ("allow", "fail-open", NoDecision.NOT_RUNNING)


async def test_dead_socket_lets_calls_go_on(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert (await DaemonClient(path, 0.4, 10).decide(FACTS)).reason == NoDecision.NOT_RUNNING


@asynccontextmanager
async def fake_daemon(
    path: Path, said: bytes, *, ends: bool = True, seconds: float = PATIENT_SECONDS
) -> AsyncIterator[DaemonClient]:
    """Serve a fake daemon that reads a request and sends `said`."""

    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.readuntil(b"\n\n")
            writer.write(said)
            await writer.drain()
            if not ends:
                await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        done.set()

    async with await asyncio.start_unix_server(serve, path):
        yield DaemonClient(path, seconds, 10)
        await done.wait()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="http"),
        pytest.param(b'SET VARIABLE CALLSIEVE_LABEL "SPAM"\n', id="no-action"),
        pytest.param(b'EXEC MSet "__CALLSIEVE_RULE=known-bad,__CALLSIEVE_ACTION=destroy"\n', id="unknown-action"),
        pytest.param(b'EXEC MSet "__CALLSIEVE_RULE=known-bad,__CALLSIEVE_ACTION=rej', id="cut"),
        pytest.param(b"\0" * 4096, id="nul"),
        pytest.param(b'SET VARIABLE __CALLSIEVE_ACTION "reject"\n' * 1000, id="endless"),
    ],
)
async def test_unusable_answer_lets_calls_go_on(tmp_path: Path, said: bytes) -> None:
    async with fake_daemon(tmp_path / "agi.sock", said) as client:
        answer = await client.decide(FACTS)
    assert (answer.action, answer.rule, answer.reason) == ("allow", "fail-open", NoDecision.UNUSABLE)


async def test_unfinished_answer_lets_calls_go_on(tmp_path: Path) -> None:
    async with fake_daemon(
        tmp_path / "agi.sock", b'SET VARIABLE CALLSIEVE_LABEL "SPAM"\n', ends=False, seconds=0.05
    ) as client:
        async with asyncio.timeout(20):
            answer = await client.decide(FACTS)
    assert (answer.rule, answer.reason) == ("fail-open", NoDecision.TIMED_OUT)


async def test_calls_wait_for_room_in_the_accept_queue(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        first.connect(str(path))
        late = await DaemonClient(path, 0.05, 10).decide(FACTS)
        assert late.reason == NoDecision.TIMED_OUT  # and not that nobody is there
        client = DaemonClient(path, PATIENT_SECONDS, 10)
        second = asyncio.create_task(client.decide(FACTS))
        await asyncio.sleep(0)
        listening.accept()[0].close()
        listening.setblocking(False)
        connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        with connection:
            loop = asyncio.get_running_loop()
            assert (await loop.sock_recv(connection, 4096)).endswith(b"\n\n")
            await loop.sock_sendall(connection, STOPPING)
        assert (await second).reason == "stopping"


def test_fail_open_of_the_daemon_keeps_its_reason() -> None:
    answer = answer_of(b'EXEC MSet "CALLSIEVE_RULE=fail-open,CALLSIEVE_REASON=too many calls"\n')
    assert (answer.action, answer.rule, answer.reason) == ("allow", "fail-open", "too many calls")
