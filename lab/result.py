"""What a caller experienced, read off the trace of his call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lab.audio import Heard
from lab.messages import SipMessage


@dataclass(frozen=True, slots=True)
class Provisional:
    """A 1xx answer, and how many seconds after the INVITE it came."""

    code: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CallResult:
    """What the caller experienced. Seconds count from the first INVITE; `code` is None if it was never settled."""

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
        """The response that settled it, with its headers. Raises LookupError if there is none."""
        final = answer_in(self.messages)
        if final is None:
            raise LookupError("the call was never settled")
        return final


def result_of(messages: Sequence[SipMessage], heard: Heard) -> CallResult:
    """What a caller's trace says about his call."""
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
    """The final response to the INVITE, if there is one yet."""
    return next((m for m in messages if not m.sent and m.method == "INVITE" and (m.code or 0) >= 200), None)
