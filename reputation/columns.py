"""Annotations in a record type that describe the columns of its table.

    reporter: Annotated[str, Key(3), ORIGIN]
    group: Annotated[str | None, Column("grp"), Own("{site}")]

A field without these annotations becomes a column of the same name. A column is shared through the hub if its table is.
"""

from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import fields as struct_fields

ORIGIN: Final = "origin"  # prefixed with the site's name at other sites, and shows the site of the row
NAMED: Final = "named"  # prefixed with the site's name at other sites
LOCAL: Final = "local"  # stays in this store


class Key(NamedTuple):
    """The annotation of a key field of a row. `place`: its position in the key, fixed because hubs rely on it."""

    place: int = 1


class Own(NamedTuple):
    """The annotation of a value that only this site and its standby server see. Other sites get `elsewhere` instead.

    In `elsewhere`, `{site}` stands for the name of this site.
    """

    elsewhere: str = ""


class Column(NamedTuple):
    """The annotation with the name of the column, if this name differs from the field's name."""

    name: str


class RowField(NamedTuple):
    """A field of a record type. `kinds`: the types of its value, with NoneType if it may be None."""

    name: str
    column: str
    kinds: tuple[Any, ...]
    marks: tuple[Any, ...]

    @property
    def enum(self) -> type[Enum] | None:
        """The field's enum type; None if it has none."""
        return next((kind for kind in self.kinds if isinstance(kind, type) and issubclass(kind, Enum)), None)

    @property
    def words(self) -> frozenset[Any]:
        """All allowed values if the field has an enum type, otherwise an empty set."""
        return frozenset([*(self.enum or ()), *([None] if self.enum and type(None) in self.kinds else [])])

    @property
    def is_number(self) -> bool:
        """Whether the column is numeric: the field's type is int, float or bool."""
        plain = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in self.kinds]
        return any(kind in (int, float, bool) for kind in plain)

    def mark(self, kind: type) -> Any:
        """Return the field's annotation of this type, or None."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def fields_of(row: type) -> list[RowField]:
    """Return the fields of a record type, in the order in which the type defines them."""
    row_fields = []
    for name, hint in get_type_hints(row, include_extras=True).items():
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        column = next((mark.name for mark in marks if isinstance(mark, Column)), name)
        row_fields.append(RowField(name, column, get_args(kind) or (kind,), tuple(marks)))
    return row_fields


def defaults_of(row: type) -> dict[str, str | int | float | None]:
    """Return the default of each column, for rows that lack the column. Only texts, numbers and None are returned."""
    defaults: dict[str, Any] = {}
    for row_field in fields_of(row):
        if is_dataclass(row):
            default = next(field.default for field in fields(row) if field.name == row_field.name)
        elif issubclass(row, Struct):
            default = next(field.default for field in struct_fields(row) if field.name == row_field.name)
        else:
            default = getattr(row, "_field_defaults", {}).get(row_field.name, MISSING)
        if isinstance(default, Enum):
            default = default.value
        if default is None or isinstance(default, str | int | float):
            defaults[row_field.column] = int(default) if isinstance(default, bool) else default
    return defaults


def column_list(row: type) -> str:
    """Return the column names of a record type, separated by commas for SQL, in the order of its fields."""
    return ", ".join(field.column for field in fields_of(row))


def insert_sql(table: str, row: type, verb: str = "INSERT") -> str:
    """Return an SQL statement that inserts a record into a table. Its parameters are the values of the fields."""
    columns = column_list(row)
    return f"{verb} INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(', ')))})"
