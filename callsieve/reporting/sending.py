"""Send due reports to PhoneBlock, one number after the other.

A step that was sent but not recorded, because the process was killed, is sent again. PhoneBlock ignores repeated steps.
"""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import Answer, OutsideClient
from callsieve.outside.secrets import secret_of
from callsieve.reporting.operations import DueReport, ReportStep, note_done, reporting_to
from callsieve.settings import Loaded

GONE = 404
NO_ACCESS = frozenset({401, 403})
NOT_NOW = frozenset({408, 425, 429})


class NotTaken(Exception):
    """Raised if PhoneBlock refuses the step of one number. `forever`: whether it would refuse the step again."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.forever = 400 <= status < 500 and status not in NO_ACCESS | NOT_NOW
        why = "check [reporting.phoneblock] token" if status in NO_ACCESS else "the next run tries again"
        super().__init__(f"PhoneBlock answered with HTTP status {status}: {why}")


@dataclass(frozen=True, slots=True)
class PhoneBlockAccount:
    """A PhoneBlock account. `url`: the base address of PhoneBlock's API."""

    client: OutsideClient
    url: str
    token: str
    private: bool = False

    async def rate(self, number: str, rating: str) -> None:
        """Send the rating of a number. No reason, time or data about the person who marked the number is sent.

        Raises:
            NotTaken: PhoneBlock refused the rating.
            OutsideError: PhoneBlock could not be reached.
        """
        body = msgspec.json.encode({"phone": number, "rating": rating})
        _taken(await self._ask("POST", "/rate", body))

    async def withdraw(self, number: str) -> None:
        """Withdraw the rating of a number, if PhoneBlock has one. Raise the errors of `rate`."""
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


MOST_AT_ONCE = 50  # the timer runs again in five minutes


@dataclass(slots=True)
class Sent:
    """The result of sending. `failure`: why sending stopped early. `left`: how many steps were not tried."""

    reported: int = 0
    withdrawn: int = 0
    refused: int = 0
    left: int = 0
    failure: str | None = None


async def send_due(db: sqlite3.Connection, loaded: Loaded, due: Sequence[DueReport]) -> Sent:
    """Send the due steps in order. Stop at an error that affects all steps."""
    sent, service = Sent(), reporting_to(loaded)
    try:
        token = secret_of(service.token)
        async with OutsideClient() as client:
            account = PhoneBlockAccount(client, service.url, token, service.private)
            for done, step in enumerate(due[:MOST_AT_ONCE]):
                sent.left = len(due) - done
                await _send(db, account, step, sent)
            sent.left = max(0, len(due) - MOST_AT_ONCE)
    except (OutsideError, NotTaken) as error:
        sent.failure, sent.left = str(error), sent.left or len(due)
    return sent


async def _send(db: sqlite3.Connection, account: PhoneBlockAccount, due: DueReport, sent: Sent) -> None:
    refused = False
    try:
        if due.step is ReportStep.REPORT:
            await account.rate(due.number, due.rating)
        elif due.step is ReportStep.WITHDRAW:
            await account.withdraw(due.number)
    except NotTaken as error:
        if not error.forever:
            raise
        refused = True
    note_done(db, due, time.time(), refused=refused)
    sent.refused += refused
    sent.reported += due.step is ReportStep.REPORT and not refused
    sent.withdrawn += due.step is ReportStep.WITHDRAW and not refused
