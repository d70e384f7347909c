"""Errors of the connection to Asterisk, each with a remedy."""

import errno
import socket
from dataclasses import dataclass
from enum import Enum


class TroubleKind(Enum):
    """The reason why there is no connection, or why one ended. The value is a description and a remedy."""

    NO_HOST = ("no such host", "correct [ami] host")
    REFUSED = (
        "connection refused",
        "is Asterisk running? enabled = yes and port in manager.conf must match [ami] port",
    )
    UNREACHABLE = ("cannot be reached", "check the network and [ami] host")
    TIMED_OUT = ("did not accept the connection in time", "check [ami] host, and firewalls on the way")
    NOT_AMI = ("is not Asterisk's manager interface", "set [ami] port to the port in manager.conf, usually 5038")
    SILENT = ("accepted the connection but sent no greeting", "check Asterisk: asterisk -rx 'core show uptime'")
    LOGIN_REFUSED = (
        "the manager user, its secret or this server's address was refused",
        "make the secret in manager.d/callsieve.conf that of [ami], and let its permit include this server's address; "
        "Asterisk's log says which is wrong; callsieve asterisk install writes both",
    )
    BAD_LOGIN = ("[ami] username or secret contains control characters", "choose another")
    LOST = ("Asterisk closed the connection", "nothing to do after a restart; otherwise see Asterisk's log")
    STOPPING = ("Asterisk is shutting down", "nothing to do: CallSieve connects again")
    DEAF = ("no longer answers", "check that Asterisk runs, and the network to it")
    FAILED = ("the listener failed", "report the error in the log to the developers")

    @property
    def words(self) -> str:
        """Return the description."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """Return the remedy for an administrator."""
        return self.value[1]


# errno of a failed connection -> reason. Any other is UNREACHABLE.
_KIND_BY_ERRNO = {errno.ECONNREFUSED: TroubleKind.REFUSED, errno.ETIMEDOUT: TroubleKind.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error with its place (host:port) and the system's own message. `at` is when the outage began."""

    at: float
    kind: TroubleKind
    where: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {self.kind.words}{detail}: {self.kind.remedy}"


class AmiError(Exception):
    """The connection has ended or could not be made. `detail` never contains a secret."""

    def __init__(self, kind: TroubleKind, detail: str = "") -> None:
        super().__init__(kind.words, detail)
        self.kind = kind
        self.detail = detail


def error_of(error: OSError) -> AmiError:
    """Return the AmiError for an error of the system."""
    if isinstance(error, socket.gaierror):
        return AmiError(TroubleKind.NO_HOST)
    if isinstance(error, TimeoutError):
        return AmiError(TroubleKind.TIMED_OUT)
    kind = _KIND_BY_ERRNO.get(error.errno or 0, TroubleKind.UNREACHABLE)
    return AmiError(kind, "" if kind is not TroubleKind.UNREACHABLE else error.strerror or type(error).__name__)
