"""The lock files: exact versions with hashes, no registry address, and all requirements of pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.office import ROOT

LOCKS = tuple(sorted(path.stem for path in (ROOT / "requirements").glob("*.txt")))
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("fast", "hub", "notify")  # that a user gets; the tests need the others, too
# One package: what is installed, and the hashes of its files.
ENTRY = re.compile(
    r"^(?P<requirement>\S+==[^\\\n]+?) \\\n(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def text_of(lock: str) -> str:
    return (ROOT / f"requirements/{lock}.txt").read_text("utf-8")


def versions_of(lock: str, python: str) -> dict[str, str]:
    """Return the version of each package that the lock installs on this Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    requirements = (Requirement(entry["requirement"]) for entry in ENTRY.finditer(text_of(lock)))
    return {
        canonicalize_name(each.name): next(iter(each.specifier)).version
        for each in requirements
        if each.marker is None or each.marker.evaluate(environment)
    }


def unmet(wanted: Iterable[str], locked: dict[str, str]) -> list[str]:
    requirements = [Requirement(text) for text in wanted]
    return [
        str(each)
        for each in requirements
        if not each.specifier.contains(locked.get(canonicalize_name(each.name), "0"), prereleases=True)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_only_entries_with_hashes(lock: str) -> None:
    rest = ENTRY.sub("", text_of(lock))
    assert [line for line in rest.splitlines() if line and not line.lstrip().startswith("#")] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_registry(lock: str) -> None:
    assert "://" not in text_of(lock)


@pytest.mark.parametrize("python", PYTHONS)
def test_runtime_lock_meets_the_project_and_its_extras(python: str) -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *(text for extra in EXTRAS for text in extras[extra])]
    assert unmet(wanted, versions_of("runtime", python)) == []
    rest = [text for extra in extras.keys() - {*EXTRAS, "speech"} for text in extras[extra]]
    assert unmet(rest, versions_of("dev", python)) == []
    assert unmet(extras["speech"], versions_of("speech", python)) == []


@pytest.mark.parametrize("python", PYTHONS[:3])
def test_lock_of_speech_tests_meets_its_group(python: str) -> None:
    assert unmet(PROJECT["dependency-groups"]["speech"], versions_of("speech-tests", python)) == []


@pytest.mark.parametrize("python", PYTHONS)
def test_development_lock_meets_its_group(python: str) -> None:
    group = [text for text in PROJECT["dependency-groups"]["dev"] if isinstance(text, str)]
    assert unmet([*group, *PROJECT["build-system"]["requires"]], versions_of("dev", python)) == []


@pytest.mark.parametrize("python", PYTHONS)
def test_locks_agree(python: str) -> None:
    locked = {lock: versions_of(lock, python) for lock in LOCKS}
    versions = {(name, version) for each in locked.values() for name, version in each.items()}
    assert len(versions) == len({name for name, _ in versions}), "two locks have two versions of a package"
    assert locked["build"].items() <= locked["dev"].items()


def test_runtime_lock_has_no_development_tool() -> None:
    group = PROJECT["dependency-groups"]["dev"]
    tools = {canonicalize_name(Requirement(text).name) for text in group if isinstance(text, str)}
    assert tools & versions_of("runtime", PYTHONS[0]).keys() == set()


@pytest.mark.parametrize("python", PYTHONS)
def test_release_lock_meets_its_group(python: str) -> None:
    assert unmet(PROJECT["dependency-groups"]["release"], versions_of("release", python)) == []
