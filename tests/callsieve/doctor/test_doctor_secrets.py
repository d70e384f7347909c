"""The doctor checks that secret files are private to the service."""

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


def check_secrets(folder: Path, settings: str = SETTINGS) -> Finding:
    loaded = Loaded(settings=parse_settings(settings.format(folder=folder), "test"), file=None, state=folder)
    return has_private_secrets(CheckContext(loaded, str, 0.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mqtt", "crm"):
        (tmp_path / name).write_text("a word\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_no_secret_files_is_ok(tmp_path: Path) -> None:
    assert check_secrets(tmp_path, "").status is CheckStatus.OK


def test_private_secrets_are_counted(folder: Path) -> None:
    found = check_secrets(folder)
    assert (found.status, str(found.detail)[0]) == (CheckStatus.OK, "2")


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660])
def test_secret_open_to_others_fails(folder: Path, mode: int) -> None:
    (folder / "crm").chmod(mode)
    found = check_secrets(folder)
    assert found.status is CheckStatus.FAIL
    assert f"{folder}/crm" in str(found.detail)


def test_missing_or_empty_secret_is_a_warning(folder: Path) -> None:
    (folder / "mqtt").write_text("")
    assert check_secrets(folder).status is CheckStatus.WARN
    (folder / "mqtt").unlink()
    assert check_secrets(folder).status is CheckStatus.WARN


def test_unsafe_secret_outranks_a_missing_one(folder: Path) -> None:
    (folder / "mqtt").unlink()
    (folder / "crm").chmod(0o644)
    found = check_secrets(folder)
    assert found.status is CheckStatus.FAIL
    assert f"{folder}/crm" in str(found.detail)
