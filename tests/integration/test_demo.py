"""`make demo`: every call must end as announced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.demo import SCENES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_every_call_of_the_demo_ends_as_announced() -> None:
    demo = subprocess.run(
        (sys.executable, "-m", "lab.demo"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=280,
        cwd=ROOT,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert f"All {len(SCENES)} calls ended" in demo.stdout
