"""The fields of an own number that people can fill in. CONTRIBUTING.md says how to add a field.

The form, the options of `own add`, the CSV, tables and pages are made from FIELDS, the API from OwnNumberEdit.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import LineText, NumberText, TimeText
from callsieve.changes.operation import Refused
from callsieve.text.times import TimeError, day, expiry_of, instant_of
from reputation.own.register import OwnNumber
from reputation.wording import Wording

TEXT_CHARACTERS = 200
MOST_TEXTS = 20
CHECK_EVERY = "180d"
NEVER = "never"

Lines = Annotated[tuple[LineText, ...], Meta(max_length=MOST_TEXTS)]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class FieldKind(Enum):
    """The type of a field: one line, a list of lines, or a time."""

    TEXT = auto()
    LIST = auto()
    TIME = auto()


class FormField(NamedTuple):
    """A field of an own number. `name`: the name in the form and the CSV; `label`: the text beside the input.

    `heading`: the text beside the shown value. `option`: the option without `--`, if it differs from the name.
    """

    name: str
    heading: Wording
    label: Wording
    kind: FieldKind = FieldKind.TEXT
    option: str = ""

    @property
    def option_name(self) -> str:
        """The command-line option, without `--`."""
        return self.option or self.name

    @property
    def attribute(self) -> str:
        """The name of the attribute in OwnNumber."""
        return f"{self.name}_at" if self.kind is FieldKind.TIME else self.name

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of texts."""
        return self.kind is FieldKind.LIST

    def shown(self, own: OwnNumber, now: float) -> str | Wording:
        """Return a number's value of this field for display; empty if the number has no value."""
        value = getattr(own, self.attribute)
        if self.kind is FieldKind.TIME:
            return _due_words(value, now)
        return ", ".join(value) if self.is_list else str(value)

    def typed(self, own: OwnNumber) -> str:
        """Return a number's value of this field as text for the form. A list has one line per item."""
        value = getattr(own, self.attribute)
        if self.kind is FieldKind.TIME:
            return NEVER if value is None else day(value)
        return "\n".join(value) if self.is_list else str(value)


FIELDS = (
    FormField("name", Wording("name"), Wording("Name that called people should see")),
    FormField("purpose", Wording("purpose"), Wording("Purpose of the number's calls")),
    FormField("owner", Wording("owner"), Wording("Person responsible")),
    FormField("trunks", Wording("trunks"), Wording("Trunks that use the number"), FieldKind.LIST, "trunk"),
    FormField(
        "documents",
        Wording("documents"),
        Wording("Documents that prove that the number is ours"),
        FieldKind.LIST,
        "document",
    ),
    FormField(
        "registered",
        Wording("registered with"),
        Wording("Where the number is registered under our name, such as with a carrier or an app"),
        FieldKind.LIST,
    ),
    FormField(
        "next_check",
        Wording("next check"),
        Wording("Next check (180d, 2026-12-31, never)"),
        FieldKind.TIME,
        "next-check",
    ),
)


class OwnNumberEdit(msgspec.Struct, frozen=True):
    """New values for the fields of a number. Null leaves a field unchanged.

    Attributes:
        name: The name that called people should see.
        purpose: The purpose of the number's calls.
        owner: The person here who is responsible for the number.
        trunks: The trunks on which the number is used.
        documents: References of documents that prove that the number is yours.
        registered: Where the number is registered under your name, such as with a carrier or a caller registry.
        next_check: When to check the number again: `180d`, `2026-12-31` or `never`.
    """

    number: NumberText
    name: LineText | None = None
    purpose: LineText | None = None
    owner: LineText | None = None
    trunks: Lines | None = None
    documents: Lines | None = None
    registered: Lines | None = None
    next_check: TimeText | None = None


class NewOwnNumber(OwnNumberEdit, frozen=True):
    """A number to register. `update`: whether to change the number if it is already registered."""

    update: bool = False


def filled_in(own: OwnNumber, typed: OwnNumberEdit, now: float) -> OwnNumber:
    """Return the number with the entered values, or raise Refused. A date that was not edited keeps its exact time."""
    values: dict[str, object] = {}
    for field in FIELDS:
        value = getattr(typed, field.name)
        if value is None or (field.kind is FieldKind.TIME and value == field.typed(own)):
            continue
        values[field.attribute] = parsed(field, value, now)
    return replace(own, **values)  # type: ignore[arg-type]


def parsed(field: FormField, typed: str | Sequence[str], now: float) -> object:
    """Parse the value entered for a field. Raise Refused if it is invalid."""
    if not isinstance(typed, str):
        return several(field.option_name, typed)
    return next_check_of(typed, now, field.option_name) if field.kind is FieldKind.TIME else one_line(field.name, typed)


def one_line(option: str, text: str) -> str:
    """Return a stripped text, or raise Refused if it is not one short line."""
    text = text.strip()
    if len(text) > TEXT_CHARACTERS or not text.isprintable():
        most = {"most": TEXT_CHARACTERS}
        raise Refused("bad-text", Wording("must be one line of at most {most} characters", most), option)
    return text


def several(option: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Return texts without duplicates. Raise Refused for too many, or for a `|`, which separates texts in CSV files."""
    if len(texts) > MOST_TEXTS or any("|" in text for text in texts):
        most = {"most": MOST_TEXTS}
        words = Wording("may be given at most {most} times, without the character |", most)
        raise Refused("bad-texts", words, option)
    return tuple(dict.fromkeys(kept for text in texts if (kept := one_line(option, text))))


def next_check_of(text: str, now: float, option: str) -> float | None:
    """Parse the time of the next check; None if the text is `never`. Raise Refused if the text is invalid."""
    text = text.strip().lower()
    if text == NEVER:
        return None
    try:
        at = expiry_of(text, now)
        return max(now, instant_of(f"{text}T00:00", now)) if _DAY.fullmatch(text) else at
    except TimeError as error:
        problem = {"problem": error.words}
        raise Refused(
            "bad-time", Wording("must be a time in the future, or the word never: {problem}", problem), option
        ) from None


def _due_words(at: float | None, now: float) -> str | Wording:
    if at is None:
        return Wording("never")
    return Wording("{day} (due)", {"day": day(at)}) if at <= now else day(at)
