"""Hostile calls of another site at a central console."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from reputation.store.hub.incoming import apply_rows
from reputation.store.hub.link import Link
from reputation.store.hub.rows import MICROSECONDS, SharedRow
from tests.callsieve.browsing import NOW, Console, Office

LINK: Final = Link("center", "main", "hub", (0, 0), (0, 0), 0, "", None, None, None, "")
DECISION: Final[dict[str, Any]] = {
    "linkedid": "17.1",
    "caller_kind": "number",
    "auth_class": "unknown",
    "did": "+12015550199",
    "trunk": "carrier",
    "callee": "201",
    "action": "allow",
    "would_be": "allow",
    "rule": "default",
    "reason": "{}",
    "level": "none",
    "log_odds": 0.0,
    "vector": "{}",
    "policy": "balanced",
    "elapsed_ms": 1.0,
    "caller_text": "",
    "first_call": 0,
}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.parametrize(
    "hostile",
    [
        {"action": "explode"},
        {"would_be": "explode"},
        {"action": "", "would_be": "", "rule": "", "policy": ""},
        {"reason": "{"},
        {"reason": "[1]"},
        {"reason": '{"code":"nothing","params":{"x":[1]}}'},
        {"vector": "[["},
        {"vector": '{"marks":1e999}'},
        {"vector": '{"marks":"<script>"}'},
        {"level": "worst"},
        {"log_odds": -2147483648, "elapsed_ms": 2147483648},
        {"action": "<script>", "would_be": "<script>", "level": "<script>"},
        {"rule": "<script>", "policy": "<script>", "trunk": "<script>", "caller_text": "<script>"},
        {"linkedid": "x" * 300, "callee": "y" * 300},
    ],
    ids=lambda said: "+".join(said),
)
def test_hostile_call_of_another_site_breaks_no_page(office: Office, console: Console, hostile: dict[str, Any]) -> None:
    payload = json.dumps(DECISION | hostile)
    at_us = int((NOW - 50) * MICROSECONDS)
    row = SharedRow("decision", "berlin", "+12015550123", '["H0000000"]', payload, "", at_us, at_us, False)
    with closing(sqlite3.connect(office.store)) as db, db:
        assert apply_rows(db, LINK, [row], frozenset(), 9.0) == (1, 0)
    browser = console.browser("operator")
    for path in ("/", "/calls", "/calls/H0000000", "/calls?site=berlin", "/numbers/+12015550123"):
        assert "<script>" not in browser.text(path), path
