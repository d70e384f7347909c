"""Operations on the register, which lists the own numbers (callsieve/changes/operation.py), and its form as CSV."""

# In a CSV field, `|` separates several texts. Times look like `2026-12-31T18:00:07+01:00`.

import sqlite3
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from callsieve.changes.describe import ChangeId, NumberText, TimeText, number_field
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.changes.undo import UndoKind, put_row_back
from callsieve.own_numbers.fields import (
    CHECK_EVERY,
    FIELDS,
    MOST_TEXTS,
    TEXT_CHARACTERS,
    FieldKind,
    FormField,
    NewOwnNumber,
    OwnNumberEdit,
    filled_in,
    next_check_of,
    parsed,
)
from callsieve.settings import Settings
from callsieve.text.csv_table import NOTHING_USABLE, CsvTable, csv_of, nothing_usable, problem_of_number
from callsieve.text.table_errors import TableError
from callsieve.text.times import TimeError, instant_of, iso_with_zone, since_of
from policies.files import nearest
from reputation.encoding import parse_plain
from reputation.numbers import number_of
from reputation.own.register import NumberState, OwnNumber, RegisterError, checked, rested, retired, used_again
from reputation.store.audit import Change, StoredRow, add_audit
from reputation.store.own_labels import LabelCheck, remove_screenshot
from reputation.store.own_register import own_of, put_own, remove_own
from reputation.wording import Places, Wording

# Outcomes are kept for 30 days, so numbers of outgoing calls are known for this time.
SEEN_SECONDS = 30 * 86_400.0

# The values in a row of a file, by the fields of OwnNumber.
Given = Mapping[str, Any]


class CheckRequest(msgspec.Struct, frozen=True):
    """A request to record a check of a number. `next_check`: when to check again: `180d`, `2026-12-31` or `never`."""

    number: NumberText
    next_check: TimeText = CHECK_EVERY


class UseRequest(msgspec.Struct, frozen=True):
    """A request to use a number again. `early`: whether to use the number even if it has not rested long enough."""

    number: NumberText
    early: bool = False


class OwnNumberChange(NamedTuple):
    """A change of a number in the register.

    Attributes:
        own_number: The number after the change; if the number was removed, before the change.
        before: The number before the change; null if the number was not registered.
    """

    change_id: ChangeId | None
    own_number: OwnNumber
    before: OwnNumber | None


class RegisterImport(NamedTuple):
    """The result of an import. `change_id`: None if nothing changed. `unknown_trunks`: trunks not in the settings."""

    change_id: int | None
    added: int
    changed: int
    unknown_trunks: tuple[str, ...] = ()


def add(db: sqlite3.Connection, context: Context, request: NewOwnNumber) -> OwnNumberChange:
    """Register an own number. With `update`, a number that is already registered is changed."""
    number = number_field(context, request.number)
    with whole(db):
        before = own_of(db, number)
        if before is not None and not request.update:
            raise Refused("registered-already", Wording("{number} is already registered", {"number": number}))
        own = before or new_number(number, context.at)
        return _put(db, context, "own add", before, filled_in(own, request, context.at))


def edit(db: sqlite3.Connection, context: Context, request: OwnNumberEdit) -> OwnNumberChange:
    """Change the registered details of a number."""
    return _step(db, context, "own add", request.number, lambda own: filled_in(own, request, context.at))


def check(db: sqlite3.Connection, context: Context, request: CheckRequest) -> OwnNumberChange:
    """Record that somebody checked a number's registered details and found them correct."""
    at = next_check_of(request.next_check, context.at, "next")
    return _step(db, context, "own check", request.number, lambda own: checked(own, context.at, at))


def rest(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberChange:
    """Let a number rest: nobody should call from it for 45 days."""
    return _step(db, context, "own rest", number, lambda own: rested(own, context.at))


def use(db: sqlite3.Connection, context: Context, request: UseRequest) -> OwnNumberChange:
    """Use a resting or retired number again."""
    return _step(db, context, "own use", request.number, lambda own: used_again(own, context.at, early=request.early))


def retire(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberChange:
    """Record that a number was given back to the carrier."""
    return _step(db, context, "own retire", number, lambda own: retired(own, context.at))


def remove(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberChange:
    """Remove a number from the list of own numbers."""
    number = number_field(context, number)
    with change(db, context, "own remove", number) as changed:
        changed.before = before = registered(db, number)
        remove_own(db, number)
    return OwnNumberChange(changed.id, before, before)


def import_register(db: sqlite3.Connection, context: Context, rows: Mapping[str, Given]) -> RegisterImport:
    """Add or update the numbers in a file. A field keeps its stored values if the file has no column for it."""
    # Each number gets its own audit row. Undoing the row of the import undoes the whole import.
    with whole(db):
        owns = _changed_by_file(db, rows, context.at)
        if not owns:
            return RegisterImport(None, 0, 0)
        added = sum(was is None for was, _ in owns)
        with change(db, context, "own import") as changed:
            for was, own in owns:
                put_own(db, own)
                add_audit(db, Change("own import", own.number, before=was, after=own), context.actor, context.at)
            changed.after = {"added": added, "changed": len(owns) - added}
    unknown = unknown_trunks((own for _, own in owns), context.settings)
    return RegisterImport(changed.id, added, len(owns) - added, tuple(unknown))


def new_number(number: str, now: float) -> OwnNumber:
    """Return a newly registered number without details. Its next check is due in 180 days."""
    return OwnNumber(number=number, since=now, added_at=now, next_check_at=next_check_of(CHECK_EVERY, now, ""))


def unknown_trunks(owns: Iterable[OwnNumber], settings: Settings) -> list[str]:
    """Return the trunks of own numbers that are not in the settings. Their names are probably misspelled."""
    return sorted({name for own in owns for name in own.trunks} - {trunk.name for trunk in settings.trunk})


def registered(db: sqlite3.Connection, number: str) -> OwnNumber:
    """Return a registered own number. Raise Refused if the number is not registered."""
    own = own_of(db, number)
    if own is None:
        raise Refused("not-registered", Wording("{number} is not registered", {"number": number}))
    return own


def _step(
    db: sqlite3.Connection, context: Context, what: str, number: str, step: Callable[[OwnNumber], OwnNumber]
) -> OwnNumberChange:
    number = number_field(context, number)
    with whole(db):
        before = registered(db, number)
        try:
            after = step(before)
        except RegisterError as error:
            raise Refused(error.code, error.words) from None
        return _put(db, context, what, before, after)


def _put(
    db: sqlite3.Connection, context: Context, what: str, before: OwnNumber | None, own: OwnNumber
) -> OwnNumberChange:
    if own == before:
        return OwnNumberChange(None, own, before)
    with change(db, context, what, own.number) as changed:
        changed.before, changed.after = before, own
        put_own(db, own)
    return OwnNumberChange(changed.id, own, before)


def _changed_by_file(
    db: sqlite3.Connection, rows: Mapping[str, Given], at: float
) -> list[tuple[OwnNumber | None, OwnNumber]]:
    read = ((own_of(db, number), number, given) for number, given in rows.items())
    changes = [(before, _with_row(before or new_number(number, at), given, at)) for before, number, given in read]
    return [(before, after) for before, after in changes if after != before]


def _with_row(before: OwnNumber, given: Given, at: float) -> OwnNumber:
    # A file has whole seconds, so an instant within the same second has not changed.
    same = {name for name, value in given.items() if _is_same_second(getattr(before, name), value)}
    after = replace(before, **{name: value for name, value in given.items() if name not in same})
    return replace(after, since=at) if after.state is not before.state and "since" not in given else after


def _is_same_second(first: object, second: object) -> bool:
    return isinstance(first, float) and isinstance(second, float) and int(first) == int(second)


OWN_NUMBER = UndoKind(
    lambda _db, _row, value: parse_plain(value, OwnNumber),
    lambda db, _, own: own_of(db, own.number),
    lambda db, _, own: remove_own(db, own.number),
    lambda db, _, own: put_own(db, own),
)


def _remove_check(db: sqlite3.Connection, row: StoredRow) -> None:
    # The screenshot is removed too, and undo does not restore it: a wrong picture should not be kept.
    row.remove(db)
    remove_screenshot(db, row.record)


LOOK = put_row_back("own_label", LabelCheck)._replace(remove=lambda db, _, row: _remove_check(db, row))


COLUMNS = ("number", *(field.name for field in FIELDS), "checked", "state", "since")
STATES = {state.value: state for state in NumberState}
LONGEST_FIELD = MOST_TEXTS * (TEXT_CHARACTERS + 1)


class BadField(ValueError):
    """Raised if a field of a row is not valid. `words`: the column and the reason, as text."""

    def __init__(self, words: Wording) -> None:
        super().__init__(str(words))
        self.words = words


def own_numbers_in(table: CsvTable, region: str, now: float) -> dict[str, Given]:
    """Return the values of each own number in a file. Raise TableError if no row can be used.

    An empty field clears the value; a missing column does not. Rows with an invalid value or a repeated number are
    skipped.
    """
    rows: dict[str, Given] = {}
    lines: dict[str, int] = {}
    for number, *texts in table:
        e164 = number_of(number, region)
        if e164 is None:
            table.refuse(problem_of_number(number))
            continue
        if e164 in rows:
            places: Places = {"number": e164, "line": str(lines[e164])}
            table.refuse(Wording("{number} occurs twice: only line {line} was used", places))
            continue
        try:
            rows[e164] = _given(dict(zip(COLUMNS[1:], texts, strict=True)), table.given, now)
            lines[e164] = table.line
        except BadField as error:
            table.refuse(error.words)
    if not rows:
        raise TableError(nothing_usable(table.problems), NOTHING_USABLE)
    return rows


def register_as_csv(register: Iterable[OwnNumber]) -> str:
    """Return the list of own numbers as CSV that `own import` can read."""
    return csv_of(COLUMNS, map(_row_of, register))


def _given(texts: Mapping[str, str], columns: Container[str], now: float) -> Given:
    """Return a row's values by attribute of OwnNumber, or raise BadField. An empty `state` or `since` is skipped."""
    given = {field.attribute: _value(field, texts[field.name], now) for field in FIELDS if field.name in columns}
    if "checked" in columns:
        given["checked_at"] = _since("checked", texts, now)
    if state := texts["state"].lower():
        if state not in STATES:
            places: Places = {"state": state[:40], "hint": nearest(state, STATES)}
            raise BadField(Wording("unknown state {state!r}{hint}", places))
        given["state"] = STATES[state]
    if since := _since("since", texts, now):
        given["since"] = since
    return given


def _value(field: FormField, text: str, now: float) -> object:
    # As in the form, but a time may be in the past or empty.
    if field.kind is FieldKind.TIME:
        if not text:
            return None
        with suppress(TimeError):
            if "-" in text:  # a day or an instant
                return instant_of(text, now)
    try:
        return parsed(field, text.split("|") if field.is_list else text, now)
    except Refused as refused:
        raise BadField(Wording("{column} {problem}", {"column": field.name, "problem": refused.words})) from None


def _since(name: str, texts: Mapping[str, str], now: float) -> float | None:
    try:
        return since_of(texts[name], now) if texts[name] else None
    except TimeError as error:
        raise BadField(Wording("{column}: {problem}", {"column": name, "problem": error.words})) from None


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
    # A spreadsheet must not read a text as a formula. The import removes the space.
    return f" {text}" if text[:1] in ("=", "+", "-", "@") else text
