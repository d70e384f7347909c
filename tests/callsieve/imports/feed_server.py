"""A web server on loopback that publishes files, as those of feeds do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class FeedServer:
    """`files`: what it publishes, by path; `statuses`: what it answers in their place, with a Retry-After.

    `asked` has the path and the headers of each request. `tags`: it says ETags, and when a file is still the same.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tags: bool = True

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def publishing() -> Iterator[FeedServer]:
    """Run a server until the end of the block."""
    feeds = FeedServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            feeds.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            content = feeds.files.get(self.path)
            status, wait = feeds.statuses.get(self.path, (404 if content is None else 200, ""))
            body = b"an error page" if content is None or status != 200 else content
            tag = f'"{sha256(body).hexdigest()[:16]}"'
            if feeds.tags and status == 200 and self.headers.get("If-None-Match") == tag:
                status, body = 304, b""
            self.send_response(status)
            if feeds.tags:
                self.send_header("ETag", tag)
            if wait:
                self.send_header("Retry-After", wait)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log no requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    feeds.port = server.server_address[1]
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield feeds
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
