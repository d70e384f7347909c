"""All requests of the public page to the store, the settings and the call-back helper.

The backend is a separate process (main/public_backend.py), because the process that visitors reach has no store,
settings or keys. No method trusts its arguments, which are texts and bytes.
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
    """The backend of the public page. `clock` returns UTC seconds. A change of the settings needs a restart."""

    def __init__(self, load: Callable[[], Loaded], clock: Callable[[], float] = time.time) -> None:
        self.loaded = load()
        self._clock = clock
        self._store = StoreClient(self.loaded.store_path)
        self._codes = Count(CODES_A_DAY, DAY)

    async def ask(self, method: Callable[Concatenate[Backend, P], Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """Call a method in this process and return its result. Raise Refused or StoreError."""
        return await method(self, *args, **named)

    async def open(self) -> None:
        """Do nothing: the store is opened on the first request."""

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def marks(self) -> MarkEffects:
        """Return tables of how many marks of a number are enough to label or challenge its calls."""
        return await self._store.read(mark_effects_here, self.loaded)

    async def look_up(self, reference: str) -> HeldCall | None:
        """Return the stopped call with this reference, or None."""
        return await self._store.read(operations.look_up, reference)

    async def file(self, reference: str, name: str, contact: str, statement: str, link: str) -> None:
        """File an appeal about a stopped call. `link`: the SHA-256 of the secret in the link to the appeal."""
        await self._perform(operations.file, PublicAppealRequest(reference, name, contact, statement, link))

    async def status(self, link: str) -> AppealStatus | None:
        """Return the status of an appeal, or None. `link`: the SHA-256 of the secret in the link to the appeal."""
        return await self._store.read(operations.full_status, self.loaded, link, self._clock())

    async def view(self, link: str) -> OwnerView | None:
        """Return what CallSieve knows about the appeal's number; None until the owner proves control of the number."""
        return await self._store.read(operations.owner_view, self.loaded, link, self._clock())

    async def make_code(self, link: str) -> str:
        """Return a code that the owner keys in during a call from the number."""
        self._take(self._codes, link)
        return await self._perform(operations.make_code, link)

    async def call_back(self, link: str) -> tuple[HelperAnswer, str]:
        """Have the appeal's number called. Return the helper's answer, and the code to key in during that call."""
        self._take(self._codes, link)
        made = await self._perform(operations.make_call_back, link)
        helper = Path(self.loaded.settings.public.call_back)
        try:
            answer = await asyncio.to_thread(ask_helper, helper, made.number, made.ticket)
        except HelperError as error:
            logger.warning("call-back failed: error=%s", error)
            answer = HelperAnswer.FAILED
        return answer, made.code

    async def attach(self, link: str, title: str, content: bytes) -> None:
        """Attach a document to the appeal."""
        await self._perform(operations.attach, DocumentRequest(link, title, content))

    async def check(self, reference: str, proof: str) -> tuple[Cleared, bool] | None:
        """Return the clearance statement to which a link leads, and whether it is still valid; None without a match."""
        return await self._store.read(operations.check, reference, proof, self._clock())

    async def _perform(self, operation: Callable[[sqlite3.Connection, Context, R], T], request: R) -> T:
        return await self._store.write(operation, Context(ACTOR, ROLE, self._clock(), self.loaded), request)

    def _take(self, count: Count, key: str) -> None:
        if not count.take(key, self._clock()):
            raise Refused(TOO_OFTEN, Wording("Too many attempts. Wait a while, or call us."))


class PageBackend(Protocol):
    """A backend, in this process or in another process."""

    async def ask(self, method: Callable[Concatenate[Backend, P], Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """Return the result of a backend method. Raise Refused or StoreError."""

    async def open(self) -> None:
        """Start the backend in the event loop that will use it."""

    async def close(self) -> None:
        """Stop the backend."""


# The methods that another process may call, by name.
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
