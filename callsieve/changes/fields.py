"""What people type into a request, read alike by every operation. Refused says what is allowed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from callsieve.changes.operation import Context, Refused
from callsieve.text.number_entry import EntryError, number_from
from callsieve.text.times import TimeError, since_of
from reputation.wording import Wording

REASON_CHARACTERS = 200
NUMBER_CHARACTERS = 100

# Types of what requests and results have in them.
NumberText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NUMBER_CHARACTERS,
        description="E.164, or as it is dialled here.",
        examples=["+12015550123"],
    ),
]
ExtensionText = Annotated[
    str, Meta(min_length=1, max_length=64, description="The extension of one of our people.", examples=["201"])
]
TimeText = Annotated[str, Meta(max_length=40, description="`2h`, `30d`, `2026-12-31` or `2026-12-31T18:00`.")]
LineText = Annotated[str, Meta(max_length=200, description="One line.")]
CodeText = Annotated[str, Meta(max_length=20, description="The code as it was given back.")]
ChangeId = Annotated[
    int,
    Meta(description="The change in the audit, for POST /changes/{change_id}/undo. Null where nothing was changed."),
]


def number_field(context: Context, text: str, field: str = "") -> str:
    """E.164 of a number; national ones are read by the region of the settings."""
    try:
        return number_from(text, context.settings.numbers.region)
    except EntryError as error:
        raise Refused("bad-number", str(error), field) from None


def about_field(context: Context, text: str) -> str | None:
    """What changes are about: a number however it was typed, else a name; None where nothing was."""
    try:
        return number_from(text, context.settings.numbers.region) if text else None
    except EntryError:
        return text


def since_field(context: Context, text: str | None) -> float:
    """Since when: 7d or 2026-11-01; now for None."""
    try:
        return context.at if text is None else since_of(text, context.at)
    except TimeError as error:
        raise Refused("bad-time", str(error), "since") from None


def reason_field(text: str) -> str:
    """A reason that has to be given."""
    reason = text.strip()
    if not reason or len(reason) > REASON_CHARACTERS or not reason.isprintable():
        words = Wording("write one line of 1 to {most} characters", {"most": REASON_CHARACTERS})
        raise Refused("bad-reason", words, "reason")
    return reason
