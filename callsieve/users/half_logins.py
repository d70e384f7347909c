"""Logins whose password was right and whose code is still to come: in memory, bounded, and each good for one code."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from callsieve.web.tokens import hash_of, new_token

LASTS_SECONDS = 300.0
MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class HalfLogin:
    """`password` is the hash that was right, `fresh` what replaces it; `form` the token of that browser's forms."""

    name: str
    password: str
    fresh: str | None
    target: str
    form: str
    until: float


class HalfLogins:
    """By the hash of a ticket that only the page which asks for the code has."""

    def __init__(self) -> None:
        self._by_ticket: OrderedDict[str, HalfLogin] = OrderedDict()

    def keep(self, half: HalfLogin) -> str:
        """The ticket that takes it out again."""
        ticket = new_token()
        self._by_ticket[hash_of(ticket)] = half
        while len(self._by_ticket) > MOST_KEPT:
            self._by_ticket.popitem(last=False)
        return ticket

    def take(self, ticket: str, form: str, now: float) -> HalfLogin | None:
        """What the ticket is for, once; None when it was used, is too old, or comes from another browser."""
        half = self._by_ticket.pop(hash_of(ticket), None)
        return half if half is not None and now < half.until and half.form == form else None
