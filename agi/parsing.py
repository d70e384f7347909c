"""From an AGI request to an IncomingCall: the edge where text from the network is read, once.

Arguments that give trust are made by the dialplan from Asterisk's own facts; the rest came from SIP and was
filtered there. The caller's number comes from the header block only (docs/reference/asterisk.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agi.carrier_word import NOTHING_SAID, Said, said_beside, said_by
from agi.protocol import ProtocolError, Request
from agi.site import Site, Trunk
from policies.decision import IncomingCall
from reputation.model import Attestation, CallerKind, Verification
from reputation.numbers import Number, caller_of, did_number_of, number_of
from reputation.site_names import own_name

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
