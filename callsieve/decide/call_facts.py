"""The JSON that another switch sends about a call, how it becomes a request to the daemon, and the daemon's answer.

Texts from callers are cleaned in the same way as by the dialplan, but never refused. Otherwise a caller could avoid
screening with an unreadable name.
"""

import re
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from agi.answers import Variable
from agi.parsing import MAX_ID
from agi.protocol import Request
from agi.quoting import variables_in
from agi.screening import UNRECORDED
from policies.decision import ACTION_BY_WORD, FAIL_OPEN_RULE
from policies.outbound import Passage
from reputation.encoding import Instant
from reputation.model import ActionWord, Level
from reputation.site_names import own_name

# Characters and lengths that the dialplan lets through (asterisk-conf/callsieve.conf).
_DIALLED = re.compile(r"[^0-9A-Za-z+*#]")
_TRUNK = re.compile(r"[^0-9A-Za-z/_.:@+ -]")
_ASSERTED = re.compile(r"[^0-9A-Za-z+;=:@.-]")
_DIVERSION = re.compile(r"[^0-9A-Za-z+;:@.-]")
_WORD = re.compile(r"[^A-Za-z-]")
CALLER_CHARACTERS = 256
TRUNK_CHARACTERS = 128
ASSERTED_CHARACTERS = 160
DIVERSION_CHARACTERS = 120
# A caller chooses the Call-ID. With this prefix it can never equal the id of a call through Asterisk.
KEY_PREFIX = "sip:"


class CallFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An incoming call, with values as received. Texts that are too long are cut off.

    Attributes:
        caller: The user part of P-Asserted-Identity, else of From.
        name: The display name of the caller.
        did: The number that was dialled.
        trunk: The name of a [[trunk]], or a value that its `channels` match.
        withheld: Whether the caller withheld the number.
        verification: The result of checking the Identity header, if the switch itself has checked it.
        attestation: The attestation level in the Identity header.
        asserted: The URI of P-Asserted-Identity, else of From, for the carrier's `verstat`.
        diversion: The Diversion header.
        priority: The Priority header.
        call_id: The switch's id of the call, with which the switch can report the outcome later.
    """

    caller: str = ""
    name: str = ""
    did: str = ""
    trunk: str = ""
    withheld: bool = False
    verification: Literal["passed", "failed", "none"] = "none"
    attestation: Literal["A", "B", "C", "none"] = "none"
    asserted: str = ""
    diversion: str = ""
    priority: str = ""
    call_id: str = ""


def request_of(facts: CallFacts, fresh_id: str, key: str = "", *, record: bool = True) -> Request:
    """Return the request that the dialplan would send about this call.

    `fresh_id`: the call's id if the switch sent none. `key`: `[agi] key`. `record`: whether to record the decision.
    """
    arguments = {
        "key": key,
        "record": "" if record else UNRECORDED,
        "trunk": trunk_text_of(facts.trunk),
        "verification": "" if facts.verification == "none" else facts.verification,
        "attestation": "" if facts.attestation == "none" else facts.attestation,
        "uri": _ASSERTED.sub("", facts.asserted[:ASSERTED_CHARACTERS]),
        "diversion": _DIVERSION.sub("", facts.diversion[:DIVERSION_CHARACTERS]),
        "linkedid": id_of(facts.call_id or fresh_id),
        "pres": "prohib" if facts.withheld else "",
        "priority": _WORD.sub("", facts.priority)[:MAX_ID],
        "did": _DIALLED.sub("", facts.did)[:MAX_ID],
    }
    variables = {
        "agi_callerid": facts.caller[:CALLER_CHARACTERS],
        "agi_calleridname": facts.name[:CALLER_CHARACTERS],
    }
    return Request("screen", {name: value for name, value in arguments.items() if value}, variables)


class OutgoingFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An outgoing call, before it is made. Texts that are too long are cut off.

    Attributes:
        dialled: The number, without your prefix for an outside line.
        own_number: The number that the callee will see.
        caller: The extension of the person who calls, or the `endpoint` of a [[person]].
        trunk: The name of a [[trunk]], or a value that its `channels` match.
        sent: The number with the prefix that the trunk adds.
        call_id: The switch's id of the call, which `/outcomes` needs too.
    """

    dialled: str
    own_number: str = ""
    caller: str = ""
    trunk: str = ""
    sent: str = ""
    call_id: str = ""


def outbound_request_of(facts: OutgoingFacts, fresh_id: str, key: str = "") -> Request:
    """Return the request that the dialplan would send about this outgoing call."""
    arguments = {
        "key": key,
        "linkedid": id_of(facts.call_id or fresh_id),
        "endpoint": trunk_text_of(facts.caller),
        "trunk": trunk_text_of(facts.trunk),
        "own": _DIALLED.sub("", facts.own_number)[:MAX_ID],
        "sent": _DIALLED.sub("", facts.sent)[:MAX_ID],
        "did": _DIALLED.sub("", facts.dialled)[:MAX_ID],
    }
    return Request("outbound", {name: value for name, value in arguments.items() if value}, {})


def trunk_text_of(text: str) -> str:
    """Return the name of a trunk or phone without the characters that the dialplan removes."""
    return _TRUNK.sub("", text)[:TRUNK_CHARACTERS]


def linkedid_of(call_id: str) -> str:
    """Return the key under which the store keeps a call of another switch."""
    return own_name(id_of(call_id))


def id_of(call_id: str) -> str:
    """Return the id of another switch's call in the form of an Asterisk id. Long or unprintable ids are hashed."""
    key = KEY_PREFIX + call_id
    if len(key) <= MAX_ID and key.isascii() and key.isprintable():
        return key
    return KEY_PREFIX + sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[: MAX_ID - len(KEY_PREFIX)]


MOST_DIGITS, MOST_DIGITS_OF_TIME = 6, 11


class NoDecision(StrEnum):
    """The reason why the API answered `allow` without a decision of the daemon."""

    NOT_RUNNING = "the daemon is not running"
    TIMED_OUT = "the daemon did not answer in time"
    OVER_LIMIT = "too many calls at the same time"
    UNUSABLE = "the daemon sent an incomplete or unknown answer"
    FAILED = "the request to the daemon failed"


class CallAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decision about an incoming call.

    Attributes:
        action: The action that the switch should take.
        rule: The rule that decided; `fail-open` if no decision was possible, and then the action is `allow`.
        reason: The reason, in English.
        level: The strongest action that the evidence alone would justify.
        points: The reputation, in points.
        label: The tag of a tagged or warned call.
        name: The name to show, including the tag; empty: show the received name.
        route: The destination of a routed call, from `[actions] route`; empty: voicemail.
        sip_code: The SIP status with which to reject the call.
        id: The id of the decision, for `callsieve explain` and appeals.
        caller: The number of the caller, as CallSieve parsed it.
        appeal_address: The address at which the caller of a rejected call can appeal, for a Call-Info header; empty
            without `[public] in_answers`.
        whisper: The warning to speak to the callee.
    """

    action: ActionWord
    rule: str
    reason: str
    level: Annotated[str, msgspec.Meta(extra_json_schema={"enum": [level.word for level in Level]})] = "none"
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
    """The decision about an outgoing call.

    Attributes:
        action: `allow`, `hold` (not now) or `refuse`.
        rule: The rule that decided; `fail-open` if no decision was possible, and then the action is `allow`.
        reason: The reason, in English.
        until: The earliest time at which a held call is allowed.
        id: The id of the decision, for `callsieve own decisions`.
    """

    action: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["allow", "hold", "refuse"]})]
    rule: str
    reason: str
    until: Instant | None = None
    id: str | None = None


def outbound_fail_open(reason: str) -> OutboundAnswer:
    """Return the answer that allows an outgoing call without a decision."""
    return OutboundAnswer(action=Passage.ALLOW.word, rule=FAIL_OPEN_RULE, reason=str(reason))


def outbound_answer_of(raw: bytes) -> OutboundAnswer:
    """Parse the daemon's answer about an outgoing call. An incomplete or unreadable answer allows the call."""
    variables = variables_in(raw)
    action, rule = variables.get(Variable.OUTBOUND, ""), variables.get(Variable.OUTBOUND_RULE, "")
    if rule == FAIL_OPEN_RULE:
        return outbound_fail_open(variables.get(Variable.OUTBOUND_REASON, ""))
    # The action comes last in the daemon's answer. So a truncated answer has none.
    if not raw.endswith(b"\n") or action not in {passage.word for passage in Passage}:
        return outbound_fail_open(NoDecision.UNUSABLE)
    return OutboundAnswer(
        action=action,
        rule=rule,
        reason=variables.get(Variable.OUTBOUND_REASON, ""),
        until=_whole_number(variables.get(Variable.OUTBOUND_UNTIL, ""), MOST_DIGITS_OF_TIME),
        id=variables.get(Variable.OUTBOUND_ID) or None,
    )


def fail_open(reason: str) -> CallAnswer:
    """Return the answer that allows an incoming call without a decision."""
    return CallAnswer(action="allow", rule=FAIL_OPEN_RULE, reason=str(reason))


def answer_of(raw: bytes) -> CallAnswer:
    """Parse the daemon's answer about an incoming call. An incomplete or unreadable answer allows the call."""
    variables = {name.lstrip("_"): value for name, value in variables_in(raw).items()}

    def value_of(variable: str) -> str:
        return variables.get(variable.lstrip("_"), "")

    action, rule = value_of(Variable.ACTION), value_of(Variable.RULE)
    if rule == FAIL_OPEN_RULE:
        return fail_open(value_of(Variable.REASON))
    # The action comes last, as in `outbound_answer_of`.
    if not raw.endswith(b"\n") or action not in ACTION_BY_WORD:
        return fail_open(NoDecision.UNUSABLE)
    return CallAnswer(
        action=action,
        rule=rule,
        reason=value_of(Variable.REASON),
        level=value_of(Variable.LEVEL) or "none",
        points=_whole_number(value_of(Variable.POINTS)) or 0,
        label=value_of(Variable.LABEL),
        name=value_of(Variable.DISPLAY) or value_of(Variable.NAME),
        route=value_of(Variable.ROUTE),
        sip_code=_whole_number(value_of(Variable.SIP_CODE)),
        id=value_of(Variable.ID) or None,
        caller=value_of(Variable.CALLER) or None,
        appeal_address=value_of(Variable.APPEAL_ADDRESS),
        whisper=value_of(Variable.WHISPER),
    )


def _whole_number(text: str, most: int = MOST_DIGITS) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= most else None
