"""Whether secrets in files can be read by the service, and by nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext, Finding
from callsieve.doctor.privacy import has_private_secrets
from callsieve.health import CheckStatus
from callsieve.settings import Loaded, parse_settings

SETTINGS = """
[mqtt]
host = "broker"
username = "callsieve"
password = "file:{folder}/mqtt"

[[webhook]]
name = "crm"
url = "https://crm.example.com"
secret = "file:{folder}/crm"

[[notify]]
name = "phone"
url = "env:NOT_SEEN_FROM_HERE"
"""


def look(folder: Path, settings: str = SETTINGS) -> Finding:
    loaded = Loaded(settings=parse_settings(settings.format(folder=folder), "test"), file=None, state=folder)
    return has_private_secrets(CheckContext(loaded, str, 0.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mqtt", "crm"):
        (tmp_path / name).write_text("a word\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_without_secrets_in_files_all_is_well(tmp_path: Path) -> None:
    assert look(tmp_path, "").status is CheckStatus.OK


def test_those_that_only_we_can_read_are_counted(folder: Path) -> None:
    found = look(folder)
    assert (found.status, str(found.detail)[0]) == (CheckStatus.OK, "2")


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660])
def test_one_that_others_can_read_or_change_fails(folder: Path, mode: int) -> None:
    (folder / "crm").chmod(mode)
    found = look(folder)
    assert found.status is CheckStatus.FAIL
    assert f"{folder}/crm" in str(found.detail)


def test_one_that_is_missing_or_empty_is_a_warning(folder: Path) -> None:
    (folder / "mqtt").write_text("")
    assert look(folder).status is CheckStatus.WARN
    (folder / "mqtt").unlink()
    assert look(folder).status is CheckStatus.WARN


def test_what_is_unsafe_comes_before_what_is_missing(folder: Path) -> None:
    (folder / "mqtt").unlink()
    (folder / "crm").chmod(0o644)
    found = look(folder)
    assert found.status is CheckStatus.FAIL
    assert f"{folder}/crm" in str(found.detail)
