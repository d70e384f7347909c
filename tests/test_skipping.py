"""A test that cannot run fails, unless skipping was asked for: tried on a test session of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # three test sessions

ROOT = Path(__file__).resolve().parent.parent
TESTS = """\
import pytest

def test_ran():
    pass

@pytest.fixture
def program():
    pytest.skip("no such program")

def test_in_a_fixture(program):
    pass

@pytest.mark.skipif(True, reason="no such program")
def test_marked():
    pass

@pytest.mark.xfail
def test_known_to_fail():
    assert False

@pytest.mark.root
def test_for_root():
    pass
"""


@pytest.mark.parametrize(
    ("options", "is_root", "line"),
    [
        pytest.param((), True, "2 passed, 1 xfailed, 2 errors in", id="make-test-as-root"),
        pytest.param((), False, "1 passed, 1 skipped, 1 xfailed, 2 errors in", id="make-test"),
        pytest.param(("--may-skip",), True, "2 passed, 2 skipped, 1 xfailed in", id="make-test-fast-as-root"),
    ],
)
def test_skips(tmp_path: Path, options: tuple[str, ...], is_root: bool, line: str) -> None:
    test = tmp_path / "test_some.py"
    test.write_text(TESTS)
    plugin = f"import tests.conftest as shared\nshared.IS_ROOT = {is_root}\nfrom tests.conftest import *\n"
    (tmp_path / "conftest.py").write_text(plugin)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, *options, str(test)], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )
    assert line in done.stdout.splitlines()[-1], done.stdout + done.stderr
    assert (done.returncode == 0) is (options != ())
