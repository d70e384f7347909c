"""What a line of the table of pages is: what can be asked for, who may, and which function answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from callsieve.capability import Entry
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


class Menu(NamedTuple):
    """The entries in their order.

    `messages`: what is said, by the word in `?said=`: nobody can make it say more. `on`: the capabilities that have
    pages here: templates link to no other.
    """

    entries: tuple[Entry, ...]
    messages: Mapping[str, str]
    on: Set[str]
