"""What the numbering plans say, as people and scripts read it. Pure."""

from __future__ import annotations

from typing import Any

from reputation.plan.rows import PlanFile, PlanRow, Purpose
from reputation.wording import Wording

# What the numbers of a range are, in words.
PURPOSE_WORDS = {
    Purpose.TELEMARKETING: Wording("telemarketing"),
    Purpose.CALL_CENTRE: Wording("call centre"),
    Purpose.BANK: Wording("bank service line"),
    Purpose.GOVERNMENT: Wording("government service line"),
    Purpose.SERVICE: Wording("service line"),
    Purpose.PREMIUM: Wording("premium rate"),
    Purpose.PERSONAL: Wording("personal number"),
    Purpose.VOIP: Wording("internet telephony"),
    Purpose.MACHINE: Wording("machines"),
    Purpose.UNALLOCATED: Wording("unallocated"),
    Purpose.DO_NOT_ORIGINATE: Wording("never calls"),
}


def range_of(row: PlanRow) -> str:
    """`+33162* (9 digits)`."""
    return f"{row.prefix}*{f' ({digits_of(row)})' if row.digits else ''}"


def digits_of(row: PlanRow) -> str:
    """`9 digits`: how many follow the calling code. Empty where the row does not say."""
    return f"{' or '.join(map(str, sorted(row.digits)))} digits" if row.digits else ""


def days_of(row: PlanRow) -> str:
    """Since when and until when, empty where the row does not say."""
    since = "" if row.valid_from is None else f"from {row.valid_from}"
    until = "" if row.valid_until is None else f"until {row.valid_until}"
    return " ".join(filter(None, (since, until)))


def row_as_json(row: PlanRow) -> dict[str, Any]:
    """A row for scripts."""
    return {
        "country": row.country,
        "prefix": row.prefix,
        "digits": sorted(row.digits),
        "purpose": row.purpose.value,
        "valid_from": row.valid_from,
        "valid_until": row.valid_until,
        "evidence": row.is_evidence,
        "source": None
        if row.source is None
        else {"title": row.source.title, "url": row.source.url, "read": row.source.read},
        "law": None if row.law is None else {"title": row.law.title, "url": row.law.url},
        "note": row.note,
        "own": row.is_own,
    }


def plan_as_json(plan: PlanFile, shipped: bool) -> dict[str, Any]:
    """A file for scripts, without its rows."""
    return {
        "country": plan.country,
        "calling_code": plan.calling_code,
        "read": plan.read,
        "ranges": len(plan.rows),
        "evidence": sum(row.is_evidence for row in plan.rows),
        "sources": len(plan.sources),
        "own": plan.adds,
        "shipped": shipped,
    }
