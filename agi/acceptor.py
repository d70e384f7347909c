"""Accepts the connections of a listening socket, one at each turn of the event loop.

The event loops' own servers make a transport of every connection before anybody can look at it, and go on for as long
as there are new ones. Here each is seen first, and the calls that were accepted before get their turn in between.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from socket import SocketType
from typing import Any

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.1  # no descriptor is left: to try again at once would take the whole processor


@dataclass(slots=True)
class Acceptor:
    """Gives each connection that `listener` accepts to `admit`, with the addresses of its other end and of ours. The
    connections block. It owns `listener`, which does not, and is bound to one address.
    """

    listener: socket.socket
    admit: Callable[[SocketType, Any, Any], None]
    _kind: tuple[int, int, int] = field(init=False)
    _address: Any = field(init=False)

    def __post_init__(self) -> None:
        self._kind = int(self.listener.family), int(self.listener.type), self.listener.proto
        self._address = self.listener.getsockname()

    def start(self, backlog: int) -> None:
        """Listen and accept, in the running event loop. OSError if the address is in use."""
        self.listener.listen(backlog)
        self._watch()

    def stop(self) -> None:
        """Accept no more; the kernel resets what is in the queue."""
        asyncio.get_running_loop().remove_reader(self.listener)
        self.listener.close()

    def _watch(self) -> None:
        if self.listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self.listener, self._accept)

    def _accept(self) -> None:
        try:
            # What `socket.accept` does, but for two enums that it makes of family and type for each connection: 4 us.
            descriptor, peer = self.listener._accept()  # type: ignore[attr-defined]
        except (BlockingIOError, ConnectionAbortedError):
            return  # whoever it was has gone
        except OSError as error:
            logger.error("no connection can be accepted: %s", error.strerror)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self.listener)
            loop.call_later(RETRY_SECONDS, self._watch)
            return
        self.admit(SocketType(*self._kind, descriptor), peer, self._address)
