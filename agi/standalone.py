"""The classic AGI script that decides in its own process, for systems without the daemon. It uses `AGI` of pyst2.

No other module imports pyst2. Parts of pyst2 0.5.1 are overridden (docs/contributing/decisions/fenced-libraries.md):

- It writes headers and commands, which are personal data, to stderr.
- Its constructor handles SIGHUP, which only the main thread may do.
- `_quote` escapes nothing, and a command may contain newlines.
- It fails at an end of file, at `HANGUP`, at codes 100 and 511, and at bytes that are not UTF-8.
- It never returns if a 520 is cut off, and takes a caller named `hangup` for a hang-up.
"""

import logging
from collections.abc import Callable, Sequence
from typing import BinaryIO

from asterisk.agi import (
    AGI,
    AGIAppError,
    AGIException,
    AGIHangup,
    AGIInvalidCommand,
    AGIUnknownError,
    AGIUsageError,
)

from agi.protocol import LINE_LIMIT, AgiSession, Event, ProtocolError, Reply, Request
from agi.quoting import COMMAND_LIMIT, quote

logger = logging.getLogger(__name__)

# Reply code -> what pyst2 raises for it; 511 (dead channel), which it does not know, is its error of an application.
_ERRORS = {510: AGIInvalidCommand, 511: AGIAppError, 520: AGIUsageError}

Decide = Callable[[Request], bytes | Sequence[tuple[str, str]]]


class _Silent:
    def write(self, text: str) -> int:
        return len(text)


class StandaloneAgi(AGI):  # type: ignore[misc]  # pyst2 has no types
    """pyst2's AGI over binary streams. `request` is the dialplan's request. It raises only AGIException."""

    request: Request

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        # Not super().__init__, which takes SIGHUP. Left alone, the signal ends this process: the call is over.
        self._session = AgiSession()
        self._got_sighup = False
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = _Silent()
        self.env: dict[str, str] = {}
        self._get_agi_env()

    def _get_agi_env(self) -> None:
        request = self._next_event()
        if not isinstance(request, Request):
            raise AGIHangup("Asterisk closed before its request")
        self.request = request
        self.env = dict(request.variables)

    def _quote(self, string: object) -> str:
        return quote(str(string))

    def send_command(self, command: str, *args: object) -> None:
        """Send one line to Asterisk. Raise AGIUsageError if it contains a line end or is too long."""
        line = " ".join([command, *map(str, args)]).strip()
        if any(character in line for character in "\r\n\0"):
            raise AGIUsageError("a command contains a line end")
        data = line.encode("utf-8", "replace") + b"\n"
        if len(data) > COMMAND_LIMIT:
            raise AGIUsageError(f"a command is longer than {COMMAND_LIMIT} bytes")
        self.stdout.write(data)
        self.stdout.flush()

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """Return Asterisk's reply in pyst2's form, `{"result": (result, data)}`, with `endpos` if there is one."""
        reply = self._next_event()
        while isinstance(reply, Reply) and reply.code == 100:
            reply = self._next_event()
        if not isinstance(reply, Reply):
            raise AGIHangup("the caller hung up")
        if reply.code != 200:
            raise _ERRORS[reply.code](reply.data)
        if reply.result == "-1":
            raise AGIAppError("Error executing application, or hangup")
        result = {"result": (reply.result, reply.data)}
        if reply.endpos is not None:
            result["endpos"] = (str(reply.endpos), "")
        return result

    def _next_event(self) -> Event:
        try:
            while (event := self._session.next_event()) is None:
                self._session.receive_data(self.stdin.readline(LINE_LIMIT))
        except ProtocolError as error:
            raise AGIUnknownError(str(error)) from error
        return event


def run_standalone(decide: Decide, stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Set the answer of `decide` through pyst2. Always return 0, so that the call continues after an error."""
    try:
        agi = StandaloneAgi(stdin, stdout)
        answer = decide(agi.request)
        if isinstance(answer, bytes):
            for command in answer.decode().split("\n")[:-1]:
                agi.execute(command)
        else:
            for name, value in answer:
                agi.set_variable(name, value)
    except AGIHangup:
        logger.info("the caller hung up")
    except (AGIException, OSError) as error:
        logger.warning("Asterisk refused the answer, the call goes on: %s", type(error).__name__)
    except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
        logger.error("screening failed, the call goes on: %s", type(error).__name__)
    return 0
