"""The daemon's side of hearing: request a transcript, wait for a limited time, and store the transcript.

After five late transcripts in a row, calls stop waiting until a transcript is in time again.
"""

import asyncio
import logging
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agi.display import tidied
from agi.screening import SpokenCall
from callsieve.calls.spoken_names import PIECES, PROMPT_PIECE, STOP_PIECE, erase, of_decisions
from callsieve.hearing.link import HearingLink
from callsieve.hearing.recordings import open_recordings
from callsieve.hearing.wire import HearingAnswer, HearingQuestion
from callsieve.telemetry import HearingState
from reputation.backoff import Breaker
from reputation.model import Voice
from reputation.store.errors import StoreError
from reputation.store.transcripts import Transcript

logger = logging.getLogger("callsieve.hearing.service")

# A text that comes after the call has gone on is stored all the same, if it comes within this time.
MOST_SECONDS: Final = 30.0
# When a caller has been heard for 8 s, the prompt that asks them to stop is over after this time.
STOP_SECONDS: Final = 7.0
MOST_KEPT: Final = 64  # results that calls may still ask for


@dataclass(slots=True)
class CallHearing:
    """A service that transcribes the recordings in the state directory. `record`: stores a transcript.

    `wait_seconds`: how long a call waits for its transcript. `stop_seconds`: how long after the start of a
    transcription the prompt that asks the caller to stop is over.
    """

    link: HearingLink
    state: Path
    record: Callable[[Transcript], Awaitable[None]]
    wait_seconds: float = 0.0
    wall_clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    breaker: Breaker = field(default_factory=Breaker)
    counts: Counter[str] = field(default_factory=Counter)
    _hearings: OrderedDict[str, asyncio.Task[Transcript | None]] = field(default_factory=OrderedDict)
    _stops: set[asyncio.Task[None]] = field(default_factory=set)
    stop_seconds: float = STOP_SECONDS

    def begin(self, call: SpokenCall) -> float:
        """Start to transcribe a caller. Return how many seconds the call may wait for the text; 0: do not wait."""
        if not self.link.is_ready or call.decision_id in self._hearings:
            return 0.0
        task = asyncio.create_task(self._hear(call), name="hearing")
        self._hearings[call.decision_id] = task
        stop = asyncio.create_task(self._hear_stop(call, task), name="hearing-stop")
        self._stops.add(stop)
        stop.add_done_callback(self._stops.discard)
        while len(self._hearings) > MOST_KEPT:
            self._hearings.popitem(last=False)
        return 0.0 if self.breaker.is_open else self.wait_seconds

    async def words_of(self, decision_id: str, seconds: float) -> str | None:
        """Return the caller's words; empty if nothing was understood, None if no result came within `seconds`."""
        task = self._hearings.get(decision_id)
        if task is None:
            return ""
        await asyncio.wait((task,), timeout=seconds)
        if not task.done():
            return None
        transcript = None if task.cancelled() else task.result()
        return "" if transcript is None else transcript.text

    def state_now(self) -> HearingState:
        """Return the state of hearing for telemetry: whether transcription works, and how often each result occurs."""
        heard, nothing, missed = (self.counts[name] for name in ("heard", "nothing", "missed"))
        return HearingState(self.link.is_ready, self.breaker.is_open, heard, nothing, missed, self.link.waiting)

    async def close(self) -> None:
        """Cancel the running transcriptions."""
        tasks = [*self._hearings.values(), *self._stops]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, call: SpokenCall) -> Transcript | None:
        """Transcribe a caller, store the transcript and return it. Return None if there is no result. Never raises."""
        began = self.monotonic()
        try:
            descriptors, has_prompt = await asyncio.to_thread(self._open, call.decision_id)
        except OSError as error:
            logger.warning("hearing: cannot open a recording: %s", error)
            return None
        answer = self._ask(HearingQuestion(call.decision_id, call.language, has_prompt), descriptors)
        result = await self._in_time(answer, began)
        if result is None:
            self.counts["missed"] += 1
            return None
        text = tidied(result.text)
        self.counts["heard" if text else "nothing"] += 1
        row = Transcript(
            decision_id=call.decision_id,
            at=self.wall_clock(),
            linkedid=call.linkedid,
            number=call.number,
            text=text,
            language=result.language,
            voice=result.voice,
        )
        await self._store(row)
        return row

    async def _hear_stop(self, call: SpokenCall, hearing: asyncio.Task[Transcript | None]) -> None:
        """Store whether the caller stopped when asked to. Then delete recordings made during prompts. Never raises."""
        try:
            await asyncio.sleep(self.stop_seconds)
            await asyncio.wait((hearing,))
            transcript = None if hearing.cancelled() else hearing.result()
            if transcript is not None and transcript.voice is Voice.UNCLEAR:
                voice = await self._voice_asked_to_stop(call)
                if voice is not Voice.UNCLEAR:
                    await self._store(transcript._replace(voice=voice))
        finally:
            erase(of_decisions(self.state, [call.decision_id], (PROMPT_PIECE, STOP_PIECE)))

    async def _voice_asked_to_stop(self, call: SpokenCall) -> Voice:
        if not of_decisions(self.state, [call.decision_id], (STOP_PIECE,)):
            return Voice.UNCLEAR
        descriptors, has_prompt = await asyncio.to_thread(self._open, call.decision_id, (PIECES[-1], STOP_PIECE))
        answer = self._ask(HearingQuestion(call.decision_id, call.language, has_prompt, is_stop=True), descriptors)
        await asyncio.wait((answer,), timeout=MOST_SECONDS)
        result = answer.result() if answer.done() else None
        return Voice.UNCLEAR if result is None else result.voice

    def _ask(self, question: HearingQuestion, descriptors: list[int]) -> asyncio.Future[HearingAnswer | None]:
        answer = self.link.ask(question, descriptors)
        for descriptor in descriptors:  # the hearing process has its own by now
            os.close(descriptor)
        return answer

    async def _store(self, transcript: Transcript) -> None:
        try:
            await self.record(transcript)
        except (StoreError, TimeoutError) as error:
            logger.warning("hearing: cannot store a transcript: %s", error)

    async def _in_time(self, answer: asyncio.Future[HearingAnswer | None], began: float) -> HearingAnswer | None:
        """Return the answer; None after MOST_SECONDS without one. Record whether it came within `wait_seconds`."""
        await asyncio.wait((answer,), timeout=self.wait_seconds)
        if answer.done() and answer.result() is not None:
            self.breaker.succeeded()
        else:
            was_open = self.breaker.is_open
            self.breaker.failed(self.monotonic())
            if self.breaker.is_open and not was_open:
                logger.warning("hearing: transcripts come too late: calls do not wait for them")
        left = MOST_SECONDS - (self.monotonic() - began)
        await asyncio.wait((answer,), timeout=max(left, 0.0))
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    def _open(self, decision_id: str, pieces: tuple[int, ...] = PIECES) -> tuple[list[int], bool]:
        """Open a caller's recordings. Return their descriptors, and whether the first was made during the prompt."""
        prompt = open_recordings(of_decisions(self.state, [decision_id], (PROMPT_PIECE,)))
        return [*prompt, *open_recordings(of_decisions(self.state, [decision_id], pieces))], bool(prompt)
