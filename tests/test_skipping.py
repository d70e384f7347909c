"""A test that cannot run fails unless skipping is allowed, as tried in a separate session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.slow  # three test sessions

ROOT = Path(__file__).resolve().parent.parent
TESTS = """\
import pytest
from lab.debian import LabUnavailable

def test_ran():
    pass

@pytest.fixture(scope="session")
def server():
    raise LabUnavailable("apt-get update failed")

@pytest.mark.parametrize("number", [1, 2])
def test_with_an_unpacked_program(server, number):
    pass

def test_that_unpacks_a_program():
    raise LabUnavailable("apt-get update failed")

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
    ("options", "is_root", "counts"),
    [
        pytest.param((), True, {"failures": 1, "errors": 4, "skipped": 1}, id="make-test-as-root"),
        pytest.param((), False, {"failures": 1, "errors": 4, "skipped": 2}, id="make-test"),
        pytest.param(("--may-skip",), True, {"failures": 0, "errors": 0, "skipped": 6}, id="make-test-fast-as-root"),
    ],
)
def test_skipped_tests_fail_unless_skipping_is_allowed(
    tmp_path: Path, options: tuple[str, ...], is_root: bool, counts: dict[str, int]
) -> None:
    """A test that is known to fail counts as skipped in the report."""
    test = tmp_path / "test_some.py"
    test.write_text(TESTS)
    plugin = f"import tests.conftest as shared\nshared.IS_ROOT = {is_root}\nfrom tests.conftest import *\n"
    (tmp_path / "conftest.py").write_text(plugin)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [*command, *options, f"--junitxml={report}", str(test)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    suite = ElementTree.parse(report).find("testsuite")
    assert suite is not None
    assert {name: int(suite.attrib[name]) for name in counts} == counts, done.stdout + done.stderr
    assert suite.attrib["tests"] == "8"
    assert (done.returncode == 0) is (options != ())
