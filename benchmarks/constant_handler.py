"""`python -m benchmarks.constant_handler PORT`: CallSieve's FastAGI server without decisions, as a baseline."""

from __future__ import annotations

import asyncio
import sys

from agi.server import AgiServer
from benchmarks.empty_handler import EXPECTED
from callsieve.daemon.daemon import loop_factory


async def serve(port: int) -> None:
    server = AgiServer(handle=lambda _request: EXPECTED, fail_open=lambda _reason, _request: b"")
    await server.listen("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(int(sys.argv[1])))
