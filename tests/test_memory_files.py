"""Temporary files of tests are in memory."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests import memory_files
from tests.memory_files import LOCK, PREFIX, forget_memory, use_memory


@pytest.fixture(autouse=True)
def _restore_tempfile(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    held: list[IO[str]] = []
    monkeypatch.setattr(memory_files, "_held", held)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(memory_files, "ROOM", 1)
    yield
    for lock in held:
        lock.close()


def test_temporary_files_are_in_memory_and_removed(tmp_path: Path) -> None:
    folder = use_memory(tmp_path)
    assert folder is not None
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert Path(tempfile.mkdtemp()).parent == folder
    forget_memory()
    assert list(tmp_path.iterdir()) == []
    assert "TMPDIR" not in os.environ


def test_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    of_a_living, of_a_dead = (tmp_path / f"{PREFIX}{pid}" for pid in (os.getppid(), 2**22 + 1))
    of_a_living.mkdir()
    of_a_dead.mkdir()
    use_memory(tmp_path)
    assert of_a_living.exists()
    assert not of_a_dead.exists()


def test_the_files_of_a_run_in_another_container_stay(tmp_path: Path) -> None:
    """The containers share /dev/shm, but not their processes."""
    folder = tmp_path / f"{PREFIX}{2**22 + 1}"
    folder.mkdir()
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        use_memory(tmp_path)
        assert folder.exists()
    os.environ.pop("TMPDIR")
    shutil.rmtree(tmp_path / f"{PREFIX}{os.getpid()}")
    use_memory(tmp_path)
    assert not folder.exists()


def test_memory_is_not_used_if_tmpdir_is_set_or_room_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert use_memory(tmp_path / "nowhere") is None
    monkeypatch.setattr(memory_files, "ROOM", 1 << 62)
    assert use_memory(tmp_path) is None
    monkeypatch.setattr(memory_files, "ROOM", 1)
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert use_memory(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
