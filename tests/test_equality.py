"""10,000 events of a made-up office give the recorded decisions, rows and reports.

A change that is meant: `python -m tests.equality --renew`, and the commit says which digests it changes and why. To see
the lines that differ, run `python -m tests.equality --out DIR` before and after, and compare the two.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.equality import RECORDED, digests_of, played, rules_of


@pytest.mark.slow
@pytest.mark.timeout(600)  # a machine that does other things too
def test_decisions_and_reports_match_the_recording(tmp_path: Path) -> None:
    recorded = json.loads(RECORDED.read_text())
    lines = played(tmp_path, recorded["events"], recorded["seed"])
    assert rules_of(lines) == recorded["rules"]
    assert digests_of(lines) == recorded["digests"]
