"""Appeals, in which the owner of a number asks for a review of the number's marks. A state machine of pure functions.

    open -> in force -> upheld | denied          from open and in force also: withdrawn

An appeal comes into force when control of the number is proven, or when an operator accepts the appeal. Anyone may file
an appeal, so an open appeal has no effect and cannot be denied. Otherwise a stranger could help a number, or could
provoke a denial that keeps the owner from appealing for a month.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, NamedTuple

from reputation.columns import Key
from reputation.encoding import Instant, encoded
from reputation.model import AuthClass
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

# docs/contributing/model.md, "Appeals".
WORKING_DAYS = 3
COOLING_OFF_DAYS = 30

CODE_DIGITS = 6
TICKET_DIGITS = 12
CODE_SECONDS = 86_400.0
CODE_TRIES = 5  # of a million codes: a guesser proves a number once in 200,000 appeals

# Limits of a case, so that nobody fills the disk that decisions need.
LINE_CHARACTERS = 200
STATEMENT_CHARACTERS = 4000
ATTACHMENT_BYTES = 1 << 20
ATTACHMENTS = 10


class AppealState(StrEnum):
    """The state of an appeal."""

    OPEN = "open"  # filed; it has no effect yet
    IN_FORCE = "in_force"  # challenge at most, until it is decided
    UPHELD = "upheld"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"

    @property
    def words(self) -> str:
        """The state as shown to people."""
        return self.value.replace("_", " ")


class AppealStep(StrEnum):
    """A step that changes the state of an appeal."""

    ACCEPT = "accept"  # an operator takes it as it is
    PROVE = "prove"  # the code of a call-back was answered
    UPHOLD = "uphold"
    DENY = "deny"
    WITHDRAW = "withdraw"


LIVE = frozenset({AppealState.OPEN, AppealState.IN_FORCE})

# All possible steps. Control can still be proven after an operator has accepted the appeal.
NEXT = {
    (AppealState.OPEN, AppealStep.ACCEPT): AppealState.IN_FORCE,
    (AppealState.OPEN, AppealStep.PROVE): AppealState.IN_FORCE,
    (AppealState.OPEN, AppealStep.WITHDRAW): AppealState.WITHDRAWN,
    (AppealState.IN_FORCE, AppealStep.PROVE): AppealState.IN_FORCE,
    (AppealState.IN_FORCE, AppealStep.UPHOLD): AppealState.UPHELD,
    (AppealState.IN_FORCE, AppealStep.DENY): AppealState.DENIED,
    (AppealState.IN_FORCE, AppealStep.WITHDRAW): AppealState.WITHDRAWN,
}


class AppealError(ValueError):
    """The error for a refused step of an appeal. `code`: the reason, for programs. `words`: the reason, in one line."""

    def __init__(self, code: str, words: str | Wording) -> None:
        super().__init__(str(words))
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """An appeal of a number's owner against the number's marks.

    Attributes:
        reference: The reference of the appeal.
        number: A telephone number: E.164, or the key of a service number.
        name: The name of the person who filed the appeal.
        contact: An address or number to which the answer is sent.
        opened_at: When the appeal was opened.
        statement: The text in which the owner explains the appeal.
        decision_id: The id of the decision that the appeal is about.
        state: The state of the appeal.
        proven: Whether control of the number was proven.
        in_force_at: Since when the appeal is in force; null if it is not in force.
        closed_at: When the appeal ended; null while it is open.
        reason: Why the appeal was upheld, denied or withdrawn.
        category_only: Whether only the category of the marks was wrong. If so, their reporters lose no trust.
    """

    reference: Annotated[str, Key()]
    number: str
    name: str
    contact: str
    opened_at: Instant
    statement: str = ""
    decision_id: str | None = None
    state: AppealState = AppealState.OPEN
    proven: bool = False
    in_force_at: Instant | None = None
    closed_at: Instant | None = None
    reason: str = ""
    category_only: bool = False

    @property
    @encoded
    def due_at(self) -> Instant | None:
        """When the appeal must be decided at the latest; null if the appeal is not in force."""
        return due_at(self)


def stepped(appeal: Appeal, step: AppealStep, at: float, reason: str = "", *, category_only: bool = False) -> Appeal:
    """Return the appeal after the step, which is taken at time `at`. Raise AppealError if the step is not possible."""
    state = NEXT.get((appeal.state, step))
    if state is None:
        raise _why_not(appeal)
    if state is AppealState.IN_FORCE:
        in_force_at = at if appeal.in_force_at is None else appeal.in_force_at
        proven = appeal.proven or step is AppealStep.PROVE
        return replace(appeal, state=state, in_force_at=in_force_at, proven=proven)
    return replace(appeal, state=state, closed_at=at, reason=reason, category_only=category_only)


def checked(appeal: Appeal) -> Appeal:
    """Return the appeal with its texts trimmed. Raise AppealError if a text is missing or too long."""
    name, contact, statement = (text.strip() for text in (appeal.name, appeal.contact, appeal.statement))
    if not name or not contact:
        raise AppealError("nobody", Wording("enter the name of the person who appeals, and a way to reach the person"))
    if any(len(text) > LINE_CHARACTERS or not text.isprintable() for text in (name, contact)):
        words = Wording(
            "name and contact must be one line each, of at most {most} characters", {"most": LINE_CHARACTERS}
        )
        raise AppealError("bad-text", words)
    if len(statement) > STATEMENT_CHARACTERS:
        words = Wording(
            "the statement is longer than {most:,} characters: attach a file instead", {"most": STATEMENT_CHARACTERS}
        )
        raise AppealError("too-long", words)
    return replace(appeal, name=name, contact=contact, statement=statement)


def checked_reason(reason: str) -> str:
    """Return the trimmed reason, which the owner will read. Raise AppealError if it is missing or too long."""
    reason = reason.strip()
    if not reason:
        raise AppealError("no-reason", Wording("enter a reason: the owner will read it"))
    if len(reason) > STATEMENT_CHARACTERS:
        words = Wording(
            "the reason is longer than {most:,} characters: shorten the text",
            {"most": STATEMENT_CHARACTERS},
        )
        raise AppealError("too-long", words)
    return reason


def _why_not(appeal: Appeal) -> AppealError:
    about = {"reference": appeal.reference}
    if appeal.state not in LIVE:
        return AppealError("closed", Wording("appeal {reference} is already closed", about))
    if appeal.state is AppealState.OPEN:
        words = Wording(
            "appeal {reference} cannot be decided yet: accept it, or let the owner prove control of the number", about
        )
        return AppealError("not-in-force", words)
    return AppealError("in-force", Wording("appeal {reference} is already accepted or proven: decide it", about))


def refusal(earlier: Iterable[Appeal], now: float) -> AppealError | None:
    """Return the error that says why a number cannot appeal now, or None if it can. `earlier`: its earlier appeals."""
    for appeal in earlier:
        about = {"reference": appeal.reference, "number": appeal.number}
        if appeal.state in LIVE:
            return AppealError("appealed", Wording("appeal {reference} for {number} has not been decided yet", about))
        again_at = free_again_at(appeal)
        if again_at is not None and now < again_at:
            days = -int(-(again_at - now) // DAY_SECONDS)
            words = Wording(
                "appeal {reference} for {number} was denied: a new appeal can be filed in {days} days",
                {**about, "days": days},
            )
            return AppealError("denied-lately", words)
    return None


def free_again_at(appeal: Appeal) -> float | None:
    """Return when the number of a denied appeal may appeal again; None if the appeal was not denied."""
    if appeal.state is not AppealState.DENIED or appeal.closed_at is None:
        return None
    return appeal.closed_at + COOLING_OFF_DAYS * DAY_SECONDS


def due_at(appeal: Appeal, zone: tzinfo | None = None) -> float | None:
    """Return when the appeal must be decided at the latest; None if the appeal is not in force.

    This is the end of the third working day (Monday to Friday) after the day on which the appeal came into force.
    `zone`: the time zone of these days; None: the server's time zone.
    """
    if appeal.state is not AppealState.IN_FORCE or appeal.in_force_at is None:
        return None
    day = datetime.fromtimestamp(appeal.in_force_at, zone).date()
    left = WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return datetime.combine(day + timedelta(days=1), time(), zone).timestamp()


def is_overdue(appeal: Appeal, now: float, zone: tzinfo | None = None) -> bool:
    """Return whether an appeal in force should have been decided before `now`. `zone`: as in `due_at`."""
    due = due_at(appeal, zone)
    return due is not None and now >= due


# The code of a call-back: an operator calls the number and says it; the person who answers repeats it in the appeal.


class ProofAnswer(StrEnum):
    """The result of checking a code with which an owner proves control of a number."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"
    SPENT = "spent"
    NONE = "none"  # no code was made


class KeyedCode(NamedTuple):
    """A code keyed in during a call with `number`.

    `ticket`: the id of the call if CallSieve called, otherwise empty.
    """

    number: str
    code: str
    auth_class: AuthClass = AuthClass.UNKNOWN
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """The stored form of a code: its digest, when the code was made, and how many wrong codes were tried."""

    digest: bytes
    made_at: float
    tries: int = 0


def new_code() -> str:
    """Return a random code of six digits, which can be read out and keyed in on any telephone."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def new_ticket() -> str:
    """Return an id for a call from CallSieve to a number. A code keyed in during the call is valid only with it."""
    return f"{secrets.randbelow(10**TICKET_DIGITS):0{TICKET_DIGITS}}"


def is_code(text: str) -> bool:
    """Return whether the keyed text could be a code."""
    return len(text) == CODE_DIGITS and text.isascii() and text.isdigit()


def digest_of(code: str, reference: str) -> bytes:
    """Return the digest under which a code is stored. Slow on purpose: an attacker has only a million codes to try."""
    digits = "".join(filter(str.isdigit, code))
    return hashlib.scrypt(digits.encode(), salt=reference.encode(), n=2**12, r=8, p=1, dklen=32)


def answer_of(code: Code | None, text: str, reference: str, now: float) -> ProofAnswer:
    """Check the keyed `text` against the stored code, which is valid for a day and five tries. Return the result."""
    if code is None:
        return ProofAnswer.NONE
    if now - code.made_at >= CODE_SECONDS:
        return ProofAnswer.EXPIRED
    if code.tries >= CODE_TRIES:
        return ProofAnswer.SPENT
    return ProofAnswer.RIGHT if hmac.compare_digest(digest_of(text, reference), code.digest) else ProofAnswer.WRONG
