"""WAV files with a note in them, and how loud speech is."""

from __future__ import annotations

import math
import wave
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.prompts.wav import HEAD_BYTES, RATE, amplified, loudness_of, note_in, peak_of, seconds_of, wav_of
from tests.callsieve.sounds import tone


@given(samples=st.binary(max_size=200), note=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_wav_file_carries_its_note_and_is_valid(samples: bytes, note: str) -> None:
    samples = samples[: len(samples) // 2 * 2]
    content = wav_of(samples, note)
    assert note_in(content[:HEAD_BYTES]) == note
    with wave.open(BytesIO(content)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1)
        assert file.readframes(10_000) == samples
    assert seconds_of(content) == len(samples) / 16000


@given(content=st.binary(max_size=600), cut=st.integers(0, 120))
def test_reading_any_bytes_never_raises(content: bytes, cut: int) -> None:
    for head in (content, b"RIFF\0\0\0\0WAVE" + content, wav_of(content[:40], "a note")[:cut]):
        assert note_in(head) is None or isinstance(note_in(head), str)
        assert seconds_of(head) is None or isinstance(seconds_of(head), float)


def test_foreign_wav_file_has_no_note() -> None:
    other = BytesIO()
    with wave.open(other, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone(0.1))
    assert note_in(other.getvalue()[:HEAD_BYTES]) is None
    assert note_in(b"") is None


def test_loudness_of_tones() -> None:
    """A sine's mean power is 3 dB below its peak; pauses, of whatever length, do not make speech quieter."""
    assert loudness_of(tone(1.0, 0.5)) == pytest.approx(-9.03, abs=0.1)
    assert loudness_of(tone(1.0, 0.5) + tone(3.0, 0)) == pytest.approx(-9.03, abs=0.1)
    assert loudness_of(tone(1.0, 0)) == loudness_of(b"") == -math.inf
    assert peak_of(tone(1.0, 0.5)) == pytest.approx(-6.02, abs=0.1)


@pytest.mark.parametrize("by_db", [-20.0, -3.0, 0.0, 2.5])
def test_amplification_changes_loudness_by_the_given_decibels(by_db: float) -> None:
    assert loudness_of(amplified(tone(0.5, 0.5), by_db)) == pytest.approx(-9.03 + by_db, abs=0.1)


def test_amplified_samples_are_clipped_not_wrapped() -> None:
    assert peak_of(amplified(tone(0.2, 0.5), 60)) == pytest.approx(0, abs=0.01)
