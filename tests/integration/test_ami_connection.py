"""The connection to a real Asterisk that is killed, frozen, cut off or floods us. Times are printed.

Each test has an Asterisk of its own, or a proxy in between; the listener has its real pace unless the name says so.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from ami_listener.connection import Account
from ami_listener.errors import TroubleKind
from ami_listener.framing import Gap, Notice, Received, unescape
from ami_listener.supervisor import AmiListener, AmiListenerState
from lab import Asterisk
from lab.proxy import Proxy
from tests.waiting import until

SECRET = "only-of-this-test"
# What asterisk-conf/callsieve-manager.conf gives us.
USERS = f"""\
[ours]
secret = {SECRET}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = call,cdr,user,agent
writetimeout = 1000
"""
EXTENSIONS = """\
[from-carrier]
exten => _X.,1,Hangup()

[from-internal]
exten => _X.,1,Hangup()

[test]
exten => wait,1,Wait(60)
exten => name,1,Set(CALLERID(name)=张伟 Łukasz 📞 Ædan)
 same => n,Wait(60)
; flood-EVENTS: in steps of 50 every 8 ms
exten => _flood-.,1,Set(n=0)
 same => n(next),UserEvent(Flood,Number: ${INC(n)})
 same => n,ExecIf($[${n} % 50 = 0]?Wait(0.008))
 same => n,GotoIf($[${n} < ${EXTEN:6}]?next)
 same => n,UserEvent(FloodEnd,Number: ${n})
"""
NOTICED_WITHIN_SECONDS = 12.0


@pytest.fixture
def asterisk() -> Iterator[Asterisk]:
    with Asterisk(extensions=EXTENSIONS, config={"manager.conf": USERS}, verbose=False) as running:
        yield running


@pytest.fixture
def report(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure even if the test passes."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {request.node.name}: {text}", end="")

    return say


@asynccontextmanager
async def listening(
    address: tuple[str, int], *, secret: str = SECRET, user: str = "ours", scale: float = 1.0
) -> AsyncIterator[tuple[AmiListener, list[Notice]]]:
    """Yield a listener and everything it gave. `scale` stretches its waits between connections."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds * scale)

    listener = AmiListener(Account(*address, user, secret), sleep=sleep)
    seen: list[Notice] = []

    async def consume() -> None:
        async for notice in listener.notices():
            seen.append(notice)

    consumer = asyncio.create_task(consume())
    listener.start()
    try:
        yield listener, seen
    finally:
        began = time.monotonic()
        await listener.close()
        assert time.monotonic() - began < 5
        await asyncio.wait_for(consumer, 20)


async def originate(asterisk: Asterisk, extension: str) -> None:
    await asyncio.to_thread(asterisk.cli, f"channel originate Local/{extension}@test application Wait 60")


def gaps_in(seen: list[Notice]) -> list[Gap]:
    return [notice for notice in seen if isinstance(notice, Gap)]


async def test_a_killed_asterisk_is_noticed_and_reconnected(asterisk: Asterisk, report: Callable[[str], None]) -> None:
    async with listening(asterisk.ami_address) as (listener, seen):
        await until(lambda: listener.status.connects)
        await originate(asterisk, "wait")
        await until(lambda: listener.status.events >= 2)
        killed_at = time.time()
        await asyncio.to_thread(asterisk.kill)
        await until(lambda: gaps_in(seen))
        gap = gaps_in(seen)[0]
        await until(lambda: listener.status.trouble and listener.status.trouble.kind is TroubleKind.REFUSED)
        started_at = time.time()
        await asyncio.to_thread(asterisk.start)
        await until(lambda: listener.status.state is AmiListenerState.LISTENING)
        back_at = time.time()
        assert len(gaps_in(seen)) == 1
        report(
            f"noticed in {1000 * (gap.at - killed_at):.0f} ms; listening {back_at - started_at:.1f} s after the start "
            f"began, {asterisk.start_seconds:.1f} s of which are Asterisk's"
        )


async def test_a_half_open_connection_is_noticed(asterisk: Asterisk, report: Callable[[str], None]) -> None:
    """In both directions, or in one."""
    await asyncio.gather(
        *(
            half_open(asterisk, report, to_client=to_client, to_server=to_server)
            for to_client, to_server in ((True, True), (True, False), (False, True))
        )
    )


async def half_open(asterisk: Asterisk, report: Callable[[str], None], *, to_client: bool, to_server: bool) -> None:
    with Proxy(asterisk.ami_address) as proxy:
        async with listening(proxy.address) as (listener, seen):
            await until(lambda: listener.status.connects)
            proxy.swallow(to_client=to_client, to_server=to_server)
            began_at = time.time()
            await until(lambda: gaps_in(seen))
            gap = gaps_in(seen)[0]
            assert listener.status.last_trouble is not None
            assert listener.status.last_trouble.kind is TroubleKind.DEAF
            assert gap.at - began_at < NOTICED_WITHIN_SECONDS
            assert gap.since <= began_at + 2.0  # nothing since then can be relied on
            proxy.forward()
            await until(lambda: listener.status.state is AmiListenerState.LISTENING)
            back_at = time.time()
            which = {(True, True): "both ways", (True, False): "from Asterisk", (False, True): "to Asterisk"}
            report(
                f"{which[to_client, to_server]}: noticed in {gap.at - began_at:.1f} s, "
                f"listening again {back_at - gap.at:.1f} s later"
            )


async def test_a_frozen_asterisk_is_noticed_and_reconnected(asterisk: Asterisk, report: Callable[[str], None]) -> None:
    async with listening(asterisk.ami_address) as (listener, seen):
        await until(lambda: listener.status.connects)
        began_at = time.time()
        os.kill(asterisk.pid, signal.SIGSTOP)
        try:
            await until(lambda: gaps_in(seen))
            noticed_seconds = gaps_in(seen)[0].at - began_at
            # Its kernel still takes connections; it never greets, so it never gets our secret.
            await until(lambda: listener.status.trouble and listener.status.trouble.kind is TroubleKind.SILENT)
        finally:
            os.kill(asterisk.pid, signal.SIGCONT)
        thawed_at = time.time()
        await until(lambda: listener.status.state is AmiListenerState.LISTENING)
        back_at = time.time()
        assert noticed_seconds < NOTICED_WITHIN_SECONDS
        assert refused_logins(asterisk) == []
        report(f"noticed in {noticed_seconds:.1f} s; listening {back_at - thawed_at:.1f} s after it went on")


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_cut_connection_is_noticed_and_reconnected(
    asterisk: Asterisk, report: Callable[[str], None], reset: bool
) -> None:
    with Proxy(asterisk.ami_address) as proxy:
        async with listening(proxy.address) as (listener, seen):
            await until(lambda: listener.status.connects)
            await originate(asterisk, "wait")
            await until(lambda: listener.status.events >= 2)
            cut_at = time.time()
            proxy.cut(reset=reset)
            await until(lambda: listener.status.connects == 2)
            back_at = time.time()
            assert len(gaps_in(seen)) == 1
            report(
                f"noticed in {1000 * (gaps_in(seen)[0].at - cut_at):.0f} ms, "
                f"listening again in {back_at - cut_at:.2f} s"
            )


async def test_a_slow_network_loses_no_character(asterisk: Asterisk) -> None:
    """7 bytes at a time: no character of a name is lost, and a slow connection is not closed."""
    with Proxy(asterisk.ami_address) as proxy:
        proxy.forward(delay_seconds=0.0005, chunk=7)
        async with listening(proxy.address) as (listener, seen):
            await until(lambda: listener.status.connects)
            await originate(asterisk, "name")

            def names() -> set[str]:
                packets = [notice.packet for notice in seen if isinstance(notice, Received)]
                return {unescape(packet.fields().get("CallerIDName", "")) for packet in packets}

            await until(lambda: "张伟 Łukasz 📞 Ædan" in names())
            assert not any("\ufffd" in name for name in names())
            assert listener.status.gaps == 0


def refused_logins(asterisk: Asterisk) -> list[float]:
    """Return when Asterisk refused our login, by its own log."""
    lines = [line for line in asterisk.log_lines() if "failed to authenticate as 'ours'" in line]
    stamps = [line[1:].partition("]")[0] for line in lines]
    return [datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp() for stamp in stamps]


async def test_a_wrong_secret_is_tried_once_a_minute(
    asterisk: Asterisk, report: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """One listener in real time for 20 s, then one thirty times as fast."""
    async with listening(asterisk.ami_address, secret="not-it") as (listener, seen):
        await until(lambda: listener.status.trouble)
        await asyncio.sleep(20)
        assert len(refused_logins(asterisk)) == 1
        assert seen == []
        assert listener.status.trouble is not None
        assert listener.status.trouble.kind is TroubleKind.LOGIN_REFUSED
    scale = 1 / 30
    async with listening(asterisk.ami_address, secret="not-it", scale=scale):
        await until(lambda: len(refused_logins(asterisk)) >= 6, 30)
    times = refused_logins(asterisk)[1:]
    apart = [later - earlier for earlier, later in pairwise(times)]
    assert min(apart) >= 0.75 * 60 * scale  # Asterisk may be slow to say that it refused one
    assert "not-it" not in caplog.text
    report(f"1 login in 20 s; where a minute is 2 s, {len(times)} logins at least {min(apart):.2f} s apart")


EVENTS = 150_000


@pytest.mark.load
@pytest.mark.parametrize("blocked", [False, True], ids=["consumer", "whole-process"])
async def test_a_two_second_pause_loses_no_event_without_a_gap(
    asterisk: Asterisk, report: Callable[[str], None], blocked: bool
) -> None:
    """5,000 events/s for 30 s. When only the consumer stands still nothing is lost, and Asterisk never notices.

    When our whole process stands still nobody reads: what the kernel cannot hold for us makes Asterisk disconnect us,
    and then that is a gap.
    """
    listener = AmiListener(Account(*asterisk.ami_address, "ours", SECRET))
    listener.start()
    numbers: list[int] = []
    lags: list[float] = []
    gaps: list[Gap] = []
    most_waiting = 0

    async def consume() -> None:
        nonlocal most_waiting
        stalled = False
        async for notice in listener.notices():
            if isinstance(notice, Gap):
                gaps.append(notice)
            if not isinstance(notice, Received) or notice.packet.name != "UserEvent":
                continue
            lags.append(time.time() - notice.at)
            fields = notice.packet.fields()
            if fields["UserEvent"] == "FloodEnd":
                return
            numbers.append(int(fields["Number"]))
            if not stalled and len(numbers) > EVENTS // 3:
                stalled = True
                if blocked:
                    time.sleep(2.0)  # noqa: ASYNC251 (holding everything up is the test)
                else:
                    await asyncio.sleep(2.0)
                    most_waiting = listener.status.waiting

    consumer = asyncio.create_task(consume())
    await until(lambda: listener.status.state is AmiListenerState.LISTENING)
    began = time.monotonic()
    await originate(asterisk, f"flood-{EVENTS}")
    async with asyncio.timeout(100):
        await consumer
    seconds = time.monotonic() - began
    status = listener.status
    await listener.close()
    lags.sort()
    report(
        f"{len(numbers) / seconds:.0f} events/s for {seconds:.0f} s, {EVENTS - len(numbers)} lost, {len(gaps)} gaps, "
        f"{status.connects} connections, most waiting {most_waiting}, "
        f"lag p50 {1000 * lags[len(lags) // 2]:.1f} ms, p99 {1000 * lags[len(lags) * 99 // 100]:.0f} ms"
    )
    assert numbers == sorted(set(numbers))
    if len(numbers) < EVENTS:
        assert blocked
        assert gaps  # what was lost is said
    else:
        assert (status.dropped, status.connects, gaps) == (0, 1, [])
