"""Where secrets are read from, and where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.outside.errors import OutsideError
from callsieve.outside.secrets import secret_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    return path


def test_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    assert secret_of("env:SOME_TOKEN") == "s3cret"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_secret_is_read_from_a_file_without_its_line_end(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert secret_of(f"file:{file}") == "s3cret"


def test_symlink_of_the_own_user_is_followed(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    assert secret_of(f"file:{link}") == "s3cret"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602, 0o777])
def test_secret_file_open_to_other_users_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert _code(f"file:{file}") == "secret-readable"


@pytest.mark.parametrize("content", [b"", b"\n \n", b"two\nlines", b"\xff\xfe", b"x" * 5000])
def test_content_that_cannot_be_a_secret_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert _code(f"file:{file}") == "no-secret"


def test_unreadable_secrets_have_a_code(tmp_path: Path) -> None:
    assert _code(f"file:{tmp_path / 'none'}") == "secret-unreadable"
    assert _code(f"file:{tmp_path}") == "secret-unreadable"
    assert _code("env:NO_SUCH_TOKEN_HERE") == "no-secret"


def test_literal_secret_in_settings_is_refused_unprinted() -> None:
    with pytest.raises(OutsideError) as refused:
        secret_of("s3cret")
    assert refused.value.code == "secret-in-settings"
    assert "s3cret" not in str(refused.value)


def _code(text: str) -> str:
    with pytest.raises(OutsideError) as refused:
        secret_of(text)
    return refused.value.code
