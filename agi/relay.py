"""The classic AGI script: passes a call to the daemon, and the daemon's answer to Asterisk.

    python -I -S /path/to/agi/relay.py [/run/callsieve/agi.sock]

Asterisk starts a process for each call, so start-up time matters. The script imports only compiled-in modules of the
standard library; `socket` and `signal` would double its time. After any failure the script ends within 0.4 s with
status 0 and sets no variable, so the call goes on. It passes on only a complete answer, in a single write.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys
import time
from select import select

DEFAULT_SOCKET = "/run/callsieve/agi.sock"
DEADLINE_SECONDS = 0.4
HEADER_LIMIT = 16 * 1024
ANSWER_LIMIT = 4096  # PIPE_BUF: writes up to this size are atomic. An answer of agi.quoting is never larger
REPLIES_LIMIT = 64 * 1024

# Replies that end a command (res_agi.c). `100` and `520-` announce more.
_FINAL = (b"200 ", b"510 ", b"511 ", b"520 ")


class RelayError(Exception):
    """The error after which the call continues without screening. The message contains no input."""


def relay(socket_path: str, stdin: int = 0, stdout: int = 1, seconds: float = DEADLINE_SECONDS) -> None:
    """Pass a call from Asterisk to the daemon, and the answer back. `stdin` and `stdout` are file descriptors.

    `stdout` is closed after the answer. Otherwise Asterisk would wait for more after the first command, although it has
    read all commands (res_agi.c, run_agi). RelayError and OSError are raised only if nothing was written.
    """
    deadline = time.monotonic() + seconds
    header = _read_header(stdin, deadline)
    daemon = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        answer = _answer_of(daemon, socket_path, header, deadline)
        if not answer:
            return
        if not select([], [stdout], [], _left(deadline))[1]:
            raise RelayError("Asterisk did not read the answer in time")
        os.write(stdout, answer)
        os.close(stdout)
        _pass_replies(daemon, stdin, answer.count(b"\n"), deadline)
    finally:
        daemon.close()


def _read_header(stdin: int, deadline: float) -> bytes:
    data = b""
    while b"\n\n" not in data:
        if not select([stdin], [], [], _left(deadline))[0]:
            raise RelayError("Asterisk sent no request in time")
        chunk = os.read(stdin, HEADER_LIMIT)
        data += chunk
        if not chunk or len(data) > HEADER_LIMIT:
            raise RelayError("Asterisk sent an empty, incomplete or too long request")
    return data


def _answer_of(daemon: _socket.socket, path: str, header: bytes, deadline: float) -> bytes:
    daemon.settimeout(_left(deadline))
    daemon.connect(path)
    daemon.sendall(header)
    answer = b""
    while True:
        daemon.settimeout(_left(deadline))
        chunk = daemon.recv(ANSWER_LIMIT)
        if not chunk:
            break
        answer += chunk
        if len(answer) > ANSWER_LIMIT:
            raise RelayError(f"the daemon's answer is longer than {ANSWER_LIMIT} bytes")
    if answer and not answer.endswith(b"\n"):
        raise RelayError("the daemon closed the connection in the middle of its answer")
    return answer


def _pass_replies(daemon: _socket.socket, stdin: int, commands: int, deadline: float) -> None:
    replies = b""
    try:
        while _finished(replies) < commands and len(replies) < REPLIES_LIMIT:
            if not select([stdin], [], [], _left(deadline))[0]:
                break
            chunk = os.read(stdin, REPLIES_LIMIT)
            if not chunk:
                break
            replies += chunk
        daemon.settimeout(_left(deadline))
        daemon.sendall(replies)
    except (OSError, RelayError):  # the call has its answer, and the daemon only counts the replies
        pass


def _finished(replies: bytes) -> int:
    return sum(line.startswith(_FINAL) for line in replies.split(b"\n")[:-1])


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise RelayError("timed out")
    return left


def main(arguments: list[str]) -> int:
    """Relay the call. Always return 0, because Asterisk must not treat an unscreened call as a failure."""
    _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)  # sent by Asterisk when the caller hangs up
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    try:
        relay(arguments[0] if arguments else DEFAULT_SOCKET)
    except RelayError as error:
        _complain(str(error))
    except OSError as error:
        _complain(error.strerror or "timed out")
    except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
        _complain(type(error).__name__)
    return 0


def _complain(reason: str) -> None:
    try:  # noqa: SIM105 (contextlib takes longer to import than the rest)
        os.write(2, f"callsieve-agi: the call continues without screening: {reason}\n".encode())
    except OSError:  # stderr is closed
        pass


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # skip Python's normal exit, which takes time: nothing is buffered
