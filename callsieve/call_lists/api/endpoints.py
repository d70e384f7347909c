"""API endpoints that check call lists, and show consents, registers, laws and the compliance report of a day."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.call_lists import consents
from callsieve.call_lists.comply import DayProof, day_bounds, list_laws, masked_proof, proof_of_day
from callsieve.call_lists.consents import ConsentRequest
from callsieve.call_lists.hygiene import HygieneTerms, ListChecked, ListFault, ListReport, ListToCheck, hygiene
from callsieve.call_lists.registers import list_registers
from callsieve.changes.operation import Refused, note
from callsieve.plan_files import plan_of
from reputation.store.audit import Change
from reputation.users import Role, Scope
from reputation.wording import Wording

LIST_BYTES = 1 << 20
DayText = Annotated[
    str, Meta(min_length=1, max_length=40, description="A day, in the time zone of the PBX.", examples=["2026-11-26"])
]
AGREED = ConsentRequest("+12015550123", "form 17 of 2026-11-02")
NUMBERS = ListToCheck(("+12015550123", "+12015550124"))


async def check_list(req: ApiRequest, sent: ListToCheck) -> ListChecked:
    """Return the numbers to remove from a call list, with reasons. The audit records the check."""
    loaded = req.state.loaded
    terms = HygieneTerms(
        region=loaded.settings.numbers.region,
        now=req.context.at,
        plan=plan_of(loaded),
        needs_consent=sent.needs_consent or loaded.settings.outbound.needs_consent,
        tries=sent.tries,
    )
    checked = await req.state.slow_store.read(_checked, sent.numbers, terms)
    faults = {fault.value: count for fault, count in checked.by_fault.items()}
    await req.perform(note, Change("own hygiene", name="API", after={"rows": checked.rows, **faults}))
    return checked


async def show_compliance(req: ApiRequest, day: DayText) -> DayProof:
    """Return the compliance report of a day: outgoing calls with the checked rules, and calls without a check."""
    bounds = day_bounds(day)
    if bounds is None:
        raise Refused("bad-day", Wording("must be a date such as 2026-12-31"), "day")
    return masked_proof(
        await req.state.slow_store.read(proof_of_day, req.state.loaded.settings, *bounds, req.context.at)
    )


def _checked(db: sqlite3.Connection, numbers: tuple[str, ...], terms: HygieneTerms) -> ListChecked:
    report, clean, place = ListReport(), list[str](), 0

    def rows() -> Iterator[tuple[str, ...]]:
        nonlocal place
        for number in numbers:
            place += 1
            yield (number,)

    findings = list(hygiene(db, rows(), lambda: place, terms, report, clean.append))
    by_fault = {fault: report.by_fault[fault] for fault in ListFault if fault in report.by_fault}
    return ListChecked(report.rows, report.kept, by_fault, findings, clean)


ENDPOINTS = (
    endpoint("GET", "/consents", consents.list_consents, Scope.READ, Role.OPERATOR),
    endpoint("POST", "/consents", consents.add, Scope.WRITE, Role.OPERATOR, example=AGREED, status=201),
    endpoint("DELETE", "/consents/{number}", consents.remove, Scope.WRITE, Role.OPERATOR),
    endpoint("GET", "/registers", list_registers, Scope.READ, Role.VIEWER),
    endpoint(
        "POST",
        "/call-lists/check",
        check_list,
        Scope.READ,
        Role.OPERATOR,
        example=NUMBERS,
        most_bytes=LIST_BYTES,
        changes_nothing=True,
    ),
    endpoint("GET", "/laws", list_laws, Scope.READ, Role.VIEWER),
    endpoint("GET", "/compliance/{day}", show_compliance, Scope.READ, Role.OPERATOR),
)
