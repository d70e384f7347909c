"""The register of our own numbers: what each is for, and whether it is in use, rests, or is given back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from reputation.encoding import Instant, told
from reputation.wording import Places, Wording

# How long a number rests before it is used again: lists of complaints and the displays of carriers forget a number that
# is silent within about that time.
REST_SECONDS = 45 * 86_400.0


class NumberState(StrEnum):
    """Whether a number may be called out from."""

    ACTIVE = "active"
    RESTING = "resting"
    RETIRED = "retired"  # given back: whoever has it next is not us


class RegisterError(ValueError):
    """The number cannot go into that state now. `code` does not change; `words` say why, and what can be done."""

    def __init__(self, code: str, words: Wording) -> None:
        super().__init__(str(words))
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNumber:
    """An own number as it is registered.

    Attributes:
        number: The number, E.164.
        name: The name that people called are to see.
        purpose: What its calls are about.
        owner: Who of us answers for it.
        trunks: The trunks that the number goes out on.
        documents: What proves the right to use the number, in words: a contract, a letter of authority.
        registered: Where the number is known under our name: a carrier's form, a free caller registry.
        next_check_at: When somebody is to check whether all of this still holds; null for never.
        checked_at: When that was done last.
        state: Whether the number is in use: active, resting or retired.
        since: When the state began.
        added_at: When the number was registered.
    """

    number: str
    name: str = ""
    purpose: str = ""
    owner: str = ""
    trunks: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    next_check_at: Instant | None = None
    checked_at: Instant | None = None
    state: NumberState = NumberState.ACTIVE
    since: Instant = 0.0
    added_at: Instant = 0.0

    @property
    @told
    def rests_until(self) -> Instant | None:
        """When a resting number may be used again; null where it does not rest."""
        return self.since + REST_SECONDS if self.state is NumberState.RESTING else None


def rested(own: OwnNumber, at: float) -> OwnNumber:
    """The number rests from now on."""
    if own.state is not NumberState.ACTIVE:
        places: Places = {"number": own.number, "state": Wording(own.state.value)}
        raise RegisterError("not-active", Wording("{number} is {state}: only an active number can rest", places))
    return replace(own, state=NumberState.RESTING, since=at)


def used_again(own: OwnNumber, at: float, *, early: bool = False) -> OwnNumber:
    """The number is in use again; `early` before it has rested for long enough."""
    if own.state is NumberState.ACTIVE:
        raise RegisterError("active-already", Wording("{number} is active already", {"number": own.number}))
    until = own.rests_until
    if until is not None and at < until and not early:
        places: Places = {"number": own.number, "days": (until - at) / 86_400}
        raise RegisterError("rests-still", Wording("{number} has to rest for {days:.0f} more days", places))
    return replace(own, state=NumberState.ACTIVE, since=at)


def retired(own: OwnNumber, at: float) -> OwnNumber:
    """The number is given back."""
    if own.state is NumberState.RETIRED:
        raise RegisterError("retired-already", Wording("{number} is retired already", {"number": own.number}))
    return replace(own, state=NumberState.RETIRED, since=at)


def checked(own: OwnNumber, at: float, next_check_at: float | None) -> OwnNumber:
    """Somebody has looked, and all that is registered holds."""
    return replace(own, checked_at=at, next_check_at=next_check_at)
