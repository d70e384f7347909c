"""Idempotency keys: a repeated write is done once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from callsieve.api.idempotency import HEADER
from callsieve.main.capabilities import ALL, endpoints_of
from reputation.store.audit import audit_rows
from reputation.store.privacy import erase_number
from reputation.store.users import ANSWER_SECONDS, MOST_ANSWERS
from tests.callsieve.asking import ApiOffice, Program, RunningApi
from tests.callsieve.browsing import changes_of
from tests.office import CALLER

ENTRIES = "/lists/block/entries"
KEY = {HEADER: "6f1c9a60-1"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with ApiOffice(tmp_path).api() as running:
        yield running


def add_entry(program: Program, note: str = "", **headers: str) -> tuple[int, str, bool]:
    """Return the status, the body, and whether the answer was a stored one."""
    answer = program.ask("POST", ENTRIES, {"entry": CALLER, "note": note}, headers=headers)
    return answer.status, answer.response.text, "idempotency-replayed" in answer.headers


def test_repeated_request_is_done_once(api: RunningApi) -> None:
    program = api.program()
    status, body, again = add_entry(program, **KEY)
    assert (status, again) == (201, False)
    assert add_entry(program, **KEY) == (201, body, True)
    assert len(changes_of(api.office)) == 1
    assert add_entry(program, **{HEADER: "another"})[2] is False
    assert len(changes_of(api.office)) == 2


def test_key_with_another_request_is_refused(api: RunningApi) -> None:
    program = api.program()
    add_entry(program, **KEY)
    assert program.refused("POST", ENTRIES, {"entry": CALLER, "note": "x"}, headers=KEY) == (422, "key-reused")
    assert program.refused("DELETE", f"{ENTRIES}/{CALLER}", headers=KEY) == (422, "key-reused")
    assert len(changes_of(api.office)) == 1


def test_keys_of_two_tokens_are_independent(api: RunningApi) -> None:
    add_entry(api.program(), **KEY)
    assert add_entry(api.program(), note="of another", **KEY)[2] is False


def test_key_expires_after_a_day(api: RunningApi) -> None:
    program = api.program()
    add_entry(program, **KEY)
    api.office.clock.now += ANSWER_SECONDS
    assert add_entry(program, note="of today", **KEY)[2] is False


def test_refused_request_can_be_repeated_with_its_key(api: RunningApi) -> None:
    program = api.program()
    path = f"{ENTRIES}/{CALLER}"
    assert program.refused("DELETE", path, headers=KEY) == (404, "not-listed")
    add_entry(program)
    assert program.done("DELETE", path, headers=KEY)["change_id"]


def test_change_is_rolled_back_if_its_answer_cannot_be_kept(api: RunningApi) -> None:
    """The write and its stored answer are one transaction."""
    with closing(sqlite3.connect(api.office.store)) as db, db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON api_answer BEGIN SELECT RAISE(ABORT, 'no room'); END")
    assert api.program().refused("POST", ENTRIES, {"entry": CALLER}, headers=KEY) == (500, "failed")
    assert changes_of(api.office) == []


def test_number_of_keys_per_token_is_limited(api: RunningApi) -> None:
    program = api.program()
    with closing(sqlite3.connect(api.office.store)) as db, db:
        rows = ((1, f"key-{count}", "", api.office.clock.now, 200, "{}") for count in range(MOST_ANSWERS))
        db.executemany("INSERT INTO api_answer (token, key, digest, at, status, body) VALUES (?, ?, ?, ?, ?, ?)", rows)
    assert program.refused("POST", ENTRIES, {"entry": CALLER}, headers=KEY) == (429, "too-many-keys")
    assert add_entry(program)[0] == 201
    api.office.clock.now += ANSWER_SECONDS
    assert add_entry(program, **KEY)[0] == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ü"])
def test_invalid_key_is_refused(api: RunningApi, key: str) -> None:
    headers = {HEADER: key.encode()}
    told = api.program().refused("POST", ENTRIES, {"entry": CALLER}, headers=headers)
    assert told == (400, "bad-idempotency-key")


def test_second_of_two_concurrent_requests_is_refused(api: RunningApi) -> None:
    """The store is locked until both requests have arrived."""
    program = api.program()
    told: Queue[tuple[int, str, bool]] = Queue()
    lock = sqlite3.connect(api.office.store, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    both = [Thread(target=lambda: told.put(add_entry(program, **KEY))) for _ in range(2)]
    try:
        for item in both:
            item.start()
        status, body, _ = told.get(timeout=30)
        assert (status, "key-in-flight" in body) == (409, True)
    finally:
        lock.execute("ROLLBACK")
        lock.close()
        for item in both:
            item.join()
    assert told.get()[0] == 201
    assert add_entry(program, **KEY)[2] is True


def test_erased_number_is_removed_from_kept_answers(api: RunningApi) -> None:
    program = api.program()
    add_entry(program, **KEY)
    api.office.write(erase_number, CALLER)
    assert api.office.read(lambda db: db.execute("SELECT count(*) FROM api_answer").fetchone()) == (0,)
    assert all(CALLER not in str(row) for row in api.office.read(audit_rows))


def test_only_writes_take_a_key() -> None:
    assert not any(endpoint.takes_key for endpoint in endpoints_of(ALL) if endpoint.method == "GET")
    assert all(endpoint.takes_key for endpoint in endpoints_of(ALL) if endpoint.method == "DELETE")
