"""A running `callsieve api`, with a client for it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from lab.children import ends_with_us
from lab.daemon import Daemon
from lab.ports import free_port
from lab.programs import COMMAND_LINE

ADDRESS = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 5.0


class Api:
    """A `callsieve api` process that serves the store of a daemon, on a TCP address and on a Unix socket."""

    def __init__(self) -> None:
        self.port = free_port(ADDRESS, socket.SOCK_STREAM)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, daemon: Daemon) -> None:
        """Start the API server and wait until it listens."""
        with (daemon.state / "api.log").open("ab") as log:
            self._process = subprocess.Popen(
                (*ends_with_us(), sys.executable, "-m", COMMAND_LINE, "api"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=daemon.environment,
                cwd=Path(__file__).resolve().parent.parent,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server as systemd does: ask it to end, and kill it if that takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def settings(self) -> str:
        """The [api] table for the daemon's settings file."""
        return f'[api]\nenabled = true\nlisten = "{ADDRESS}:{self.port}"\n'

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}/api/v1"

    def token(self, daemon: Daemon, name: str, *scopes: str, role: str = "viewer") -> str:
        """Create an API token with `callsieve`, and return its secret. `scopes`: what the token may do."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        done = daemon.callsieve("token", "add", name, "--role", role, *words, "--json")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return str(json.loads(done.stdout)["secret"])

    def ask(self, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
        """Send an API request. Return the status and the parsed JSON of the response."""
        connection = HTTPConnection(ADDRESS, self.port, timeout=20)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with closing(connection):
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((ADDRESS, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"the API did not listen within {START_SECONDS:.0f} s")
