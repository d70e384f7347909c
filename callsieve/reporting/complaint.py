"""A complaint about one number, prepared for an authority: what we know stands beside what it asks for.

Nothing is sent. Nobody of ours is named: who complains writes that in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from callsieve.reporting.authorities import READ, Authority, ComplaintField, ComplaintFieldKind
from callsieve.text.times import day, when_there
from reputation.model import Mark, Verdict
from reputation.store.calls import CallFilter, CallRow, find_calls
from reputation.store.evidence_rows import live_marks_of
from reputation.wording import Places, Wording, listed

SHOWN_CALLS = 20
WIDTH = 76
Say = Callable[[str | Wording], str]

UNKNOWN = Wording("(not known here)")
FILL_IN = Wording("(yours to fill in)")
TALKED = {
    "answered": Wording("answered, {seconds} s"),
    "no-answer": Wording("not answered"),
    "busy": Wording("busy"),
    "rejected": Wording("turned away by us"),
}
# Kinds of calls that our people write, and others, in words that an authority knows.
KINDS = {
    "scam": Wording("fraud"),
    "fraud": Wording("fraud"),
    "telemarketing": Wording("advertising or sales"),
    "robocall": Wording("recorded message"),
}


@dataclass(frozen=True, slots=True)
class PreparedComplaint:
    """About one number. `filled`: each field of the authority with what we know; `calls`: the latest first."""

    number: str
    authority: Authority
    filled: tuple[tuple[ComplaintField, str | Wording], ...]
    calls: tuple[CallRow, ...]


def complaint_of(db: sqlite3.Connection, number: str, authority: Authority) -> PreparedComplaint:
    """What is known of the number, for this authority. Its latest call is the one that is complained of."""
    calls = find_calls(db, CallFilter(number=number), None, SHOWN_CALLS)
    marks = [mark for mark in live_marks_of(db, number) if mark.verdict is Verdict.SPAM]
    filled = tuple((field, _known(field.kind, number, calls, marks)) for field in authority.fields)
    return PreparedComplaint(number, authority, filled, tuple(calls))


def complaint_text(complaint: PreparedComplaint, say: Say) -> str:
    """All of it as text to copy."""
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
        lines += ["", say(Wording("Its calls here, the latest first:"))]
        lines += [f"  {_call_line(call, say)}" for call in complaint.calls]
    lines += ["", *(f"{line}" for line in sources_lines(authority, say))]
    return "\n".join(lines) + "\n"


def sources_lines(authority: Authority, say: Say) -> list[str]:
    """What was read of what the authority asks for, and what was not."""
    lines = [say(Wording("* This must be there."))] if any(field.required for field in authority.fields) else []
    lines.append(say(Wording("What it asks for was read on {day} in:", {"day": READ})))
    for source in authority.sources:
        whose = Wording("its own") if source.official else Wording("not its own")
        lines.append(f"  {source.title} ({say(whose)}): {source.url}")
    return [*lines, say(authority.not_read)]


def _known(kind: ComplaintFieldKind, number: str, calls: Sequence[CallRow], marks: Sequence[Mark]) -> str | Wording:
    last = calls[0] if calls else None
    categories = list(dict.fromkeys(mark.category for mark in marks if mark.category))
    match kind:
        case ComplaintFieldKind.CALLER:
            return number
        case ComplaintFieldKind.CALLED_AT:
            return when_there(last.at) if last else UNKNOWN
        case ComplaintFieldKind.OUR_NUMBER:
            return (last and last.did) or UNKNOWN
        case ComplaintFieldKind.TALKED:
            return _talked(last) if last else UNKNOWN
        case ComplaintFieldKind.KIND:
            return listed([KINDS.get(one, one) for one in categories], "{some}, {more}") or UNKNOWN
        case ComplaintFieldKind.RECORDED:
            return Wording("yes, our people say") if "robocall" in categories else UNKNOWN
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
    """How often it called, and what our people wrote. Their reasons are theirs: who copies this reads it first."""
    counted: Places = {
        "calls": f"{len(calls)}+" if len(calls) == SHOWN_CALLS else len(calls),
        "since": day(calls[-1].at) if calls else "-",
    }
    said = Wording("Calls since {since}: {calls}.", counted) if calls else Wording("No call of it is kept here.")
    reasons = [mark.reason for mark in marks if mark.reason]
    if not reasons:
        return said
    return Wording("{said} Said of it: {reasons}", {"said": said, "reasons": "; ".join(dict.fromkeys(reasons))})


def _call_line(call: CallRow, say: Say) -> str:
    return f"{when_there(call.at)}  {call.did or '-'}  {say(_talked(call))}"
