"""The register of own numbers as CSV, out and in. Pure but for the table's own file.

What stands more than once in a field is separated by `|`; instants are `2026-12-31T18:00:07+01:00`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable
from contextlib import suppress

from callsieve.own_numbers.register import (
    LISTS,
    MOST_TEXTS,
    TEXT_CHARACTERS,
    TEXTS,
    Given,
    next_check_of,
    one_line,
    several,
)
from callsieve.text.csv_table import Table
from callsieve.text.times import TimeError, instant_of, iso_with_zone, since_of
from policies.hints import nearest
from reputation.numbers import number_of
from reputation.own.register import OwnNumber, State

COLUMNS = (
    *("number", "name", "purpose", "owner", "trunks", "documents", "registered"),
    *("next_check", "checked", "state", "since"),
)
STATES = {state.value: state for state in State}
LONGEST_FIELD = MOST_TEXTS * (TEXT_CHARACTERS + 1)


def own_numbers_in(table: Table, region: str, now: float) -> dict[str, Given]:
    """Own numbers, and what the file says of each: a column that it does not have says nothing, an empty field that
    there is none. A row with something that cannot be read is refused as a whole, and the second of a number too.
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
    return found


def _given(texts: dict[str, str], columns: Container[str], now: float) -> Given:
    """The fields of OwnNumber that a row names. ValueError. A state and its beginning cannot be none."""
    fields: dict[str, object] = {name: one_line(name, texts[name]) for name in TEXTS if name in columns}
    fields |= {name: several(name, texts[name].split("|")) for name in LISTS if name in columns}
    if "next_check" in columns:
        fields["next_check_at"] = _next_check(texts["next_check"], now)
    if "checked" in columns:
        fields["checked_at"] = _since("checked", texts, now)
    if state := texts["state"].lower():
        if state not in STATES:
            raise ValueError(f"state {state[:40]!r} is none{nearest(state, STATES)}")
        fields["state"] = STATES[state]
    if since := _since("since", texts, now):
        fields["since"] = since
    return fields


def register_as_csv(register: Iterable[OwnNumber]) -> str:
    """All of it, in a form that can be imported again."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows((COLUMNS, *map(_row_of, register)))
    return out.getvalue()


def _row_of(own: OwnNumber) -> tuple[str, ...]:
    return (
        own.number,
        *map(_harmless, (own.name, own.purpose, own.owner)),
        *(_harmless("|".join(texts)) for texts in (own.trunks, own.documents, own.registered)),
        iso_with_zone(own.next_check_at) if own.next_check_at else "",
        iso_with_zone(own.checked_at) if own.checked_at else "",
        own.state.value,
        iso_with_zone(own.since),
    )


def _next_check(text: str, now: float) -> float | None:
    """As it is typed elsewhere, but it may be overdue; also None: never."""
    with suppress(TimeError):
        if "-" in text:  # a day or an instant
            return instant_of(text, now)
    return next_check_of(text, now) if text else None


def _since(name: str, texts: dict[str, str], now: float) -> float | None:
    try:
        return since_of(texts[name], now) if texts[name] else None
    except TimeError as error:
        raise ValueError(f"{name}: {error}") from None


def _harmless(text: str) -> str:
    """A spreadsheet must not take a text for a formula; spaces before it are not read again."""
    return f" {text}" if text[:1] in ("=", "+", "-", "@") else text
