"""The recorder of the lab: what it writes it reads again, and today's Asterisk still says what the recordings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import LabUnavailable, ensure_pbx
from lab.recorder import Chunk, load_recording, save_recording
from lab.recording_scenes import SCENES
from tests.ami_listener.replaying import expected, items_in, outcomes_of


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    chunks = [Chunk(1.5, "connected"), Chunk(1.75, "data", b"@ 2 lost\n\xff\r\n"), Chunk(2.0, "lost")]
    save_recording(tmp_path / "x.ami", chunks)
    assert load_recording(tmp_path / "x.ami") == chunks


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ami").write_bytes(b"@ 1.5 connected\nhello\n")
    with pytest.raises(ValueError, match="byte 16"):
        load_recording(tmp_path / "x.ami")


@pytest.mark.parametrize("name", ["callee-hangs-up", "one-ring"])
def test_recorded_again_a_scene_gives_the_same_outcome(name: str) -> None:
    try:
        ensure_pbx()
    except LabUnavailable as error:
        pytest.skip(f"no Asterisk to be had here: {error}")
    (outcome,) = outcomes_of(list(items_in(SCENES[name].play())))
    (known,) = expected(name)
    assert abs(outcome.ring_seconds - known.ring_seconds) < 1
    assert abs(outcome.talk_seconds - known.talk_seconds) < 1
    times = {"linkedid": "", "at": 0, "ended_at": 0, "ring_seconds": 0, "talk_seconds": 0}
    assert replace(outcome, **times) == replace(known, **times)  # type: ignore[arg-type]
