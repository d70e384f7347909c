"""Parses AGI requests into values such as IncomingCall, so that nothing later parses text from an AGI request.

Arguments that can make a call trusted are set by the dialplan from Asterisk's own facts. The dialplan filters values
that come from SIP headers. The caller's number comes from the header block only (docs/contributing/asterisk.md).
"""

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

SignatureCheck = tuple[Attestation, Verification]

NO_CARRIER_CHECK: SignatureCheck = (Attestation.NONE, Verification.NONE)
_MOST = 200  # the dialplan stops at 160
_SCHEMES = ("sip:", "sips:", "tel:")
_VERSTAT = re.compile(r";verstat=([0-9a-z-]{1,40})", re.ASCII)
# 3GPP TS 24.229 and ATIS-1000074. Carriers usually append the level, which neither standard defines. A carrier's own
# header may have the level alone, as P-Attestation-Indicator does.
_WORD = re.compile(r"(?:tn-validation-(?P<outcome>passed|failed)(?:-(?P<level>[abc]))?|(?P<alone>[abc]))", re.ASCII)
_OUTCOMES = {"passed": Verification.PASSED, "failed": Verification.FAILED}


def parse_verstat_uri(uri: str, number: str | None, region: str) -> SignatureCheck:
    """Return the attestation and verification from the `verstat` parameter in the URI of the caller's number.

    Both are NONE if there is no valid `verstat`, or if the URI contains a number other than `number`.
    """
    if "verstat" not in uri:  # most calls
        return NO_CARRIER_CHECK
    uri = uri[:_MOST].lower()
    words = set(_VERSTAT.findall(uri))
    if number is None or len(words) != 1 or not uri.startswith(_SCHEMES) or number_of(uri, region) != number:
        return NO_CARRIER_CHECK
    return parse_verstat(words.pop())


def carrier_reports(uri: str, header: str) -> bool:
    """Return whether the carrier reports a result of checking the caller. The result "not checked" counts too.

    `uri`: the URI of the caller's number. `header`: the carrier's own header. If a call has no such header, the
    dialplan passes the URI of From instead.
    """
    uri, header = uri.lower(), header.lower()
    return "verstat" in uri or "verstat" in header or (header != "" and not header.startswith(_SCHEMES))


def parse_verstat(word: str) -> SignatureCheck:
    """Parse a `verstat` value: how the carrier's check of the caller's number ended. If unknown, both are NONE."""
    match = _WORD.fullmatch(word.lower())
    if match is None:
        return NO_CARRIER_CHECK
    level = match["level"] or match["alone"]
    attestation = Attestation(level.upper()) if level else Attestation.NONE
    return attestation, _OUTCOMES.get(match["outcome"] or "", Verification.NONE)


# STIR_SHAKEN(0,verify_result) -> verification: Asterisk 22's response codes, and the sentences of 18 to 20 without
# their spaces. Only results that count against the *caller* are failures. A certificate that could not be fetched or a
# wrong clock means not verified, like every result that is missing here.
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
NOT_ATTESTED, NOT_VERIFIED = NO_CARRIER_CHECK
ATTESTATION = {"A": Attestation.A, "B": Attestation.B, "C": Attestation.C}

# Values of CALLSIEVE_AUTH, which an answer sets and the dialplan sends back: the auth class, and separately a failed
# signature, after which contacts do not count.
FAILED, UNKNOWN = "failed", "unknown"
AUTH = {
    "authenticated": (Attestation.A, Verification.PASSED),
    "unauthenticated": (Attestation.C, Verification.NONE),
    UNKNOWN: (Attestation.NONE, Verification.NONE),
    FAILED: (Attestation.NONE, Verification.FAILED),
}

# agi_* header fields are "unknown" if Asterisk has no value.
NOTHING = ("", "unknown")
_FIRST_URI = re.compile(r"(?:sips?|tel):([^;:@]{1,64})")
MAX_ID = 64


def incoming_call_of(request: Request, site: Site) -> IncomingCall:
    """Parse the call in a `/screen` request."""
    arguments, variables = request.arguments, request.variables
    trunk = _trunk_of(request, site)
    raw_number, name = variables.get("agi_callerid", ""), variables.get("agi_calleridname", "")
    name = "" if name in NOTHING else name
    caller = caller_of(raw_number, trunk.region, arguments.get("pres", ""), name)
    attestation, verification = _signature_of(caller, arguments, trunk)
    priority_callback = arguments.get("priority", "").lower() == "psap-callback"
    diverted_from = _diverted_from(variables.get("agi_rdnis", ""), arguments.get("diversion", ""), trunk.region)
    return IncomingCall(  # by position: keywords take three times as long
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


def _signature_of(caller: Number, arguments: Mapping[str, str], trunk: Trunk) -> SignatureCheck:
    """Return the result of Asterisk's own signature check, or else the result of the carrier's check."""
    attestation = ATTESTATION.get(arguments.get("attestation", ""), NOT_ATTESTED)
    verification = VERIFICATION.get(arguments.get("verification", ""), NOT_VERIFIED)
    if verification is NOT_VERIFIED and trunk.carrier_counts and caller.key is not None:
        word = parse_verstat_uri(arguments.get("uri", ""), caller.key, trunk.region)
        # The carrier's own header that the settings name; it is From if the call has none.
        header = arguments.get("header", "")
        if header and word == NO_CARRIER_CHECK:
            word = parse_verstat_uri(header, caller.key, trunk.region)
            word = parse_verstat(header) if word == NO_CARRIER_CHECK else word
        if word != NO_CARRIER_CHECK:
            return word
    return attestation, verification


def withheld_number(caller: Number, raw_number: str, region: str, site: Site) -> str | None:
    """Return the withheld number if the trunk delivered it and the settings let blocklists match it, or None."""
    if not site.match_withheld or caller.kind is not CallerKind.WITHHELD:
        return None
    return number_of(raw_number, region)


def linkedid_of(request: Request) -> str:
    """Return the linkedid of the call, or the channel's unique ID if the dialplan did not pass a linkedid."""
    return own_name((request.arguments.get("linkedid") or request.variables.get("agi_uniqueid", ""))[:MAX_ID])


def did_of(text: str, region: str) -> str | None:
    """Return the dialled number as E.164; unchanged if it is no telephone number (an extension, `s`); None if empty."""
    return (did_number_of(text, region) or text[:MAX_ID]) if text else None


def known_call_of(request: Request, site: Site) -> IncomingCall:
    """Return the call in a `/callee` or `/challenge` request, which repeats facts from the answer to `/screen`."""
    arguments = request.arguments
    auth = AUTH.get(arguments.get("auth") or UNKNOWN)  # UNKNOWN is not in an answer
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
        name=None,  # the channel's caller name is already CallSieve's display text
        withheld=withheld_number(caller, request.variables.get("agi_callerid", ""), trunk.region, site),
    )


def _known_caller(request: Request, region: str) -> Number:
    """Return the caller's number from an earlier answer (`caller=`). Without it, return a caller without a number."""
    known = caller_of(request.arguments.get("caller", ""), "ZZ")
    if known.key:
        return Number(known.key, known.key, known.kind)
    shown = caller_of(request.variables.get("agi_callerid", ""), region, request.arguments.get("pres", ""))
    return Number(None, "", CallerKind.WITHHELD if shown.kind is CallerKind.WITHHELD else CallerKind.INVALID)


def _trunk_of(request: Request, site: Site) -> Trunk:
    """Return the trunk that the dialplan names, or else the trunk of the channel.

    After a queue, the channel is a Local channel, from which the trunk cannot be seen.
    """
    return site.trunk_of(request.arguments.get("trunk") or request.variables.get("agi_channel", ""))


def instant_of(text: str) -> float | None:
    """Return a time that the dialplan stored in AstDB, in UTC seconds; None if the text is no time."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def asked_at(text: str) -> float | None:
    """Return when the dialplan sent a request, in UTC seconds. `text` is in ms. None: the dialplan sent no time."""
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _diverted_from(text: str, header: str, region: str) -> str | None:
    if header and text in NOTHING and (match := _FIRST_URI.search(header)) is not None:
        text = match[1]
    return None if text in NOTHING else (number_of(text, region) or text[:MAX_ID])


MAX_ENDPOINT = 80
# These prefixes make a number international, so they belong to it: E.164, and the exit codes of most countries.
INTERNATIONAL = ("+", "00", "011")


def outgoing_call_of(request: Request, site: Site) -> OutgoingCall:
    """Return the call in an `/outbound` request. Numbers are parsed in the format of the trunk's region.

    `trunk=` is the name of the trunk, or a channel of the trunk if the dialplan was generated without trunk names.
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
    """Return the called number: `dialled`, or else `sent`, which may have a trunk prefix; None if neither is one."""
    added = sent.removesuffix(dialled)
    first, second = (sent, dialled) if added.startswith(INTERNATIONAL) else (dialled, sent)
    return whole_number_of(first, region) or whole_number_of(second, region)


def outbound_record(
    decision_id: str, call: OutgoingCall, decision: OutboundDecision, site: Site, now: float, elapsed_ms: float
) -> OutboundRecord:
    """Return the record of a decision about an outgoing call, as the store keeps it."""
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
    """Return the decision that allows an outgoing call because no decision was made in time."""
    return OutboundDecision(action=Passage.ALLOW, rule=FAIL_OPEN_RULE, reason=why_of_failure(reason))
