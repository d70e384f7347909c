"""Consents to be called. They override earlier do-not-call requests, registers, and laws that require a consent."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.call_lists.capability import CONSENTS
from callsieve.changes.describe import ChangeId, LineText, NumberText, TimeText, number_field, since_field
from callsieve.changes.operation import Context, Refused, change, whole
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import Latest, latest_changes
from callsieve.text.csv_table import NOTHING_USABLE, CsvTable, nothing_usable, problem_of_number, usable
from callsieve.text.table_errors import TableError
from callsieve.text.times import TimeError, expiry_of, since_of
from reputation.encoding import FLAT
from reputation.numbers import number_of
from reputation.store.audit import Change, add_audit
from reputation.store.registers import Consent, consent_of, find_consents, put_consent, remove_consent
from reputation.wording import Wording

COLUMNS = ("number", "proof", "at", "until", "note")
MOST_ROWS = 100_000  # each leaves a row in the audit
MOST_SHOWN = 500
TEXT_CHARACTERS = 200


class ConsentRequest(msgspec.Struct, frozen=True):
    """A consent to be called. `proof`: the text of the consent, or where the document is kept.

    `at`: the first day, such as `2026-12-31`; null: now. `until`: the last day; null: the consent does not end.
    """

    number: NumberText
    proof: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS)]
    at: TimeText | None = None
    until: TimeText | None = None
    note: LineText = ""


class ConsentChange(NamedTuple):
    """A change of a consent. `consent`: the consent that was added or removed."""

    change_id: ChangeId | None
    consent: Consent


class ConsentsRequest(PageQuery, frozen=True, kw_only=True):
    """Filters for consents. `number`: only the consent of this number."""

    number: NumberText | None = None


class ConsentShown(NamedTuple):
    """A consent in the list. `is_over`: whether the consent has ended."""

    consent: Annotated[Consent, FLAT]
    is_over: bool


class ConsentImport(NamedTuple):
    """The result of an import. `added`: how many consents are new. `changed`: how many replaced an earlier consent."""

    change_id: int | None
    added: int
    changed: int


@dataclass(frozen=True, slots=True)
class ConsentsShown:
    """Consents for the page. `matching`: how many match the search. `over`: the numbers whose consent has ended."""

    consents: tuple[Consent, ...]
    matching: int
    over: frozenset[str]
    latest: tuple[Latest, ...]


def add(db: sqlite3.Connection, context: Context, request: ConsentRequest) -> ConsentChange:
    """Record that somebody agreed to be called. The consent replaces an earlier consent for the same number."""
    number = number_field(context, request.number)
    at = since_field(context, request.at)
    try:
        until = expiry_of(request.until, context.at) if request.until else None
    except TimeError as error:
        raise Refused("bad-time", error.words, "until") from None
    proof, note = _text("proof", request.proof), _text("note", request.note)
    if not proof:
        words = Wording("enter the proof: the text of the consent, or where the document is kept")
        raise Refused("no-proof", words, "proof")
    consent = Consent(number, at, until, proof, context.actor, note)
    with change(db, context, "own consent add", number) as changed:
        before = consent_of(db, number)
        changed.before, changed.after = before, consent
        put_consent(db, consent)
    return ConsentChange(changed.id, consent)


def remove(db: sqlite3.Connection, context: Context, number: NumberText) -> ConsentChange:
    """Remove the consent to call a number."""
    number = number_field(context, number)
    with change(db, context, "own consent remove", number) as changed:
        consent = remove_consent(db, number)
        if consent is None:
            raise Refused("no-consent", Wording("{number} has no consent on record", {"number": number}))
        changed.before = consent
    return ConsentChange(changed.id, consent)


def list_consents(db: sqlite3.Connection, context: Context, request: ConsentsRequest) -> ResultPage[ConsentShown]:
    """Return the consents, the latest first."""
    number = None if request.number is None else number_field(context, request.number, "number")
    consents, _ = find_consents(db, number=number, limit=MOST_ROWS)
    return page_from(
        consents,
        request,
        lambda consent: (-consent.at, consent.number),
        lambda consent: ConsentShown(consent, consent.is_over(context.at)),
    )


def import_consents(db: sqlite3.Connection, context: Context, consents: Mapping[str, Consent]) -> ConsentImport:
    """Record the consents of a file. The audit gets a row for each consent and a row for the whole import."""
    with whole(db):
        before = {number: consent_of(db, number) for number in consents}
        changes = [(before[number], new) for number, new in consents.items() if not _is_same(before[number], new)]
        if not changes:
            return ConsentImport(None, 0, 0)
        added = sum(was is None for was, _ in changes)
        with change(db, context, "own consent import") as changed:
            for was, consent in changes:
                put_consent(db, consent)
                row = Change("own consent import", consent.number, before=was, after=consent)
                add_audit(db, row, context.actor, context.at)
            changed.after = {"added": added, "changed": len(changes) - added}
    return ConsentImport(changed.id, added, len(changes) - added)


def consents_in(table: CsvTable, region: str, actor: str, now: float) -> dict[str, Consent]:
    """Return the consents in a file, by number. Raise TableError if no row is usable."""
    consents: dict[str, Consent] = {}

    def rows() -> list[tuple[str, ...]]:
        return usable(
            table, table, MOST_ROWS, Wording("the file has more than {most} rows: split the file", {"most": MOST_ROWS})
        )

    for number, proof, at, until, note in rows():
        e164 = number_of(number, region)
        if e164 is None:
            table.refuse(problem_of_number(number))
        elif not proof:
            table.refuse(Wording("the proof is missing"))
        else:
            try:
                since = since_of(at, now) if at else now
                ends = expiry_of(until, now) if until else None
            except TimeError as error:
                table.refuse(error.words)
                continue
            consents[e164] = Consent(e164, since, ends, proof[:TEXT_CHARACTERS], actor, note[:TEXT_CHARACTERS])
    if not consents:
        raise TableError(nothing_usable(table.problems), NOTHING_USABLE)
    return consents


def consents_shown(db: sqlite3.Connection, text: str, number: str | None, now: float) -> ConsentsShown:
    """Return consents for the page: that of `number`, or those with `text` in a field. `now` tells which have ended."""
    consents, count = find_consents(db, text, number, MOST_SHOWN)
    over = frozenset(consent.number for consent in consents if consent.is_over(now))
    return ConsentsShown(tuple(consents), count, over, latest_changes(db, CONSENTS))


def _is_same(was: Consent | None, new: Consent) -> bool:
    return was is not None and was._replace(at=new.at, person=new.person) == new


def _text(field: str, text: str) -> str:
    text = text.strip()
    if len(text) > TEXT_CHARACTERS or not text.isprintable():
        most = {"most": TEXT_CHARACTERS}
        raise Refused("bad-text", Wording("must be one line of at most {most} characters", most), field)
    return text
