"""What a line of the table of pages is: what can be asked for, who may, and which function answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reputation.users import Role

if TYPE_CHECKING:
    from starlette.responses import Response

    from callsieve.web.request import PageRequest

    Handler = Callable[[PageRequest], Awaitable[Response]]

FORM_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """One line. `role`: the least that may, None for everybody, also who is not logged in.

    A POST carries the token of its form, or is refused before `handler` sees it; `most_bytes` bounds what it sends.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None
    most_bytes: int = FORM_BYTES
