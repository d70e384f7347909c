"""Why a value does not fit its type: where, and how. msgspec says both in a sentence, whose words change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import repeat
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

SEQUENCES = (list, tuple, set, frozenset)


class Fault(Enum):
    UNKNOWN_KEY = "unknown-key"
    MISSING_KEY = "missing-key"
    WRONG_VALUE = "wrong-value"


class Misfit(NamedTuple):
    """`kind` is the type at the place; of an unknown key that of the table which it is in."""

    place: str  # as agi.in_flight or trunk[0].name
    fault: Fault
    kind: Any
    value: object
    words: str  # of a wrong value what msgspec says of it, or the type itself

    def inside(self, place: str) -> Misfit:
        """Return the same, seen from outside of `place`."""
        dot = "." if self.place and not self.place.startswith("[") else ""
        return self._replace(place=f"{place}{dot}{self.place}")


def find_misfit(value: object, kind: Any, *, strict: bool = True) -> Misfit | None:
    """Return the first thing that keeps a value of tables, lists and plain values from being converted."""
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        inner = next(_misfits_inside(value, kind, strict), None)
        return inner or Misfit("", Fault.WRONG_VALUE, kind, value, str(error.__cause__ or error))
    return None


def keys_of(table: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the keys of a table as they are written."""
    return tuple(field.encode_name for field in msgspec.structs.fields(table))


def alternatives(kind: Any) -> Iterator[Any]:
    """Yield the types of a union, or the type itself."""
    if get_origin(kind) in (Union, UnionType):
        for part in get_args(kind):
            yield from alternatives(part)
    else:
        yield kind


def _misfits_inside(value: object, kind: Any, strict: bool) -> Iterator[Misfit]:
    for part in alternatives(kind):
        plain = get_args(part)[0] if get_origin(part) is Annotated else part
        origin = get_origin(plain)
        if isinstance(value, dict) and isinstance(plain, type) and issubclass(plain, msgspec.Struct):
            yield from _misfits_of_keys(value, plain, strict)
        elif isinstance(value, dict) and origin is dict:
            yield from _misfits_of(((f"{key}", item, get_args(plain)[1]) for key, item in value.items()), strict)
        elif isinstance(value, list | tuple) and origin in SEQUENCES:
            kinds = get_args(plain)
            is_of_one_kind = origin is not tuple or kinds[-1] is ...
            items = zip(value, repeat(kinds[0]) if is_of_one_kind else kinds, strict=False)
            yield from _misfits_of(((f"[{index}]", *item) for index, item in enumerate(items)), strict)


def _misfits_of_keys(table: dict[Any, object], kind: type[msgspec.Struct], strict: bool) -> Iterator[Misfit]:
    config, fields = kind.__struct_config__, {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if config.tag_field is not None and table.get(config.tag_field) != config.tag:
        return  # of another type of the union
    for key, value in table.items():
        if key in fields:
            yield from _misfits_of([(key, value, fields[key].type)], strict)
        elif config.forbid_unknown_fields and key != config.tag_field:
            yield Misfit(str(key), Fault.UNKNOWN_KEY, kind, value, "")
    for key, field in fields.items():
        if field.required and key not in table:
            yield Misfit(key, Fault.MISSING_KEY, field.type, None, "")


def _misfits_of(items: Iterable[tuple[str, object, Any]], strict: bool) -> Iterator[Misfit]:
    for place, value, kind in items:
        if (misfit := find_misfit(value, kind, strict=strict)) is not None:
            yield misfit.inside(place)
