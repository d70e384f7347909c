"""A call in progress: SIPp does the signalling, `lab.audio` the caller's audio and keys. A thread runs both."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Protocol, Self

from lab.audio import TICK_SECONDS, AudioEnd, Heard
from lab.configuration import Ports
from lab.fetch import PbxPaths
from lab.messages import SipMessage
from lab.result import CallResult, answer_in, result_of
from lab.sipp import SippProcess


class Pbx(Protocol):
    """The parts of a PBX that a carrier or a phone needs: the path of SIPp, the ports and the SIP address."""

    @property
    def paths(self) -> PbxPaths: ...

    @property
    def ports(self) -> Ports: ...

    @property
    def sip_address(self) -> tuple[str, int]: ...


class CallInProgress:
    """A call in the background. `result` waits for the end of the call. Leaving the `with` block ends the call.

    `dtmf`: keys that are pressed `dtmf_after` seconds after the answer. More keys can be pressed at any time.
    """

    def __init__(self, process: SippProcess, audio: AudioEnd, *, dtmf: str, dtmf_after: float, inband: bool) -> None:
        self._process = process
        self._audio = audio
        self._dtmf = dtmf
        self._dtmf_after = dtmf_after
        self._inband = inband
        self._answered = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lab-call", daemon=True)
        self._thread.start()

    def result(self) -> CallResult:
        """Wait until the call is over, and return its result as the caller saw it."""
        try:
            self._process.wait()
            self._stop_audio()
            return result_of(self._process.messages(), self._audio.heard)
        finally:
            self.close()

    @property
    def heard(self) -> Heard:
        """The audio that the caller has received so far."""
        return self._audio.heard

    def messages(self) -> list[SipMessage]:
        return self._process.messages()

    def wait_until_answered(self, seconds: float = 20.0) -> None:
        """Wait until the call is answered. Raise TimeoutError after `seconds`."""
        if not self._answered.wait(seconds):
            raise TimeoutError(f"the call was not answered within {seconds} s")

    def press(self, digits: str) -> None:
        self._audio.press(digits, inband=self._inband)

    def close(self) -> None:
        self._stop_audio()
        self._audio.close()
        self._process.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stop_audio(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        """Send and receive audio every 20 ms.

        Until the answer, also look in the signalling for the address to send audio to.
        """
        due = time.monotonic()
        while not self._over.is_set() and self._process.is_running():
            if not self._answered.is_set():
                self._follow_signalling()
            self._audio.tick()
            due += TICK_SECONDS
            self._over.wait(max(0.0, due - time.monotonic()))

    def _follow_signalling(self) -> None:
        messages = self._process.messages()
        offered = [m.audio_address for m in messages if not m.sent and m.audio_address]
        self._audio.remote = offered[-1] if offered else None
        answer = answer_in(messages)
        if answer is not None and answer.code == 200:
            self._audio.press(self._dtmf, after=self._dtmf_after, inband=self._inband)
            self._answered.set()
