"""The classic AGI script that decides in its own process, for systems without the daemon. It uses `AGI` of pyst2.

No other module imports pyst2. Its version 0.5.1 has defects, which are avoided here (decisions/fenced-libraries.md):

- It writes headers and commands, which are personal data, to stderr.
- Its constructor handles SIGHUP, which only the main thread may do.
- `_quote` escapes nothing, and a command may contain newlines.
- It fails at the end of input, at `HANGUP`, at codes 100 and 511, and at bytes that are not UTF-8.
- It never returns if a 520 reply is incomplete, and treats a caller named `hangup` as a hang-up.
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

# Reply code -> pyst2's exception for it. pyst2 does not know 511 (dead channel), so that is its application error.
_ERRORS = {510: AGIInvalidCommand, 511: AGIAppError, 520: AGIUsageError}

Decide = Callable[[Request], bytes | Sequence[tuple[str, str]]]


class _Silent:
    def write(self, text: str) -> int:
        return len(text)


class StandaloneAgi(AGI):  # type: ignore[misc]  # pyst2 has no types
    """pyst2's AGI over binary streams. `request` is Asterisk's request. All methods raise only AGIException."""

    request: Request

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        # Not super().__init__, which handles SIGHUP. The signal should end this process, because the call is over.
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
            raise AGIHangup("Asterisk closed the connection before it sent a request")
        self.request = request
        self.env = dict(request.variables)

    def _quote(self, string: object) -> str:
        return quote(str(string))

    def send_command(self, command: str, *args: object) -> None:
        """Send a command line to Asterisk. Raise AGIUsageError if the line contains a line end or is too long."""
        line = " ".join([command, *map(str, args)]).strip()
        if any(character in line for character in "\r\n\0"):
            raise AGIUsageError("an AGI command contains a line end")
        data = line.encode("utf-8", "replace") + b"\n"
        if len(data) > COMMAND_LIMIT:
            raise AGIUsageError(f"an AGI command is longer than {COMMAND_LIMIT} bytes")
        self.stdout.write(data)
        self.stdout.flush()

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """Return Asterisk's reply in pyst2's form: `{"result": (result, data)}`, with `endpos` if the reply has it."""
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
    """Set the variables of `decide`'s answer through pyst2. Always return 0, so the call continues after an error."""
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
        logger.warning(
            "Asterisk refused an AGI command, the call continues without screening: error=%s",
            type(error).__name__,
        )
    except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
        logger.error("screening failed, the call continues without screening: error=%s", type(error).__name__)
    return 0
