"""Asking the call-back helper, from the public page and the doctor."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from callsieve.call_back.answers import CREDENTIALS, LINE_BYTES, PING, HelperAnswer, line_of, sender_of

ANSWERS_SECONDS = 3.0


class HelperError(Exception):
    """The helper did not answer. The text says why."""


def ask(path: Path, number: str, ticket: str) -> HelperAnswer:
    """What the helper says about a call. It may take three seconds. HelperError."""
    return _exchange(path, line_of(number, ticket))


def ping(path: Path) -> None:
    """Check that a helper hears us and could place a call. HelperError."""
    if _exchange(path, PING) is HelperAnswer.FAILED:
        raise HelperError(f"{path}: a directory or a prompt is missing: its log says which")


def _exchange(path: Path, line: bytes) -> HelperAnswer:
    """A datagram to and fro, without connect(2), which the public page's unit forbids."""
    us = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, CREDENTIALS.pack(os.getpid(), os.geteuid(), os.getegid()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(ANSWERS_SECONDS)
        try:
            sock.bind("")  # Linux makes up an abstract address, for the answer
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            sock.sendmsg([line], [us], 0, str(path))
            said, ancillary, _, _ = sock.recvmsg(LINE_BYTES, socket.CMSG_SPACE(CREDENTIALS.size))
            helper = path.stat().st_uid
        except TimeoutError:
            raise HelperError(f"{path}: no answer: is our user one of its users?") from None
        except OSError as error:
            raise HelperError(f"{path}: {error.strerror}") from None
    if sender_of(ancillary) != helper:  # an abstract address is open to everybody
        raise HelperError(f"{path}: somebody else answered")
    try:
        return HelperAnswer(said.decode("ascii", "replace").strip())
    except ValueError:
        raise HelperError(f"{path}: no answer that we know") from None
