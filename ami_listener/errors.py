"""Errors of the connection to Asterisk, each with a remedy."""

import errno
import socket
from dataclasses import dataclass
from enum import Enum


class TroubleKind(Enum):
    """The reason why a connection ended or could not be opened. The value is a description and a remedy."""

    NO_HOST = ("no such host", "correct `host` in [ami]")
    REFUSED = (
        "connection refused",
        "start Asterisk, set `enabled = yes` in manager.conf, and use the same `port` in manager.conf and in [ami]",
    )
    UNREACHABLE = ("the server cannot be reached", "check the network and `host` in [ami]")
    TIMED_OUT = (
        "the server did not accept the connection in time",
        "check `host` in [ami] and the firewalls between the two servers",
    )
    NOT_AMI = (
        "the server is not Asterisk's manager interface",
        "set `port` in [ami] to the port in manager.conf, usually 5038",
    )
    SILENT = (
        "the server accepted the connection but sent no greeting",
        "check Asterisk: asterisk -rx 'core show uptime'",
    )
    LOGIN_REFUSED = (
        "Asterisk refused the manager user, its secret or this server's address",
        "set the same secret in [ami] and in manager.d/callsieve.conf, and permit this server's address in that file. "
        "`callsieve asterisk install` writes the secret into both files. Asterisk's log names the cause",
    )
    BAD_LOGIN = (
        "`username` or `secret` in [ami] contains control characters",
        "choose a username and a secret of printable characters",
    )
    LOST = (
        "Asterisk closed the connection",
        "if Asterisk was restarted, do nothing; otherwise read Asterisk's log",
    )
    STOPPING = ("Asterisk is shutting down", "no action needed: CallSieve connects again")
    DEAF = (
        "Asterisk no longer answers",
        "check that Asterisk is running and that the network between the two servers works",
    )
    FAILED = ("the event listener failed because of an internal error", "report the error in the log to the developers")

    @property
    def words(self) -> str:
        """Return the description of the error."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """Return what an administrator should do about the error."""
        return self.value[1]


# errno of a failed connection -> reason. Any other is UNREACHABLE.
_KIND_BY_ERRNO = {errno.ECONNREFUSED: TroubleKind.REFUSED, errno.ETIMEDOUT: TroubleKind.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A connection error. `at`: when the outage began. `where`: host:port. `detail`: the system's own message."""

    at: float
    kind: TroubleKind
    where: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {self.kind.words}{detail}: {self.kind.remedy}"


class AmiError(Exception):
    """The error for a connection that has ended or could not be opened. `detail` never contains a secret."""

    def __init__(self, kind: TroubleKind, detail: str = "") -> None:
        super().__init__(kind.words, detail)
        self.kind = kind
        self.detail = detail


def error_of(error: OSError) -> AmiError:
    """Return the AmiError for an error of the operating system."""
    if isinstance(error, socket.gaierror):
        return AmiError(TroubleKind.NO_HOST)
    if isinstance(error, TimeoutError):
        return AmiError(TroubleKind.TIMED_OUT)
    kind = _KIND_BY_ERRNO.get(error.errno or 0, TroubleKind.UNREACHABLE)
    return AmiError(kind, "" if kind is not TroubleKind.UNREACHABLE else error.strerror or type(error).__name__)
