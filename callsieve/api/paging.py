"""Long answers, a page at a time: `limit` rows, and `next`, the cursor of the page after it.

A cursor is the place of the last row, so a page stays the same when rows come in before it. To whoever asks it is only
a text.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from callsieve.api.endpoint import ApiStruct
from callsieve.api.problem import UNPROCESSABLE, ApiError

T = TypeVar("T")

MOST_ROWS = 200
ROWS = 50
CURSOR_CHARACTERS = 200
BAD_CURSOR = "take the cursor from `next` of the page before, as it is, with the same filters"

Limit = Annotated[int, Meta(ge=1, le=MOST_ROWS, description="How many at most.")]
CursorText = Annotated[
    str, Meta(max_length=CURSOR_CHARACTERS, pattern="^[A-Za-z0-9_-]*$", description="`next` of the page before.")
]


class PageQuery(ApiStruct, frozen=True):
    """What is asked of every answer that has pages."""

    limit: Limit = ROWS
    cursor: CursorText = ""


def page_of(rows: Sequence[T], limit: int, place: Callable[[T], tuple[object, ...]]) -> tuple[Sequence[T], str | None]:
    """The page, and the cursor of the next. `rows`: one more than the page has room for, if there are so many."""
    shown = rows[:limit]
    return shown, cursor_of(place(shown[-1])) if len(rows) > limit else None


def cursor_of(place: tuple[object, ...]) -> str:
    """The text that stands for a place."""
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def place_of(cursor: str, kind: type[T]) -> T | None:
    """The place that a cursor stands for, None for the beginning. ApiError when it is not one of ours."""
    if not cursor:
        return None
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found: Any = msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise ApiError(UNPROCESSABLE, "bad-cursor", BAD_CURSOR, "cursor") from None
    return found  # type: ignore[no-any-return]
