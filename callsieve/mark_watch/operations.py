"""Operations that record label checks of own numbers, made by people, look-ups or imported lists."""

import sqlite3
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, LineText, NumberText, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.own_numbers.fields import next_check_of, one_line
from callsieve.text.file_kinds import image_kind_of
from callsieve.wiring import known_own_numbers
from reputation.store import own_labels
from reputation.wording import Wording

NEXT = "30d"
MOST_COUNT = 1_000_000_000
PLATFORM_CHARACTERS = 40
MOST_SCREENSHOT_BYTES = 2 << 20
MOST_BYTES_OF_ALL = 200 << 20  # they are in each backup, too
NAME_CHARACTERS = 100


class ScreenshotFile(msgspec.Struct, frozen=True):
    """An uploaded PNG, JPEG or WebP file. `content`: the picture in Base64. `name`: the file's name; may be empty."""

    name: Annotated[str, Meta(max_length=NAME_CHARACTERS)]
    content: bytes


class LabelCheckRequest(msgspec.Struct, frozen=True):
    """A request to record a label check that a person made.

    Attributes:
        platform: The carrier, app or list that shows labels, such as Hiya.
        label: The label that the platform shows for the number; empty if it shows none.
        marks: How many marks against the number the platform reports; null if it does not say.
        screenshot: A picture of the label on a phone or in an app.
        next_look: When to check again: `30d`, `2026-12-31` or `never`.
    """

    number: NumberText
    platform: Annotated[str, Meta(min_length=1, max_length=PLATFORM_CHARACTERS)]
    label: LineText = ""
    marks: Annotated[int, Meta(ge=0, le=MOST_COUNT)] | None = None
    screenshot: ScreenshotFile | None = None
    next_look: Annotated[str, Meta(max_length=40)] = NEXT


class RecordedLook(NamedTuple):
    """The result of recording a label check. `look`: the label check. `changed`: the change of the label, or null."""

    change_id: ChangeId | None
    look: own_labels.LabelCheck
    changed: own_labels.LabelChange | None


class Noted(NamedTuple):
    """The result of recording label checks from look-ups and lists. `looks`: all checks. `changed`: changed labels."""

    change_id: int | None
    looks: tuple[own_labels.LabelCheck, ...]
    changed: tuple[own_labels.LabelChange, ...]


def record(db: sqlite3.Connection, context: Context, request: LabelCheckRequest) -> RecordedLook:
    """Record the label that a platform shows for an own number."""
    number = number_field(context, request.number)
    platform = one_line("platform", request.platform)
    if not platform or len(platform) > PLATFORM_CHARACTERS:
        words = Wording("must be one line of 1 to {most} characters", {"most": PLATFORM_CHARACTERS})
        raise Refused("bad-platform", words, "platform")
    if request.marks is not None and not 0 <= request.marks <= MOST_COUNT:
        raise Refused("bad-count", Wording("must be 0 or more"), "count")
    if number not in known_own_numbers(db, context.loaded):
        raise Refused("not-ours", Wording("{number} is not one of our own numbers", {"number": number}))
    new = None if request.screenshot is None else _screenshot(db, request.screenshot)
    check = own_labels.LabelCheck(
        number=number,
        platform=platform,
        at=context.at,
        label=one_line("label", request.label),
        marks=request.marks,
        person=context.actor,
        proof="" if new is None else f"{new.name} sha256:{new.digest}",
        next_at=next_check_of(request.next_look, context.at, "next"),
    )
    with change(db, context, "own watch add", number) as changed:
        changed.after = check
        label = own_labels.record_label_check(db, check)
        if new is not None:
            own_labels.put_screenshot(db, check, new)
    return RecordedLook(changed.id, check, label)


def note_all(db: sqlite3.Connection, context: Context, checks: Sequence[own_labels.LabelCheck]) -> Noted:
    """Record `checks`, made by look-ups, and the entries of imported lists about own numbers, in one change."""
    listed = [
        own_labels.LabelCheck(
            number, name, context.at, (category or "spam") if is_listed else "", kind=own_labels.LabelCheckKind.LISTED
        )
        for name, number, is_listed, category in own_labels.spam_lists_and_own_numbers(db)
    ]
    asked = {(check.number, check.platform): check for check in (*listed, *checks)}
    with change(db, context, "own watch ask") as changed:
        changes = [label for check in asked.values() if (label := own_labels.record_label_check(db, check)) is not None]
        changed.after = {"looks": len(asked), "changed": len(changes)}
    return Noted(changed.id, tuple(asked.values()), tuple(changes))


def _screenshot(db: sqlite3.Connection, sent: ScreenshotFile) -> own_labels.NewScreenshot:
    name, content = sent.name, sent.content
    kind = image_kind_of(content)
    if kind is None:
        raise Refused("bad-type", Wording("must be a picture: PNG, JPEG or WebP"), "screenshot")
    if len(content) > MOST_SCREENSHOT_BYTES:
        words = Wording(
            "is larger than {most} MB: crop the picture to the important part", {"most": MOST_SCREENSHOT_BYTES >> 20}
        )
        raise Refused("file-too-large", words, "screenshot")
    if own_labels.size_of_screenshots(db) + len(content) > MOST_BYTES_OF_ALL:
        words = Wording(
            "exceeds the limit: all screenshots together may have {most} MB", {"most": MOST_BYTES_OF_ALL >> 20}
        )
        raise Refused("no-room", words, "screenshot")
    plain = "".join(filter(str.isprintable, name)).strip()[-NAME_CHARACTERS:] or f"screenshot.{kind}"
    return own_labels.NewScreenshot(plain, kind, content)
