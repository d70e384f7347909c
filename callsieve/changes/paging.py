"""Lists in pages. A cursor encodes the sort key of a page's last row, so new rows do not shift the following pages."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from callsieve.changes.operation import Refused

T = TypeVar("T")
S = TypeVar("S")

MOST_ROWS = 200
ROWS = 50
CURSOR_CHARACTERS = 200
BAD_CURSOR = "take `cursor` unchanged from `next` of the previous page, and send the same filters"

Limit = Annotated[int, Meta(ge=1, le=MOST_ROWS, description="The maximum number of items to return.")]
CursorText = Annotated[
    str,
    Meta(
        max_length=CURSOR_CHARACTERS,
        pattern="^[A-Za-z0-9_-]*$",
        description="The value of `next` in the previous page.",
    ),
]


class ResultPage(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list. `items`: the rows of this page. `next`: the next page's `cursor`; null on the last page."""

    items: list[T]
    next: str | None


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request for a page of a list."""

    limit: Limit = ROWS
    cursor: CursorText = ""


def page_from(
    rows: Iterable[T], asked: PageQuery, place: Callable[[T], tuple[Any, ...]], show: Callable[[T], S]
) -> ResultPage[S]:
    """Sort `rows` by the key `place`, and return the requested page. Raise Refused for the cursor of another list."""
    after = place_of(asked.cursor, tuple[Any, ...])
    try:
        left = sorted((place(row), at, row) for at, row in enumerate(rows) if after is None or place(row) > after)
    except TypeError:
        raise Refused("bad-cursor", BAD_CURSOR, "cursor") from None
    shown = [row for _, _, row in left[: asked.limit]]
    following = cursor_of(place(shown[-1])) if len(left) > asked.limit else None
    return ResultPage([show(row) for row in shown], following)


def page_of(rows: Sequence[T], limit: int, place: Callable[[T], tuple[object, ...]]) -> tuple[Sequence[T], str | None]:
    """Return the first `limit` rows, and the next page's cursor. The cursor is None if `rows` has only this page."""
    shown = rows[:limit]
    return shown, cursor_of(place(shown[-1])) if len(rows) > limit else None


def cursor_of(place: tuple[object, ...]) -> str:
    """Return the cursor that encodes this position."""
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def place_of(cursor: str, kind: type[T]) -> T | None:
    """Return the position that a cursor encodes, None for an empty cursor. Raise Refused if the cursor is invalid."""
    if not cursor:
        return None
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place: Any = msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Refused("bad-cursor", BAD_CURSOR, "cursor") from None
    return place  # type: ignore[no-any-return]
