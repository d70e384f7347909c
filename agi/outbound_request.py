"""`/outbound`: from the request to the call that wants to go out, and from the decision to what is kept of it."""

from __future__ import annotations

from agi.parsing import linkedid_of
from agi.protocol import Request
from agi.site import Site
from policies.outbound import FAIL_OPEN_RULE, OutboundDecision, OutgoingCall, Passage, day_of
from policies.reasons import why_of_failure
from reputation.numbers import Number, is_emergency, number_of, whole_number_of
from reputation.own.outbound_types import OutboundRecord

MAX_ENDPOINT = 80
# What makes a number international belongs to it, whoever puts it there: E.164, and the exit codes of most countries.
INTERNATIONAL = ("+", "00", "011")


def outgoing_call_of(request: Request, site: Site) -> OutgoingCall:
    """The call that `/outbound` is asked about. Numbers are read as the trunk writes them.

    `trunk=` is its name, or a channel of it where the dialplan is generated and knows no names of ours.
    """
    arguments = request.arguments
    trunk = arguments.get("trunk") or None
    region = site.region_of(site.described_trunk(trunk) or trunk if trunk else None)
    dialled, sent = arguments.get("did", ""), arguments.get("sent", "")
    emergency = any(is_emergency(text, of) for text in (dialled, sent) for of in (region, site.region))
    return OutgoingCall(
        linkedid=linkedid_of(request),
        callee=None if emergency else _called(dialled, sent, region),
        is_emergency=emergency,
        own_number=number_of(arguments.get("own", ""), region),
        endpoint=arguments.get("endpoint", "")[:MAX_ENDPOINT] or None,
    )


def _called(dialled: str, sent: str, region: str) -> Number | None:
    """The number called: as it is dialled, else with what the trunk puts before it, which may be a carrier's code."""
    added = sent.removesuffix(dialled)
    first, second = (sent, dialled) if added.startswith(INTERNATIONAL) else (dialled, sent)
    return whole_number_of(first, region) or whole_number_of(second, region)


def outbound_record(
    decision_id: str, call: OutgoingCall, decision: OutboundDecision, site: Site, now: float, elapsed_ms: float
) -> OutboundRecord:
    """The decision as it is kept."""
    return OutboundRecord(
        id=decision_id,
        at=now,
        linkedid=call.linkedid,
        callee=None if call.callee is None else call.callee.key,
        day=day_of(call, site.outbound, now),
        own_number=call.own_number,
        person=call.endpoint,
        action=decision.action.word,
        would_be=decision.would_be.word,
        rule=decision.rule,
        reason=decision.reason.kept,
        until=decision.until,
        elapsed_ms=elapsed_ms,
    )


def outbound_fail_open(reason: str) -> OutboundDecision:
    """The decision when there was none in time: the call goes out as if we were not there."""
    return OutboundDecision(action=Passage.ALLOW, rule=FAIL_OPEN_RULE, reason=why_of_failure(reason))
