"""How a decision of the outbound guard is shown in a terminal."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from callsieve.cli.options import print_json
from callsieve.cli.output import bold, print_pairs, say
from callsieve.text.times import when, when_exactly
from policies.reasons import OutboundReason, why_of
from reputation.own.outbound_types import OutboundRecord

COLOUR_BY_PASSAGE = {"allow": "green", "hold": "yellow", "refuse": "red"}
# What is said of a call that went out by default.
TOLD_THOUGH_ALLOWED = (OutboundReason.ADVISED_AGAINST, OutboundReason.OLD_REGISTER)


def outbound_as_json(record: OutboundRecord) -> dict[str, Any]:
    """A decision of the outbound guard."""
    why = why_of(record.reason)
    return {**record._asdict(), "reason": str(why), "reason_code": why.code}


def show_one(record: OutboundRecord, *, as_json: bool) -> None:
    """One decision with all that is kept of it."""
    if as_json:
        print_json(outbound_as_json(record))
        return
    say(bold(record.id), "  ", when_exactly(record.at), "  an outbound call")
    say()
    observed = record.would_be != record.action
    print_pairs(
        [
            ("action", record.action),
            ("would be", f"{record.would_be} (the guard only observes)" if observed else ""),
            ("rule", record.rule),
            ("reason", str(why_of(record.reason))),
            ("better from", when(record.until) if record.until else ""),
            ("to", callee_words(record)),
            ("from", record.own_number or ""),
            ("by", record.person or ""),
            ("linkedid", record.linkedid),
            ("took", f"{record.elapsed_ms:.1f} ms"),
        ]
    )


def callee_words(record: OutboundRecord) -> str:
    """Whom the call is to, as far as it is kept."""
    return record.callee or ("emergency" if record.rule == "emergency" else "no number")


def rule_words(record: OutboundRecord) -> str:
    """The rule and its reason; nothing where nothing speaks against the call."""
    if record.rule == "default" and why_of(record.reason).reason not in TOLD_THOUGH_ALLOWED:
        return ""
    return f"{record.rule}: {why_of(record.reason)}" + (
        f"; better from {when(record.until)} on" if record.until else ""
    )


def passage_words(action: str, would_be: str) -> Text:
    """What was done; in brackets what would have been done where the guard only observed."""
    word = Text(would_be, style=COLOUR_BY_PASSAGE.get(would_be, ""))
    return word if action == would_be else Text.assemble("(", word, ")")
