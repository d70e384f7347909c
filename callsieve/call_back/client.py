"""The protocol between the call-back helper and its clients. Request and answer are datagrams of one line."""

import os
import socket
import struct
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path


class HelperAnswer(StrEnum):
    """The helper's answer. `CALLED`: the call file is in Asterisk's spool. Other values say why no call was placed."""

    CALLED = "called"
    BAD_LINE = "bad-line"  # not `+NUMBER TICKET`
    COUNTRY = "country"  # the settings do not allow this country
    KIND = "kind"  # neither a landline nor a mobile: premium, shared cost, satellite, unallocated ...
    REFUSED = "refused"  # its prefix is in `refused`
    NIGHT = "night"  # outside the allowed hours at the number
    NUMBER_LATELY = "number-lately"
    NUMBER_TODAY = "number-today"
    BUSY = "busy"  # the maximum number of parallel calls is reached
    HOUR = "hour"
    DAY = "day"
    FAILED = "failed"  # the helper failed: see its log


NEVER = frozenset({HelperAnswer.COUNTRY, HelperAnswer.KIND, HelperAnswer.REFUSED})
LATER = frozenset(
    {HelperAnswer.NUMBER_LATELY, HelperAnswer.NUMBER_TODAY, HelperAnswer.BUSY, HelperAnswer.HOUR, HelperAnswer.DAY}
)

CREDENTIALS = struct.Struct("=iII")  # ucred of unix(7): process, user, group
PING = b"\n"  # a test instead of a request
LINE_BYTES = 64  # more than `+`, 15 digits, a space, the ticket and a line end


def line_of(number: str, ticket: str) -> bytes:
    """Return the request line for the helper. `ticket`: the text by which the daemon recognises the call."""
    return f"{number} {ticket}\n".encode("ascii", "replace")


def sender_of(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the user ID of a datagram's sender; None if the socket lacks SO_PASSCRED, so the kernel reports no ID."""
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(content) == CREDENTIALS.size:
            return int(CREDENTIALS.unpack(content)[1])
    return None


ANSWERS_SECONDS = 3.0


class HelperError(Exception):
    """The helper did not answer, or it cannot place calls. The message gives the reason."""


def ask(path: Path, number: str, ticket: str) -> HelperAnswer:
    """Ask the helper to call a number and return its answer. Raise HelperError if no answer comes in three seconds."""
    return _exchange(path, line_of(number, ticket))


def ping(path: Path) -> None:
    """Check that a helper accepts requests of this user and could place a call. Raise HelperError if not."""
    if _exchange(path, PING) is HelperAnswer.FAILED:
        raise HelperError(f"{path}: a directory or a prompt is missing: see the helper's log")


def _exchange(path: Path, line: bytes) -> HelperAnswer:
    us = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, CREDENTIALS.pack(os.getpid(), os.geteuid(), os.getegid()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(ANSWERS_SECONDS)
        try:
            sock.bind("")  # Linux makes up an abstract address, for the answer
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            sock.sendmsg([line], [us], 0, str(path))
            answer, ancillary, _, _ = sock.recvmsg(LINE_BYTES, socket.CMSG_SPACE(CREDENTIALS.size))
            helper = path.stat().st_uid
        except TimeoutError:
            raise HelperError(
                f"{path}: no answer: check that `users` in the helper's settings names this user"
            ) from None
        except OSError as error:
            raise HelperError(f"{path}: {error.strerror}") from None
    if sender_of(ancillary) != helper:  # an abstract address is open to everybody
        raise HelperError(
            f"{path}: the answer did not come from the helper's user: check which program uses this socket"
        )
    try:
        return HelperAnswer(answer.decode("ascii", "replace").strip())
    except ValueError:
        raise HelperError(
            f"{path}: the helper sent an unknown answer: update CallSieve and restart the helper"
        ) from None
