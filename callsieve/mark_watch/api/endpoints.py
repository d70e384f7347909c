"""What platforms show of our own numbers, for programs: a ticket system, whoever looks at phones."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from msgspec import Meta

from callsieve.api.endpoint import ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, Instant, record_of
from callsieve.changes.fields import number_field
from callsieve.changes.operation import Context, Refused
from callsieve.mark_watch import operations
from callsieve.mark_watch.operations import (
    MOST_COUNT,
    MOST_SCREENSHOT_BYTES,
    NAME_CHARACTERS,
    NEXT,
    PLATFORM_CHARACTERS,
    LookRequest,
)
from callsieve.own_numbers.fields import TEXT_CHARACTERS
from reputation.api_tokens import Scope
from reputation.store.own_labels import LabelChange, Look, latest_looks, looks_due, looks_of
from reputation.store.own_screenshots import Screenshot, screenshot_content, screenshots_of
from reputation.store.own_suspicions import suspected_as_json, suspicions_about
from reputation.users import Role
from reputation.wording import Wording

DAY_SECONDS = 86_400.0
MOST_LOOKS = 1000

LookRecord = record_of("LookRecord", Look, "A look, as `callsieve own watch show --json` has it.")
LabelChangeRecord = record_of("LabelChangeRecord", LabelChange, "A platform that shows something else than before.")
ScreenshotRecord = record_of("ScreenshotRecord", Screenshot, "A picture, without its content.")


class LooksQuery(ApiStruct, frozen=True):
    """`due`: only what is to be looked at again within a day."""

    due: bool = False


class Looks(ApiStruct, frozen=True):
    """The latest look at each number and platform."""

    looks: list[LookRecord]  # type: ignore[valid-type]


class LooksOfNumber(ApiStruct, frozen=True):
    """The looks at one number, the latest first, and the pictures of them."""

    looks: list[LookRecord]  # type: ignore[valid-type]
    screenshots: list[ScreenshotRecord]  # type: ignore[valid-type]


class ScreenshotFile(ApiStruct, frozen=True):
    """A PNG, JPEG or WebP file. `content`: Base64."""

    name: Annotated[str, Meta(max_length=NAME_CHARACTERS)]
    content: bytes


class NewLook(ApiStruct, frozen=True):
    """What somebody saw. `label` empty: the platform shows nothing; `next_look`: 30d, 2026-12-31, never."""

    platform: Annotated[str, Meta(min_length=1, max_length=PLATFORM_CHARACTERS)]
    label: Annotated[str, Meta(max_length=TEXT_CHARACTERS)] = ""
    marks: Annotated[int, Meta(ge=0, le=MOST_COUNT)] | None = None
    screenshot: ScreenshotFile | None = None
    next_look: Annotated[str, Meta(max_length=40)] = NEXT


class LookRecorded(ApiStruct, frozen=True):
    """The look as it is kept. `changed`: the platform showed something else before."""

    change_id: ChangeId | None
    look: LookRecord  # type: ignore[valid-type]
    changed: LabelChangeRecord | None  # type: ignore[valid-type]


class ScreenshotContent(ApiStruct, frozen=True):
    """A picture. `kind`: png, jpg or webp; `content`: Base64."""

    kind: str
    content: bytes


class PlatformThere(ApiStruct, frozen=True):
    """Who shows labels there: `on` the network or on phones, by that page."""

    platform: str
    on: str
    source: str


class SuspectedMark(ApiStruct, frozen=True):
    """Where a number may be marked, by how its calls fare: no fact. `by`: answered (less) or blocked (more)."""

    number: str
    since: Instant
    at: Instant
    country: str
    network: str
    by: str
    before: float
    lately: float
    calls_before: int
    calls_lately: int
    confidence: float
    platforms: list[PlatformThere]


class SuspectedMarks(ApiStruct, frozen=True):
    """What was found of the number last, the surest first."""

    suspicions: list[SuspectedMark]


def show(db: sqlite3.Connection, context: Context, asked: Asked[LooksQuery, None]) -> dict[str, Any]:
    """The latest looks, or those of them that are due."""
    looks = latest_looks(db)
    found = looks_due(looks, context.at + DAY_SECONDS) if asked.query.due else looks
    return {"looks": [one._asdict() for one in found]}


def show_of_number(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """All looks at one number."""
    number = number_field(context, asked.path["number"])
    pictures = [one._asdict() for one in screenshots_of(db, number, limit=MOST_LOOKS)]
    return {"looks": [one._asdict() for one in looks_of(db, number, MOST_LOOKS)], "screenshots": pictures}


def record(db: sqlite3.Connection, context: Context, asked: Asked[None, NewLook]) -> dict[str, Any]:
    """Somebody looked."""
    new = asked.body
    picture = None if new.screenshot is None else (new.screenshot.name, new.screenshot.content)
    request = LookRequest(asked.path["number"], new.platform, new.label, new.marks, picture, new.next_look)
    done = operations.record(db, context, request)
    changed = None if done.changed is None else done.changed._asdict()
    return {"change_id": done.change_id, "look": done.look._asdict(), "changed": changed}


def show_screenshot(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> ScreenshotContent:
    """One picture."""
    found = screenshot_content(db, number_field(context, asked.path["number"]), asked.path["digest"])
    if found is None:
        raise Refused("no-such-screenshot", Wording("there is no such screenshot of this number"))
    kind, content = found
    return ScreenshotContent(kind=kind, content=content)


def show_suspicions(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> dict[str, Any]:
    """Where the number may be marked."""
    found = suspicions_about(db, number_field(context, asked.path["number"]))
    return {"suspicions": [suspected_as_json(one) for one in found]}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/looks",
        show,
        Scope.READ,
        Role.OPERATOR,
        Looks,
        "What platforms show of our numbers: the latest look at each.",
        query=LooksQuery,
    ),
    Endpoint(
        "GET",
        "/own-numbers/{number}/looks",
        show_of_number,
        Scope.READ,
        Role.OPERATOR,
        LooksOfNumber,
        "What platforms have shown of one number.",
    ),
    Endpoint(
        "POST",
        "/own-numbers/{number}/looks",
        record,
        Scope.WRITE,
        Role.OPERATOR,
        LookRecorded,
        "Record what a platform shows of an own number.",
        body=NewLook,
        example=NewLook(platform="Hiya", label="Scam Likely", marks=12),
        status=201,
        most_bytes=2 * MOST_SCREENSHOT_BYTES,
    ),
    Endpoint(
        "GET",
        "/own-numbers/{number}/screenshots/{digest}",
        show_screenshot,
        Scope.READ,
        Role.OPERATOR,
        ScreenshotContent,
        "A picture of what a platform showed.",
    ),
    Endpoint(
        "GET",
        "/own-numbers/{number}/suspicions",
        show_suspicions,
        Scope.READ,
        Role.OPERATOR,
        SuspectedMarks,
        "Where an own number may be marked, by how its calls fare.",
    ),
)
