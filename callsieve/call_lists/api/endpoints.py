"""Call lists, for programs: a dialler that cleans its list, a CRM that notes who agreed, and the proof of a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, Endpoint
from callsieve.api.fields import ChangeId, Done, NumberText, pages_of, record_of
from callsieve.api.paging import PageQuery, page_of, place_of
from callsieve.call_lists import consents
from callsieve.call_lists.comply import LawVersion, day_bounds, law_versions, proof_as_json, proof_of_day
from callsieve.call_lists.consents import TEXT_CHARACTERS, ConsentChange, ConsentRequest
from callsieve.call_lists.hygiene import (
    TRIES,
    Finding,
    HygieneTerms,
    ListFault,
    ListReport,
    finding_as_json,
    hygiene,
)
from callsieve.call_lists.registers import copy_age_as_json, copy_ages
from callsieve.changes.operation import Context, Refused, note
from callsieve.plan_files import plan_of
from reputation.api_tokens import Scope
from reputation.store.audit import Change
from reputation.store.consents import Consent, find_consents
from reputation.store.registers import StoredCopy
from reputation.users import Role
from reputation.wording import Wording

MOST_CONSENTS = 100_000
MOST_NUMBERS = 10_000  # a second or so
LIST_BYTES = 1 << 20
Line = Annotated[str, Meta(max_length=TEXT_CHARACTERS, description="One line.")]
When = Annotated[str, Meta(max_length=40, description="2026-12-31, or 2026-12-31T18:00.")]

ConsentRecord = record_of(
    "ConsentRecord", Consent, "Who agreed to be called. `until` null: it does not end.", is_over=bool
)
ConsentRecords = pages_of("ConsentRecords", ConsentRecord, "A page of the consents, the latest first.")
RegisterRecord = record_of(
    "RegisterRecord",
    StoredCopy,
    "Our copy of a national do-not-call register. `too_old`: the law (`law`) wants one of at most `max_days` days.",
    age_days=int,
    max_days=int | None,
    too_old=bool,
    law=str,
)
LawFileRecord = record_of("LawFileRecord", LawVersion, "The law file of a country: when it was read, and its SHA-256.")


class NewConsent(ApiStruct, frozen=True):
    """Who agreed, and what proves it. `at` null: now; `until` null: it does not end."""

    number: NumberText
    proof: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS, description="One line.")]
    at: When | None = None
    until: When | None = None
    note: Line = ""


class ConsentNoted(ApiStruct, frozen=True):
    """The consent as it is kept."""

    change_id: ChangeId | None
    consent: ConsentRecord  # type: ignore[valid-type]


class Registers(ApiStruct, frozen=True):
    """All copies in force."""

    registers: list[RegisterRecord]  # type: ignore[valid-type]


class ListToCheck(ApiStruct, frozen=True):
    """Numbers of a call list. `tries`: so many calls without an answer are enough."""

    numbers: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(min_length=1, max_length=MOST_NUMBERS)]
    needs_consent: bool = False
    tries: Annotated[int, Meta(ge=1, le=100)] = TRIES


class ListFinding(ApiStruct, frozen=True):
    """A number that is to go. `line`: its place in the list, the first is 1; `written`: as it was sent."""

    line: int
    written: str
    number: str | None
    reason: ListFault
    evidence: str


class ListChecked(ApiStruct, frozen=True):
    """What was found, as `callsieve own hygiene --json` has it; and `clean`, the numbers that may stay."""

    rows: int
    kept: int
    by_reason: dict[str, int]
    findings: list[ListFinding]
    clean: list[str]


class LawFiles(ApiStruct, frozen=True):
    """All countries that there is a law file of."""

    laws: list[LawFileRecord]  # type: ignore[valid-type]


class ComplianceOfDay(ApiStruct, frozen=True):
    """What the outbound guard checked on a day, as `callsieve own comply --json` has it: called numbers are masked."""

    day: str
    first: str
    last: str
    made_at: str
    version: str
    settings: dict[str, Any]
    asked: int
    went_out: int
    failed_open: int
    without_guard: int
    rules: list[dict[str, Any]]
    registers: list[dict[str, Any]]
    laws: list[LawFileRecord]  # type: ignore[valid-type]
    consents: int
    do_not_call: int
    calls: list[dict[str, Any]]
    unguarded: list[dict[str, Any]]


def show_consents(db: sqlite3.Connection, context: Context, asked: Asked[PageQuery, None]) -> dict[str, Any]:
    """Who agreed."""
    after = place_of(asked.query.cursor, tuple[float, str])
    found, _ = find_consents(db, limit=MOST_CONSENTS)
    rows = [one for one in found if after is None or _place(one) > after]
    shown, following = page_of(rows, asked.query.limit, _place)
    return {"items": [_consent(one, context) for one in shown], "next": following}


def add_consent(db: sqlite3.Connection, context: Context, asked: Asked[None, NewConsent]) -> dict[str, Any]:
    """Somebody agreed."""
    new = asked.body
    return _noted(
        consents.add(db, context, ConsentRequest(new.number, new.proof, new.at, new.until, new.note)), context
    )


def remove_consent(db: sqlite3.Connection, context: Context, asked: Asked[None, None]) -> Done:
    """Somebody agrees no more."""
    return Done(change_id=consents.remove(db, context, asked.path["number"]).change_id)


def show_registers(db: sqlite3.Connection, context: Context, _asked: Asked[None, None]) -> dict[str, Any]:
    """The copies, with their age."""
    return {"registers": [copy_age_as_json(one) for one in copy_ages(db, context.at)]}


async def check_list(req: ApiRequest[None, ListToCheck]) -> dict[str, Any]:
    """Checks a list, which the audit notes."""
    sent, loaded = req.asked.body, req.state.loaded
    terms = HygieneTerms(
        region=loaded.settings.numbers.region,
        now=req.context.at,
        plan=plan_of(loaded),
        needs_consent=sent.needs_consent or loaded.settings.outbound.needs_consent,
        tries=sent.tries,
    )
    report, findings, clean = await req.state.slow_store.read(_checked, sent.numbers, terms)
    faults = {fault.value: report.by_fault[fault] for fault in ListFault if fault in report.by_fault}
    await req.perform(note, Change("own hygiene", name="API", after={"rows": report.rows, **faults}))
    found = [finding_as_json(one) for one in findings]
    return {"rows": report.rows, "kept": report.kept, "by_reason": faults, "findings": found, "clean": clean}


def show_laws(_db: sqlite3.Connection, _context: Context, _asked: Asked[None, None]) -> dict[str, Any]:
    """The law files as they are installed."""
    return {"laws": [one._asdict() for one in law_versions()]}


async def show_compliance(req: ApiRequest[None, None]) -> dict[str, Any]:
    """What was checked on a day. A day of 10,000 calls is several MB, and takes a while."""
    bounds = day_bounds(req.asked.path["day"])
    if bounds is None:
        raise Refused("bad-day", Wording("takes a day, as 2026-12-31"), "day")
    settings, now = req.state.loaded.settings, req.context.at
    proof = await req.state.slow_store.read(proof_of_day, settings, *bounds, now)
    return proof_as_json(proof, whole_numbers=False)


def _checked(
    db: sqlite3.Connection, numbers: list[str], terms: HygieneTerms
) -> tuple[ListReport, list[Finding], list[str]]:
    report, clean, place = ListReport(), list[str](), 0

    def rows() -> Iterator[tuple[str, ...]]:
        nonlocal place
        for number in numbers:
            place += 1
            yield (number,)

    findings = list(hygiene(db, rows(), lambda: place, terms, report, clean.append))
    return report, findings, clean


def _noted(done: ConsentChange, context: Context) -> dict[str, Any]:
    return {"change_id": done.change_id, "consent": _consent(done.consent, context)}


def _consent(one: Consent, context: Context) -> dict[str, Any]:
    return {**one._asdict(), "is_over": one.is_over(context.at)}


def _place(one: Consent) -> tuple[float, str]:
    return -one.at, one.number


ENDPOINTS = (
    Endpoint(
        "GET",
        "/consents",
        show_consents,
        Scope.READ,
        Role.OPERATOR,
        ConsentRecords,
        "Who agreed to be called.",
        query=PageQuery,
    ),
    Endpoint(
        "POST",
        "/consents",
        add_consent,
        Scope.WRITE,
        Role.OPERATOR,
        ConsentNoted,
        "Note that somebody agreed to be called.",
        body=NewConsent,
        example=NewConsent(number="+12015550123", proof="form 17 of 2026-11-02"),
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/consents/{number}",
        remove_consent,
        Scope.WRITE,
        Role.OPERATOR,
        Done,
        "Somebody agrees no more to be called.",
    ),
    Endpoint(
        "GET",
        "/registers",
        show_registers,
        Scope.READ,
        Role.VIEWER,
        Registers,
        "Our copies of national do-not-call registers, and how old they are.",
    ),
    Endpoint(
        "POST",
        "/call-lists/check",
        check_list,
        Scope.READ,
        Role.OPERATOR,
        ListChecked,
        "Which numbers of a call list are to go, and why.",
        body=ListToCheck,
        example=ListToCheck(numbers=["+12015550123", "+12015550124"]),
        most_bytes=LIST_BYTES,
        keeps_answer=False,
    ),
    Endpoint(
        "GET",
        "/laws",
        show_laws,
        Scope.READ,
        Role.VIEWER,
        LawFiles,
        "The law files that calls are checked by.",
    ),
    Endpoint(
        "GET",
        "/compliance/{day}",
        show_compliance,
        Scope.READ,
        Role.OPERATOR,
        ComplianceOfDay,
        "What the outbound guard checked on a day, by which rules, sources and files.",
    ),
)
