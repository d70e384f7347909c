"""The hearing process, `callsieve hearing`: it transcribes what callers said, one recording at a time.

The process is separate from the daemon, because recordings come from strangers. A model also needs hundreds of
megabytes, and a second of processor time per caller. The process has no store, no settings and no network. Once the
model is loaded, the process gives up access to all files except its programs. It also gives up all system calls that an
open connection does not need. A recognition that takes too long ends the process, which systemd starts again.
"""

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from callsieve.hearing.recogniser import RATE, SAMPLE_BYTES, Recogniser, understood
from callsieve.hearing.recordings import MOST_BYTES, MOST_FILES, samples_in
from callsieve.hearing.voice import CallerSpeech, Sound, says_assisted, voice_asked_to_stop, voice_of
from callsieve.hearing.wire import (
    PACKET_BYTES,
    HearingAnswer,
    HearingQuestion,
    HearingReady,
    HearingStart,
    packet_of,
    packet_socket,
    parse_request,
)
from callsieve.system.seccomp import confine, serve_only
from reputation.model import Voice

logger = logging.getLogger("callsieve.hearing")

MOST_SECONDS: Final = 15.0  # of processor and waiting time for one recording
STUCK: Final = 70  # the exit status after a recognition that took too long
# Files of the system: shared libraries and the time zone.
SYSTEM: Final = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")

Load = Callable[[Path], Recogniser]


def connect(path: Path) -> socket.socket:
    """Return a socket that is connected to the daemon. Raise OSError if the daemon does not listen at `path`."""
    sock = packet_socket()
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


def serve(sock: socket.socket, load: Load) -> None:
    """Load the model, drop privileges, and answer the daemon's questions. Raise ValueError for an invalid message."""
    start = parse_request(sock.recv(PACKET_BYTES) or b"null")
    if not isinstance(start, HearingStart):
        raise ValueError("the daemon's first message names no model")
    recogniser = load(Path(start.model))
    recogniser.recognise(bytes(RATE * SAMPLE_BYTES), "en")  # allocates its memory, and makes its code
    _give_up_rights(Path(start.model))
    sock.send(packet_of(HearingReady()))
    logger.info("hearing: ready: model=%s", start.model)
    while True:
        packet, descriptors, _, _ = socket.recv_fds(sock, PACKET_BYTES, MOST_FILES)
        if not packet:
            return
        try:
            question = parse_request(packet)
            if not isinstance(question, HearingQuestion):
                raise ValueError("the daemon sent a second start message: the model cannot be changed")
            with _time_limit():
                answer = answer_to(question, descriptors, recogniser)
        finally:
            for descriptor in descriptors:
                with suppress(OSError):
                    os.close(descriptor)
        sock.send(packet_of(answer))


def answer_to(question: HearingQuestion, descriptors: Sequence[int], recogniser: Recogniser) -> HearingAnswer:
    """Transcribe the open recordings of a question and return the transcript as an answer."""
    began = time.monotonic()
    recordings = [samples_in(descriptor) for descriptor in descriptors]
    prompt = recordings.pop(0) if question.has_prompt and recordings else b""
    if question.is_stop:
        before, meanwhile = (Sound(part, recogniser.speech_in(part)) for part in (*recordings, b"", b"")[:2])
        voice = voice_asked_to_stop(before, meanwhile)
        # A caller who did not hear the prompts may have said so during the first one.
        if voice is Voice.ROBOT and says_assisted(understood(recogniser.recognise(prompt, question.language))):
            voice = Voice.PERSON
        return HearingAnswer(question.id, voice=voice)
    samples = b"".join(recordings)[:MOST_BYTES]
    recognised = recogniser.recognise(samples, question.language)
    text = understood(recognised)
    prompt_seconds, answer_seconds = (len(part) / SAMPLE_BYTES / RATE for part in (prompt, samples))
    speech = CallerSpeech(prompt_seconds, recogniser.speech_in(prompt), answer_seconds, recognised.speech)
    voice = voice_of(text, speech)
    seconds = round(time.monotonic() - began, 3)
    logger.info("transcribed a caller: call=%s seconds=%.2f understood=%s", question.id, seconds, bool(text))
    return HearingAnswer(question.id, text, recognised.language[:3] if text else "", voice, seconds)


@contextmanager
def _time_limit() -> Iterator[None]:
    """End this process if the block takes longer than MOST_SECONDS, because a running model cannot be interrupted."""
    timer = threading.Timer(MOST_SECONDS, _end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end() -> None:
    logger.error("hearing: transcribing a recording took more than %.0f s: ending the process", MOST_SECONDS)
    sys.stderr.flush()
    os._exit(STUCK)


def _give_up_rights(model: Path) -> None:
    own = (sys.prefix, sys.base_prefix, *filter(None, sys.path))
    if not confine(map(Path, {*own, *SYSTEM, str(model)}), []):
        logger.warning(
            "hearing: this kernel has no Landlock: only systemd's unit restricts which files this process may open"
        )
    serve_only()
