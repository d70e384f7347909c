"""All that the public page may ask of the store, of the settings and of the call-back helper.

It runs in a process of its own (main/public_backend.py): the one that strangers reach has no store, no settings and no
key, and asks here. So each method believes nothing of its arguments, which are text and bytes, and has the limits that
hold whoever asks.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from callsieve.appeals.cleared import Cleared
from callsieve.call_back.client import HelperAnswer, HelperError
from callsieve.call_back.client import ask as ask_helper
from callsieve.changes.operation import Context, Refused
from callsieve.numbers.mark_effects import MarkEffects, mark_effects_here
from callsieve.numbers.owner_view import OwnerView
from callsieve.public_page import operations
from callsieve.public_page.operations import ACTOR, ROLE, AppealStatus, DocumentRequest, HeldCall, PublicAppealRequest
from callsieve.settings import Loaded
from callsieve.web.store_client import StoreClient
from callsieve.web.throttle import CODES_A_DAY, DAY, Count
from reputation.wording import Wording

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

logger = logging.getLogger("callsieve.public")

TOO_OFTEN = "too-often"


class Backend:
    """Answers, of one page. `clock` is in UTC seconds. Settings are read once: a change takes a restart."""

    def __init__(self, load: Callable[[], Loaded], clock: Callable[[], float] = time.time) -> None:
        self.loaded = load()
        self._clock = clock
        self._store = StoreClient(self.loaded.store_path)
        self._codes = Count(CODES_A_DAY, DAY)

    async def ask(self, method: Callable[Concatenate[Backend, P], Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """What the method answers, in this process. Refused, StoreError."""
        return await method(self, *args, **named)

    async def open(self) -> None:
        """The store is opened when it is first asked for."""

    async def close(self) -> None:
        """Closes the store."""
        await self._store.close()

    async def marks(self) -> MarkEffects:
        """How many marks take effect, by the weights in force."""
        return await self._store.read(mark_effects_here, self.loaded)

    async def look_up(self, reference: str) -> HeldCall | None:
        """Return the held call of a reference, None for a wrong one."""
        return await self._store.read(operations.look_up, reference)

    async def file(self, reference: str, name: str, contact: str, statement: str, link: str) -> None:
        """File an appeal."""
        await self._perform(operations.file, PublicAppealRequest(reference, name, contact, statement, link))

    async def status(self, link: str) -> AppealStatus | None:
        """What became of the appeal of a link."""
        return await self._store.read(operations.full_status, self.loaded, link, self._clock())

    async def view(self, link: str) -> OwnerView | None:
        """What is known about its number, where its owner has proven control of it."""
        return await self._store.read(operations.owner_view, self.loaded, link, self._clock())

    async def make_code(self, link: str) -> str:
        """A code that is to be keyed in a call from the number."""
        self._take(self._codes, link)
        return await self._perform(operations.make_code, link)

    async def call_back(self, link: str) -> tuple[HelperAnswer, str]:
        """Has the number called: what the helper says, and the code that is to be keyed in that call."""
        self._take(self._codes, link)
        made = await self._perform(operations.make_call_back, link)
        helper = Path(self.loaded.settings.public.call_back)
        try:
            answer = await asyncio.to_thread(ask_helper, helper, made.number, made.ticket)
        except HelperError as error:
            logger.warning("the call-back helper: %s", error)
            answer = HelperAnswer.FAILED
        return answer, made.code

    async def attach(self, link: str, title: str, content: bytes) -> None:
        """Attaches a document."""
        await self._perform(operations.attach, DocumentRequest(link, title, content))

    async def check(self, reference: str, proof: str) -> tuple[Cleared, bool] | None:
        """The statement of a link that was shown to somebody, and whether it stands."""
        return await self._store.read(operations.check, reference, proof, self._clock())

    async def _perform(self, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
        return await self._store.write(operation, Context(ACTOR, ROLE, self._clock(), self.loaded), request)

    def _take(self, count: Count, key: str) -> None:
        if not count.take(key, self._clock()):
            raise Refused(TOO_OFTEN, Wording("There were too many tries. Wait a while, or call us."))


class PageBackend(Protocol):
    """A backend, in this process or in another."""

    async def ask(self, method: Callable[Concatenate[Backend, P], Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """What the method answers. Refused, StoreError."""

    async def open(self) -> None:
        """Begins, in the loop that asks."""

    async def close(self) -> None:
        """Ends it."""


# What another process may ask for, by name.
METHODS = {
    method.__name__: method
    for method in (
        Backend.marks,
        Backend.look_up,
        Backend.file,
        Backend.status,
        Backend.view,
        Backend.make_code,
        Backend.call_back,
        Backend.attach,
        Backend.check,
    )
}
