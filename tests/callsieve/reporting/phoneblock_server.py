"""As much of PhoneBlock's API as is used, on loopback: one rating a number, which can be taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

TOKEN = "pbt_s3cret"


@dataclass
class PhoneBlockServer:
    """`ratings` is what it has; `bodies` what it was sent; `status` is what it answers instead, if it is set."""

    port: int = 0
    ratings: dict[str, str] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    status: int = 0
    refuses: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/phoneblock/api"


@contextmanager
def phoneblock() -> Iterator[PhoneBlockServer]:
    """One that runs until the end of the block."""
    there = PhoneBlockServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self._is_let_in() and self.path == "/phoneblock/api/rate":
                there.bodies.append(body)
                if body["phone"] == there.refuses:
                    self._answer(400)
                else:
                    there.ratings[body["phone"]] = body["rating"]
                    self._answer(200)

        def do_DELETE(self) -> None:
            number = unquote(self.path.removeprefix("/phoneblock/api/blacklist/"))
            if self._is_let_in():
                there.deleted.append(number)
                self._answer(204 if there.ratings.pop(number, None) else 404)

        def _is_let_in(self) -> bool:
            status = there.status or (0 if self.headers["Authorization"] == f"Bearer {TOKEN}" else 401)
            if status:
                self._answer(status)
            return not status

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is said of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.port = server.server_address[1]
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
