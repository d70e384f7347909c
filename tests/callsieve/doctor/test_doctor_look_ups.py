"""The doctor checks the look-up process and its sources."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.lookups.operations import register_sources
from callsieve.lookups.process import serving
from callsieve.lookups.views import FAILURES, are_made
from callsieve.settings import Loaded, parse_settings
from reputation.store.database import open_store
from reputation.store.lookups import DailyLimits, record_failure, reserve, switch_off
from reputation.store.transaction import transaction

NOW = 1_790_000_000.0
SCORES = """
[[lookup]]
name = "scores"
kind = "http"
url = "https://api.example.com/{digits}"
send = "number"
consent = true
spam_when = ["score > 3"]
"""


def make_context(state: Path, text: str = SCORES) -> CheckContext:
    loaded = Loaded(settings=parse_settings(text, "test"), file=None, state=state)
    with open_store(loaded.store_path) as db, transaction(db):
        register_sources(db, loaded.settings)
    answers: dict[str, str] = {}
    return CheckContext(loaded, answers.__getitem__, NOW)


@contextmanager
def running_process(state: Path) -> Iterator[None]:
    """The process's socket, served in another thread."""
    there, over = threading.Event(), threading.Event()

    async def look_up(_number: str, _seconds: float) -> bool:
        raise AssertionError("the doctor asks about nobody")

    async def serve() -> None:
        async with serving(state / "lookups.sock", look_up):
            there.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert there.wait(20)
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_no_sources_is_ok(tmp_path: Path) -> None:
    assert are_made(make_context(tmp_path, "")).status is CheckStatus.OK


def test_running_process_is_ok(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    with running_process(tmp_path):
        found = are_made(context)
    assert (found.status, str(found.detail)) == (CheckStatus.OK, "sources: 1, requests today: 0")


@pytest.mark.parametrize("is_left_over", [False, True])
def test_stopped_process_is_reported(tmp_path: Path, *, is_left_over: bool) -> None:
    context = make_context(tmp_path)
    if is_left_over:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(tmp_path / "lookups.sock"))
    found = are_made(context)
    assert found.status is CheckStatus.WARN
    assert "is not running" in str(found.detail)
    assert "callsieve-lookups" in str(found.remedy)


def test_unresponsive_process_is_reported(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "lookups.sock"))
        door.listen()
        found = are_made(context)
    assert found.status is CheckStatus.WARN
    assert "does not answer" in str(found.detail)


def test_disabled_source_is_named(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    with open_store(context.loaded.store_path) as db, transaction(db):
        switch_off(db, "scores", NOW, '{"code": "worse-than-chance", "right": 3, "told": 50}')
    with running_process(tmp_path):
        found = are_made(context)
    assert str(found.detail) == "scores is off: worse than chance: right about 3 of 50 numbers"
    assert str(found.remedy) == "callsieve lookups enable scores"


def test_failing_source_is_named(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    with open_store(context.loaded.store_path) as db:
        for _ in range(FAILURES):
            reserve(db, "scores", NOW, DailyLimits(99))
            record_failure(db, "scores", NOW, "timeout")
    with running_process(tmp_path):
        found = are_made(context)
    assert str(found.detail) == "scores: 5 of 5 requests failed today, the last: timeout"
