"""What is to be done about our own numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from reputation.own.register import OwnNumber, State
from reputation.wording import Wording


class Due(NamedTuple):
    """Something to be done about a number. `at` 0: since always."""

    number: str
    at: float
    what: Wording


class _Seen(Protocol):
    @property
    def number(self) -> str: ...

    @property
    def calls(self) -> int: ...

    @property
    def last_at(self) -> float: ...


def due_of(register: Iterable[OwnNumber], strangers: Iterable[_Seen], until: float) -> list[Due]:
    """What is due by then, the earliest first. `strangers`: numbers that go out and are not registered."""
    found = [Due(one.number, 0.0, _unregistered(one.calls)) for one in strangers]
    for own in register:
        rests_until = own.rests_until
        if own.state is not State.RETIRED and own.next_check_at is not None and own.next_check_at <= until:
            found.append(Due(own.number, own.next_check_at, _to_check(own)))
        if rests_until is not None and rests_until <= until:
            found.append(Due(own.number, rests_until, Wording("has rested for 45 days: it may be used again")))
    return sorted(found, key=lambda one: (one.at, one.number))


def _unregistered(calls: int) -> Wording:
    return Wording("goes out ({calls:,} calls) and is not registered", {"calls": calls})


def _to_check(own: OwnNumber) -> Wording:
    if not own.registered:
        return Wording("look again whether all that is registered holds")
    where = {"where": ", ".join(own.registered)}
    return Wording("look again whether all that is registered holds: {where}", where)
