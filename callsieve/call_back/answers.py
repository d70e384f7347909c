"""What the call-back helper is sent, and answers: a datagram each, of one line."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from enum import StrEnum


class HelperAnswer(StrEnum):
    """CALLED: the call file is in the spool. Every other word is why there is none."""

    CALLED = "called"
    BAD_LINE = "bad-line"  # not `+NUMBER TICKET`
    COUNTRY = "country"  # not one of those that may be called
    KIND = "kind"  # neither a landline nor a mobile: premium, shared cost, satellite, unallocated ...
    REFUSED = "refused"  # by how it begins
    NIGHT = "night"  # no hour to call where the number is
    NUMBER_LATELY = "number-lately"
    NUMBER_TODAY = "number-today"
    BUSY = "busy"  # as many calls at once as there may be
    HOUR = "hour"
    DAY = "day"
    FAILED = "failed"  # our own trouble: the log says which


NEVER = frozenset({HelperAnswer.COUNTRY, HelperAnswer.KIND, HelperAnswer.REFUSED})
LATER = frozenset(
    {HelperAnswer.NUMBER_LATELY, HelperAnswer.NUMBER_TODAY, HelperAnswer.BUSY, HelperAnswer.HOUR, HelperAnswer.DAY}
)

CREDENTIALS = struct.Struct("=iII")  # ucred of unix(7): process, user, group
PING = b"\n"  # no request: whether somebody answers
LINE_BYTES = 64  # more than `+`, 15 digits, a space, the ticket and a line end


def line_of(number: str, ticket: str) -> bytes:
    """What the helper is sent."""
    return f"{number} {ticket}\n".encode("ascii", "replace")


def sender_of(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """The user ID of a datagram's sender, as the kernel says, where the socket has SO_PASSCRED."""
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(content) == CREDENTIALS.size:
            return int(CREDENTIALS.unpack(content)[1])
    return None
