"""A TCP proxy on loopback that can imitate network failures.

with Proxy(asterisk.ami_address) as proxy:
    connect_to(proxy.address)
    proxy.swallow()
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 65536
CONNECT_SECONDS = 5.0


class Proxy:
    """Passes bytes between the clients of `address` and `target`, until a method changes this behaviour.

    `connections` counts accepted connections. A connection is reset if the target refuses it.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.connections = 0
        self.to_client_bytes = 0
        self._swallow_to_client = False
        self._swallow_to_server = False
        self._delay_seconds = 0.0
        self._chunk = CHUNK
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.address = ("127.0.0.1", 0)

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(CONNECT_SECONDS)

    def accept(self) -> None:
        """Accept connections. After `refuse`, the proxy listens again on the port that it had before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.address)
        listener.listen()
        self.address = listener.getsockname()
        self._listener = listener
        self._run(self._accept, listener)

    def refuse(self) -> None:
        """Refuse new connections. Existing connections stay open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # which wakes its thread
            listener.close()

    def forward(self, *, delay_seconds: float = 0.0, chunk: int = CHUNK) -> None:
        """Forward bytes again, in delayed chunks of at most `chunk` bytes.

        Bytes that were swallowed before are lost.
        """
        self._swallow_to_client = self._swallow_to_server = False
        self._delay_seconds = delay_seconds
        self._chunk = chunk

    def swallow(self, *, to_client: bool = True, to_server: bool = True) -> None:
        """Discard bytes of these directions, but keep connections open, like a firewall that lost its state."""
        self._swallow_to_client = to_client
        self._swallow_to_server = to_server

    def cut(self, *, reset: bool = False) -> None:
        """Close all connections. `reset`: whether to close with a TCP reset."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for sock in pair:
                _end(sock, reset=reset)

    def _run(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # we refuse now
            self.connections += 1
            try:
                server = socket.create_connection(self.target, CONNECT_SECONDS)
            except OSError:
                _end(client, reset=True)
                continue
            server.settimeout(None)
            with self._lock:
                self._pairs.append((client, server))
            self._run(self._pump, client, server, False)
            self._run(self._pump, server, client, True)

    def _pump(self, source: socket.socket, sink: socket.socket, to_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self._chunk):
                if self._delay_seconds:
                    time.sleep(self._delay_seconds)
                if self._swallow_to_client if to_client else self._swallow_to_server:
                    continue
                sink.sendall(data)
                if to_client:
                    self.to_client_bytes += len(data)
        if not (self._swallow_to_client if to_client else self._swallow_to_server):
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)


def _end(sock: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # This wakes the thread that reads: until it returns, `close` would close nothing.
        sock.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
    sock.close()
