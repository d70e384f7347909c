"""`python -m benchmarks.hook_server PORT`: a webhook receiver that reports number, age and order of the events."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from datetime import datetime

TAKEN = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"


async def serve(port: int) -> None:
    ages: dict[str, float] = {}
    count = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                count += 1
                happened_at = datetime.fromisoformat(body["timestamp"]).timestamp()
                ages.setdefault(fields["webhook-id"], time.time() - happened_at)
                writer.write(TAKEN)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        print("ready", flush=True)
        await stop.wait()
        print(json.dumps({"requests": count, "ages": list(ages.values())}), flush=True)
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
