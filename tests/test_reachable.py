"""Other users can reach a checkout of root during a test run, and not afterwards."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """\
import os, sys
from pathlib import Path
from tests.reachable import make_reachable

checkout = Path(sys.argv[1])
make_reachable(checkout)
os.seteuid(65534)
print((checkout / "docs/page").read_text(), (checkout / "link").read_text(), (checkout.parent / "beside").read_text())
os.seteuid(0)
(checkout / "docs/new").touch()
"""


@pytest.fixture
def top() -> Iterator[Path]:
    """Not below tmp_path: that has directories on the way whose permissions other sessions of pytest change."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.root
@pytest.mark.parametrize("closed", ["a", "a/checkout", "a a/checkout"])
def test_checkout_is_open_to_others_in_this_process_only(top: Path, closed: str) -> None:
    checkout = top / "a/checkout"
    (checkout / "docs").mkdir(parents=True)
    for path, text in ((checkout / "docs/page", "page"), (checkout.parent / "beside", "beside")):
        path.write_text(text)
        path.chmod(0o644)
    for folder in (checkout.parent, checkout, checkout / "docs"):
        folder.chmod(0o755)  # whatever umask another test has left
    (checkout / "link").symlink_to("docs/page")
    for name in closed.split():
        (top / name).chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, checkout], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout == "page page beside\n", done.stderr
    assert [(top / name).stat().st_mode & 0o777 for name in closed.split()] == [0o700] * len(closed.split())
    assert (checkout / "docs/new").exists()
