"""The recorder of the lab reads what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.recorder import Chunk, load_recording, save_recording


def test_recording_is_read_as_written(tmp_path: Path) -> None:
    chunks = [Chunk(1.5, "connected"), Chunk(1.75, "data", b"@ 2 lost\n\xff\r\n"), Chunk(2.0, "lost")]
    save_recording(tmp_path / "x.ami", chunks)
    assert load_recording(tmp_path / "x.ami") == chunks


def test_malformed_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ami").write_bytes(b"@ 1.5 connected\nhello\n")
    with pytest.raises(ValueError, match="byte 16"):
        load_recording(tmp_path / "x.ami")
