"""Convert the results of operations and views to JSON and back, for the API, `--json` and files.

Such a result is a record: a dataclass, a NamedTuple or a msgspec.Struct. Its JSON is an object of the record's fields
and of the properties marked `@encoded`. An instant is written as RFC 3339 in UTC, a level by its word, and a Wording in
English or the language that `encode` is given.

    encode(Identity(...))  ->  {"number": "+12015550123", "expires_at": "2026-12-31T17:00:07.25Z", ...}
    wire(Identity)         ->  the msgspec.Struct that reads its JSON and from which JSON Schema is made
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum, EnumType, IntEnum, StrEnum
from functools import cache, reduce
from inspect import cleandoc
from itertools import repeat
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from reputation.wording import Wording

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_INSTANT = Meta(extra={"instant": True})
# UTC seconds in Python, RFC 3339 in JSON.
Instant = Annotated[float, _INSTANT]
# For a record in a record, `Annotated[Origin, FLAT]`: its fields are written among the others.
FLAT = Meta(extra={"flat": True})
# For a field that is only for this program.
HIDDEN = Meta(extra={"hidden": True})

# Of the record that is being encoded.
_TRANSLATE: ContextVar[Callable[[str], str]] = ContextVar("translate", default=str)
_MADE = "__made_here__"  # of a Struct that `struct_of` has made
_ABOUT = re.compile(r"(?:^|(?<=[.;])\s|\n)\s*((?:`\w+`(?:, | and )?)+): ")
_ATTRIBUTE = re.compile(r"^    (\w+): ((?:.|\n(?!    \w+: |\S))*)", re.M)


def encoded(fn: F) -> F:
    """Mark a property, so that its value becomes part of the record's JSON."""
    fn.__dict__["is_encoded"] = True
    return fn


class Field(NamedTuple):
    """A field of a record's JSON.

    `path`: the attributes that lead from the record to the value. `default`: the value if the JSON lacks the field.
    """

    name: str
    kind: Any
    path: tuple[str, ...]
    words: str
    default: Any = msgspec.NODEFAULT
    factory: Any = msgspec.NODEFAULT


def encode(value: object, translate: Callable[[str], str] = str) -> bytes:
    """Encode a value as JSON. `translate` translates the template of each Wording into the reader's language."""
    reset = _TRANSLATE.set(translate)
    try:
        return msgspec.json.encode(plain(value))
    finally:
        _TRANSLATE.reset(reset)


def decode(raw: bytes | str, kind: Any) -> Any:
    """Decode JSON into a record of type `kind`. Raise msgspec.MsgspecError if the JSON does not fit the type."""
    return msgspec.json.decode(raw, type=wire(kind))


def plain(value: Any) -> Any:
    """Convert a value to the dicts, lists, texts and numbers that its JSON consists of."""
    kind: Any = type(value)
    if kind in (str, int, float, bool, type(None)):
        return value
    if kind is Wording:
        return value.in_language(_TRANSLATE.get())
    fields = _written_fields(kind)
    if fields is not None:
        return {name: write(reduce(getattr, path, value)) for name, path, write in fields}
    if isinstance(value, Mapping):
        return {plain(key): plain(value_inside) for key, value_inside in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(value_inside) for value_inside in value]
    if isinstance(value, IntEnum) and hasattr(value, "word"):
        return value.word
    return value.value.replace(" ", "_") if isinstance(value, StrEnum) else msgspec.to_builtins(value)


def parse_plain(value: Any, kind: Any) -> Any:
    """Convert the result of `plain` to type `kind`. Raise KeyError or msgspec.ValidationError if it does not fit."""
    origin, more = get_origin(kind), get_args(kind)
    if origin is Annotated:
        is_instant = _INSTANT in kind.__metadata__
        return msgspec.convert(value, datetime).timestamp() if is_instant else parse_plain(value, more[0])
    if origin in (Union, UnionType):
        return None if value is None else parse_plain(value, next(part for part in more if part is not types.NoneType))
    if is_record(kind):
        hints = get_type_hints(kind, include_extras=True)
        return kind(**{name: parse_plain(value[name], hints[name]) for name in _defaults_of(kind)})
    if origin is tuple:
        return tuple(parse_plain(part, more[0]) for part in value)
    if isinstance(kind, EnumType):
        members: Any = kind
        value = {plain(part): part.value for part in members}.get(value, value)
    return msgspec.convert(value, kind)


def instant_text(at: Any) -> Any:
    """Convert UTC seconds to RFC 3339. None stays None, and a list becomes a list of texts."""
    if at is None:
        return None
    if isinstance(at, list | tuple):
        return [instant_text(instant) for instant in at]
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat() + "Z"


@cache
def _written_fields(kind: type) -> tuple[tuple[str, tuple[str, ...], Callable[[Any], Any]], ...] | None:
    if not is_record(kind):
        return None
    is_struct = issubclass(kind, msgspec.Struct)
    written = {field.name: field.encode_name for field in msgspec.structs.fields(kind)} if is_struct else {}
    return tuple(
        (written.get(field.name, field.name), field.path, instant_text if _has_instant(field.kind) else plain)
        for field in fields_of(kind)
    )


def _has_instant(kind: Any) -> bool:
    if get_origin(kind) is Annotated and _INSTANT in kind.__metadata__:
        return True
    return any(_has_instant(part) for part in get_args(kind) if get_origin(kind) is not Literal)


def is_record(kind: Any) -> bool:
    """Return whether values of this type become JSON objects."""
    if not isinstance(kind, type):
        return False
    is_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return is_tuple or issubclass(kind, msgspec.Struct) or hasattr(kind, "__dataclass_fields__")


@cache
def fields_of(kind: Any) -> tuple[Field, ...]:
    """Return the fields of a record's JSON, with `@encoded` properties. A FLAT record is replaced by its own fields."""
    hints, words = get_type_hints(kind, include_extras=True), words_of(kind)
    own, flat = dict[str, Field](), dict[str, Field]()
    for name, defaults in _defaults_of(kind).items():
        marks = hints[name].__metadata__ if get_origin(hints[name]) is Annotated else ()
        if HIDDEN in marks:
            continue
        if FLAT in marks:
            inner = fields_of(get_args(hints[name])[0])
            flat |= {member.name: member._replace(path=(name, *member.path)) for member in inner}
        else:
            own[name] = Field(name, hints[name], (name,), words.get(name, ""), *defaults)
    for name, member in vars(kind).items():
        if isinstance(member, property) and getattr(member.fget, "is_encoded", False):
            hint = get_type_hints(member.fget, include_extras=True)["return"]
            own[name] = Field(name, hint, (name,), words.get(name, ""))
    return tuple((flat | own).values())


def _defaults_of(kind: Any) -> dict[str, tuple[Any, ...]]:
    if issubclass(kind, msgspec.Struct):
        return {field.name: (field.default, field.default_factory) for field in msgspec.structs.fields(kind)}
    if issubclass(kind, tuple):
        return {name: () for name in kind._fields}
    return {name: () for name, field in kind.__dataclass_fields__.items() if field._field_type.name == "_FIELD"}


# Types, as JSON Schema and strict readers need them.


def wire(kind: Any, *, is_sent: bool = False, places: Mapping[Any, Any] | None = None) -> Any:
    """Return the type with which msgspec reads and writes the JSON of values of type `kind`.

    This is `kind` itself if `kind` is a strict Struct without descriptions. `is_sent`: whether the JSON is a request,
    which may leave out fields with a default. `places`: the actual type for each type variable.
    """
    if isinstance(kind, TypeVar):
        return wire((places or {})[kind], is_sent=is_sent)
    origin, more = get_origin(kind), get_args(kind)
    if origin is Annotated:
        about = kind.__metadata__
        if _INSTANT in about:
            return Annotated[(datetime, Meta(tz=True), *(part for part in about if part is not _INSTANT))]
        return Annotated[(wire(more[0], is_sent=is_sent, places=places), *about)]
    if origin is Literal or kind is None:
        return kind
    inner: tuple[Any, ...] = tuple(
        part if part is Ellipsis else wire(part, is_sent=is_sent, places=places) for part in more
    )
    if origin in (Union, types.UnionType):
        return reduce(or_, inner)
    if origin is not None and is_record(origin):
        variables = origin.__parameters__
        name = "".join(part.__name__ for part in inner) + origin.__name__
        return _struct(origin, name, is_sent, tuple(zip(variables, more, strict=True)))
    if origin is not None:
        return list[inner[0]] if issubclass(origin, Iterable) and len(inner) == 1 else origin[inner]  # type: ignore[valid-type]
    if kind is object:
        return Any
    if kind is Wording:
        return str
    if isinstance(kind, EnumType):
        return _words(kind)
    is_strict = (
        isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__struct_config__.forbid_unknown_fields
    )
    if not is_record(kind) or (is_strict and (_MADE in vars(kind) or not words_of(kind))):
        return kind
    return _struct(kind, kind.__name__, is_sent, ())


@cache
def _words(kind: Any) -> Any:
    """Return an enum whose values are the JSON texts of the members of the enum `kind`."""
    words = {member.name: plain(member) for member in kind}
    return kind if set(words.values()) == {member.value for member in kind} else StrEnum(kind.__name__, words)


@cache
def _struct(kind: Any, name: str, is_sent: bool, places: tuple[tuple[Any, Any], ...]) -> Any:
    return struct_of(name, kind, fields_of(kind), is_sent=is_sent, places=dict(places))


def struct_of(
    name: str, kind: Any, fields: Iterable[Field], *, is_sent: bool, places: Mapping[Any, Any] | None = None
) -> Any:
    """Return a strict Struct named `name` with these fields of the record type `kind` and descriptions (see `wire`)."""
    made: list[Any] = []
    for field in fields:
        wired = wire(field.kind, is_sent=is_sent, places=places)
        if words := field.words or _words_in(field.kind):
            wired = Annotated[wired, Meta(description=words)]
        if not is_sent or (field.default is msgspec.NODEFAULT and field.factory is msgspec.NODEFAULT):
            made.append((field.name, wired))
        elif field.factory is not msgspec.NODEFAULT:
            made.append((field.name, wired, msgspec.field(default_factory=field.factory)))
        else:
            made.append((field.name, wired, field.default))
    about = {"__doc__": summary_of(kind), _MADE: True}
    return msgspec.defstruct(name, made, namespace=about, kw_only=True, frozen=True, forbid_unknown_fields=True)


def _words_in(kind: Any) -> str:
    metas = [mark for part in get_args(kind) for mark in getattr(part, "__metadata__", ()) if isinstance(mark, Meta)]
    return next((mark.description for mark in metas if mark.description), "")


def summary_of(kind: Any) -> str:
    """Return a record's docstring without the section `Attributes:`."""
    return cleandoc(kind.__doc__ or "").partition("\n\nAttributes:")[0].strip()


@cache
def words_of(kind: Any) -> dict[str, str]:
    """Return field descriptions from a record's docstring: its section `Attributes:`, or sentences "`field`: ..."."""
    text = cleandoc(kind.__doc__ or "")
    before, _, attributes = text.partition("\nAttributes:\n")
    descriptions = {name: _line(words) for name, words in _ATTRIBUTE.findall(attributes)}
    starts = list(_ABOUT.finditer(before))
    ends = [match.start() for match in starts[1:]] + [len(before)]
    for match, end in zip(starts, ends[: len(starts)], strict=True):
        words = _line(before[match.end() : end].partition("\n\n")[0])
        for name in re.findall(r"`(\w+)`", match[1]):
            descriptions.setdefault(name, words)
    for name, match in vars(kind).items():
        if isinstance(match, property) and match.__doc__:
            descriptions.setdefault(name, _line(match.__doc__.partition("\n\n")[0]))
    for base in kind.__bases__:
        if is_record(base):
            descriptions = words_of(base) | descriptions
    return descriptions


def _line(text: str) -> str:
    words = " ".join(text.split()).rstrip(".;")
    return f"{words[:1].upper()}{words[1:]}."


SEQUENCES = (list, tuple, set, frozenset)


class Fault(Enum):
    """The reason why a value does not fit its type."""

    UNKNOWN_KEY = "unknown-key"
    MISSING_KEY = "missing-key"
    WRONG_VALUE = "wrong-value"


class Misfit(NamedTuple):
    """A value that does not fit its type. `kind`: the expected type; for an unknown key, the type of its table."""

    place: str  # as agi.in_flight or trunk[0].name
    fault: Fault
    kind: Any
    value: object
    words: str  # for a wrong value msgspec's message, or the type itself

    def inside(self, place: str) -> Misfit:
        """Return the misfit with a longer place: the checked value is at `place` in an outer value."""
        dot = "." if self.place and not self.place.startswith("[") else ""
        return self._replace(place=f"{place}{dot}{self.place}")


def find_misfit(value: object, kind: Any, *, strict: bool = True) -> Misfit | None:
    """Return the first misfit in a value of tables, lists and plain values; None if the value fits the type `kind`."""
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        inner = next(_misfits_inside(value, kind, strict), None)
        return inner or Misfit("", Fault.WRONG_VALUE, kind, value, str(error.__cause__ or error))
    return None


def keys_of(table: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of a table's keys, as written in JSON and TOML files."""
    return tuple(field.encode_name for field in msgspec.structs.fields(table))


def alternatives(kind: Any) -> Iterator[Any]:
    """Yield the members of a union type; for any other type, yield the type itself."""
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
