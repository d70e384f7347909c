"""What the daemon and the look-up process say to each other over their socket: one line of JSON each way."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

SOCKET_NAME: Final = "lookups.sock"
LINE_BYTES: Final = 512

E164 = Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{1,14}\Z")]
WaitMs = Annotated[int, msgspec.Meta(ge=0, le=1000)]


class LookupQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of the number? `wait_ms`: so long the caller waits for it."""

    number: E164
    wait_ms: WaitMs


class LookupReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`more`: the store knows more of the number than when it was asked about. What that is, is read there."""

    more: bool


_ENCODER = msgspec.json.Encoder()
_QUESTIONS = msgspec.json.Decoder(LookupQuestion)
_REPLIES = msgspec.json.Decoder(LookupReply)


def line_of(said: LookupQuestion | LookupReply) -> bytes:
    """As it is sent."""
    return _ENCODER.encode(said) + b"\n"


def question_in(line: bytes) -> LookupQuestion:
    """ValueError for anything else."""
    return _QUESTIONS.decode(line)


def reply_in(line: bytes) -> LookupReply:
    """ValueError for anything else."""
    return _REPLIES.decode(line)
