"""The module's page together with the API: what a button does, and what the audit has of it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.php import ensure_php
from lab.screened import ROOT
from tests.callsieve.api.serving import ServedApi, serving_api

pytestmark = pytest.mark.slow  # PHP has to be fetched

NUMBER = "+12015550177"


def press(served: ServedApi, *forms: dict[str, str]) -> dict[str, Any]:
    """Submit these forms, and return the page after each and the blocklist in the end."""
    script, socket = ROOT / "freepbx/tests/press.php", served.office.state / "api.sock"
    words = (ensure_php(), str(script), str(socket), json.dumps(forms))
    done = subprocess.run(words, capture_output=True, check=True, timeout=60, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def rows(served: ServedApi, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(served.office.store)) as db:
        return db.execute(sql).fetchall()


def test_each_form_of_the_page_makes_its_change(tmp_path: Path) -> None:
    with serving_api(tmp_path, settings=f'[agi]\nusers = ["{os.getuid()}"]\n') as served:
        said = press(
            served,
            {"do": "block", "entry": NUMBER, "note": "sells warranties"},
            {"do": "undo"},
            {"do": "import", "list": "block", "lines": "+1900*,premium\nnonsense,x\n+12015550178"},
            {"do": "off", "for": "30m", "reason": "maintenance"},
            {"do": "on"},
            {"do": "activate", "policy": "cautious"},
            {"do": "activate", "policy": "no-such"},
        )
        block, undo, imported, off, on, activate, refused = said["notes"]
        assert [len(note["undo"]) for note in (block, undo, imported, activate, refused)] == [1, 0, 2, 1, 0]
        assert "nonsense" in imported["text"]
        assert (off["text"], on["text"], refused["text"]) == ("", "", "")
        assert NUMBER not in said["csv"]
        assert "+1900*,premium" in said["csv"]
        assert "alert-" in said["html"]
        changes = rows(served, "SELECT what, who FROM audit ORDER BY id")
        assert {who for what, who in changes if what in ("off", "on", "policy activate")} == {"socket:root/joe"}


def test_calls_are_shown_with_their_details(tmp_path: Path) -> None:
    with serving_api(tmp_path, settings=f'[agi]\nusers = ["{os.getuid()}"]\n') as served:
        html = press(served)["html"]
        assert html.count("<tr>") > 1
        assert 'id="callsieve-unread"' not in html
