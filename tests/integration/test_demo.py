"""`make demo` as a newcomer runs it: every call must end as it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.demo import SCENES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_demo_ends_as_it_says() -> None:
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
