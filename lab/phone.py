"""A phone, or the far end of a trunk, which answers calls from Asterisk and records each INVITE."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from lab import scenario
from lab.audio import TICK_SECONDS, AudioEnd, Heard
from lab.call import CallInProgress, Pbx
from lab.carrier import CallSpec, place_call
from lab.configuration import PHONE_ADDRESS, TRUNK_ADDRESSES
from lab.ears import Ears
from lab.messages import SipMessage
from lab.ports import free_media_port
from lab.sipp import SippJob, SippProcess


@dataclass(frozen=True, slots=True)
class Answering:
    """How a phone answers its calls. Times are in seconds.

    `status`: the final response; None: ring until a CANCEL. `before`: responses before `ringing`, each with its
    duration, for example `183 Session Progress`, which starts the audio.
    """

    status: str | None = "200 OK"
    ring_seconds: float = 0.2
    hang_up_after: float | None = None
    ringing: str = "180 Ringing"
    before: tuple[tuple[str, float], ...] = ()

    @classmethod
    def never(cls) -> Self:
        return cls(status=None)

    @classmethod
    def busy(cls) -> Self:
        return cls(status="486 Busy Here", ring_seconds=0)

    @classmethod
    def reject(cls) -> Self:
        return cls(status="603 Decline", ring_seconds=0.1)


class Phone:
    """The phone 201, 202 or 203, or a trunk's far end for outgoing calls, switched on during the `with` block.

    The phone accepts many calls at once, for at most `seconds`, echoes their audio, and records all SIP messages. With
    `trace` off (for loads) it records no messages. With `echo` off it sends only pressed keys, because with other audio
    in between Asterisk would take a single key for several. With `ears` it counts the audio of the last call.
    """

    def __init__(
        self,
        asterisk: Pbx,
        name: str,
        answering: Answering | None = None,
        *,
        seconds: float = 300.0,
        trace: bool = True,
        echo: bool = True,
        ears: bool = False,
    ) -> None:
        self.name = name
        self._asterisk = asterisk
        self._answering = answering or Answering()
        self._seconds = seconds
        self._trace = trace
        self._echo = echo and not ears
        self._has_ears = ears
        self._ears: Ears | None = None
        is_trunk = name in TRUNK_ADDRESSES
        self.address = TRUNK_ADDRESSES[name] if is_trunk else PHONE_ADDRESS
        self.port = (asterisk.ports.trunks if is_trunk else asterisk.ports.phones)[name]

    def __enter__(self) -> Self:
        answering = self._answering
        self._ears = Ears(self.address) if self._has_ears else None
        job = SippJob(
            scenario=scenario.incoming_call(
                status=answering.status,
                ring_seconds=answering.ring_seconds,
                hang_up_after=answering.hang_up_after,
                ringing=answering.ringing,
                before=answering.before,
                audio_port="[audio_port]" if self._ears else "[media_port]",
            ),
            address=self.address,
            port=self.port,
            target=self._asterisk.sip_address,
            seconds=self._seconds,
            media_port=free_media_port(self.address),
            keys={"contact_user": self.name, "audio_port": str(self._ears.port if self._ears else 0)},
            options=("-rtp_echo",) if self._echo else (),
            trace=self._trace,
        )
        self._process = SippProcess(self._asterisk.paths, job)
        try:
            self._process.wait_until_listening()
        except BaseException:
            self._remove()
            raise
        if self._ears is not None:
            self._ears.start(lambda: next((invite.audio_address for invite in self.invites()[-1:]), None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        if self._ears is not None:
            self._ears.close()
        self._process.remove()

    @property
    def heard(self) -> Heard:
        """The audio received so far. Only a phone with `ears` counts audio."""
        return self._ears.heard if self._ears is not None else Heard()

    def messages(self) -> list[SipMessage]:
        return self._process.messages()

    def invites(self) -> list[SipMessage]:
        """Return the INVITE of each call received so far, without retransmissions."""
        first: dict[str, SipMessage] = {}
        for message in self.messages():
            if not message.sent and message.code is None and message.method == "INVITE":
                first.setdefault(message.header("Call-ID"), message)
        return list(first.values())

    def wait_for_invite(self, count: int = 1, seconds: float = 20.0) -> SipMessage:
        """Wait until `count` calls have arrived, and return the last INVITE. Raise TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            invites = self.invites()
            if len(invites) >= count:
                return invites[count - 1]
            time.sleep(0.01)
        raise TimeoutError(f"phone {self.name} got {len(self.invites())} of {count} calls within {seconds} s")

    def press(self, digits: str) -> None:
        """Press keys in the latest call, as RFC 4733 events. Return when the last key is released."""
        if self._ears is not None:
            self._ears.press(digits)
            return
        audio = AudioEnd(self.address)
        try:
            audio.remote = self.invites()[-1].audio_address
            for _ in range(round(audio.press(digits) / TICK_SECONDS)):
                audio.tick()
                time.sleep(TICK_SECONDS)
        finally:
            audio.close()

    def dial(self, number: str, spec: CallSpec | None = None) -> CallInProgress:
        """Call a number from this phone, in the background. The phone need not be switched on."""
        spec = replace(spec or CallSpec(), caller=self.name, did=number)
        return place_call(self._asterisk, self.address, spec, self.name)
