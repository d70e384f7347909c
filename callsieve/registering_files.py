"""The register of own numbers as CSV, out and in. Pure but for the table's own file.

What stands more than once in a field is separated by `|`; instants are days as `2026-12-31`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Container, Iterable, Iterator

from callsieve.registering import LISTS, MOST_TEXTS, TEXT_CHARACTERS, TEXTS, Given, one_line, several
from callsieve.rows import Table
from callsieve.times import TimeError, day, instant_of, since_of
from policies.words import nearest
from reputation.numbers import number_of
from reputation.own.register import OwnNumber, State

COLUMNS = (
    *("number", "name", "purpose", "owner", "trunks", "documents", "registered"),
    *("next_check", "checked", "state", "since"),
)
STATES = {state.value: state for state in State}
LONGEST_FIELD = MOST_TEXTS * (TEXT_CHARACTERS + 1)


def own_numbers_in(table: Table, region: str, now: float) -> Iterator[tuple[str, Given]]:
    """Own numbers, and what the file says of each: a column that it does not have says nothing, an empty field that
    there is none. A row with something that cannot be read is refused as a whole.
    """
    for number, *texts in table:
        e164 = number_of(number, region)
        if e164 is None:
            table.refuse(f"{number[:40]!r} is no telephone number" if number else "has no number")
            continue
        try:
            yield e164, _given(dict(zip(COLUMNS[1:], texts, strict=True)), table.given, now)
        except ValueError as error:
            table.refuse(str(error))


def _given(texts: dict[str, str], columns: Container[str], now: float) -> Given:
    """The fields of OwnNumber that a row names. ValueError. A state and its beginning cannot be none."""
    fields: dict[str, object] = {name: one_line(name, texts[name]) for name in TEXTS if name in columns}
    fields |= {name: several(name, texts[name].split("|")) for name in LISTS if name in columns}
    if "next_check" in columns:
        fields["next_check_at"] = _instant("next_check", texts, now, instant_of)
    if "checked" in columns:
        fields["checked_at"] = _instant("checked", texts, now, since_of)
    if state := texts["state"]:
        if state not in STATES:
            raise ValueError(f"state {state[:40]!r} is none{nearest(state, STATES)}")
        fields["state"] = STATES[state]
    if since := _instant("since", texts, now, since_of):
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
        day(own.next_check_at) if own.next_check_at else "",
        day(own.checked_at) if own.checked_at else "",
        own.state.value,
        day(own.since),
    )


def _instant(name: str, texts: dict[str, str], now: float, read: Callable[[str, float], float]) -> float | None:
    try:
        return read(texts[name], now) if texts[name] else None
    except TimeError as error:
        raise ValueError(f"{name}: {error}") from None


def _harmless(text: str) -> str:
    """A spreadsheet must not take a text for a formula; spaces before it are not read again."""
    return f" {text}" if text[:1] in ("=", "+", "-", "@") else text
