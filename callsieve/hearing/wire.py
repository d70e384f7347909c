"""The protocol between the daemon and the hearing process: one message per packet, on a SOCK_SEQPACKET Unix socket.

The daemon listens, so the daemon notices at once whether the hearing process runs. The hearing process never opens a
recording itself, but gets open descriptors. Each side asks the kernel which user the other runs as. The daemon does not
trust answers.
"""

import socket
from typing import Annotated, Final

import msgspec

from callsieve.hearing.recogniser import MOST_CHARACTERS
from reputation.model import Voice

SOCKET_NAME: Final = "hearing.sock"
PACKET_BYTES: Final = 8192

Identifier = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Z]{1,16}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=MOST_CHARACTERS)]
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{0,3}\Z")]


class HearingStart(msgspec.Struct, frozen=True, tag="start"):
    """The daemon's first message. `model`: the directory of the speech model to load."""

    model: str


class HearingReady(msgspec.Struct, frozen=True, tag="ready"):
    """The hearing process's first message, which says that the process has loaded the model."""


class HearingQuestion(msgspec.Struct, frozen=True, tag="question"):
    """A request to transcribe the open recordings of what a caller said. `id`: the identifier of the decision.

    `language`: the expected language; empty to detect it. `has_prompt`: whether the first recording was made while the
    prompt played. `is_stop`: whether the last recording was made while a prompt asked the caller to stop. The
    second-last recording is then the end of the caller's answer, and only the voice is judged.
    """

    id: Identifier
    language: Language = ""
    has_prompt: bool = False
    is_stop: bool = False


class HearingAnswer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer to a question. `text`: the words that were understood, or empty. `seconds`: how long it took."""

    id: Identifier
    text: Text = ""
    language: Language = ""
    voice: Voice = Voice.UNCLEAR
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0


_ENCODER = msgspec.json.Encoder()
_TO_HEARING: Final = msgspec.json.Decoder(HearingStart | HearingQuestion)
_TO_DAEMON: Final = msgspec.json.Decoder(HearingReady | HearingAnswer)


def packet_of(message: HearingStart | HearingReady | HearingQuestion | HearingAnswer) -> bytes:
    """Encode a message as a packet."""
    return _ENCODER.encode(message)


def parse_request(packet: bytes) -> HearingStart | HearingQuestion:
    """Parse a packet from the daemon. Raise ValueError if it is invalid."""
    return _TO_HEARING.decode(packet)


def parse_reply(packet: bytes) -> HearingReady | HearingAnswer:
    """Parse a packet from the hearing process. Raise ValueError if it is invalid."""
    return _TO_DAEMON.decode(packet)


def packet_socket() -> socket.socket:
    """Return a new SOCK_SEQPACKET Unix socket."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
