"""The register of our own numbers: what each is for, and whether it is in use, rests, or is given back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

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

    `documents` are references in words (a contract, a letter of authority), `registered` where the number is known
    under our name (a carrier's form, a free caller registry). `since` is when the state began; `next_check_at` when
    somebody is to look again whether all of this still holds, None: never; `checked_at` when that was done last.
    """

    number: str
    name: str = ""
    purpose: str = ""
    owner: str = ""
    trunks: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    next_check_at: float | None = None
    checked_at: float | None = None
    state: NumberState = NumberState.ACTIVE
    since: float = 0.0
    added_at: float = 0.0

    @property
    def rests_until(self) -> float | None:
        """When a resting number may be used again; None where it does not rest."""
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
