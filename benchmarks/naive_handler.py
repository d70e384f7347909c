"""`python -m benchmarks.naive_handler PORT DATABASE`: a typical first version of a screening program.

It is panoramisk's FastAGI server with an aiosqlite look-up per call.
"""

from __future__ import annotations

import asyncio
import sys

import aiosqlite
from panoramisk.fast_agi import Application, Request

from benchmarks.empty_handler import EXPECTED
from callsieve.daemon.daemon import loop_factory

LOOK_UP = "SELECT category FROM number WHERE number = ?"


async def serve(port: int, database: str) -> None:
    async with aiosqlite.connect(database) as db:

        async def answer(request: Request) -> None:
            async with db.execute(LOOK_UP, (request.headers["agi_callerid"],)) as cursor:
                row = await cursor.fetchone()
            await request.send_command(f"SET VARIABLE KNOWN {0 if row is None else 1}")
            await request.send_command(EXPECTED.decode().strip())

        application = Application(loop=asyncio.get_running_loop())
        application.add_route("screen", answer)
        server = await asyncio.start_server(application.handler, "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2]))
