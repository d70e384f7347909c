"""What a carrier that checks signatures itself says of a call: `verstat` beside the number, or a header of its own.

    said_beside("sip:+12015550123;verstat=TN-Validation-Passed-A@carrier.example", "+12015550123", "US")
    said_by("TN-Validation-Passed-A")
        -> (Attestation.A, Verification.PASSED)

The dialplan hands over the URI of P-Asserted-Identity, else of From, without its display name, which is the caller's
own text; or the value of the header that CALLSIEVE_VERSTAT_HEADER names. It counts on trunks with `verstat = true` or
`trusted = true`, and only for the number that it stands beside: whoever asserts one number and shows another
in From has had the first one checked.
"""

from __future__ import annotations

import re

from reputation.model import Attestation, Verification
from reputation.numbers import number_of

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
    """What a word of the carrier's says."""
    found = _WORD.fullmatch(word.lower())
    if found is None:
        return NOTHING_SAID
    level = found["level"] or found["alone"]
    attestation = Attestation(level.upper()) if level else Attestation.NONE
    return attestation, _OUTCOMES.get(found["outcome"] or "", Verification.NONE)
