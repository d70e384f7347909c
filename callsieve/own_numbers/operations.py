"""Changing the register of our own numbers, and the register as CSV, out and in.

add, edit, check, rest, use, retire, remove, bring_in: operations (callsieve/changes/operation.py)

In CSV, what stands more than once in a field is separated by `|`; instants are `2026-12-31T18:00:07+01:00`.
"""

from __future__ import annotations

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
from callsieve.text.csv_table import NOTHING_USABLE, CsvTable, csv_of, nothing_usable
from callsieve.text.table_errors import TableError
from callsieve.text.times import TimeError, instant_of, iso_with_zone, since_of
from policies.files import nearest
from reputation.encoding import parse_plain
from reputation.numbers import number_of
from reputation.own.register import NumberState, OwnNumber, RegisterError, checked, rested, retired, used_again
from reputation.store.audit import Change, StoredRow, add_audit
from reputation.store.own_labels import LabelCheck, remove_screenshot
from reputation.store.own_register import own_of, put_own, remove_own
from reputation.wording import Wording

# Raw outcomes are kept for 30 days: so far back is looked for numbers that go out.
SEEN_SECONDS = 30 * 86_400.0

# What a row of a file says of a number, by the fields of OwnNumber.
Given = Mapping[str, Any]


class CheckRequest(msgspec.Struct, frozen=True):
    """A number that somebody has checked.

    Attributes:
        next_check: When to check the number again: `180d`, `2026-12-31` or `never`.
    """

    number: NumberText
    next_check: TimeText = CHECK_EVERY


class UseRequest(msgspec.Struct, frozen=True):
    """A number that is used again.

    Attributes:
        early: Also before the number has rested for long enough.
    """

    number: NumberText
    early: bool = False


class OwnNumberChange(NamedTuple):
    """A change of a number in the register.

    Attributes:
        own_number: The number as it is now; as it was, if it was removed.
        before: How it was before the change; null where there was nothing.
    """

    change_id: ChangeId | None
    own_number: OwnNumber
    before: OwnNumber | None


class RegisterImport(NamedTuple):
    """What became of the numbers of a file. `change_id` None: all of it was there already, and nothing was changed.

    `unknown_trunks`: those that the settings do not know.
    """

    change_id: int | None
    added: int
    changed: int
    unknown_trunks: tuple[str, ...] = ()


# Operations.


def add(db: sqlite3.Connection, context: Context, request: NewOwnNumber) -> OwnNumberChange:
    """Register a number that we call out from."""
    number = number_field(context, request.number)
    with whole(db):
        before = own_of(db, number)
        if before is not None and not request.update:
            raise Refused("registered-already", Wording("{number} is already registered", {"number": number}))
        own = before or new_number(number, context.at)
        return _put(db, context, "own add", before, filled_in(own, request, context.at))


def edit(db: sqlite3.Connection, context: Context, request: OwnNumberEdit) -> OwnNumberChange:
    """Change what is registered of a number."""
    return _step(db, context, "own add", request.number, lambda own: filled_in(own, request, context.at))


def check(db: sqlite3.Connection, context: Context, request: CheckRequest) -> OwnNumberChange:
    """Record that somebody checked a number, and that what is registered of it holds."""
    at = next_check_of(request.next_check, context.at, "next")
    return _step(db, context, "own check", request.number, lambda own: checked(own, context.at, at))


def rest(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberChange:
    """Let a number rest: nobody is to call out from it for 45 days."""
    return _step(db, context, "own rest", number, lambda own: rested(own, context.at))


def use(db: sqlite3.Connection, context: Context, request: UseRequest) -> OwnNumberChange:
    """Use a number again, after a rest or because it is ours once more."""
    return _step(db, context, "own use", request.number, lambda own: used_again(own, context.at, early=request.early))


def retire(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberChange:
    """Record that a number was given back."""
    return _step(db, context, "own retire", number, lambda own: retired(own, context.at))


def remove(db: sqlite3.Connection, context: Context, number: NumberText) -> OwnNumberChange:
    """Take a number out of the register."""
    number = number_field(context, number)
    with change(db, context, "own remove", number) as changed:
        changed.before = before = registered(db, number)
        remove_own(db, number)
    return OwnNumberChange(changed.id, before, before)


def bring_in(db: sqlite3.Connection, context: Context, found: Mapping[str, Given]) -> RegisterImport:
    """Registers the numbers of a file, each with a row of its own in the audit, and a row that sums them up: undoing
    that one takes all of it back.

    Of a number that is there what the file does not say stays; of a new one it is as `new_number` has it.
    """
    with whole(db):
        owns = _told(db, found, context.at)
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


# What a number is.


def new_number(number: str, now: float) -> OwnNumber:
    """A number of which nothing is said yet."""
    return OwnNumber(number=number, since=now, added_at=now, next_check_at=next_check_of(CHECK_EVERY, now, ""))


def unknown_trunks(owns: Iterable[OwnNumber], settings: Settings) -> list[str]:
    """Names of trunks that the settings do not know: a misspelling, most of the time."""
    return sorted({name for own in owns for name in own.trunks} - {trunk.name for trunk in settings.trunk})


def registered(db: sqlite3.Connection, number: str) -> OwnNumber:
    """The number as it is registered. Refused."""
    own = own_of(db, number)
    if own is None:
        raise Refused("not-registered", Wording("{number} is not registered", {"number": number}))
    return own


def _step(
    db: sqlite3.Connection, context: Context, what: str, number: str, step: Callable[[OwnNumber], OwnNumber]
) -> OwnNumberChange:
    """A registered number as the step leaves it."""
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


def _told(db: sqlite3.Connection, found: Mapping[str, Given], at: float) -> list[tuple[OwnNumber | None, OwnNumber]]:
    """The numbers that a file changes, as they are and as they are then."""
    read = ((own_of(db, number), number, given) for number, given in found.items())
    told = [(before, _as_told(before or new_number(number, at), given, at)) for before, number, given in read]
    return [(before, after) for before, after in told if after != before]


def _as_told(before: OwnNumber, given: Given, at: float) -> OwnNumber:
    """With what a row says; a file has whole seconds, so an instant within its second is none that changed."""
    same = {name for name, value in given.items() if _is_same_second(getattr(before, name), value)}
    after = replace(before, **{name: value for name, value in given.items() if name not in same})
    return replace(after, since=at) if after.state is not before.state and "since" not in given else after


def _is_same_second(one: object, other: object) -> bool:
    return isinstance(one, float) and isinstance(other, float) and int(one) == int(other)


# How changes are undone.


OWN_NUMBER = UndoKind(
    lambda _db, _row, value: parse_plain(value, OwnNumber),
    lambda db, _, own: own_of(db, own.number),
    lambda db, _, own: remove_own(db, own.number),
    lambda db, _, own: put_own(db, own),
)


def _remove_look(db: sqlite3.Connection, row: StoredRow) -> None:
    """With its picture, which does not come back when this is undone: of a wrong one nothing is to stay."""
    row.remove(db)
    remove_screenshot(db, row.record)


LOOK = put_row_back("own_label", LabelCheck)._replace(remove=lambda db, _, row: _remove_look(db, row))


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
