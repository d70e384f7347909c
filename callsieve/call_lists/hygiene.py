"""Checks of a call list: numbers to remove, with reasons. Numbers are kept on disk, so long lists need little RAM."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.text.times import day
from reputation.law.loader import binding, law_of_number
from reputation.numbers import PAY_PER_CALL, NumberType, is_valid, number_of, number_type_of
from reputation.plan.rows import NOBODYS, NumberPlan
from reputation.store.do_not_call import do_not_call_of
from reputation.store.identities import epoch_of
from reputation.store.outbound import NumberSet, past_calls
from reputation.store.registers import Consent, consent_of, registers_with
from reputation.wording import Places, Wording

MOST_ROWS = 50_000_000  # takes half an hour and 1 GB of disk
TRIES = 5
MOST_NUMBERS = 10_000  # in one request: takes about a second


class ListFault(StrEnum):
    """The reason to remove a number from a call list."""

    NOT_A_NUMBER = "not-a-number"
    DUPLICATE = "duplicate"
    UNALLOCATED = "unallocated"  # by the numbering plan, nobody can have it
    PREMIUM = "premium"  # calls to it cost extra
    GONE = "gone"  # the latest call to it ended with "unallocated number"
    REASSIGNED = "reassigned"
    DO_NOT_CALL = "do-not-call"
    REGISTER = "register"
    NO_CONSENT = "no-consent"
    NEVER_ANSWERS = "never-answers"


class ListToCheck(msgspec.Struct, frozen=True):
    """A call list to check. `numbers`: the phone numbers on the list.

    `needs_consent`: whether to remove numbers without a consent too, if a law requires one. `tries`: how many
    unanswered calls in 30 days are enough to remove a number.
    """

    numbers: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(min_length=1, max_length=MOST_NUMBERS)]
    needs_consent: bool = False
    tries: Annotated[int, Meta(ge=1, le=100)] = TRIES


class ListChecked(NamedTuple):
    """The result of checking a call list. `rows`: how many rows were read. `kept`: how many rows may stay.

    `by_fault`: how many rows to remove, by reason. `findings`: the rows to remove. `clean`: the numbers that may stay.
    """

    rows: int
    kept: int
    by_fault: dict[ListFault, int]
    findings: list[RowFinding]
    clean: list[str]


class RowFinding(NamedTuple):
    """A row to remove. `line`: the line in the file, counted from 1. `written`: the number as it was sent.

    `number`: the number as E.164 or the key of a service number; null if the row has no valid number. `fault`: the
    reason to remove the row. `evidence`: the evidence for the reason.
    """

    line: int
    written: str
    number: str | None
    fault: ListFault
    evidence: Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class HygieneTerms:
    """The parameters of a call list's check. `tries`: how many unanswered calls in 30 days remove a number."""

    region: str
    now: float
    plan: NumberPlan
    needs_consent: bool
    tries: int = TRIES


@dataclass(slots=True)
class ListReport:
    """The counts of a call list's check, updated row by row. `kept`: how many of the `rows` so far may stay."""

    rows: int = 0
    kept: int = 0
    by_fault: dict[ListFault, int] = field(default_factory=dict)
    cut_off: bool = False


def hygiene(
    db: sqlite3.Connection,
    rows: Iterator[tuple[str, ...]],
    line_of: Callable[[], int],
    terms: HygieneTerms,
    report: ListReport,
    keep: Callable[[str], None],
) -> Iterator[RowFinding]:
    """Check a call list. Yield a finding for each reason (`ListFault`) to remove a row, and update `report`.

    `keep` is called with each number that may stay. `line_of`: returns the file's line of the row that was read last.
    """
    with NumberSet() as seen:
        for written, *_ in rows:
            if report.rows == MOST_ROWS:
                report.cut_off = True
                return
            report.rows += 1
            number = number_of(written, terms.region)
            if number is None:
                faults = [(ListFault.NOT_A_NUMBER, Wording("not a telephone number"))]
            elif not seen.add(number):
                faults = [(ListFault.DUPLICATE, Wording("already listed above"))]
            else:
                faults = list(_faults_of(db, number, terms))
            if number is not None and not faults:
                report.kept += 1
                keep(number)
            for fault, evidence in faults:
                report.by_fault[fault] = report.by_fault.get(fault, 0) + 1
                yield RowFinding(line_of(), written, number, fault, evidence)


def _faults_of(db: sqlite3.Connection, number: str, terms: HygieneTerms) -> Iterator[tuple[ListFault, Wording]]:
    consent = consent_of(db, number)
    agrees = consent is not None and not consent.is_over(terms.now)
    yield from _by_plan(number, terms)
    if number_type_of(number) is NumberType.PREMIUM or PAY_PER_CALL.fullmatch(number):
        yield ListFault.PREMIUM, Wording("a premium-rate number: calls to it cost extra")
    yield from _by_people(db, number, consent if agrees else None)
    yield from _by_law(db, number, agrees, terms)
    yield from _by_calls(db, number, terms)


def _by_plan(number: str, terms: HygieneTerms) -> Iterator[tuple[ListFault, Wording]]:
    row = terms.plan.row_of(number, terms.now)
    if row is not None and row.purpose in NOBODYS:
        source = row.source.title if row.source else row.country
        yield (
            ListFault.UNALLOCATED,
            Wording(
                "numbers that begin with {prefix} are not assigned: {source}", {"prefix": row.prefix, "source": source}
            ),
        )
    elif row is None and not is_valid(number):
        yield ListFault.UNALLOCATED, Wording("the number's range is not assigned, according to libphonenumber")


def _by_people(db: sqlite3.Connection, number: str, consent: Consent | None) -> Iterator[tuple[ListFault, Wording]]:
    epoch, entry = epoch_of(db, number), do_not_call_of(db, number)
    if epoch is not None and (consent is None or consent.at < epoch.at):
        about = {"day": day(epoch.at), "who": epoch.who}
        yield ListFault.REASSIGNED, Wording("the number has had a new owner since {day}, recorded by {who}", about)
    if entry is not None and (consent is None or consent.at <= entry.at):
        yield (
            ListFault.DO_NOT_CALL,
            Wording(
                "the person asked on {day} not to be called, recorded by {who}",
                {"day": day(entry.at), "who": entry.person},
            ),
        )


def _by_law(
    db: sqlite3.Connection, number: str, agrees: bool, terms: HygieneTerms
) -> Iterator[tuple[ListFault, Wording]]:
    if agrees:
        return
    for copy in registers_with(db, number):
        yield (
            ListFault.REGISTER,
            Wording(
                "the number is on the register {register}, file of {day}",
                {"register": copy.name, "day": day(copy.file_at)},
            ),
        )
    law = law_of_number(number) if terms.needs_consent else None
    row = binding(law.consent, number, terms.now) if law else None
    if law is not None and row is not None:
        yield ListFault.NO_CONSENT, Wording("no consent is recorded, and {law} requires one", {"law": law.cite(row)})


def _by_calls(db: sqlite3.Connection, number: str, terms: HygieneTerms) -> Iterator[tuple[ListFault, Wording]]:
    calls = past_calls(db, number)
    arrived = [call for call in calls if call.arrived]
    if calls and calls[0].to_nobody:
        yield (
            ListFault.GONE,
            Wording("our call on {day} failed: unassigned number (cause 1)", {"day": day(calls[0].at)}),
        )
    elif len(arrived) >= terms.tries and not any(call.answered for call in arrived):
        about: Places = {"calls": len(arrived), "day": day(arrived[-1].at)}
        yield ListFault.NEVER_ANSWERS, Wording("no person answered our {calls} calls since {day}", about)
