"""What is to be done about our own numbers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from reputation.own.register import NumberState, OwnNumber
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


def due_of(register: Collection[OwnNumber], strangers: Iterable[_Seen], until: float) -> list[Due]:
    """What is due by then, the earliest first. `strangers`: numbers that go out and are not registered, or retired."""
    ours = {own.number for own in register}
    found = [Due(one.number, 0.0, _stranger(one.calls, is_retired=one.number in ours)) for one in strangers]
    for own in register:
        rests_until = own.rests_until
        if own.state is not NumberState.RETIRED and own.next_check_at is not None and own.next_check_at <= until:
            found.append(Due(own.number, own.next_check_at, _to_check(own)))
        if rests_until is not None and rests_until <= until:
            found.append(Due(own.number, rests_until, Wording("has rested for 45 days: it may be used again")))
    return sorted(found, key=lambda one: (one.at, one.number))


def _stranger(calls: int, *, is_retired: bool) -> Wording:
    if is_retired:
        return Wording("goes out and was given back (calls: {calls:,})", {"calls": calls})
    return Wording("goes out and is not registered (calls: {calls:,})", {"calls": calls})


def _to_check(own: OwnNumber) -> Wording:
    if not own.registered:
        return Wording("look again whether all that is registered holds")
    where = {"where": ", ".join(own.registered)}
    return Wording("look again whether all that is registered holds: {where}", where)
