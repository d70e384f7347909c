"""The daemon's connection to the hearing process, which may start and stop at any time. Questions have a timeout."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agi.sockets import Peers, make_unix_socket, temporary_path_of, unlink_own
from callsieve.hearing.wire import (
    PACKET_BYTES,
    SOCKET_NAME,
    HearingAnswer,
    HearingQuestion,
    HearingReady,
    HearingStart,
    packet_of,
    parse_reply,
)
from callsieve.settings import Loaded
from callsieve.system.privileges import HEARING_USER, is_ours_or

logger = logging.getLogger("callsieve.hearing.link")

# Any user may connect, and all but the hearing user are sent away: so that user needs no group of the daemon's.
SOCKET_MODE: Final = 0o666
MOST_WAITING: Final = 4  # questions: one is answered, the others wait


def hearing_socket(loaded: Loaded) -> Path:
    """Return the path of the hearing process's socket, in systemd's runtime directory or the state directory."""
    return Path(os.environ.get("RUNTIME_DIRECTORY") or loaded.state) / SOCKET_NAME


class HearingLink:
    """The daemon's socket for the hearing process. `model`: the directory of the speech model, for that process."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self.model = model
        self.is_ready = False
        self._sock: socket.socket | None = None
        self._waiting: dict[str, asyncio.Future[HearingAnswer | None]] = {}

    async def run(self) -> None:
        """Listen until cancelled. Raise OSError if another process holds the socket."""
        loop = asyncio.get_running_loop()
        with make_unix_socket(str(self.path), SOCKET_MODE, socket.SOCK_SEQPACKET) as listener:
            listener.listen(4)
            os.rename(temporary_path_of(str(self.path)), self.path)
            inode = self.path.stat().st_ino
            loop.add_reader(listener, self._accept, listener)
            try:
                await asyncio.Event().wait()
            finally:
                loop.remove_reader(listener)
                unlink_own(str(self.path), inode)
                self._disconnect()

    @property
    def waiting(self) -> int:
        """How many questions wait for an answer."""
        return len(self._waiting)

    def ask(self, question: HearingQuestion, descriptors: Sequence[int]) -> asyncio.Future[HearingAnswer | None]:
        """Send a question with open recordings. The future's result is the answer, or None if no answer comes."""
        answer: asyncio.Future[HearingAnswer | None] = asyncio.get_running_loop().create_future()
        if self._sock is None or not self.is_ready or len(self._waiting) >= MOST_WAITING:
            answer.set_result(None)
            return answer
        try:
            socket.send_fds(self._sock, [packet_of(question)], descriptors)
        except OSError:  # it has ended, or it reads nothing
            answer.set_result(None)
            return answer
        self._waiting[question.id] = answer
        answer.add_done_callback(lambda _: self._waiting.pop(question.id, None))
        return answer

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        user = Peers().user_of(sock)
        if not is_ours_or(HEARING_USER, user):
            logger.warning("ignored a connection: user=%s is not %s", user, HEARING_USER)
            sock.close()
            return
        self._disconnect()
        sock.setblocking(False)
        try:
            sock.send(packet_of(HearingStart(self.model)))
        except OSError:
            sock.close()
            return
        self._sock = sock
        asyncio.get_running_loop().add_reader(sock, self._read)

    def _read(self) -> None:
        assert self._sock is not None
        try:
            reply = parse_reply(self._sock.recv(PACKET_BYTES))
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:  # an empty packet is the end of the connection
            logger.warning("the hearing process disconnected: error=%s", type(error).__name__)
            self._disconnect()
            return
        if isinstance(reply, HearingReady):
            self.is_ready = True
            logger.info("the hearing process is ready")
        elif (waiting := self._waiting.get(reply.id)) is not None and not waiting.done():
            waiting.set_result(reply)

    def _disconnect(self) -> None:
        self.is_ready = False
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
            self._sock = None
        for waiting in list(self._waiting.values()):
            if not waiting.done():
                waiting.set_result(None)
