"""The body of a request, bounded in size and time: forms of the console, and what programs send to the API."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request

# A body must be whole in time; each piece that arrives gives it more, for files over a slow line.
BODY_SECONDS = 10.0
BODY_BYTES_A_SECOND = 8192


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The body. HTTPException for what is too large or too slow."""
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS) as limit:
            latest = limit.when() or 0.0
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > most_bytes:
                    raise HTTPException(413)
                limit.reschedule(latest + len(raw) / BODY_BYTES_A_SECOND)
    except TimeoutError:
        raise HTTPException(408) from None
    return bytes(raw)
