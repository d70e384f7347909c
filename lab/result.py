"""The result of a call as its caller saw it, read from the trace of the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lab.audio import Heard
from lab.messages import SipMessage


@dataclass(frozen=True, slots=True)
class Provisional:
    """A 1xx response. `seconds` is the time since the INVITE."""

    code: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call as the caller saw it. Seconds count from the first INVITE.

    `code`: the final status; None if no final response came.
    """

    code: int | None
    reason: str
    provisionals: tuple[Provisional, ...]
    ringing_seconds: float | None
    final_seconds: float | None
    talk_seconds: float | None
    early_media: bool
    bye_from: Literal["caller", "asterisk"] | None
    heard: Heard
    messages: tuple[SipMessage, ...]

    @property
    def answered(self) -> bool:
        return self.code == 200

    def final(self) -> SipMessage:
        """Return the final response with its headers. Raise LookupError if there was no final response."""
        final = answer_in(self.messages)
        if final is None:
            raise LookupError("the call got no final SIP response")
        return final


def result_of(messages: Sequence[SipMessage], heard: Heard) -> CallResult:
    """Return the result of a call from the caller's messages and audio."""
    began = next((m.at for m in messages if m.sent and m.method == "INVITE"), 0.0)
    provisionals = tuple(
        Provisional(m.code, m.reason, m.at - began)
        for m in messages
        if not m.sent and m.method == "INVITE" and m.code is not None and m.code < 200
    )
    final = answer_in(messages)
    bye = next((m for m in messages if m.code is None and m.method == "BYE"), None)
    return CallResult(
        code=final.code if final else None,
        reason=final.reason if final else "",
        provisionals=provisionals,
        ringing_seconds=next((p.seconds for p in provisionals if p.code in (180, 183)), None),
        final_seconds=final.at - began if final else None,
        talk_seconds=bye.at - final.at if bye and final else None,
        early_media=any(m.code == 183 and "m=audio" in m.body for m in messages if not m.sent),
        bye_from=None if bye is None else "caller" if bye.sent else "asterisk",
        heard=heard,
        messages=tuple(messages),
    )


def answer_in(messages: Sequence[SipMessage]) -> SipMessage | None:
    """Return the final response to the INVITE; None if there is no final response."""
    return next((m for m in messages if not m.sent and m.method == "INVITE" and (m.code or 0) >= 200), None)
