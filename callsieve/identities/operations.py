"""Operations on identities (callsieve/changes/operation.py): who owns a number, and how well this is proven."""

import sqlite3
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, CodeText, LineText, NumberText, TimeText, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.text.times import TimeError, expiry_of
from reputation.appeals import ProofAnswer, new_code
from reputation.encoding import parse_plain
from reputation.model import Identity
from reputation.store.identities import LASTS_SECONDS, identity_of, note_control, remove_identity, set_identity
from reputation.store.public_appeals import keep_code, try_code
from reputation.wording import Wording

DEFAULT = "365d"
SLACK_SECONDS = 2 * 86_400.0  # a leap day, and the end of a day that is named
TEXT_CHARACTERS = 200
LEVELS = (1, 2)
PROVEN = 2  # the level that needs a note on how it was proven
NAMELESS = Wording("Enter the owner of the number.")
UNPROVEN = Wording("Level 2 needs a note: how it was proven (documents seen, number called back).")
LINES = Wording("Name and note must each be one line of at most 200 characters.")
TOO_LONG = Wording("An identity lasts at most 12 months: then it must be proven again.")
PROOF = "repeated the code of a call-back"
# Why a code is not accepted. Of these only a wrong one is counted.
NOT_PROVEN = {
    ProofAnswer.WRONG: Wording("The code is wrong. After five wrong codes a new one must be made."),
    ProofAnswer.EXPIRED: Wording("The code is older than a day: make a new one."),
    ProofAnswer.SPENT: Wording("The code is no longer valid after five wrong attempts: make a new one."),
    ProofAnswer.NONE: Wording("There is no code yet: make a code, call the number and read the code out."),
}


class IdentityRequest(msgspec.Struct, frozen=True):
    """A request to record the owner of a number.

    Attributes:
        level: 1: the owner controls the number; 2: the owner's name is proven too, and the note says how.
        expires: When the identity ends: a duration such as `180d`, or a date; empty: the maximum of 12 months.
    """

    number: NumberText
    name: LineText
    level: Annotated[int, Meta(ge=1, le=2)]
    note: LineText = ""
    expires: TimeText = ""


class ProofRequest(msgspec.Struct, frozen=True):
    """A request to check the code that the owner of a number repeated. `name`: the name that the owner gives."""

    number: NumberText
    code: CodeText
    name: LineText


class CodeRequest(msgspec.Struct, frozen=True):
    """A request for a proof code. `name`: the owner to record when a caller enters the code; empty: the number."""

    number: NumberText
    name: LineText = ""


class IdentityChange(NamedTuple):
    """The result of a change. `identity`: the recorded or removed identity. `replaced`: the earlier identity."""

    change_id: ChangeId | None
    identity: Identity
    replaced: Identity | None = None


class CodeMade(NamedTuple):
    """A code that proves control of a number, valid for a day. `code`: the six digits of the code.

    `about`: the reference of an appeal, or the number. `number`: a phone number: E.164, or the key of a service number.
    """

    about: str
    number: str
    code: str

    @property
    def spoken(self) -> str:
        """The code in two groups of digits, for reading it out."""
        return f"{self.code[:3]} {self.code[3:]}"


def add(db: sqlite3.Connection, context: Context, request: IdentityRequest) -> IdentityChange:
    """Record a number's owner. With level 2, phones show the owner's name, and rules do no more than warn."""
    identity = _identity(context, request)
    with change(db, context, "identity add", identity.number) as changed:
        changed.before = before = identity_of(db, identity.number)
        changed.after = identity
        set_identity(db, identity, context.at)
    return IdentityChange(changed.id, identity, before)


def remove(db: sqlite3.Connection, context: Context, typed: NumberText) -> IdentityChange:
    """Remove the recorded owner of a number."""
    number = number_field(context, typed)
    with change(db, context, "identity remove", number) as changed:
        changed.before = removed = remove_identity(db, number)
        if removed is None:
            words = Wording("No owner of {number} is recorded.", {"number": number})
            raise Refused("not-recorded", words)
    return IdentityChange(changed.id, removed)


def make_code(db: sqlite3.Connection, context: Context, request: CodeRequest) -> CodeMade:
    """Make a code that proves control of a number. It is valid for a day and replaces earlier codes for the number."""
    number, name = number_field(context, request.number), _line("name", request.name)
    made = CodeMade(number, number, new_code())
    with change(db, context, "identity code", number):
        keep_code(db, number, number, made.code, context.at, name)
    return made


def prove(db: sqlite3.Connection, context: Context, request: ProofRequest) -> Identity | Refused:
    """Check the code that the owner repeated. Return the new identity (level 1, for 12 months), or a refusal."""
    # The answer to a wrong code is returned and not raised, because the count of wrong codes must be stored.
    number, name = number_field(context, request.number), _name(request.name)
    with change(db, context, "identity prove", number) as changed:
        if (answer := try_code(db, number, request.code, context.at)) is not ProofAnswer.RIGHT:
            changed.after = {"answer": answer}
            return wrong_code(answer)
        changed.before = identity_of(db, number)
        changed.after = identity = note_control(db, number, name, context.at, PROOF)
    return identity


def wrong_code(answer: ProofAnswer) -> Refused:
    """Return the refusal for a wrong code. Raise Refused if no code is valid at present."""
    refused = Refused(f"code-{answer}", NOT_PROVEN[answer])
    if answer is ProofAnswer.WRONG:
        return refused
    raise refused


def _identity(context: Context, request: IdentityRequest) -> Identity:
    number, level = number_field(context, request.number), request.level
    name, note = _name(request.name), _line("note", request.note)
    if level not in LEVELS:
        raise Refused("bad-level", Wording("The level must be 1 or 2."), "level")
    if level == PROVEN and not note:
        raise Refused("no-note", UNPROVEN, "note")
    try:
        expires_at = expiry_of(request.expires.strip() or DEFAULT, context.at)
    except TimeError as error:
        raise Refused("bad-time", error.words, "expires") from None
    if expires_at > context.at + LASTS_SECONDS + SLACK_SECONDS:
        raise Refused("too-late", TOO_LONG, "expires")
    return Identity(number, name, level, expires_at, note)


def _name(typed: str) -> str:
    name = _line("name", typed)
    if not name:
        raise Refused("no-name", NAMELESS, "name")
    return name


def _line(field: str, typed: str) -> str:
    text = typed.strip()
    if len(text) > TEXT_CHARACTERS or not text.isprintable():
        raise Refused("bad-text", LINES, field)
    return text


# How changes are undone.


IDENTITY = UndoKind(
    lambda _db, _row, value: parse_plain(value, Identity),
    lambda db, _, identity: identity_of(db, identity.number),
    lambda db, _, identity: remove_identity(db, identity.number),
    lambda db, context, identity: set_identity(db, identity, context.at),
)
