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

_Text = Annotated[str, msgspec.Meta(description="As it was received; what is too long is cut.")]


class CallFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One incoming call, as it was received.

    `caller`: the user part of P-Asserted-Identity, else of From. `name`: its display name. `did`: the number that was
    dialled. `trunk`: where the call came in: the name of a [[trunk]], or what `channels` of one matches. `withheld`:
    the caller asked not to be shown. `verification`, `attestation`: what the switch found by checking the Identity
    header itself. `asserted`: the URI of P-Asserted-Identity, else of From, for what the carrier found (verstat).
    `diversion`: the Diversion header. `priority`: the Priority header. `call_id`: the call's own id, by which the
    switch may tell later how the call ended.
    """

    caller: _Text = ""
    name: _Text = ""
    did: _Text = ""
    trunk: _Text = ""
    withheld: bool = False
    verification: Literal["passed", "failed", "none"] = "none"
    attestation: Literal["A", "B", "C", "none"] = "none"
    asserted: _Text = ""
    diversion: _Text = ""
    priority: _Text = ""
    call_id: _Text = ""


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
    """One of our outbound calls, before it goes out.

    `dialled`: the number, without your own prefix for an outside line. `sent`: the same with what the trunk puts before
    it. `own_number`: what it goes out with. `caller`: who of us calls, an extension or the `endpoint` of a [[person]].
    `trunk`: the name of a [[trunk]], or what its `channels` match. `call_id`: as it will be told of in `/outcomes`.
    """

    dialled: _Text
    own_number: _Text = ""
    caller: _Text = ""
    trunk: _Text = ""
    sent: _Text = ""
    call_id: _Text = ""


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
