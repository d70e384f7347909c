"""The register of our own numbers: what each is for, and whether it is in use, resting or retired. Pure functions."""

from dataclasses import dataclass, replace
from enum import StrEnum

from reputation.encoding import Instant, encoded
from reputation.wording import Places, Wording

# How long a number rests before it is used again: lists of complaints and the displays of carriers forget a number that
# is silent within about that time.
REST_SECONDS = 45 * 86_400.0


class NumberState(StrEnum):
    """The state of an own number: in use, not used for a while, or no longer ours."""

    ACTIVE = "active"
    RESTING = "resting"
    RETIRED = "retired"  # given back: whoever has it next is not us


class RegisterError(ValueError):
    """The error for a number that cannot change to a state. `code`: for programs. `words`: the reason and remedy."""

    def __init__(self, code: str, words: Wording) -> None:
        super().__init__(str(words))
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNumber:
    """An own number in the register.

    Attributes:
        number: The number, E.164.
        name: The name that called people should see.
        purpose: The purpose of its calls.
        owner: The person here who is responsible for the number.
        trunks: The trunks that the number goes out on.
        documents: Proof of the right to use the number, in words: a contract, a letter of authority.
        registered: Where the number is registered under our name: a carrier's form, a free caller registry.
        next_check_at: When somebody should check this entry again; null for never.
        checked_at: When somebody last checked this entry.
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
    @encoded
    def rests_until(self) -> Instant | None:
        """When a resting number may be used again; null if the number is not resting."""
        return self.since + REST_SECONDS if self.state is NumberState.RESTING else None


def rested(own: OwnNumber, at: float) -> OwnNumber:
    """Return the number in the state `resting` from `at` on. Raise RegisterError if the number is not active."""
    if own.state is not NumberState.ACTIVE:
        places: Places = {"number": own.number, "state": Wording(own.state.value)}
        raise RegisterError("not-active", Wording("{number} is {state}: only an active number can rest", places))
    return replace(own, state=NumberState.RESTING, since=at)


def used_again(own: OwnNumber, at: float, *, early: bool = False) -> OwnNumber:
    """Return the number as `active` from `at` on.

    Raise RegisterError if it is active or, without `early`, must rest.
    """
    if own.state is NumberState.ACTIVE:
        raise RegisterError("active-already", Wording("{number} is already active", {"number": own.number}))
    until = own.rests_until
    if until is not None and at < until and not early:
        places: Places = {"number": own.number, "days": (until - at) / 86_400}
        raise RegisterError("rests-still", Wording("{number} must rest for {days:.0f} more days", places))
    return replace(own, state=NumberState.ACTIVE, since=at)


def retired(own: OwnNumber, at: float) -> OwnNumber:
    """Return the number in the state `retired` from `at` on. Raise RegisterError if it is already retired."""
    if own.state is NumberState.RETIRED:
        raise RegisterError("retired-already", Wording("{number} is already retired", {"number": own.number}))
    return replace(own, state=NumberState.RETIRED, since=at)


def checked(own: OwnNumber, at: float, next_check_at: float | None) -> OwnNumber:
    """Return the number with the date `at` of a check that found no fault, and the date of the next check."""
    return replace(own, checked_at=at, next_check_at=next_check_at)
