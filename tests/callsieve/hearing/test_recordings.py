"""Reading recordings: only plain files of the expected format, up to a limit."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from callsieve.hearing.recordings import MOST_BYTES, MOST_FILES, open_recordings, samples_in
from callsieve.prompts.wav import wav_of

SOUND = struct.pack("<4h", 1, -2, 300, -400)
WAV = wav_of(SOUND, "x")


def samples_of(path: Path) -> bytes:
    (descriptor,) = open_recordings([path])
    try:
        return samples_in(descriptor)
    finally:
        os.close(descriptor)


def test_samples_of_a_recording_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_of(SOUND, "x"))
    assert samples_of(path) == SOUND


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"ID3\x03",
        wav_of(SOUND, "x")[:30],
        wav_of(SOUND, "x").replace(struct.pack("<I", 8000), b"\x80>\0\0"),
    ],
    ids=["empty", "cut", "mp3", "no-data", "another-rate"],
)
def test_other_files_have_no_samples(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert samples_of(path) == b""


def test_a_long_recording_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_of(bytes(2 * MOST_BYTES), "x"))
    assert len(samples_of(path)) == MOST_BYTES


def test_links_pipes_and_missing_files_are_left_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav_of(SOUND, "x"))
    (tmp_path / "link.wav").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.wav")
    assert open_recordings(tmp_path / name for name in ("link.wav", "pipe.wav", "missing.wav")) == []


def test_number_of_open_files_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_of(SOUND, "x"))
    descriptors = open_recordings([path] * (MOST_FILES + 2))
    for descriptor in descriptors:
        os.close(descriptor)
    assert len(descriptors) == MOST_FILES
