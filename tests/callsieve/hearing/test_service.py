"""Daemon and hearing process together: transcripts in time, late or missing."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from agi.screening import SpokenCall
from callsieve.calls.spoken_names import make_folder
from callsieve.hearing.link import MOST_WAITING, HearingLink
from callsieve.hearing.process import answer_to
from callsieve.hearing.recordings import open_recordings
from callsieve.hearing.service import CallHearing
from callsieve.hearing.wire import (
    PACKET_BYTES,
    HearingAnswer,
    HearingQuestion,
    HearingReady,
    packet_of,
    packet_socket,
    parse_request,
)
from callsieve.prompts.wav import wav_of
from lab.recogniser import word_errors
from lab.recogniser import words_of as words_in
from lab.speech import ensure_speech
from reputation.backoff import FAILURES_TO_OPEN
from reputation.store.transcripts import Transcript
from tests.callsieve.hearing.fake import ATTEMPTS, FakeRecogniser
from tests.office import ROOT
from tests.waiting import until

WAIT = 0.3
PATIENCE_SECONDS = 60.0  # with a model, on a busy machine
CALL = SpokenCall("7KQ2M4XA", "1.1", "+12015550123", "en")
SENTENCE = "Hi, this is Tom Baker. I am calling about your delivery on Friday."
SOUND = bytes([0, 32]) * 16_000


class Daemon:
    """The daemon's side, and the texts that it has stored."""

    def __init__(self, state: Path) -> None:
        self.stored: list[Transcript] = []
        self.path = state / "hearing.sock"
        self.link = HearingLink(self.path, str(state))
        self.hearing = CallHearing(self.link, state, self.record, wait_seconds=WAIT)
        (make_folder(state) / f"{CALL.decision_id}-1.wav").write_bytes(wav_of(SOUND, "x"))

    async def record(self, transcript: Transcript) -> None:
        self.stored.append(transcript)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


@asynccontextmanager
async def listening(daemon: Daemon) -> AsyncIterator[None]:
    task = asyncio.create_task(daemon.link.run())
    await until(daemon.path.exists)
    try:
        yield
    finally:
        await daemon.hearing.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def process(daemon: Daemon, text: str, seconds: float = 0.0) -> AsyncIterator[asyncio.subprocess.Process]:
    async with running(daemon, "-m", "tests.callsieve.hearing.fake", str(daemon.path), text, str(seconds)) as started:
        yield started


@asynccontextmanager
async def running(daemon: Daemon, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)
    try:
        await until(lambda: daemon.link.is_ready, PATIENCE_SECONDS)
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@asynccontextmanager
async def scripted(daemon: Daemon) -> AsyncIterator[socket.socket]:
    """A hearing process of this test, which answers as the test wants."""
    with packet_socket() as sock:
        sock.connect(str(daemon.path))
        await until(lambda: daemon.link._sock is not None)
        parse_request(sock.recv(PACKET_BYTES))
        sock.send(packet_of(HearingReady()))
        await until(lambda: daemon.link.is_ready)
        yield sock


def has_missed(daemon: Daemon, times: int) -> bool:
    return daemon.hearing.breaker._failures >= times


async def test_transcript_is_in_time_and_stored(daemon: Daemon) -> None:
    async with listening(daemon), process(daemon, "It is \x1b[2J Tom."):
        assert daemon.hearing.begin(CALL) == WAIT
        assert await daemon.hearing.words_of(CALL.decision_id, 10.0) == "It is [2J Tom."
    (stored,) = daemon.stored
    assert (stored.decision_id, stored.number, stored.text) == (CALL.decision_id, CALL.number, "It is [2J Tom.")


@pytest.mark.load  # it fetches 0.6 GB, and a busy machine takes longer than the limit of a recording
@pytest.mark.timeout(900)  # the first time it fetches the model
async def test_real_model_transcribes_speech_and_ignores_silence(daemon: Daemon, tmp_path: Path) -> None:
    speech = ensure_speech()
    daemon.link.model = str(speech.model)
    daemon.hearing.wait_seconds = PATIENCE_SECONDS
    await asyncio.to_thread(speech.say, SENTENCE, tmp_path / "recordings" / f"{CALL.decision_id}-1.wav")
    (tmp_path / "recordings" / "SILENCE-1.wav").write_bytes(wav_of(bytes(len(SOUND)), "x"))
    command = ("-m", "lab.hearing", str(speech.packages), str(daemon.path))
    async with listening(daemon), running(daemon, *command):
        daemon.hearing.begin(CALL)
        words = await daemon.hearing.words_of(CALL.decision_id, PATIENCE_SECONDS)
        daemon.hearing.begin(CALL._replace(decision_id="SILENCE"))
        assert await daemon.hearing.words_of("SILENCE", PATIENCE_SECONDS) == ""
    assert word_errors(words_in(SENTENCE), words_in(words or "")) <= 1
    assert [transcript.text for transcript in daemon.stored] == [words, ""]


@pytest.mark.parametrize("what", list(ATTEMPTS))
async def test_compromised_process_is_confined(daemon: Daemon, what: str) -> None:
    async with listening(daemon), process(daemon, what):
        daemon.hearing.begin(CALL)
        assert await daemon.hearing.words_of(CALL.decision_id, 10.0) == "PermissionError"


async def test_calls_do_not_wait_without_a_process(daemon: Daemon) -> None:
    async with listening(daemon):
        assert daemon.hearing.begin(CALL) == 0.0
        assert await daemon.hearing.words_of(CALL.decision_id, 10.0) == ""


async def test_a_killed_process_ends_the_wait(daemon: Daemon) -> None:
    async with listening(daemon), process(daemon, "Tom.", 60.0) as started:
        assert daemon.hearing.begin(CALL) == WAIT
        assert await daemon.hearing.words_of(CALL.decision_id, 0.05) is None
        started.kill()
        assert await daemon.hearing.words_of(CALL.decision_id, 10.0) == ""
    assert daemon.stored == []


async def test_late_transcript_is_stored_but_not_waited_for(daemon: Daemon) -> None:
    async with listening(daemon), process(daemon, "Tom.", 2 * WAIT):
        daemon.hearing.begin(CALL)
        assert await daemon.hearing.words_of(CALL.decision_id, WAIT) is None
        await until(lambda: daemon.stored)


async def test_breaker_opens_after_five_misses_and_closes_in_time(daemon: Daemon) -> None:
    async with listening(daemon), scripted(daemon) as sock:
        waits = []
        for number in range(FAILURES_TO_OPEN + 1):
            call = CALL._replace(decision_id=f"MISS{number}")
            waits.append(daemon.hearing.begin(call))
            await until(partial(has_missed, daemon, number + 1))
        assert waits == [*[WAIT] * FAILURES_TO_OPEN, 0.0]
        daemon.hearing.breaker._failures = FAILURES_TO_OPEN
        while daemon.link._waiting:  # late answers
            daemon.link._waiting.popitem()[1].set_result(None)
        call = CALL._replace(decision_id="INTIME")
        assert daemon.hearing.begin(call) == 0.0
        await until(lambda: "INTIME" in daemon.link._waiting)
        sock.send(packet_of(HearingAnswer("INTIME", "Tom.")))
        await until(lambda: not daemon.hearing.breaker.is_open)


@pytest.mark.parametrize(
    ("sound", "voices"),
    [
        pytest.param(SOUND * 5, ["unclear", "robot"], id="goes-on"),
        pytest.param(bytes(len(SOUND) * 5), ["unclear", "person"], id="stops"),
        pytest.param(SOUND, ["unclear"], id="a-short-prompt"),
    ],
)
async def test_result_of_the_stop_test_is_stored_later(daemon: Daemon, sound: bytes, voices: list[str]) -> None:
    pieces = {piece: daemon.path.parent / "recordings" / f"{CALL.decision_id}-{piece}.wav" for piece in (0, 3, 4)}
    for piece in (0, 3):
        pieces[piece].write_bytes(wav_of(SOUND, "x"))
    daemon.hearing.stop_seconds = 0.1
    async with listening(daemon), process(daemon, "Tom."):
        daemon.hearing.begin(CALL)
        await daemon.hearing.words_of(CALL.decision_id, 10.0)
        pieces[4].write_bytes(wav_of(sound, "x"))
        await until(lambda: not daemon.hearing._stops)
    assert [transcript.voice for transcript in daemon.stored] == voices
    assert [piece for piece, path in pieces.items() if path.exists()] == [3], "no prompt's recording is kept"


def test_deaf_caller_is_not_taken_for_a_robot(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(wav_of(SOUND * 5, "x"))
    question = HearingQuestion("A", "en", has_prompt=True, is_stop=True)
    for text, expected in (("I am deaf.", "person"), ("This is Tom.", "robot")):
        descriptors = open_recordings([path] * 3)
        assert answer_to(question, descriptors, FakeRecogniser(tmp_path, text=text)).voice == expected
        for descriptor in descriptors:
            os.close(descriptor)


@pytest.mark.parametrize(
    "packet",
    [b"\x00", b"[]", b'{"type":"answer","id":"../x"}', packet_of(HearingAnswer("A", "x" * 2000))],
    ids=["bytes", "no-message", "no-id", "too-long"],
)
async def test_invalid_answer_closes_the_connection(daemon: Daemon, packet: bytes) -> None:
    async with listening(daemon), scripted(daemon) as sock:
        sock.send(packet)
        await until(lambda: not daemon.link.is_ready)


async def test_number_of_waiting_questions_is_limited(daemon: Daemon) -> None:
    async with listening(daemon), scripted(daemon):
        for number in range(MOST_WAITING + 2):
            daemon.hearing.begin(CALL._replace(decision_id=f"C{number}"))
        await until(lambda: len(daemon.link._waiting) == MOST_WAITING)
        await until(lambda: daemon.hearing.counts["missed"] == 2)
