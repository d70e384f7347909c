"""Look-ups at servers on loopback: what is kept, when they are asked again, and what a bad one can do."""

from __future__ import annotations

import asyncio
import gzip
import logging
from pathlib import Path

import pytest

from callsieve.lookups.service import AT_ONCE, FAILURES
from reputation.store.database import open_store
from reputation.store.lookups import last_failure, switch_off
from reputation.store.transaction import transaction
from tests.callsieve.lookups.looking_up import CALLER, FINE, NOTHING, OTHER, SPAM, hold, looking, settings_for
from tests.callsieve.outside.servers import Answering, answer, serving
from tests.waiting import until

HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize(
    ("body", "verdict", "knows_more"), [(SPAM, "spam", True), (FINE, "ok", True), (NOTHING, "nothing", False)]
)
async def test_answer_is_stored_for_14_days(tmp_path: Path, body: bytes, verdict: str, knows_more: bool) -> None:
    async with serving(answer(200, body)) as server, looking(tmp_path, settings_for(server.port)) as look:
        assert await look.ask() is knows_more
        kept = look.answers()["s0"]
        assert (kept.verdict, kept.at, kept.expires_at) == (verdict, look.clock.now, look.clock.now + 14 * DAY)
        assert look.usage()[:3] == (1, 1, 0)
        [request] = server.requests
        assert request.startswith("GET /12015550123 HTTP/1.1")


async def test_fresh_answer_is_used_without_a_request(tmp_path: Path) -> None:
    async with serving(answer(200, NOTHING)) as server, looking(tmp_path, settings_for(server.port)) as look:
        await look.ask()
        look.clock.now += 24 * HOUR - 1
        assert not await look.ask()
        assert len(server.requests) == 1


async def test_old_answer_is_used_and_renewed_in_the_background(tmp_path: Path) -> None:
    bodies = [NOTHING, SPAM]
    asked = asyncio.Event()

    async def answering(_head: str, writer: asyncio.StreamWriter) -> None:
        if len(bodies) == 1:
            await asked.wait()  # the call has its answer by then
        writer.write(answer(200, bodies.pop(0)))

    async with serving(answering) as server, looking(tmp_path, settings_for(server.port)) as look:
        await look.ask()
        look.clock.now += 25 * HOUR
        assert not await look.ask()
        asked.set()
        await until(lambda: look.verdicts() == ["spam"])


async def test_call_waits_for_the_renewal_of_an_expired_answer(tmp_path: Path) -> None:
    bodies = [NOTHING, SPAM]

    async def answering(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, bodies.pop(0)))

    async with serving(answering) as server, looking(tmp_path, settings_for(server.port)) as look:
        await look.ask()
        look.clock.now += 15 * DAY
        assert await look.ask()
        assert look.verdicts() == ["spam"]


async def test_late_answer_is_stored_for_the_next_call(tmp_path: Path) -> None:
    late = asyncio.Event()

    async def answering(_head: str, writer: asyncio.StreamWriter) -> None:
        await late.wait()
        writer.write(answer(200, SPAM))

    async with serving(answering) as server, looking(tmp_path, settings_for(server.port)) as look:
        assert not await look.ask(seconds=0.05)
        assert look.answers() == {}
        late.set()
        await until(lambda: look.verdicts() == ["spam"])


async def test_a_hundred_calls_at_once_make_one_request(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def answering(_head: str, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(answer(200, SPAM))

    async with serving(answering) as server, looking(tmp_path, settings_for(server.port)) as look:
        calls = [asyncio.create_task(look.ask()) for _ in range(100)]
        await until(lambda: server.requests)
        go.set()
        await asyncio.gather(*calls)
        assert len(server.requests) == 1


async def test_first_useful_answer_ends_the_wait(tmp_path: Path) -> None:
    async with (
        serving(hold) as slow,
        serving(answer(200, SPAM)) as quick,
        looking(tmp_path, settings_for(slow.port, quick.port)) as look,
    ):
        assert await look.ask()
        assert look.verdicts() == ["spam"]


async def test_daily_limit_survives_a_restart(tmp_path: Path) -> None:
    async with serving(answer(200, NOTHING)) as server:
        settings = settings_for(server.port, more="daily_limit = 3")
        for n in range(5):
            async with looking(tmp_path, settings) as look:
                await look.ask(f"+1201555010{n}")
        assert len(server.requests) == 3
        async with looking(tmp_path, settings) as look:
            look.clock.now += DAY
            await look.ask("+12015550105")
        assert len(server.requests) == 4


async def test_daily_cost_limit_stops_requests(tmp_path: Path) -> None:
    more = "cost = 0.004\ndaily_spend = 0.01"
    async with serving(answer(200, NOTHING)) as server, looking(tmp_path, settings_for(server.port, more=more)) as look:
        await asyncio.gather(*(look.ask(f"+120155501{n:02}") for n in range(20)))
        assert len(server.requests) == 2
        assert look.usage().micros == 8_000


async def test_disabled_source_is_not_queried(tmp_path: Path) -> None:
    async with serving(answer(200, SPAM)) as server, looking(tmp_path, settings_for(server.port)) as look:
        with open_store(look.store) as db, transaction(db):
            switch_off(db, "s0", look.clock.now, "{}")
        assert not await look.ask()
        assert server.requests == []


async def test_numbers_of_other_countries_are_not_looked_up(tmp_path: Path) -> None:
    async with serving(answer(200, SPAM)) as server:
        async with looking(tmp_path, settings_for(server.port, more='regions = ["DE"]')) as look:
            assert not await look.ask()
        assert server.requests == []


async def endless(_head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")
    while True:
        writer.write(b"1," * 32_768)
        await writer.drain()


BOMB = answer(200, gzip.compress(b'{"spam": true, "x": "' + b"0" * 50_000_000 + b'"}'), content_encoding="gzip")


@pytest.mark.parametrize(
    ("answering", "failure"),
    [
        pytest.param(endless, "too-large", id="endless"),
        pytest.param(BOMB, "too-large", id="gzip-bomb"),
        pytest.param(answer(302, b"", location="http://127.0.0.1:1/x"), "plain-http", id="redirects-inside"),
        pytest.param(answer(500), "status 500", id="broken"),
        pytest.param(answer(200, b"<html>"), "not JSON", id="no-json"),
        pytest.param(b"not HTTP at all\r\n\r\n", "bad-answer", id="no-http"),
        pytest.param(b"", "bad-answer", id="hangs-up"),
    ],
)
async def test_a_bad_server_gives_no_answer(tmp_path: Path, answering: Answering | bytes, failure: str) -> None:
    async with serving(answering) as server, looking(tmp_path, settings_for(server.port)) as look:
        assert not await look.ask()
        assert look.answers() == {}
        assert look.usage()[:3] == (1, 0, 1)
        with open_store(look.store) as db:
            assert last_failure(db, "s0") == failure


async def test_dead_server_is_skipped_and_retried_later(tmp_path: Path) -> None:
    async with serving(answer(200, SPAM)) as gone:
        port = gone.port
    async with looking(tmp_path, settings_for(port)) as look:
        times = [0.0]
        look.service.monotonic = lambda: times[0]
        for n in range(10):
            await look.ask(f"+1201555010{n}")
        assert look.usage().asked == 3
        times[0] += 11
        for n in range(10):
            await look.ask(f"+1201555011{n}")
        assert look.usage().asked == 4


async def test_waiting_look_ups_do_not_query_a_dead_server(tmp_path: Path) -> None:
    async with serving(answer(200, SPAM)) as gone:
        port = gone.port
    async with looking(tmp_path, settings_for(port)) as look:
        await asyncio.gather(*(look.ask(f"+120155501{n:02}") for n in range(40)))
        assert look.usage().asked < AT_ONCE + FAILURES


async def test_missing_store_gives_no_answer(tmp_path: Path) -> None:
    async with serving(answer(200, SPAM)) as server, looking(tmp_path, settings_for(server.port)) as look:
        look.service.store = tmp_path / "file" / "callsieve.db"
        (tmp_path / "file").write_text("")
        assert not await look.ask()
        assert server.requests == []


async def test_log_contains_no_number_and_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(answer(200, SPAM)) as server, looking(tmp_path, settings_for(server.port)) as look:
        look.service.sources[0].token = "s3cr3t"
        await look.ask()
        await look.ask(OTHER)
        assert "authorization: bearer s3cr3t" in server.requests[0].lower()
    assert CALLER[1:] not in caplog.text
    assert OTHER[1:] not in caplog.text
    assert "s3cr3t" not in caplog.text
