"""The base class of servers that tests run on a loopback port, each in its own folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from lab.children import start_server, stop_server
from lab.ports import free_port

ADDRESS = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class PrivateServer(ABC):
    """A server that runs during the `with` block. It has its own folder, which is removed at the end.

    `name`: a part of the folder's name.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"callsieve-{self.name}-"))
        try:
            self.port = free_port(ADDRESS, socket.SOCK_STREAM)
            self._set_up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @abstractmethod
    def _set_up(self) -> None:
        """Write the server's files, and start it."""

    def stop(self) -> None:
        """Stop the server cleanly. Do nothing if the server is not running."""
        process, self._process = self._process, None
        stop_server(process, STOP_SECONDS)

    def send_signal(self, number: int) -> None:
        """Send a signal to the server. SIGSTOP freezes the server."""
        assert self._process is not None
        self._process.send_signal(number)

    def _run(self, command: Sequence[str], environment: Mapping[str, str], is_ready: Callable[[], bool]) -> None:
        self._process = start_server(command, self.folder / "log", environment, is_ready, START_SECONDS)
