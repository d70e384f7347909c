"""Authorities that accept complaints about calls, and the fields of their forms.

Authorities change their forms: READ is the day on which the forms were read. The field `not_read` of an authority says
what could not be read.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from callsieve.text.times import day, when_with_zone
from reputation.encoding import Instant
from reputation.model import Mark, Verdict
from reputation.store.calls import CallFilter, CallRow, find_calls
from reputation.store.evidence_rows import live_marks_of
from reputation.wording import Places, Wording, listed

READ = "2026-11-27"


class ComplaintFieldKind(StrEnum):
    """The data that a field of a complaint form asks for."""

    CALLER = "caller"
    CALLED_AT = "called-at"
    OUR_NUMBER = "our-number"
    TALKED = "talked"
    KIND = "kind"
    RECORDED = "recorded"
    DESCRIPTION = "description"
    YOURS = "yours"  # only the person who complains knows it


@dataclass(frozen=True, slots=True)
class ComplaintField:
    """A field of a complaint form. `required`: whether the form requires the field."""

    kind: ComplaintFieldKind
    label: Wording
    required: bool = False


@dataclass(frozen=True, slots=True)
class ComplaintSource:
    """A web page from which the fields of a form were read. `official`: whether it is the authority's own page."""

    title: str
    url: str
    official: bool


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that accepts complaints about calls, its kind of calls, and the language in which to write to it."""

    name: Wording
    site: str
    language: str
    takes: Wording
    not_read: Wording
    fields: tuple[ComplaintField, ...]
    sources: tuple[ComplaintSource, ...]


_CALLER = ComplaintField(ComplaintFieldKind.CALLER, Wording("The number that called"))
_CALLED_AT = ComplaintField(ComplaintFieldKind.CALLED_AT, Wording("Date and time of the call"))
_DESCRIPTION = ComplaintField(ComplaintFieldKind.DESCRIPTION, Wording("What happened"))

AUTHORITIES: Mapping[str, Authority] = {
    "12321": Authority(
        name=Wording("12321, China's centre for complaints about spam"),
        site="https://www.12321.cn",
        language="zh",
        takes=Wording("Unwanted and fraudulent calls to numbers in mainland China."),
        not_read=Wording(
            "We could not view the authority's form: it asks for a code that is sent to a mobile number. "
            "Its fields may differ."
        ),
        fields=(
            _CALLER,
            _CALLED_AT,
            ComplaintField(ComplaintFieldKind.TALKED, Wording("How long the call was")),
            ComplaintField(ComplaintFieldKind.KIND, Wording("Kind of call")),
            _DESCRIPTION,
            ComplaintField(ComplaintFieldKind.OUR_NUMBER, Wording("The number that was called")),
            ComplaintField(ComplaintFieldKind.YOURS, Wording("Your mobile number, for the code")),
        ),
        sources=(
            ComplaintSource(
                "12321助你高效投诉骚扰电话",
                "https://blob.wenxiaobai.com/article/18236881-afdd-7b07-b782-030a286a74aa",
                False,
            ),
            ComplaintSource("A request for the authority's form of 2018", "https://gist.github.com/genru", False),
        ),
    ),
    "ftc": Authority(
        name=Wording("FTC, the Federal Trade Commission of the USA"),
        site="https://www.donotcall.gov",
        language="en",
        takes=Wording(
            "Sales calls to a number that has been on the Do Not Call Registry for 31 days, and recorded messages to "
            "any number in the USA."
        ),
        not_read=Wording(
            "We have seen only the first page of the authority's form, and the instructions of the State of New York."
        ),
        fields=(
            ComplaintField(ComplaintFieldKind.OUR_NUMBER, Wording("The number that was called"), required=True),
            _CALLED_AT,
            _CALLER,
            ComplaintField(ComplaintFieldKind.RECORDED, Wording("A recorded message or robocall?")),
            ComplaintField(ComplaintFieldKind.KIND, Wording("Subject of the call")),
            ComplaintField(
                ComplaintFieldKind.YOURS,
                Wording("The seller of the goods or services, and other numbers that were named"),
            ),
            ComplaintField(
                ComplaintFieldKind.YOURS,
                Wording(
                    "Had you allowed the calls, or done business with the caller? Since when is your "
                    "number on the registry?"
                ),
            ),
            _DESCRIPTION,
        ),
        sources=(
            ComplaintSource(
                "Submit a Complaint", "https://complaints.donotcall.gov/complaint/complaintcheck.aspx", True
            ),
            ComplaintSource(
                "Tips to Fill out the Do Not Call Form (New York Department of State)",
                "https://dos.ny.gov/tips-fill-out-do-not-call-form",
                False,
            ),
        ),
    ),
    "ofcom": Authority(
        name=Wording("Ofcom, the regulator of the United Kingdom"),
        site="https://www.ofcom.org.uk",
        language="en",
        takes=Wording(
            "Silent and abandoned calls only. Unwanted sales calls go to the Information Commissioner's Office, fraud "
            "to Action Fraud."
        ),
        not_read=Wording("Nobody has checked which fields are required, or whether the form has changed."),
        fields=(
            ComplaintField(ComplaintFieldKind.OUR_NUMBER, Wording("The number that was called")),
            _CALLED_AT,
            _CALLER,
            ComplaintField(ComplaintFieldKind.TALKED, Wording("Silent, or cut off when it was answered?")),
            ComplaintField(ComplaintFieldKind.YOURS, Wording("The company that provides your telephone service")),
            _DESCRIPTION,
        ),
        sources=(
            ComplaintSource("Silent and Abandoned Calls Complaint Monitoring", "http://ofcom.in/2aBTHS4", True),
            ComplaintSource(
                "Nuisance call complaints systems (Scottish Government)",
                "https://www.gov.scot/publications/effectiveness-actions-reduce-harm-nuisance-calls-scotland/pages/18/",
                False,
            ),
        ),
    ),
}


SHOWN_CALLS = 20
WIDTH = 76
Say = Callable[[str | Wording], str]

UNKNOWN = Wording("(not known here)")
FILL_IN = Wording("(please fill in yourself)")
TALKED = {
    "answered": Wording("answered, {seconds} s"),
    "no-answer": Wording("not answered"),
    "busy": Wording("busy"),
    "rejected": Wording("rejected by us"),
}
# Categories of marks in words that an authority knows.
KINDS = {
    "scam": Wording("fraud"),
    "fraud": Wording("fraud"),
    "telemarketing": Wording("advertising or sales"),
    "robocall": Wording("recorded message"),
}


@dataclass(frozen=True, slots=True)
class PreparedComplaint:
    """A complaint to an authority about one number: a value for each field of the form, and the calls, newest first."""

    number: str
    authority: Authority
    filled: tuple[tuple[ComplaintField, str | Wording], ...]
    calls: tuple[CallRow, ...]


def complaint_of(db: sqlite3.Connection, number: str, authority: Authority) -> PreparedComplaint:
    """Return a complaint about a number's latest call, filled in from the number's calls and marks."""
    calls = find_calls(db, CallFilter(number=number), None, SHOWN_CALLS)
    marks = [mark for mark in live_marks_of(db, number) if mark.verdict is Verdict.SPAM]
    filled = tuple((field, _known(field.kind, number, calls, marks)) for field in authority.fields)
    return PreparedComplaint(number, authority, filled, tuple(calls))


class FilledField(NamedTuple):
    """A field of a complaint with its value, in the chosen language."""

    kind: ComplaintFieldKind
    label: str
    required: bool
    value: str


class ComplaintCall(NamedTuple):
    """A call that a complaint is about."""

    at: Instant
    did: str | None
    disposition: str | None


class ShownComplaint(NamedTuple):
    """A complaint to an authority, in the chosen language. `read`: the day on which we read the authority's pages."""

    number: str
    authority: str
    site: str
    takes: str
    fields: tuple[FilledField, ...]
    calls: tuple[ComplaintCall, ...]
    read: str
    sources: tuple[ComplaintSource, ...]
    not_read: str


def complaint_shown(complaint: PreparedComplaint, say: Say) -> ShownComplaint:
    """Return the complaint as JSON values for scripts."""
    authority = complaint.authority
    return ShownComplaint(
        complaint.number,
        say(authority.name),
        authority.site,
        say(authority.takes),
        tuple(
            FilledField(field.kind, say(field.label), field.required, say(value)) for field, value in complaint.filled
        ),
        tuple(ComplaintCall(call.at, call.did, call.disposition) for call in complaint.calls),
        READ,
        authority.sources,
        say(authority.not_read),
    )


def complaint_text(complaint: PreparedComplaint, say: Say) -> str:
    """Return the complaint as text to copy."""
    authority = complaint.authority
    about: Places = {"number": complaint.number, "authority": authority.name}
    lines = [
        say(Wording("Complaint about {number} to {authority}", about)),
        authority.site,
        "",
        say(authority.takes),
        "",
    ]
    for field, value in complaint.filled:
        lines.append(f"{say(field.label)}{' *' if field.required else ''}: {say(value)}")
    if complaint.calls:
        lines += ["", say(Wording("Calls from the number to us, newest first:"))]
        lines += [f"  {_call_line(call, say)}" for call in complaint.calls]
    lines += ["", *(f"{line}" for line in sources_lines(authority, say))]
    return "\n".join(lines) + "\n"


def sources_lines(authority: Authority, say: Say) -> list[str]:
    """Return lines that say where the fields of the form were read, and what could not be read."""
    lines = [say(Wording("* Required."))] if any(field.required for field in authority.fields) else []
    lines.append(say(Wording("These fields were read on {day} in:", {"day": READ})))
    for source in authority.sources:
        origin = Wording("official") if source.official else Wording("not official")
        lines.append(f"  {source.title} ({say(origin)}): {source.url}")
    return [*lines, say(authority.not_read)]


def _known(kind: ComplaintFieldKind, number: str, calls: Sequence[CallRow], marks: Sequence[Mark]) -> str | Wording:
    last = calls[0] if calls else None
    categories = list(dict.fromkeys(mark.category for mark in marks if mark.category))
    match kind:
        case ComplaintFieldKind.CALLER:
            return number
        case ComplaintFieldKind.CALLED_AT:
            return when_with_zone(last.at) if last else UNKNOWN
        case ComplaintFieldKind.OUR_NUMBER:
            return (last and last.did) or UNKNOWN
        case ComplaintFieldKind.TALKED:
            return _talked(last) if last else UNKNOWN
        case ComplaintFieldKind.KIND:
            return listed([KINDS.get(category, category) for category in categories], "{some}, {more}") or UNKNOWN
        case ComplaintFieldKind.RECORDED:
            return Wording("yes, according to our people") if "robocall" in categories else UNKNOWN
        case ComplaintFieldKind.DESCRIPTION:
            return _description(calls, marks)
        case ComplaintFieldKind.YOURS:
            return FILL_IN


def _talked(call: CallRow) -> str | Wording:
    if call.voicemail_left:
        return Wording("left a message")
    words = TALKED.get(call.disposition or "")
    return Wording(words.template, {"seconds": round(call.talk_seconds or 0)}) if words else UNKNOWN


def _description(calls: Sequence[CallRow], marks: Sequence[Mark]) -> Wording:
    counted: Places = {
        "calls": f"{len(calls)}+" if len(calls) == SHOWN_CALLS else len(calls),
        "since": day(calls[-1].at) if calls else "-",
    }
    history = Wording("Calls since {since}: {calls}.", counted) if calls else Wording("No calls are recorded.")
    reasons = [mark.reason for mark in marks if mark.reason]
    if not reasons:
        return history
    return Wording(
        "{history} Our people wrote: {reasons}", {"history": history, "reasons": "; ".join(dict.fromkeys(reasons))}
    )


def _call_line(call: CallRow, say: Say) -> str:
    return f"{when_with_zone(call.at)}  {call.did or '-'}  {say(_talked(call))}"
