"""Debian's packages: what can be tested without building them. docs/operations.md says how they were tried."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packages.build import DEBIAN_BY_SUITE, HERE, PACKAGES, PYTHON_BY_SUITE, ROOT, Package
from tests.test_requirements import PYTHONS, versions_of

SCRIPTS = sorted((HERE / "scripts").iterdir())


def test_each_suite_has_a_python_that_the_locks_cover() -> None:
    assert set(PYTHON_BY_SUITE) == set(DEBIAN_BY_SUITE)
    assert set(PYTHON_BY_SUITE.values()) <= set(PYTHONS)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_what_a_package_has_is_locked(package: Package) -> None:
    locked = versions_of(package.lock.removesuffix(".txt"), "3.13")
    assert locked
    assert package.only <= set(locked)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_of_root_is_valid_and_writes_no_file_of_a_known_name(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "/tmp/" not in script.read_text()


def test_each_unit_starts_the_program_of_the_package() -> None:
    units = [path for path in (ROOT / "asterisk-conf").glob("*.service") if "ExecStart=" in path.read_text()]
    assert units
    assert [path.name for path in units if "ExecStart=@CALLSIEVE@ " not in path.read_text()] == []
