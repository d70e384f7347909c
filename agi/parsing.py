"""From an AGI request to an IncomingCall: the edge where text from the network is read, once.

Arguments that give trust are made by the dialplan from Asterisk's own facts; the rest came from SIP and was
filtered there. The caller's number comes from the header block only (docs/reference/asterisk.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agi.protocol import ProtocolError, Request
from agi.site import Site, Trunk
from policies.decision import IncomingCall
from policies.outbound import FAIL_OPEN_RULE, OutboundDecision, OutgoingCall, Passage, day_of
from policies.reasons import why_of_failure
from reputation.model import Attestation, CallerKind, Verification
from reputation.numbers import Number, caller_of, did_number_of, is_emergency, number_of, whole_number_of
from reputation.own.outbound_types import OutboundRecord
from reputation.site_names import own_name

Said = tuple[Attestation, Verification]

NOTHING_SAID: Said = (Attestation.NONE, Verification.NONE)
_MOST = 200  # the dialplan stops at 160
_SCHEMES = ("sip:", "sips:", "tel:")
_VERSTAT = re.compile(r";verstat=([0-9a-z-]{1,40})", re.ASCII)
# 3GPP TS 24.229 and ATIS-1000074; the level behind it is usual, and in neither. A header of a carrier's own may have
# the level alone, as P-Attestation-Indicator does.
_WORD = re.compile(r"(?:tn-validation-(?P<outcome>passed|failed)(?:-(?P<level>[abc]))?|(?P<alone>[abc]))", re.ASCII)
_OUTCOMES = {"passed": Verification.PASSED, "failed": Verification.FAILED}


def said_beside(uri: str, number: str | None, region: str) -> Said:
    """What `verstat` in a URI says of the caller's number; nothing for a caller without one."""
    if "verstat" not in uri:  # nearly every call
        return NOTHING_SAID
    uri = uri[:_MOST].lower()
    words = set(_VERSTAT.findall(uri))
    if number is None or len(words) != 1 or not uri.startswith(_SCHEMES) or number_of(uri, region) != number:
        return NOTHING_SAID
    return said_by(words.pop())


def speaks(uri: str, header: str) -> bool:
    """Whether the carrier says anything of the call, also that it has not checked the caller.

    `header` is the carrier's own; where a call has none the dialplan hands over the URI of From in its place.
    """
    uri, header = uri.lower(), header.lower()
    return "verstat" in uri or "verstat" in header or (header != "" and not header.startswith(_SCHEMES))


def said_by(word: str) -> Said:
    """Parse a `verstat` value."""
    found = _WORD.fullmatch(word.lower())
    if found is None:
        return NOTHING_SAID
    level = found["level"] or found["alone"]
    attestation = Attestation(level.upper()) if level else Attestation.NONE
    return attestation, _OUTCOMES.get(found["outcome"] or "", Verification.NONE)


# STIR_SHAKEN(0,verify_result) -> outcome: Asterisk 22's response codes, and the sentences of 18 to 20 with their
# spaces filtered out. Only what speaks against the *caller* failed; a certificate that could not be fetched, or
# a clock that is off, says nothing about him and counts as not verified, like everything that is not here.
VERIFICATION = {
    "passed": Verification.PASSED,
    "success": Verification.PASSED,
    "Verificationpassed": Verification.PASSED,
    "failed": Verification.FAILED,
    "signature_validation": Verification.FAILED,
    "cid_orig_tn_mismatch": Verification.FAILED,
    "cert_not_trusted": Verification.FAILED,
    "Signaturefailed": Verification.FAILED,
    "Verificationmismatch": Verification.FAILED,
}
NOT_ATTESTED, NOT_VERIFIED = NOTHING_SAID
ATTESTATION = {"A": Attestation.A, "B": Attestation.B, "C": Attestation.C}

# What the answer to /screen says in CALLSIEVE_AUTH and the dialplan gives back: the auth class, and apart from the
# others a failed signature, after which no contact counts.
FAILED, UNKNOWN = "failed", "unknown"
AUTH = {
    "authenticated": (Attestation.A, Verification.PASSED),
    "unauthenticated": (Attestation.C, Verification.NONE),
    UNKNOWN: (Attestation.NONE, Verification.NONE),
    FAILED: (Attestation.NONE, Verification.FAILED),
}

# agi_* header fields say "unknown" where Asterisk has nothing.
NOTHING = ("", "unknown")
_FIRST_URI = re.compile(r"(?:sips?|tel):([^;:@]{1,64})")
MAX_ID = 64


def incoming_call_of(request: Request, site: Site) -> IncomingCall:
    """The call that `/screen` is asked about."""
    arguments, variables = request.arguments, request.variables
    trunk = _trunk_of(request, site)
    raw_number, name = variables.get("agi_callerid", ""), variables.get("agi_calleridname", "")
    name = "" if name in NOTHING else name
    caller = caller_of(raw_number, trunk.region, arguments.get("pres", ""), name)
    attestation, verification = _said_of(caller, arguments, trunk)
    priority_callback = arguments.get("priority", "").lower() == "psap-callback"
    diverted_from = _diverted_from(variables.get("agi_rdnis", ""), arguments.get("diversion", ""), trunk.region)
    return IncomingCall(  # by place: by keyword it takes three times as long
        linkedid_of(request),
        caller,
        did_of(arguments.get("did", ""), trunk.region),
        trunk.name,
        trunk.trusted,
        attestation,
        verification,
        priority_callback,
        diverted_from,
        name,
        withheld_number(caller, raw_number, trunk.region, site),
        trunk.carrier_counts,
    )


def _said_of(caller: Number, arguments: Mapping[str, str], trunk: Trunk) -> Said:
    """What the network says of the call: what Asterisk verified itself, else what the carrier did."""
    attestation = ATTESTATION.get(arguments.get("attestation", ""), NOT_ATTESTED)
    verification = VERIFICATION.get(arguments.get("verification", ""), NOT_VERIFIED)
    if verification is NOT_VERIFIED and trunk.carrier_counts and caller.key is not None:
        word = said_beside(arguments.get("uri", ""), caller.key, trunk.region)
        # A header of the carrier's own that the dialplan was told to read; From stands here where a call has none.
        header = arguments.get("header", "")
        if header and word == NOTHING_SAID:
            word = said_beside(header, caller.key, trunk.region)
            word = said_by(header) if word == NOTHING_SAID else word
        if word != NOTHING_SAID:
            return word
    return attestation, verification


def withheld_number(caller: Number, raw_number: str, region: str, site: Site) -> str | None:
    """The number that the trunk delivered of a caller who withholds it, where the settings let blocklists match it."""
    if not site.match_withheld or caller.kind is not CallerKind.WITHHELD:
        return None
    return number_of(raw_number, region)


def linkedid_of(request: Request) -> str:
    """Return the key of the call; that of the channel's own id when the dialplan did not pass it."""
    return own_name((request.arguments.get("linkedid") or request.variables.get("agi_uniqueid", ""))[:MAX_ID])


def did_of(text: str, region: str) -> str | None:
    """The dialled number as E.164 where it is one, else as it was dialled (an extension, `s`)."""
    return (did_number_of(text, region) or text[:MAX_ID]) if text else None


def known_call_of(request: Request, site: Site) -> IncomingCall:
    """The call as an earlier answer of ours described it (`caller=`, `auth=`), for `/callee` and `/challenge`."""
    arguments = request.arguments
    auth = AUTH.get(arguments.get("auth") or UNKNOWN)  # an answer leaves that out
    if auth is None:
        raise ProtocolError("unknown auth class")
    trunk = _trunk_of(request, site)
    caller = _known_caller(request, trunk.region)
    return IncomingCall(
        linkedid=linkedid_of(request),
        caller=caller,
        did=did_of(arguments.get("did", ""), trunk.region),
        trunk=trunk.name,
        trusted=trunk.trusted,
        attestation=auth[0],
        verification=auth[1],
        name=None,  # by now it is what we show
        withheld=withheld_number(caller, request.variables.get("agi_callerid", ""), trunk.region, site),
    )


def _known_caller(request: Request, region: str) -> Number:
    """The number that an earlier answer gave. A caller who had none there has none now, whatever the channel says."""
    known = caller_of(request.arguments.get("caller", ""), "ZZ")
    if known.key:
        return Number(known.key, known.key, known.kind)
    shown = caller_of(request.variables.get("agi_callerid", ""), region, request.arguments.get("pres", ""))
    return Number(None, "", CallerKind.WITHHELD if shown.kind is CallerKind.WITHHELD else CallerKind.INVALID)


def _trunk_of(request: Request, site: Site) -> Trunk:
    """The trunk that the dialplan names: behind a queue we are asked by a Local channel."""
    return site.trunk_of(request.arguments.get("trunk") or request.variables.get("agi_channel", ""))


def instant_of(text: str) -> float | None:
    """An instant that the dialplan keeps in AstDB, as UTC seconds; None when there is none."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def asked_at(text: str) -> float | None:
    """When the dialplan asked: milliseconds there, UTC seconds here. None when it did not say (an older dialplan)."""
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _diverted_from(text: str, header: str, region: str) -> str | None:
    """Who redirected the call to us, as Asterisk has it, else the first of a chain in one header: who did it last."""
    if header and text in NOTHING and (found := _FIRST_URI.search(header)) is not None:
        text = found[1]
    return None if text in NOTHING else (number_of(text, region) or text[:MAX_ID])


# `/outbound`: from the request to the call that wants to go out, and from the decision to what is kept of it.

MAX_ENDPOINT = 80
# What makes a number international belongs to it, whoever puts it there: E.164, and the exit codes of most countries.
INTERNATIONAL = ("+", "00", "011")


def outgoing_call_of(request: Request, site: Site) -> OutgoingCall:
    """The call that `/outbound` is asked about. Numbers are read as the trunk writes them.

    `trunk=` is the trunk's name. A generated dialplan does not know our names and sends a channel of the trunk.
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
