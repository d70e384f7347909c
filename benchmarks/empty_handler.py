"""`python -m benchmarks.empty_handler PORT`: panoramisk's FastAGI server that only sets a variable, as a baseline."""

from __future__ import annotations

import asyncio
import sys

from panoramisk.fast_agi import Application, Request

from callsieve.daemon.daemon import loop_factory

EXPECTED = b'SET VARIABLE CALLSIEVE_ACTION "allow"\n'


async def answer(request: Request) -> None:
    await request.send_command(EXPECTED.decode().strip())


async def serve(port: int) -> None:
    application = Application(loop=asyncio.get_running_loop())
    application.add_route("screen", answer)
    server = await asyncio.start_server(application.handler, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(int(sys.argv[1])))
