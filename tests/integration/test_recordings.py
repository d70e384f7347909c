"""Today's Asterisk still gives the same outcomes as tests/recordings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.recording_scenes import SCENES
from tests.ami_listener.replaying import expected, items_in, outcomes_of


@pytest.mark.parametrize("name", ["callee-hangs-up", "one-ring"])
def test_a_scene_recorded_again_gives_the_same_outcome(name: str) -> None:
    (outcome,) = outcomes_of(list(items_in(SCENES[name].play())))
    (known,) = expected(name)
    assert abs(outcome.ring_seconds - known.ring_seconds) < 1
    assert abs(outcome.talk_seconds - known.talk_seconds) < 1
    times = {"linkedid": "", "at": 0, "ended_at": 0, "ring_seconds": 0, "talk_seconds": 0}
    assert replace(outcome, **times) == replace(known, **times)  # type: ignore[arg-type]
