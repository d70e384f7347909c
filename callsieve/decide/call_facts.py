"""What another switch tells of a call, as JSON, and the request that it makes to the daemon. Pure.

The switch passes on what it received. What came from a caller is cleaned here as our dialplan cleans it for Asterisk,
and never refused: a caller could else have its calls go unscreened with a name that nobody can read.
"""

from __future__ import annotations

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

# What our dialplan lets through of each (asterisk-conf/callsieve.conf), and how much of it.
_DIALLED = re.compile(r"[^0-9A-Za-z+*#]")
_TRUNK = re.compile(r"[^0-9A-Za-z/_.:@+ -]")
_ASSERTED = re.compile(r"[^0-9A-Za-z+;=:@.-]")
_DIVERSION = re.compile(r"[^0-9A-Za-z+;:@.-]")
_WORD = re.compile(r"[^A-Za-z-]")
CALLER_CHARACTERS = 256
TRUNK_CHARACTERS = 128
ASSERTED_CHARACTERS = 160
DIVERSION_CHARACTERS = 120
# Before the key of every such call: a caller who chooses a Call-ID cannot choose that of a call through Asterisk.
KEY_PREFIX = "sip:"


class CallFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One incoming call, as it was received. A text that is too long is cut.

    Attributes:
        caller: The user part of P-Asserted-Identity, else of From.
        name: Its display name.
        did: The number that was dialled.
        trunk: Where the call came in: the name of a [[trunk]], or what `channels` of one matches.
        withheld: The caller asked not to be shown.
        verification: What the switch found by checking the Identity header itself.
        attestation: The level that the header gave.
        asserted: The URI of P-Asserted-Identity, else of From, for what the carrier found (verstat).
        diversion: The Diversion header.
        priority: The Priority header.
        call_id: The call's own id, by which the switch may tell later how the call ended.
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
    """What the dialplan would ask about this call. `fresh_id` is its id where the switch gives none.

    `key`: `[agi] key`, where the settings have one. `record`: whether the daemon is to record its decision.
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
    """One of our outbound calls, before it goes out. A text that is too long is cut.

    Attributes:
        dialled: The number, without your own prefix for an outside line.
        own_number: The number that it shows.
        caller: Who of us calls: an extension, or the `endpoint` of a [[person]].
        trunk: The name of a [[trunk]], or what its `channels` match.
        sent: The number with what the trunk puts before it.
        call_id: The call's own id, as it will be told of in `/outcomes`.
    """

    dialled: str
    own_number: str = ""
    caller: str = ""
    trunk: str = ""
    sent: str = ""
    call_id: str = ""


def outbound_request_of(facts: OutgoingFacts, fresh_id: str, key: str = "") -> Request:
    """Return what the dialplan would ask about this call."""
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
    """What a switch says of where a call came in, cleaned."""
    return _TRUNK.sub("", text)[:TRUNK_CHARACTERS]


def linkedid_of(call_id: str) -> str:
    """Return the key of a call of another switch in our store."""
    return own_name(id_of(call_id))


def id_of(call_id: str) -> str:
    """Return the id of a call of another switch, as Asterisk would tell one of its own: `linkedid_of` is made of it.

    One that is too long, or no plain text, is known by its hash.
    """
    key = KEY_PREFIX + call_id
    if len(key) <= MAX_ID and key.isascii() and key.isprintable():
        return key
    return KEY_PREFIX + sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[: MAX_ID - len(KEY_PREFIX)]


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

    Attributes:
        action: What to do.
        rule: What decided; `fail-open` where nothing did, and then the action is allow.
        reason: Why, in English.
        level: What the evidence alone would justify.
        points: The evidence as people see it.
        label: The prefix of a tagged or warned call.
        name: The name to show, with the label; empty: as it was received.
        route: Where a routed call goes, as `[actions] route` has it; empty: to voicemail.
        sip_code: How a call is turned away.
        id: The decision, for `callsieve explain` and appeals.
        caller: The number that was read.
        appeal_address: Where the caller of a rejected call may appeal, for a Call-Info header; empty without
            `[public] in_answers`.
        whisper: What a warned callee would be told.
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
    """Whether one of our calls may go out now.

    Attributes:
        action: Allow, hold (not now) or refuse.
        rule: What decided; `fail-open` where nothing did, and then the action is allow.
        reason: Why, in English.
        until: Of a held call the earliest good time.
        id: The decision, for `callsieve own decisions`.
    """

    action: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["allow", "hold", "refuse"]})]
    rule: str
    reason: str
    until: Instant | None = None
    id: str | None = None


def outbound_fail_open(reason: str) -> OutboundAnswer:
    """Return the answer that lets the call go out."""
    return OutboundAnswer(action=Passage.ALLOW.word, rule=FAIL_OPEN_RULE, reason=str(reason))


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
    return CallAnswer(action="allow", rule=FAIL_OPEN_RULE, reason=str(reason))


def answer_of(raw: bytes) -> CallAnswer:
    """Parse the daemon's answer. Return fail-open for anything but a complete decision."""
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
