"""The version of the program, its changelog and its tags agree; a release cuts the changelog."""

from __future__ import annotations

import subprocess

import pytest

from packages.release import ReleaseError, check_version, cut
from tests.office import ROOT

TEXT = "# Changelog\n\nIntroduction.\n\n{}\n\n### Added\n\n- A change.\n\n## 0.1.0 (never published)\n\n- The first.\n"


def project(version: str) -> str:
    return f'[project]\nname = "callsieve"\nversion = "{version}"\n'


def test_version_fits_changelog_and_tags() -> None:
    tags = subprocess.run(("git", "tag", "--list"), cwd=ROOT, capture_output=True, text=True, check=False).stdout
    check_version((ROOT / "pyproject.toml").read_text(), (ROOT / "CHANGELOG.md").read_text(), tags.split())


@pytest.mark.parametrize(
    ("version", "heading", "tags"),
    [
        pytest.param("0.2.0.dev0", "## Unreleased", ["v0.1.0"], id="next version without a number"),
        pytest.param("0.2.0.dev0", "## 0.2.0", ["v0.1.0"], id="next version"),
        pytest.param("0.2.0.dev0", "## 0.2.0 (unreleased)", [], id="first version"),
        pytest.param("0.2.0", "## 0.2.0 (2026-12-01)", ["v0.1.0"], id="release before its tag"),
        pytest.param("0.10.0", "## 0.10.0 (2026-12-01)", ["v0.9.0", "v0.10.0", "old"], id="release with its tag"),
    ],
)
def test_version_is_accepted(version: str, heading: str, tags: list[str]) -> None:
    check_version(project(version), TEXT.format(heading), tags)


@pytest.mark.parametrize(
    ("version", "heading", "tags"),
    [
        pytest.param("0.3.0.dev0", "## 0.2.0 (unreleased)", [], id="another number"),
        pytest.param("0.2.0", "## 0.2.0 (unreleased)", [], id="released without a date"),
        pytest.param("0.2.0.dev0", "## 0.2.0 (2026-12-01)", [], id="a date without a release"),
        pytest.param("0.2.0.dev0", "## Unreleased", ["v0.2.0"], id="number is already tagged"),
        pytest.param("0.9.0", "## 0.9.0 (2026-12-01)", ["v0.10.0"], id="an older number than the tag"),
    ],
)
def test_version_is_refused(version: str, heading: str, tags: list[str]) -> None:
    with pytest.raises(ReleaseError):
        check_version(project(version), TEXT.format(heading), tags)


@pytest.mark.parametrize("heading", ["## Unreleased", "## 0.2.0", "## 0.2.0 (unreleased)"])
def test_cut_dates_the_heading_once(heading: str) -> None:
    pyproject, changelog = cut(project("0.2.0.dev0"), TEXT.format(heading), "2026-12-01")
    assert pyproject == project("0.2.0")
    assert changelog == TEXT.format("## 0.2.0 (2026-12-01)")
    assert cut(pyproject, changelog, "2026-12-02") == (pyproject, changelog)


def test_release_without_a_change_is_refused() -> None:
    with pytest.raises(ReleaseError):
        cut(project("0.2.0.dev0"), TEXT.format("## Unreleased").replace("- A change.\n", ""), "2026-12-01")
