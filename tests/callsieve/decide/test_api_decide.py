"""`POST /decide` answers in time with the daemon's decision, or allow."""

from __future__ import annotations

import json
import socketserver
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from callsieve.decide.api.endpoints import MOST_BYTES
from callsieve.decide.call_facts import NoDecision
from reputation.encoding import instant_text
from reputation.store.users import add_token
from reputation.users import ApiToken, Role, Scope, digest_of, new_secret
from tests.callsieve.asking import ApiOffice, Program, RunningApi
from tests.callsieve.browsing import NOW, SETTINGS, changes_of
from tests.office import CALLER
from tests.waiting import wait_until

DECIDE = (Scope.DECIDE,)


@pytest.fixture
def office(tmp_path: Path) -> ApiOffice:
    return ApiOffice(tmp_path)


@pytest.fixture
def api(office: ApiOffice) -> Iterator[RunningApi]:
    with office.api() as running:
        yield running


def switch_of(api: RunningApi) -> Program:
    return api.program(Role.VIEWER, DECIDE)


def test_calls_are_allowed_without_a_daemon(api: RunningApi) -> None:
    answer = switch_of(api).done("POST", "/decide", {"caller": CALLER})
    assert (answer["action"], answer["rule"], answer["id"]) == ("allow", "fail-open", None)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        pytest.param(b"", (400, "bad-json"), id="nothing"),
        pytest.param(b"caller=1", (400, "bad-json"), id="a-form"),
        pytest.param(b"[" * 5000, (422, "bad-body"), id="deep"),
        pytest.param(b'{"caler": "1"}', (422, "bad-body"), id="unknown-field"),
        pytest.param(b'{"caller": 12015550123}', (422, "bad-body"), id="a-number"),
        pytest.param(b'{"verification": "yes"}', (422, "bad-body"), id="unknown-word"),
        pytest.param(
            b'{"verification": "failed", "name": "", "verification": "passed"}', (422, "bad-body"), id="twice"
        ),
        pytest.param(b'{"name": "' + b"x" * MOST_BYTES + b'"}', (413, "too-large"), id="too-large"),
    ],
)
def test_invalid_request_is_refused(api: RunningApi, raw: bytes, told: tuple[int, str]) -> None:
    headers = {"content-type": "application/json"}
    assert switch_of(api).refused("POST", "/decide", content=raw, headers=headers) == told


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"name": "\xff\xfe"}', id="no-utf-8"),
        pytest.param(json.dumps({"name": "\n\0\r\x7f‮", "caller": "\n\nagi_arg_1: x=y"}).encode(), id="line-ends"),
        pytest.param(json.dumps({"name": '"\\"' * 20_000}).encode(), id="long"),
        pytest.param(json.dumps({"call_id": "x" * 60_000, "diversion": "y" * 60_000}).encode(), id="long-headers"),
    ],
)
def test_any_text_of_a_caller_is_accepted(api: RunningApi, raw: bytes) -> None:
    answer = switch_of(api).done("POST", "/decide", content=raw, headers={"content-type": "application/json"})
    assert answer["rule"] == "fail-open"  # nothing is there that would decide


def test_missing_scope_or_token_is_refused(api: RunningApi) -> None:
    assert api.program(scopes=(Scope.READ,)).refused("POST", "/decide", {}) == (403, "wrong-scope")
    assert api.with_secret(None).refused("POST", "/decide", {}) == (401, "no-token")


def test_rate_limit_of_a_token_does_not_apply_to_decide(api: RunningApi) -> None:
    program = api.program(Role.VIEWER, DECIDE, per_minute=1)
    for _ in range(5):
        program.done("POST", "/decide", {})


def test_calls_above_the_limit_are_decided_but_not_recorded(tmp_path: Path) -> None:
    """A fake daemon notes every request."""
    asked: list[bytes] = []

    class Daemon(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(b"".join(iter(self.rfile.readline, b"\n")))

    office = ApiOffice(tmp_path, f"{SETTINGS}[api]\nenabled = true\nrecorded_per_second = 2\n")
    path = str(Path(office.state) / "agi.sock")
    with office.api() as api, socketserver.ThreadingUnixStreamServer(path, Daemon) as daemon:
        threading.Thread(target=daemon.serve_forever, args=(0.01,), daemon=True).start()
        program, other = switch_of(api), switch_of(api)
        for _ in range(20):
            program.done("POST", "/decide", {})
        other.done("POST", "/decide", {})
        daemon.shutdown()
    unrecorded = [b"record=no" in block for block in asked]
    assert len(asked) == 21
    assert not unrecorded[0]
    assert any(unrecorded)
    assert not unrecorded[-1]


def test_calls_are_allowed_without_a_store(office: ApiOffice, api: RunningApi) -> None:
    program = switch_of(api)
    office.store.unlink()
    assert program.done("POST", "/decide", {})["rule"] == "fail-open"
    assert program.refused("GET", "/lists/block/entries") == (503, "no-store")


def test_calls_are_allowed_while_the_store_is_locked(office: ApiOffice) -> None:
    secret = new_secret()
    office.write(add_token, ApiToken("switch", Role.VIEWER, DECIDE, NOW), digest_of(secret) or "")
    with closing(sqlite3.connect(office.store, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with office.api() as api:
            program = api.with_secret(secret)
            assert program.done("POST", "/decide", {})["reason"] == NoDecision.TIMED_OUT
            other.execute("ROLLBACK")
            other.close()
            wait_until(
                lambda: program.done("POST", "/decide", {})["reason"] == NoDecision.NOT_RUNNING, "the store again"
            )


def test_slow_page_delays_no_call(api: RunningApi) -> None:
    program = switch_of(api)
    is_read, may_end = threading.Event(), threading.Event()

    def read(_db: sqlite3.Connection) -> None:
        is_read.set()
        may_end.wait(60)

    portal = program.client.portal
    assert portal is not None
    reading = portal.start_task_soon(api.state.store.read, read)
    try:
        assert is_read.wait(30)
        # A call that found no socket did not wait. On a busy server others may have.
        wait_until(lambda: program.done("POST", "/decide", {})["reason"] == NoDecision.NOT_RUNNING, "an answer in time")
    finally:
        may_end.set()
        reading.result(30)


def test_an_emergency_call_opens_the_window(office: ApiOffice, api: RunningApi) -> None:
    opened = api.program(Role.OPERATOR, DECIDE).done("POST", "/emergency-calls", {})
    assert opened["open"]
    assert opened["until"] > instant_text(NOW)
    assert changes_of(office) == [("emergency open", "token:program-1", None)]
