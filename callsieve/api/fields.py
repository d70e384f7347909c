"""Fields that many endpoints have, and the shortest answer to a write."""

from __future__ import annotations

from typing import Annotated, Any, cast, get_type_hints

import msgspec
from msgspec import Meta

from callsieve.api.endpoint import ApiStruct
from callsieve.changes.describe import ChangeId

Instant = Annotated[float, Meta(description="UTC seconds.")]


class Done(ApiStruct, frozen=True):
    """It is done."""

    change_id: ChangeId | None


def record_of(name: str, kind: type, words: str, **more: Any) -> type[ApiStruct]:
    """The struct that says a value of ours: the fields of the dataclass or NamedTuple `kind`, and `more` after them.

    A field that is added there is said here.
    """
    fields = {**get_type_hints(kind), **more}
    made = msgspec.defstruct(
        name, list(fields.items()), bases=(ApiStruct,), namespace={"__doc__": words}, kw_only=True, frozen=True
    )
    return cast("type[ApiStruct]", made)


def pages_of(name: str, kind: type, words: str) -> type[ApiStruct]:
    """A page of such records."""
    fields: list[tuple[str, Any]] = [("items", list[kind]), ("next", str | None)]  # type: ignore[valid-type]
    made = msgspec.defstruct(name, fields, bases=(ApiStruct,), namespace={"__doc__": words}, kw_only=True, frozen=True)
    return cast("type[ApiStruct]", made)
