"""What can go wrong with the connection to Asterisk, in words, each with the way out."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from enum import Enum


class TroubleKind(Enum):
    """Why there is no connection, or why one ended. The value is words and the way out."""

    NO_HOST = ("no such host", "correct [ami] host")
    REFUSED = (
        "connection refused",
        "is Asterisk running? enabled = yes and port in manager.conf must match [ami] port",
    )
    UNREACHABLE = ("cannot be reached", "is the network up, and [ami] host the right one?")
    TIMED_OUT = ("did not accept the connection in time", "a firewall in between? is [ami] host the right one?")
    NOT_AMI = ("is not Asterisk's manager interface", "correct [ami] port: that of manager.conf, usually 5038")
    SILENT = ("accepted the connection and said nothing", "is Asterisk frozen? asterisk -rx 'core show uptime'")
    LOGIN_REFUSED = (
        "the manager user, its secret or our address was refused",
        "the secret in manager.d/callsieve.conf must be that of [ami] and its permit our address; "
        "Asterisk's log says which; callsieve asterisk install",
    )
    BAD_LOGIN = ("[ami] username or secret has control characters in it", "choose another")
    LOST = ("Asterisk closed the connection", "nothing to do if it was restarted; else Asterisk's log says why")
    STOPPING = ("Asterisk is shutting down", "nothing to do: we connect again when it is back")
    DEAF = ("no answer any more", "is Asterisk frozen, or the network in between?")
    FAILED = ("the listener failed", "the log has the details: please report it")

    @property
    def words(self) -> str:
        return self.value[0]

    @property
    def remedy(self) -> str:
        return self.value[1]


# errno of a connection that was not made -> why. Anything else is UNREACHABLE.
_KIND_BY_ERRNO = {errno.ECONNREFUSED: TroubleKind.REFUSED, errno.ETIMEDOUT: TroubleKind.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, where (host:port), and what the system said if it adds something. `at`: when the outage began."""

    at: float
    kind: TroubleKind
    where: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {self.kind.words}{detail}: {self.kind.remedy}"


class AmiError(Exception):
    """The connection is over, or was not made. The detail is for people, and never has a secret in it."""

    def __init__(self, kind: TroubleKind, detail: str = "") -> None:
        super().__init__(kind.words, detail)
        self.kind = kind
        self.detail = detail


def error_of(error: OSError) -> AmiError:
    """What the system said, as ours."""
    if isinstance(error, socket.gaierror):
        return AmiError(TroubleKind.NO_HOST)
    if isinstance(error, TimeoutError):
        return AmiError(TroubleKind.TIMED_OUT)
    kind = _KIND_BY_ERRNO.get(error.errno or 0, TroubleKind.UNREACHABLE)
    return AmiError(kind, "" if kind is not TroubleKind.UNREACHABLE else error.strerror or type(error).__name__)
