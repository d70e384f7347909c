"""PhoneBlock's API, as far as marks go (version 1.7, read on 2026-11-27 in its OpenAPI document and sources).

POST   {url}/rate               {"phone": "+49...", "rating": "G_FRAUD"}    one a user and number: again replaces it
DELETE {url}/blacklist/{phone}  takes it back, with its vote; 404: there is none
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from callsieve.outside.http_client import Answer, OutsideClient

GONE = 404
NO_ACCESS = frozenset({401, 403})
NOT_NOW = frozenset({408, 425, 429})


class NotTaken(Exception):
    """PhoneBlock does not take it now, from us, or ever. `forever`: this number, the others may go."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.forever = 400 <= status < 500 and status not in NO_ACCESS | NOT_NOW
        why = "it refuses our token" if status in NO_ACCESS else f"it answers {status}"
        super().__init__(f"PhoneBlock: {why}")


@dataclass(frozen=True, slots=True)
class PhoneBlockAccount:
    """An account of it. `url` is where its API begins."""

    client: OutsideClient
    url: str
    token: str
    private: bool = False

    async def rate(self, number: str, rating: str) -> None:
        """Says what the number is. Nothing else is sent: no reason, no time, and nothing of who said so.

        NotTaken, OutsideError.
        """
        body = msgspec.json.encode({"phone": number, "rating": rating})
        _taken(await self._ask("POST", "/rate", body))

    async def withdraw(self, number: str) -> None:
        """Takes back what was said of it; where nothing was, that is well. NotTaken, OutsideError."""
        answer = await self._ask("DELETE", f"/blacklist/{quote(number, safe='')}")
        if answer.status != GONE:
            _taken(answer)

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        url = f"{self.url.rstrip('/')}{path}"
        return await self.client.request(method, url, headers=headers, body=body, allow_private=self.private)


def _taken(answer: Answer) -> None:
    if not 200 <= answer.status < 300:
        raise NotTaken(answer.status)
