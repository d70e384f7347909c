"""The carrier, which calls Asterisk: it places calls on a trunk, and returns the SIP messages of each call."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab import scenario
from lab.audio import AudioEnd
from lab.call import CallInProgress, Pbx
from lab.configuration import TRUNK_ADDRESSES
from lab.load import Load, LoadResult, run_load
from lab.ports import free_port
from lab.result import CallResult
from lab.sipp import SippJob, SippProcess

DID = "+442071838750"
CALLER = "+12017421834"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call to place: its caller, its callee, and the caller's actions. Times are in seconds.

    Text is sent unchanged, hostile or not, except that `name` is quoted for SIP.

    Attributes:
        caller: The caller's number. None: the carrier does not know it.
        raw_from: Text that replaces the whole From header before its tag.
        request_user: The user part of the Request-URI if it is not the DID.
        privacy: Whether the number is withheld like by a carrier that knows it: anonymous From, number in
            P-Asserted-Identity, `Privacy: id`.
        cancel_after: How long after the last provisional response the caller gives up.
        hang_up_after: When the caller hangs up, counted from the answer, or from the last key if there is `dtmf`. None:
            wait for the other side.
        dtmf: Keys that are pressed `dtmf_after` seconds after the answer, as RFC 4733 events or, with `inband`, as
            tones.
        voice: Whether the caller makes a sound all the time, instead of silence.
    """

    caller: str | None = CALLER
    name: str | None = None
    did: str = DID
    request_user: str | None = None
    privacy: bool = False
    diversion: str | None = None
    raw_from: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up_after: float | None = 0.5
    cancel_after: float | None = None
    dtmf: str = ""
    dtmf_after: float = 0.3
    inband: bool = False
    voice: bool = False
    timeout: float = 30.0

    def from_header(self) -> str:
        if self.raw_from is not None:
            return self.raw_from
        if self.caller is None or self.privacy:
            return ANONYMOUS
        uri = f"<sip:{self.caller}@127.0.0.1>"
        return uri if self.name is None else f"{quoted(self.name)} {uri}"

    def extra_headers(self) -> list[tuple[str, str]]:
        extra = []
        if self.privacy and self.caller is not None:
            name = "" if self.name is None else f"{quoted(self.name)} "
            extra.append(("P-Asserted-Identity", f"{name}<sip:{self.caller}@127.0.0.1>"))
        if self.privacy:
            extra.append(("Privacy", "id"))
        if self.diversion is not None:
            extra.append(("Diversion", f"<sip:{self.diversion}@127.0.0.1>;reason=unconditional"))
        return [*extra, *self.headers.items()]

    def keys(self) -> dict[str, str]:
        """Values for the keywords in the SIPp scenario of this call."""
        return {
            "request_user": self.did if self.request_user is None else self.request_user,
            "did": self.did,
            "from": self.from_header(),
            "extra_headers": "".join(f"\r\n{name}: {value}" for name, value in self.extra_headers()),
        }


@dataclass(frozen=True, slots=True)
class Carrier:
    """The carrier's end of a trunk, which places calls to Asterisk.

    `trunk`: the name of Asterisk's endpoint for the trunk.
    """

    asterisk: Pbx
    trunk: str = "carrier"

    def call(self, spec: CallSpec | None = None) -> CallResult:
        """Place a call, wait for the end of the call, and return the result."""
        return self.start(spec).result()

    def start(self, spec: CallSpec | None = None) -> CallInProgress:
        """Place a call in the background, and return this call."""
        return place_call(self.asterisk, TRUNK_ADDRESSES[self.trunk], spec or CallSpec())

    def load(self, load: Load) -> LoadResult:
        """Place many calls at a given rate and return their statistics."""
        return run_load(self.asterisk.paths, TRUNK_ADDRESSES[self.trunk], self.asterisk.sip_address, load)


def place_call(asterisk: Pbx, address: str, spec: CallSpec, user: str = "carrier") -> CallInProgress:
    """Place a call from a loopback address, by which Asterisk tells trunks from phones.

    `user`: the user part of the Contact header.
    """
    audio = AudioEnd(address, voice=spec.voice)
    pressing = spec.dtmf_after + 0.2 * len(spec.dtmf) if spec.dtmf else 0.0
    job = SippJob(
        scenario=scenario.outgoing_call(
            hang_up_after=None if spec.hang_up_after is None else spec.hang_up_after + pressing,
            cancel_after=spec.cancel_after,
            telephone_event=not spec.inband,
        ),
        address=address,
        port=free_port(address, socket.SOCK_DGRAM),
        target=asterisk.sip_address,
        calls=1,
        seconds=spec.timeout,
        keys={**spec.keys(), "contact_user": user, "audio_port": str(audio.port)},
    )
    process = SippProcess(asterisk.paths, job)
    return CallInProgress(process, audio, dtmf=spec.dtmf, dtmf_after=spec.dtmf_after, inband=spec.inband)


def quoted(name: str) -> str:
    """Return a display name as a quoted-string (RFC 3261 section 25.1)."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
