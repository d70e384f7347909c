"""The register of own numbers as CSV, out and in. Pure but for the table's own file.

What stands more than once in a field is separated by `|`; instants are `2026-12-31T18:00:07+01:00`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress

from callsieve.changes.operation import Refused
from callsieve.own_numbers.fields import FIELDS, MOST_TEXTS, TEXT_CHARACTERS, FieldKind, FormField, parsed
from callsieve.own_numbers.operations import Given
from callsieve.text.csv_table import NOTHING_USABLE, CsvTable, csv_of, nothing_usable
from callsieve.text.table_errors import TableError
from callsieve.text.times import TimeError, instant_of, iso_with_zone, since_of
from policies.files import nearest
from reputation.numbers import number_of
from reputation.own.register import NumberState, OwnNumber

COLUMNS = ("number", *(field.name for field in FIELDS), "checked", "state", "since")
STATES = {state.value: state for state in NumberState}
LONGEST_FIELD = MOST_TEXTS * (TEXT_CHARACTERS + 1)


def own_numbers_in(table: CsvTable, region: str, now: float) -> dict[str, Given]:
    """Own numbers, and what the file says of each: a column that it does not have says nothing, an empty field that
    there is none. A row with something that cannot be read is refused as a whole, and the second of a number too.
    TableError: not one row can be used.
    """
    found: dict[str, Given] = {}
    lines: dict[str, int] = {}
    for number, *texts in table:
        e164 = number_of(number, region)
        if e164 is None:
            table.refuse(f"{number[:40]!r} is no telephone number" if number else "has no number")
            continue
        if e164 in found:
            table.refuse(f"{e164} is there twice: line {lines[e164]} counts")
            continue
        try:
            found[e164] = _given(dict(zip(COLUMNS[1:], texts, strict=True)), table.given, now)
            lines[e164] = table.line
        except ValueError as error:
            table.refuse(str(error))
    if not found:
        raise TableError(nothing_usable(table.problems), NOTHING_USABLE)
    return found


def register_as_csv(register: Iterable[OwnNumber]) -> str:
    """All of it, in a form that can be imported again."""
    return csv_of(COLUMNS, map(_row_of, register))


def _given(texts: Mapping[str, str], columns: Container[str], now: float) -> Given:
    """The fields of OwnNumber that a row names. ValueError. A state and its beginning cannot be none."""
    given = {field.attribute: _value(field, texts[field.name], now) for field in FIELDS if field.name in columns}
    if "checked" in columns:
        given["checked_at"] = _since("checked", texts, now)
    if state := texts["state"].lower():
        if state not in STATES:
            raise ValueError(f"state {state[:40]!r} is none{nearest(state, STATES)}")
        given["state"] = STATES[state]
    if since := _since("since", texts, now):
        given["since"] = since
    return given


def _value(field: FormField, text: str, now: float) -> object:
    """As it is typed elsewhere, but a time may be overdue, or none."""
    if field.kind is FieldKind.TIME:
        if not text:
            return None
        with suppress(TimeError):
            if "-" in text:  # a day or an instant
                return instant_of(text, now)
    try:
        return parsed(field, text.split("|") if field.is_list else text, now)
    except Refused as refused:
        raise ValueError(f"{field.name} {refused.words}") from None


def _since(name: str, texts: Mapping[str, str], now: float) -> float | None:
    try:
        return since_of(texts[name], now) if texts[name] else None
    except TimeError as error:
        raise ValueError(f"{name}: {error}") from None


def _row_of(own: OwnNumber) -> tuple[str, ...]:
    return (
        own.number,
        *(_cell(getattr(own, field.attribute)) for field in FIELDS),
        _cell(own.checked_at),
        own.state.value,
        _cell(own.since),
    )


def _cell(value: str | float | tuple[str, ...] | None) -> str:
    if isinstance(value, float | None):
        return iso_with_zone(value) if value else ""
    return _harmless(value if isinstance(value, str) else "|".join(value))


def _harmless(text: str) -> str:
    """A spreadsheet must not take a text for a formula; spaces before it are not read again."""
    return f" {text}" if text[:1] in ("=", "+", "-", "@") else text
