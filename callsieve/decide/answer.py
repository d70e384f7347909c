"""What another switch is told to do with a call: the daemon's answer, or that the call goes on without one. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from agi.answers import Variable
from agi.quoting import variables_in
from policies.decision import ACTION_BY_WORD, FAIL_OPEN_RULE
from policies.outbound import Passage

MOST_DIGITS, MOST_DIGITS_OF_TIME = 6, 11


class NoDecision(StrEnum):
    """Why a call goes on without a decision of the daemon's. The daemon has reasons of its own."""

    NOT_THERE = "the daemon is not there"
    TIMED_OUT = "the daemon did not answer in time"
    OVER_LIMIT = "too many calls at once"
    SENSELESS = "the daemon's answer makes no sense"
    FAILED = "asking the daemon failed"


class CallAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the call.

    `action`: allow, tag, warn, challenge, route or reject. `rule`: what decided; `fail-open` where nothing did, and
    then the action is allow. `reason`: why, in English. `level`, `points`: the evidence against the caller. `label`:
    the prefix of a tagged or warned call; `name`: the name to show, with it (empty: as it was received). `route`:
    where a routed call goes, as `[actions] route` has it (empty: to voicemail). `sip_code`: how a call is turned away.
    `id`: the decision, for `callsieve explain` and appeals. `appeal_address`: where the caller of a rejected call may
    appeal, for a Call-Info header (empty without `[public] in_answers`). `caller`: the number that was read.
    `whisper`: what a warned callee would be told.
    """

    action: str
    rule: str
    reason: str
    level: str = "none"
    points: int = 0
    label: str = ""
    name: str = ""
    route: str = ""
    sip_code: int | None = None
    id: str | None = None
    caller: str | None = None
    appeal_address: str = ""
    whisper: str = ""


class OutboundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Return whether one of our calls may go out now.

    `action`: allow, hold (not now) or refuse. `rule`: what decided; `fail-open` where nothing did, and then the action
    is allow. `until`: of a held call the earliest good time, UTC seconds. `id`: the decision, for `callsieve own
    decisions`.
    """

    action: str
    rule: str
    reason: str
    until: int | None = None
    id: str | None = None


def outbound_fail_open(reason: str) -> OutboundAnswer:
    """Return the answer that lets the call go out."""
    return OutboundAnswer(action=Passage.ALLOW.word, rule=FAIL_OPEN_RULE, reason=reason)


def outbound_answer_of(raw: bytes) -> OutboundAnswer:
    """Return what the daemon said. Whatever is not a whole decision is fail-open."""
    said = variables_in(raw)
    action, rule = said.get(Variable.OUTBOUND, ""), said.get(Variable.OUTBOUND_RULE, "")
    if rule == FAIL_OPEN_RULE:
        return outbound_fail_open(said.get(Variable.OUTBOUND_REASON, ""))
    # The action goes last in the daemon's answer: one that was cut has none.
    if not raw.endswith(b"\n") or action not in {one.word for one in Passage}:
        return outbound_fail_open(NoDecision.SENSELESS)
    return OutboundAnswer(
        action=action,
        rule=rule,
        reason=said.get(Variable.OUTBOUND_REASON, ""),
        until=_whole_number(said.get(Variable.OUTBOUND_UNTIL, ""), MOST_DIGITS_OF_TIME),
        id=said.get(Variable.OUTBOUND_ID) or None,
    )


def fail_open(reason: str) -> CallAnswer:
    """The call goes on."""
    return CallAnswer(action="allow", rule=FAIL_OPEN_RULE, reason=reason)


def answer_of(raw: bytes) -> CallAnswer:
    """What the daemon said, in full. Whatever is not a whole decision is fail-open."""
    variables = {name.lstrip("_"): value for name, value in variables_in(raw).items()}

    def said(variable: str) -> str:
        return variables.get(variable.lstrip("_"), "")

    action, rule = said(Variable.ACTION), said(Variable.RULE)
    if rule == FAIL_OPEN_RULE:
        return fail_open(said(Variable.REASON))
    # The action goes last in the daemon's answer: one that was cut has none.
    if not raw.endswith(b"\n") or action not in ACTION_BY_WORD:
        return fail_open(NoDecision.SENSELESS)
    return CallAnswer(
        action=action,
        rule=rule,
        reason=said(Variable.REASON),
        level=said(Variable.LEVEL) or "none",
        points=_whole_number(said(Variable.POINTS)) or 0,
        label=said(Variable.LABEL),
        name=said(Variable.DISPLAY) or said(Variable.NAME),
        route=said(Variable.ROUTE),
        sip_code=_whole_number(said(Variable.SIP_CODE)),
        id=said(Variable.ID) or None,
        caller=said(Variable.CALLER) or None,
        appeal_address=said(Variable.APPEAL_ADDRESS),
        whisper=said(Variable.WHISPER),
    )


def _whole_number(text: str, most: int = MOST_DIGITS) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= most else None
