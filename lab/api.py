"""The API of a running daemon, and a program that asks it."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

from lab.daemon import Daemon
from lab.ports import free_port

ADDRESS = "127.0.0.1"
START_SECONDS = 30.0


class Api:
    """The API at an address of its own: `settings` makes the daemon serve it, `token` lets somebody in."""

    def __init__(self) -> None:
        self.port = free_port(ADDRESS, socket.SOCK_STREAM)

    @property
    def settings(self) -> str:
        """For the daemon's settings file."""
        return f'[api]\nenabled = true\nlisten = "{ADDRESS}:{self.port}"\n'

    @property
    def url(self) -> str:
        """What each path is put after."""
        return f"http://{ADDRESS}:{self.port}/api/v1"

    def token(self, daemon: Daemon, name: str, *scopes: str, role: str = "viewer") -> str:
        """The secret of a new token, once the API is there."""
        self._wait()
        words = [word for scope in scopes for word in ("--scope", scope)]
        done = daemon.callsieve("token", "add", name, "--role", role, *words, "--json")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return str(json.loads(done.stdout)["token"])

    def ask(self, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON."""
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
